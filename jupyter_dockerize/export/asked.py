"""What can be told from what was asked alone: before a kernel is started, and before an engine is asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ..codes import CODES
from ..contents.identity import Method
from ..contents.times import source_date_epoch
from ..environment.choices import Wishes
from ..environment.names import printable
from ..environment.observe.interpreter import executable
from ..environment.observe.kernel import installed
from ..environment.observe.running import connection_file
from ..environment.observe.ways import Where
from ..environment.plan.platform import named
from ..environment.project.included import check_included
from ..environment.project.notebook import read_notebook
from ..errors import KernelError, ReferenceError, UsageError  # noqa: A004 - the field's word
from ..image.reference import Reference
from .naming import image_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The image ``ref`` of the environment ``where``, and how it is to be made: see `api.build`."""

    where: Where
    wishes: Wishes
    ref: str
    engine: str = "auto"
    method: Method | None = None
    output: Path | None = None
    check: bool = True  # whether it is the same environment
    push: bool = False
    hashes: bool = False
    overwrite: bool = False  # it may take the name of another notebook's image
    started: float  # the `time.monotonic` of the moment that it was asked for


def check(where: Where, wishes: Wishes) -> None:
    """Raises `UsageError` for what names nothing: notebook, kernel, interpreter, files, platform, base.

    So it does for a time that is none.
    """
    source_date_epoch()
    _check_environment(where)
    if wishes.minimal:
        _check_has_run(where)
    check_codes(wishes.allow)
    if wishes.platform is not None:
        named(wishes.platform)
    if wishes.base is not None:
        _check_reference(wishes.base, "python:3.12-slim-bookworm")
    if where.notebook is not None:
        check_included(wishes.include, where.notebook.absolute().parent)
    elif wishes.include:
        raise UsageError(
            f"{wishes.include[0]} cannot be included",
            why="files are taken from beside the notebook, and none is known",
            fix="name the notebook",
            instead=("", "NOTEBOOK.ipynb"),
        )


def check_codes(codes: Iterable[str]) -> None:
    """Raises `UsageError` for what no finding is called."""
    for code in codes:
        _check_code(code)


def image_of(where: Where, ref: str | None) -> str:
    """What the image is to be called: ``ref``, or like the notebook. Raises `UsageError`."""
    if ref is not None:
        _check_reference(ref, suggested(ref))
        if Reference.parse(ref).digest:
            raise UsageError(
                f"{ref[:120]} cannot be given to an image", why="it names a digest", fix="use a tag instead"
            )
        return ref
    if where.notebook is not None:
        return image_name(where.notebook)
    raise UsageError(
        "the image has no name",
        why="no notebook is known that it could be called after",
        fix="name the notebook, `jupyter dockerize NOTEBOOK.ipynb`, or the image, `jupyter dockerize -t NAME`"
        if where.here
        else "name the notebook, or the image with -t NAME",
        instead=() if where.here else ("", "-t", "analysis"),
    )


def _check_environment(where: Where) -> None:
    notebook = read_notebook(where.notebook) if where.notebook else None
    if where.kernel is not None:
        installed(where.kernel)
    elif where.live is not None:
        connection_file(where.live)
    elif where.python is not None:
        executable(where.python)
    elif notebook and notebook.kernel and not where.here:
        try:
            installed(notebook.kernel.name)
        except KernelError as error:  # nobody typed its name: another is to be typed
            error.what = f"{error.what}, which {notebook.path.name} names"
            error.instead = ("", "--kernel", *error.instead[1:]) if error.instead else ()
            raise


def _check_has_run(where: Where) -> None:
    """``--minimal`` asks a kernel what the notebook has imported: one that runs, not one that is started."""
    if where.here or (where.live is not None and where.kernel is None):
        return
    other = next((option for option in ("kernel", "python") if getattr(where, option) is not None), "")
    named = str(where.notebook) if where.notebook else "ID"
    has_not = "an interpreter" if other == "python" else "a kernel that is started for this"
    raise UsageError(
        "--minimal needs a kernel that has run the notebook",
        why=f"only what it has imported tells what the notebook uses, and {has_not} has imported nothing",
        fix=f"run all cells, then name that kernel with --live {named} instead of --{other}"
        if other
        else "run all cells, keep the kernel running, and type",
        instead=() if other else ("", "--live", named),
    )


def _check_code(code: str) -> None:
    if code not in CODES:
        near = get_close_matches(code, CODES, 1)
        raise UsageError(
            f"no finding has the code {printable(code, 80)!r}",
            fix=f"did you mean {near[0]}" if near else "a code stands behind each finding, in brackets",
            instead=(code, *near) if near else (),
        )


def suggested(ref: str) -> str:
    """A name for an image, much like ``ref``; "" where there is none, or it has more parts than a name."""
    try:
        return "" if set(ref) & set("/:@") else image_name(ref)
    except UsageError:
        return ""


def _check_reference(ref: str, example: str) -> None:
    try:
        Reference.parse(ref)
    except ReferenceError as error:
        error.instead = (ref, example) if ref and example else ()
        raise
