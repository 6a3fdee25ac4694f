"""How often a registry that does not answer is asked again."""

from __future__ import annotations

import threading

from ...errors import RegistryError
from .faults import SilentError
from .session import Session

CONTACT = 3.0  # seconds of waiting for a registry that never answered: its name may be wrong
SECONDS = 60.0  # of waiting without any progress: long enough for a registry that is restarted
FIRST, LONGEST = 0.1, 15.0  # seconds between two attempts, doubled each time


class Patience:
    """Waits between attempts, longer each time, and gives up when nothing moves."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.moved()

    def moved(self) -> None:
        """Something got through: the count begins anew."""
        self._waited, self._next = 0.0, FIRST

    def after(self, error: SilentError) -> None:
        """Waits as long as the registry asks for, or as is usual. Raises `RegistryError` where that is too
        long, and `CancelledError`."""
        wait = max(self._next, error.wait)
        self._waited += wait
        if self._waited > (SECONDS if self._session.answered else CONTACT):
            fix = error.fix
            if error.wait > SECONDS:
                fix = f"it asks to be left alone for {error.wait / 60:.0f} minutes: try again then"
            raise RegistryError(error.what, why=error.why, fix=fix) from error
        self._next = min(self._next * 2, LONGEST)
        over = threading.Event()
        forget = self._session.cancel.on_cancel(over.set)
        try:
            over.wait(wait)
        finally:
            forget()
        self._session.cancel.check()


__all__ = ["Patience"]
