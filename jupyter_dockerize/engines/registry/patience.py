"""How often a registry that does not answer is asked again."""

from __future__ import annotations

import threading

from ...cancel import Cancel
from ...errors import RegistryError
from .faults import SilentError

SECONDS = 60.0  # of waiting without any progress: long enough for a registry that is restarted
FIRST, LONGEST = 0.1, 15.0  # seconds between two attempts, doubled each time


class Patience:
    """Waits between attempts, longer each time, and gives up after ``seconds`` in which nothing moved."""

    def __init__(self, cancel: Cancel, seconds: float = SECONDS) -> None:
        self._cancel, self._seconds = cancel, seconds
        self.moved()

    def moved(self) -> None:
        """Something got through: the count begins anew."""
        self._waited, self._next = 0.0, FIRST

    def after(self, error: SilentError) -> None:
        """Waits as long as the registry asks for, or as is usual. Raises `RegistryError` where that is too
        long, and `CancelledError`."""
        wait = max(self._next, error.wait)
        self._waited += wait
        if self._waited > self._seconds:
            fix = error.fix
            if error.wait > self._seconds:
                fix = f"it asks to be left alone for {error.wait / 60:.0f} minutes: try again then"
            raise RegistryError(error.what, why=error.why, fix=fix) from error
        self._next = min(self._next * 2, LONGEST)
        over = threading.Event()
        forget = self._cancel.on_cancel(over.set)
        try:
            over.wait(wait)
        finally:
            forget()
        self._cancel.check()


__all__ = ["Patience"]
