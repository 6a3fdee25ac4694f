"""What a judge may say, and how much of a hostile input it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "info"]
Say = Callable[..., None]  # (rule, message, severity="error")

LONGEST_QUOTE = 120


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault: ``where`` is a file of the layout or a digest, ``rule`` a short name that stays the same.

    An "error" makes the image unfit, a "warning" is against a SHOULD, an "info" only worth knowing.
    ``message`` is one line that can be printed, whatever the input was.
    """

    where: str
    rule: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.rule}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read before it counts as an attack. Sizes in bytes."""

    document: int = 4 << 20  # an index, a manifest or a configuration
    unpacked: int = 64 << 30  # one layer
    members: int = 2_000_000  # of one layer, or of an archive
    header: int = 1 << 20  # an extended header: names and attributes of one member
    images: int = 1_000  # manifests and nested indexes
    layers: int = 1_000  # of one image; engines stop at 127
    violations: int = 1_000  # that are listed


@dataclass(slots=True)
class Found:
    """What was found so far, in order, each once."""

    limits: Limits
    violations: list[Violation] = field(default_factory=list)
    _known: set[Violation] = field(default_factory=set)

    def at(self, where: str) -> Say:
        """What says a violation at this place."""

        def say(rule: str, message: str, severity: Severity = "error") -> None:
            self.add(Violation(where, rule, message, severity))

        return say

    def add(self, violation: Violation) -> None:
        if violation in self._known or len(self.violations) > self.limits.violations:
            return
        if len(self.violations) == self.limits.violations:
            violation = Violation(violation.where, "too-many", "there are more, which are not listed")
        self._known.add(violation)
        self.violations.append(violation)


class Unfit(Exception):  # noqa: N818 - a verdict, and never seen outside
    """The rest of this part cannot be read: one violation, and on with the next part."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule, self.message = rule, message


def quoted(value: object) -> str:
    """A hostile value as something to print: short, on one line, without control characters."""
    try:
        text = ascii(value)
    except RecursionError:
        return "something nested too deeply"
    if isinstance(value, bytes):
        text = text[1:]
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


__all__ = ["Found", "Limits", "Say", "Severity", "Unfit", "Violation", "counted", "quoted"]
