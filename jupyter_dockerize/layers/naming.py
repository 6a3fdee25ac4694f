"""Which layered image is meant: the one that is named, or the one whose journal lies beside the notebook."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..environment.observe.ways import Where
from ..errors import UsageError
from ..export.asked import image_of
from . import journal


def image_for(where: Where, ref: str | None) -> str:
    """The image's name. Raises `UsageError` where nothing says it, or several journals do."""
    if ref is not None or where.notebook is None:
        return image_of(where, ref)
    found = sorted(set(_of_notebook(where.notebook)))
    if len(found) > 1:
        raise UsageError(
            f"{where.notebook.name} has several layered images",
            why=", ".join(found),
            fix=f"name one: --image {found[0]}",
        )
    return found[0] if found else image_of(where, None)


def _of_notebook(notebook: Path) -> list[str]:
    folder = notebook.absolute().parent / journal.FOLDER
    names = []
    for path in sorted(folder.glob(f"*/{journal.JOURNAL}")):
        with contextlib.suppress(UsageError):
            header = journal.header(path.parent)
            if header.notebook == notebook.name:
                names.append(header.image)
    return names


__all__ = ["image_for"]
