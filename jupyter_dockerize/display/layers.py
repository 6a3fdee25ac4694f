"""Layers as plain text: one that was made, all of them, and where the head went."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..sizes import and_more, count, size
from .text import MARKS, VERDICTS, findings, table
from .untrusted import plain

if TYPE_CHECKING:
    from ..layers.adding import Done
    from ..layers.consolidating import Consolidated
    from ..layers.model import Change, Layer
    from ..layers.rebuilding import Rebuilt
    from ..layers.timeline import History, Moved

SHOWN = 6  # packages of a line
WIDEST = 44  # characters of a command in a table


def done(value: Done) -> str:
    """What a command came to."""
    if value.layer is None:
        nothing = "no layer was made" if value.status else "nothing changed, so there is no new layer"
        said = f"{nothing}: {plain(value.image)} is at layer {value.number}"
        return "\n".join(filter(None, (said, findings(value.findings))))
    mark, verdict = MARKS.get(value.verdict, ""), VERDICTS.get(value.verdict, value.verdict)
    parts = [changes(value.layer), size(value.size), f"{mark} {verdict}"]
    time = f"{value.seconds:.1f} s" + (f", {value.own:.1f} of them the command's own" if value.own else "")
    lines = [f"layer {value.number} of {plain(value.image)}: {' · '.join(parts)} ({time})"]
    if value.layer.literal and value.layer.origin != "commit":  # of that a finding tells
        lines.append("kept as it was typed: a rebuild runs it again, and what it fetches then is not pinned")
    return "\n".join(filter(None, (*lines, findings(value.findings))))


def history(value: History) -> str:
    """A line for each layer, the head marked."""
    rows = [
        (
            "→" if row.number == value.head else "↶" if row.undone else "",
            str(row.number),
            row.layer.created.replace("T", " ").removesuffix("Z")[:16],
            short(row.layer.command),
            changes(row.layer) if row.number > 1 else "the environment as it was",
            size(row.size) if row.size is not None else "",
        )
        for row in value.rows
    ]
    parts = [table(rows, head=("", "layer", "when (UTC)", "command", "packages", "size"))]
    if value.whole:
        (row,) = value.rows
        parts += [f"  {plain(line)}" for line in row.layer.command.splitlines()]
        parts += [f"  {each.manager}: {plain(str(each))}" for each in row.layer.changes]
    if any(row.undone for row in value.rows):
        redo = f"`jupyter dockerize redo {plain(value.image)}`"
        parts.append(f"↶ undone: {redo} brings it back, until a new layer takes its place")
    if value.pending:
        retry = f"`jupyter dockerize exec --image {plain(value.image)} --retry`"
        parts.append(f"! {short(value.pending)} is in no layer yet: {retry} makes one of it")
    return "\n".join(parts)


def moved(value: Moved, follow: str) -> str:
    """Where the head is, and what the environment has otherwise; ``follow`` is typed to bring it along."""
    lines = [f"{plain(value.image)} is at layer {value.number}: {short(value.layer.command)}"]
    changes = value.environment or ()
    for title, those in (
        ("only in the environment", [each for each in changes if not each.before]),
        ("only in the image", [each for each in changes if not each.after]),
        ("otherwise", [each for each in changes if each.before and each.after]),
    ):
        if those:
            lines.append(f"{title}: {named(those)}")
    if value.environment is not None and not changes:
        lines.append("the environment has the same packages")
    if value.brought is None and changes:
        lines.append(f"the environment stays as it is: `{follow}` brings it along")
    if value.brought is not None and not value.brought.empty:
        lines.append("restart the kernel: what it has imported is still the old one")
    return "\n".join(lines)


def consolidated(value: Consolidated) -> str:
    """How many layers became how many."""
    said = f"{plain(value.image)}: {count(value.before, 'layer')} became {value.number}, {size(value.size)}"
    lines = (f"{said} ({value.seconds:.0f} s)", value.summary, findings(value.findings))
    return "\n".join(filter(None, lines))


def rebuilt(value: Rebuilt) -> str:
    """Which image was made anew from its journal."""
    said = f"{plain(value.image)} is there again, with {count(value.number, 'layer')} ({value.seconds:.0f} s)"
    return "\n".join(filter(None, (said, f"fingerprint {value.fingerprint}", findings(value.findings))))


def changes(layer: Layer) -> str:
    """The packages of a layer on one line."""
    found = layer.changes
    return named(found) if found else "no packages" if layer.literal else "nothing of packages"


def named(found: Iterable[Change]) -> str:
    return and_more((plain(str(each)) for each in found), SHOWN)


def short(command: str) -> str:
    first, *rest = command.strip().splitlines() or [""]
    return plain(first[: WIDEST - 1] + "…" if rest or len(first) > WIDEST else first)


__all__ = ["changes", "consolidated", "done", "history", "moved", "rebuilt"]
