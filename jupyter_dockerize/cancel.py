"""The one way to cancel: a token that a verb takes as ``cancel``. Standard library only."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import CancelledError


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
