"""Work that a person waits for: it can be interrupted at any moment and still ends tidily.

The work runs in a thread of its own and the caller's thread waits, so that Ctrl-C never
tears the work apart between two instructions: it cancels the token, the work undoes what it
began, and only then the caller hears of it.
"""

from __future__ import annotations

import contextvars
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from .cancel import Cancel
from .errors import CancelledError

T = TypeVar("T")

PATIENCE = 5.0  # seconds that cancelled work may take to clean up: the promise of the product
LINGER = 30.0  # seconds that a process waits at its own end for what is still cleaning up
TICK = 0.1  # seconds: how soon an interrupt is noticed where waiting cannot be interrupted


class Task(Generic[T]):
    """A piece of work in its own thread, with its end: ``value`` or ``error``."""

    def __init__(self, work: Callable[[Cancel], T], cancel: Cancel | None = None) -> None:
        self.token = cancel or Cancel()
        self._value: T | None = None
        self._error: BaseException | None = None
        self._work = work
        # Not the thread's own join: interrupted, it takes a running thread for ended (bpo-45274).
        self._ended = threading.Event()
        # Displays of a notebook find their cell through the context.
        self._context = contextvars.copy_context()
        threading.Thread(target=self._run, name="jupyter-dockerize", daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._context.run(self._work, self.token)
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    @property
    def running(self) -> bool:
        return not self._ended.is_set()

    @property
    def failed(self) -> bool:
        """Whether it ended, and by raising something."""
        return self._error is not None

    @property
    def cancelled(self) -> bool:
        """Whether it ended because it was cancelled."""
        return isinstance(self._error, CancelledError)

    def cancel(self) -> None:
        """Asks the work to end; returns at once."""
        # Callbacks may wait for processes; whoever cancels should not.
        threading.Thread(target=self.token.cancel, daemon=True).start()

    def wait(self, seconds: float | None = None) -> bool:
        """Whether the work has ended, after at most so many seconds."""
        return self._ended.wait(seconds)

    def result(self) -> T:
        """What the work returned; waits for it, and raises what it raised."""
        self._ended.wait()
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set, as nothing was raised


def wait_for(work: Callable[[Cancel], T], *, token: Cancel | None = None) -> T:
    """What ``work`` returns. An interrupt (SIGINT, in the main thread SIGTERM and SIGHUP too) cancels it.

    Raises what the work raises; `CancelledError` after an interrupt, when the work has cleaned up, at the
    latest `PATIENCE` seconds later. Work that was finished before the interrupt reached it counts as done.
    """
    task = Task(work, token)
    try:
        with terminable():
            while not task.wait(TICK):
                pass
    except (KeyboardInterrupt, Terminated):
        task.cancel()
        if not _ended(task):
            _ending.append(task)
            raise CancelledError("cancelled; something of it is still ending in the background") from None
        if task.failed and not task.cancelled:  # which says itself what is left
            raise CancelledError from None
    return task.result()


def _ended(task: Task[T]) -> bool:
    """Whether the work ended within `PATIENCE`; a second interrupt does not tear it apart either."""
    end = time.monotonic() + PATIENCE
    while not task.wait(0) and time.monotonic() < end:
        try:
            with terminable():
                task.wait(end - time.monotonic())
        except (KeyboardInterrupt, Terminated):  # noqa: PERF203 - once per interrupt
            continue
    return not task.running


_ending: list[Task[Any]] = []  # cancelled, and not ended within `PATIENCE`


def settle() -> None:
    """For a process that is about to end: waits for what is still cleaning up, or for one more interrupt."""
    end = time.monotonic() + LINGER
    while _ending:
        _ending.pop().wait(max(0.0, end - time.monotonic()))


class Terminated(BaseException):
    """SIGTERM arrived, or SIGHUP: the terminal is gone."""


@contextmanager
def terminable() -> Iterator[None]:
    """In the main thread SIGTERM and SIGHUP raise `Terminated`, as Ctrl-C raises KeyboardInterrupt; but what
    is passed over stays so (``nohup``)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(signum: int, frame: object) -> None:
        raise Terminated

    numbers = (signal.SIGTERM, signal.SIGHUP) if sys.platform != "win32" else (signal.SIGTERM,)
    before = {each: signal.getsignal(each) for each in numbers}
    for each in numbers:
        if before[each] is not signal.SIG_IGN:
            signal.signal(each, terminate)
    try:
        yield
    finally:
        for each in numbers:
            if signal.getsignal(each) is terminate:
                signal.signal(each, before[each])


def too_late() -> None:
    """For a process whose work is done and which only says so and ends: from now on no interrupt counts.

    Python gives an interrupt back to the system while it ends, and a finished build would then look killed.
    """
    if threading.current_thread() is threading.main_thread():
        hangs = () if sys.platform == "win32" else (signal.SIGHUP,)
        for number in (signal.SIGINT, signal.SIGTERM, *hangs):
            signal.signal(number, signal.SIG_IGN)
