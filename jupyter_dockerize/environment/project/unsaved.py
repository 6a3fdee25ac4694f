"""Does the kernel know code that the notebook's file does not have yet? The build takes the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ...events import Finding
from ...sizes import count
from .notebook import Notebook
from .own import types_magics

_GRAIN = 0.05  # seconds: a file's time may lag behind the clock
_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))  # seconds


def unsaved(
    notebook: Notebook,
    executed: Sequence[str],
    *,
    own: bool,
    age: float,
    ended: Mapping[int, float] = MappingProxyType({}),
) -> Finding | None:
    """A `notebook-not-saved` finding where cells that ran since the file was saved are not in it.

    ``executed`` is the session's history: its index is the execution count. ``own``: the kernel was started
    for this notebook; else one of the cells has to be known from it. ``age`` of the file in seconds.
    ``ended``: how many seconds ago cells ended, by count; where that is not known, a cell may be missing.

    Code that ran before the save and is gone was edited or deleted, and is not missed; neither are our own
    magics, cells of nothing but magics and comments, and parts of a cell that ran alone.
    """
    cells = [_lines(cell.source) for cell in notebook.cells]
    missing = [
        count
        for count, source in enumerate(executed)
        if _is_code(source) and not any(_within(_lines(source), cell) for cell in cells)
    ]
    known = [count for count, source in enumerate(executed) if _is_code(source) and count not in missing]
    if not own and not known:
        return None
    saved = _saved(notebook, executed, known)
    since = sum(ended[count] < age - _GRAIN for count in missing if count in ended)
    perhaps = sum(count > saved for count in missing if count not in ended)
    number = since or perhaps
    if not number:
        return None
    cells_of = f"{count(number, 'cell')} that you ran"
    told = (
        f"{cells_of} since {'is' if number == 1 else 'are'} not in it"
        if since
        else f"{cells_of} may not be in it"
    )
    return Finding(
        "notebook-not-saved",
        "warning" if since else "info",
        f"{notebook.path.name} was saved {_ago(age)}; {told}",
        "save the notebook first: the image gets the file",
    )


def _saved(notebook: Notebook, executed: Sequence[str], known: Sequence[int]) -> int:
    """The execution count up to which the file has seen this session.

    The file says it itself by the counts of its cells, if they are of this session. Where it has none (some
    tools strip them), the last cell that is in the file was the last one to be saved.
    """
    counts = [(cell.count, cell.source) for cell in notebook.cells if cell.count]
    if not counts:
        return max(known, default=0)
    ran = [(count, source) for count, source in counts if count < len(executed)]
    if any(_lines(executed[count]) == _lines(source) for count, source in ran):
        return max(count for count, _ in ran)
    return 0


def _is_code(source: str) -> bool:
    return not types_magics(source) and any(line[0] not in "%!?#" for line in _lines(source))


def _lines(source: str) -> list[str]:
    return [line.strip() for line in source.splitlines() if line.strip()]


def _within(part: list[str], cell: list[str]) -> bool:
    return any(cell[at : at + len(part)] == part for at in range(len(cell) - len(part) + 1))


def _ago(seconds: float) -> str:
    for size, name in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {name}{'s' if number > 1 else ''} ago"
    return "less than a minute ago"
