"""Differences and choices in words: a line for each that matters, one for many that were meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..environment.choices import Choice
from .untrusted import plain

if TYPE_CHECKING:
    from ..environment.compare import Difference

NAMES = 8  # of a group that are shown
LINES = 20  # of differences that are shown
WHOLE = "*"  # the name of what stands for a whole kind
KINDS = {"changed": "changed", "added": "added", "left-out": "left out", "package": "brought by the base"}
MANAGERS = {
    "python": ("Python version", "Python versions"),
    "pip": ("package", "packages"),
    "conda": ("conda package", "conda packages"),
    "apt": ("Debian package", "Debian packages"),
    "library": ("library", "libraries"),
    "file": ("file", "files"),
    "variable": ("variable", "variables"),
    "index": ("index", "indexes"),
    "system": ("system", "systems"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """``count`` things of one manager that were meant for one reason; ``names`` where they have some."""

    kind: str
    manager: str
    count: int
    names: tuple[str, ...]
    reason: str

    @property
    def counted(self) -> str:
        """Such as "239 Debian packages"."""
        return counted(self.manager, self.count)

    @property
    def shown(self) -> str:
        """Some names, and how many more there are."""
        more = len(self.names) - NAMES
        return ", ".join(self.names[:NAMES]) + (f" and {more} more" if more > 0 else "")


def in_words(value: Difference) -> str:
    """What is otherwise, without saying who it is of: "numpy: version 1.26.4 → 2.1.0"."""
    name, expected, found = plain(value.name), plain(value.expected), plain(value.found)
    if value.manager == "library":
        return f"{expected} is missing, {name} needs it" if not found else f"{name}: {expected} → {found}"
    if value.name == WHOLE:
        return f"{expected or found} {'left out' if expected else 'more'}"
    if value.field == "package" and not found:
        return f"{name} {expected} is missing"
    if value.field == "package" and not expected:
        return f"{name} {found} is there and was not meant to be"
    return f"{name}: {plain(value.field)} {expected or '–'} → {found or '–'}"


def of_choices(values: Iterable[Choice]) -> list[Group]:
    """The choices of a plan, grouped by kind, manager and reason."""
    return _groups((c.kind, c.manager, c.name, c.source, c.reason) for c in values)


def of_planned(values: Iterable[Difference]) -> list[Group]:
    """The planned ones of ``values``, grouped alike."""
    return _groups(
        (d.field, d.manager, d.name, d.expected or d.found, d.note) for d in values if d.class_ == "planned"
    )


def total(groups: Iterable[Group]) -> int:
    """How many differences the groups hold."""
    return sum(group.count for group in groups)


def counted(manager: str, count: int) -> str:
    """ "1 package", "3 Debian packages"."""
    one, many = MANAGERS.get(manager, (manager, manager))
    return f"1 {one}" if count == 1 else f"{count} {many}"


def sorted_out(values: Sequence[Difference]) -> tuple[list[Difference], list[Difference]]:
    """The unexpected and the tolerated ones."""
    return (
        [d for d in values if d.class_ == "unexpected"],
        [d for d in values if d.class_ == "tolerated"],
    )


def _groups(items: Iterable[tuple[str, str, str, str, str]]) -> list[Group]:
    found: dict[tuple[str, str, str], list[str]] = {}
    wholes: list[Group] = []
    for kind, manager, name, amount, reason in items:
        if name == WHOLE:
            number = amount.partition(" ")[0]  # "515 packages"
            count = int(number) if number.isdecimal() else 1
            wholes.append(Group(KINDS.get(kind, plain(kind)), manager, count, (), plain(reason)))
            continue
        # "--apt curl takes it along" is one reason for all of them.
        words = " ".join("NAME" if word == name else word for word in reason.split(" "))
        found.setdefault((kind, manager, words), []).append(plain(name))
    groups = [
        Group(KINDS.get(kind, plain(kind)), manager, len(names), tuple(names), plain(reason))
        for (kind, manager, reason), names in found.items()
    ]
    order = list(KINDS.values())
    return sorted(
        [*groups, *wholes],
        key=lambda g: (order.index(g.kind) if g.kind in order else len(order), len(g.names)),
    )
