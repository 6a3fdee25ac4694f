"""Differences and choices in words: a line for each that matters, one for many that were meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..environment.choices import Choice
from ..environment.comparison import MANAGERS, counted
from ..sizes import and_more
from .untrusted import plain

if TYPE_CHECKING:
    from ..environment.comparison import Comparison, Difference

NAMES = 8  # of a group that are shown
LINES = 20  # of differences of one kind that are shown
DEBIAN = 10  # the same for Debian packages, of which there are hundreds
CLASSES = ("unexpected", "tolerated", "planned")  # gravest first
LONG = 24  # characters of a side's name; above that a letter stands for it in every line
WHOLE = "*"  # the name of what stands for a whole kind
OFFERED = "offered"  # told by a finding: nobody meant to leave it out
KINDS = {"changed": "changed", "added": "added", "left-out": "left out", "package": "brought along"}
MEANT = {
    "changed": "changed for the image",
    "added": "added to the image",
    "left out": "left out of the image on purpose",
}


@dataclass(frozen=True, slots=True)
class Sides:
    """How the two sides of a comparison are spoken of."""

    only: tuple[str, str] = ("planned, not in the image", "in the image, not planned")
    both: tuple[str, str, str] = ("", " planned, ", " in the image")  # round what each side has
    names: tuple[str, str] = ("the source", "the image")

    def have(self, first: str, second: str) -> str:
        """What each side has: "1.26 planned, 2.1 in the image"."""
        before, between, after = self.both
        return f"{before}{first or 'nothing'}{between}{second or 'nothing'}{after}"


PLAN = Sides()


def sides_of(value: Comparison) -> Sides:
    """By the names that its sides have."""
    a, b = plain(value.expected), plain(value.found)
    if value.image and not a:
        return PLAN
    if legend(value):
        a, b = ("the source", "the image") if value.image else ("A", "B")
    if value.image:
        return Sides(
            (f"in {a}, not in the image", f"in the image, not in {a}"),
            (f"{a} has ", ", the image has ", ""),
            (a, "the image"),
        )
    return Sides((f"only in {a}", f"only in {b}"), (f"{a} has ", f", {b} has ", ""), (a, b))


def legend(value: Comparison) -> str:
    """What the sides' short names stand for; "" where they are told by their own."""
    a, b = plain(value.expected), plain(value.found)
    if value.image:
        return f"the source: {a}" if len(a) > LONG else ""
    return f"A: {a}\nB: {b}" if max(len(a), len(b)) > LONG else ""


@dataclass(frozen=True, slots=True)
class Line:
    """A difference, or many of one kind: what is otherwise, and why or what to do."""

    class_: str
    text: str
    note: str = ""


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
        return and_more(self.names, NAMES)


def lines(values: Iterable[Difference], sides: Sides = PLAN) -> list[Line]:
    """The unexpected and the tolerated ones; of many of a kind the first, and how many more there are.

    Of each manager first what is on both sides, then what is missing, then what is one too many.
    Tolerated ones of the same kind and reason are one line.
    """
    kinds: dict[tuple[str, ...], list[Difference]] = {}
    order = list(MANAGERS)
    for d in sorted(values, key=lambda d: (CLASSES.index(d.class_), order.index(d.manager), _side(d))):
        if d.class_ != "planned":
            reason = d.note if d.class_ == "tolerated" else ""
            kinds.setdefault((d.class_, d.manager, _kind(d, sides), reason), []).append(d)
    found = []
    for (class_, manager, kind, note), some in kinds.items():
        if class_ == "tolerated" and len(some) > 1:
            names = tuple(dict.fromkeys(plain(_short(d)) for d in some))
            found.append(
                Line(class_, f"{counted(manager, len(names))} {kind}: {and_more(names, NAMES)}", plain(note))
            )
            continue
        most = DEBIAN if manager == "apt" else LINES
        found += [Line(class_, in_words(d, sides), plain(d.note)) for d in some[:most]]
        if len(some) > most:
            more = counted(manager, len(some) - most).replace(" ", " more ", 1)
            found.append(Line(class_, f"and {more} {kind}: `--json` lists all"))
    return found


def in_words(value: Difference, sides: Sides = PLAN) -> str:
    """What is otherwise: "numpy: version 1.26.4 planned, 2.1.0 in the image"."""
    name, expected, found = plain(value.name), plain(value.expected), plain(value.found)
    if value.manager == "library":
        where = sides.names[0 if found else 1]
        return f"{expected or found} is missing in {where}, {name} needs it"
    if value.field == "package":
        version = (expected or found).removesuffix(" (env)")  # the scope of almost all of them
        return f"{name} {version}: {_kind(value, sides)}"
    if value.field == "files":
        return f"{name}: {found if expected == 'as installed' else expected}"
    what = "" if value.field == "version" else f"{plain(value.field)} "
    return f"{name}: {what}{sides.have(expected, found)}"


def _kind(value: Difference, sides: Sides) -> str:
    """What many of them have in common: that they are on one side only, or otherwise on both."""
    if value.manager == "library":
        return f"missing in {sides.names[0 if value.found else 1]}"
    if value.field == "package":
        return sides.only[0 if value.expected else 1]
    return f"with another {plain(value.field)}" if value.field != "version" else "in another version"


def _side(value: Difference) -> int:
    return 0 if value.field != "package" else 1 if value.expected else 2


def _short(value: Difference) -> str:
    return value.expected or value.found if value.manager == "library" else value.name


def of_choices(values: Iterable[Choice]) -> list[Group]:
    """The choices of a plan, grouped by kind, manager and reason."""
    return _groups((c.kind, c.manager, c.name, c.source, c.reason) for c in values)


def of_planned(values: Iterable[Difference]) -> list[Group]:
    """The planned ones of ``values``, grouped alike."""
    return _groups(
        (d.field, d.manager, d.name, d.expected or d.found, d.note) for d in values if d.class_ == "planned"
    )


def meant(groups: Iterable[Group]) -> str:
    """All of them in a sentence: "left out of the image on purpose: 4 packages, 822 Debian packages"."""
    kinds: dict[str, dict[str, int]] = {}
    for group in groups:
        managers = kinds.setdefault(MEANT.get(group.kind, group.kind), {})
        managers[group.manager] = managers.get(group.manager, 0) + group.count
    return "; ".join(
        f"{kind}: {', '.join(counted(name, some[name]) for name in MANAGERS if name in some)}"
        for kind, some in kinds.items()
    )


def _groups(items: Iterable[tuple[str, str, str, str, str]]) -> list[Group]:
    found: dict[tuple[str, str, str], list[str]] = {}
    wholes: list[Group] = []
    for kind, manager, name, amount, reason in items:
        if kind == OFFERED:
            continue
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
