"""The one progress format.

A verb takes ``report``, called with each event from whichever thread has it. Faces decide what to
do with events: draw them, print them, send them. Standard library only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["info", "warning", "error"]
REPORTED = 8 << 20  # bytes between two reports of progress


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the user should know, with its fix.

    ``code`` is stable (kebab-case; ``--allow CODE`` names it), ``message`` one sentence,
    ``fix`` what to do about it, "" where there is nothing to do.
    """

    code: str
    severity: Severity
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Step ``number`` of ``total`` began (``total`` 0: not known yet).

    ``within`` names the step that this one is a part of: a build's own steps are within "Building".
    """

    number: int
    total: int
    name: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """One line of somebody's output, without its newline; hostile until shown as text."""

    text: str
    stream: Literal["stdout", "stderr"] = "stdout"


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` ``unit`` of ``what`` (``total`` 0: not known)."""

    what: str
    done: int
    total: int
    unit: Literal["bytes", "packages", "files", "layers"] = "bytes"


@dataclass(frozen=True, slots=True)
class Result:
    """The verb's end: what it returns, as the JSON object of the surface."""

    value: dict[str, Any]


Event = Step | Log | Progress | Finding | Result
Report = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The ``report`` of a caller who does not want to know."""


class Counter:
    """Adds up the bytes that several threads have ``what``, and tells of it now and then, and at the end.

    What is lost again is a number below 0; it is never told of less than before.
    """

    def __init__(self, what: str, total: int, report: Report, *, every: int | None = None) -> None:
        self._what, self._total, self._report, self._every = what, total, report, every or REPORTED
        self._done = self._told = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            done = min(self._done, self._total)
            if done - self._told < (self._every if done < self._total else 1):
                return
            self._told = done
        self._report(Progress(self._what, done, self._total))
