"""The one progress format, and the one way to cancel.

A verb takes ``report``, called with each event from whichever thread has it, and ``cancel``.
Faces decide what to do with events: draw them, print them, send them. Standard library only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from .errors import CancelledError

Severity = Literal["info", "warning", "error"]


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


class Cancel:
    """A token that is cancelled once, by any thread.

    Work asks ``check()`` between its parts; work that waits for somebody else registers with
    ``on_cancel`` what ends the wait (kill the process, close the socket).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def check(self) -> None:
        """Raises `CancelledError` once the token was cancelled."""
        if self._cancelled:
            raise CancelledError

    def cancel(self) -> None:
        """Cancels, and calls what was registered; later calls do nothing."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Registers ``callback`` (called at once if it is too late) and returns what unregisters it."""
        with self._lock:
            if not self._cancelled:
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)
