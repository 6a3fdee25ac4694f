"""Work that a person waits for: it can be interrupted at any moment and still ends tidily.

The work runs in a thread of its own and the caller's thread waits, so that Ctrl-C never
tears the work apart between two instructions: it cancels the token, the work undoes what it
began, and only then the caller hears of it.
"""

from __future__ import annotations

import contextvars
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from .errors import CancelledError
from .events import Cancel

T = TypeVar("T")

PATIENCE = 5.0  # seconds that cancelled work may take to clean up: the promise of the product
TICK = 0.1  # seconds: how soon an interrupt is noticed where waiting cannot be interrupted


class Task(Generic[T]):
    """A piece of work in its own thread, with its end: ``value`` or ``error``."""

    def __init__(self, work: Callable[[Cancel], T], cancel: Cancel | None = None) -> None:
        self.token = cancel or Cancel()
        self._value: T | None = None
        self._error: BaseException | None = None
        self._work = work
        # Displays of a notebook find their cell through the context.
        self._context = contextvars.copy_context()
        self._thread = threading.Thread(target=self._run, name="jupyter-dockerize", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._context.run(self._work, self.token)
        except BaseException as error:
            self._error = error

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Asks the work to end; returns at once."""
        # Callbacks may wait for processes; whoever cancels should not.
        threading.Thread(target=self.token.cancel, daemon=True).start()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the work has ended, after at most so many seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> T:
        """What the work returned; waits for it, and raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set, as nothing was raised


def wait_for(work: Callable[[Cancel], T], *, token: Cancel | None = None) -> T:
    """What ``work`` returns. An interrupt of the caller's thread cancels it.

    Raises what the work raises; `CancelledError` after an interrupt, at the latest `PATIENCE`
    seconds later even where the work does not end.
    """
    task = Task(work, token)
    try:
        with _terminable():
            while not task.wait(TICK):
                pass
    except (KeyboardInterrupt, _Terminated):
        task.cancel()
        if not task.wait(PATIENCE):
            raise CancelledError("cancelled; something of it is still ending in the background") from None
        raise CancelledError from None
    return task.result()


class _Terminated(BaseException):
    """SIGTERM arrived."""


@contextmanager
def _terminable() -> Iterator[None]:
    """In the main thread SIGTERM ends the wait like Ctrl-C does, so that nothing is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(signum: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
