"""A notebook file: its kernel and its code.

The format is nbformat 4 (https://nbformat.readthedocs.io, "The Notebook file format"). Not read with
nbformat: to import it takes longer than everything else that a kernel does here, and outputs of 100 MB would
take four times that in memory.
"""

from __future__ import annotations

import codecs
import json
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from ...errors import NotebookError
from ..model import Kernel

LIMIT = 256 << 20  # bytes: outputs with pictures and tables count too


@dataclass(frozen=True, slots=True)
class CodeCell:
    """``index`` counts all cells from 0, as the file does; ``count`` is the execution count, where it ran."""

    index: int
    source: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Notebook:
    """``path`` is absolute. ``kernel`` is None where the notebook names none."""

    path: Path
    kernel: Kernel | None
    language: str
    cells: tuple[CodeCell, ...]


class _Cell(TypedDict, total=False):
    cell_type: Any
    source: Any
    execution_count: Any


class _File(TypedDict, total=False):
    nbformat: Any
    metadata: Any
    cells: list[_Cell]


def current_notebook() -> Path | None:
    """The notebook that this kernel was started for, where the file (still) exists.

    ``JPY_SESSION_NAME`` is set when a server starts the kernel for a session; it is absent elsewhere
    (nbclient, a console), and stale when the notebook was renamed since.
    """
    name = os.environ.get("JPY_SESSION_NAME", "")
    path = Path(name)
    return path.absolute() if path.suffix == ".ipynb" and path.is_file() else None


def read_notebook(path: Path) -> Notebook:
    """The notebook in ``path``. Raises `NotebookError` where it is none, or older than nbformat 4."""
    content = _content(path)
    major = content.get("nbformat")
    if isinstance(major, bool) or not isinstance(major, int) or not isinstance(content.get("metadata"), dict):
        raise NotebookError(f"{path} is not a notebook", why="it has no nbformat and metadata")
    if major < 4:
        raise NotebookError(
            f"{path} is a notebook of format {major}",
            why="format 4 came in 2015, and older ones are read no more",
            fix=f"convert it: jupyter nbconvert --to notebook --inplace {path}",
        )
    if major > 4:
        raise NotebookError(f"{path} is a notebook of format {major}", fix="upgrade jupyter-dockerize")
    cells = content.get("cells")
    if not isinstance(cells, list):
        raise NotebookError(f"{path} is not a notebook", why="it has no list of cells")
    kernel, language = _kernel(content["metadata"])
    code = tuple(
        CodeCell(index, _text(path, index, cell.get("source", "")), _count(cell.get("execution_count")))
        for index, cell in enumerate(cells)
        if isinstance(cell, dict) and cell.get("cell_type") == "code"
    )
    return Notebook(path.absolute(), kernel, language, code)


def _content(path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise NotebookError(f"{path} is a folder, not a notebook", fix="name the .ipynb file")
    if path.is_fifo() or path.is_socket() or path.is_char_device():  # to open a pipe waits for its writer
        raise NotebookError(f"{path} is no file, and not a notebook", fix="name the .ipynb file")
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(min(size, LIMIT) + 1)  # as much as is asked for is allocated
    except FileNotFoundError as error:
        raise NotebookError(f"{path} does not exist", fix="check the path of the notebook") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise NotebookError(f"{path} cannot be read", why=why) from error
    if len(data) > LIMIT:
        raise NotebookError(
            f"{path} is larger than {LIMIT >> 20} MiB",
            why="its outputs are too large",
            fix="clear its outputs",
        )
    try:
        content = _parsed(data)
    except (ValueError, RecursionError) as error:
        if path.suffix != ".ipynb":
            raise NotebookError(
                f"{path} is not a notebook",
                why="a notebook's name ends in .ipynb",
                fix="name the notebook; --include takes a file beside it along: "
                f"`jupyter dockerize build NOTEBOOK.ipynb --include {shlex.quote(path.name)}`",
            ) from error
        why = "it is empty" if not data.strip() else f"it is not JSON: {error}"
        fix = "open it in Jupyter and save it again, or name another notebook"
        raise NotebookError(f"{path} is not a notebook", why=why, fix=fix) from error
    if not isinstance(content, dict):
        raise NotebookError(f"{path} is not a notebook", why="its JSON is not an object")
    return content


def _parsed(data: bytes) -> Any:
    """The JSON in ``data`` without outputs; with them where it is not JSON to the letter (NaN)."""
    import msgspec

    try:
        blocks = (data[at : at + (1 << 16)] for at in range(0, len(data), 1 << 16))
        for _ in codecs.iterdecode(blocks, "utf-8"):  # msgspec does not look into what it passes over
            pass
        return msgspec.json.decode(data, type=_File)
    except (ValueError, RecursionError):
        return json.loads(data)


def _kernel(metadata: dict[str, Any]) -> tuple[Kernel | None, str]:
    """The kernelspec and the language, which is Python where nothing is said."""
    spec, info = metadata.get("kernelspec"), metadata.get("language_info")
    spec, info = (value if isinstance(value, dict) else {} for value in (spec, info))
    language = _string(info.get("name")) or _string(spec.get("language")) or "python"
    name = _string(spec.get("name"))
    if not name:
        return None, language
    return Kernel(name=name, display_name=_string(spec.get("display_name")), language=language), language


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _text(path: Path, index: int, source: object) -> str:
    """> multi-line string: str or list of str (nbformat 4 schema, misc.multiline_string)"""
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    raise NotebookError(f"{path} is not a notebook", why=f"the source of cell {index} is not text")
