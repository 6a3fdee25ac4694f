"""The display under a cell: one, redrawn from whichever thread has something new."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import card
from .live import Live

CLOCK = 1.0  # seconds between two drawings while nothing happens, so that the time goes on


class Cell:
    """Made in the cell's own thread; ``live`` takes events until ``show`` puts a result in its place."""

    def __init__(self, title: str) -> None:
        from IPython.display import display

        self.live = Live(title, self._draw)
        show: Any = display
        self._handle: Any = show(_bundle(card.progress(self.live), title), raw=True, display_id=True)

    @contextmanager
    def clock(self) -> Iterator[Live]:
        """Redraws now and then, until the block ends."""
        over = threading.Event()

        def tick() -> None:
            while not over.wait(CLOCK) and self.live.heartbeat():
                pass

        # A kernel knows by its context which cell a message belongs to.
        thread = threading.Thread(target=contextvars.copy_context().run, args=(tick,), daemon=True)
        thread.start()
        try:
            yield self.live
        finally:
            over.set()
            thread.join()

    def show(self, html: str, plain: str) -> None:
        """The last drawing."""
        self._handle.update(_bundle(html, plain), raw=True)

    def _draw(self, live: Live) -> None:
        self.show(card.progress(live), live.as_text())


def in_notebook() -> bool:
    """Whether a frontend that redraws displays is listening, not a terminal."""
    from IPython.core import getipython

    get: Any = getipython.get_ipython
    return getattr(get(), "kernel", None) is not None


def _bundle(html: str, plain: str) -> dict[str, str]:
    return {"text/html": html, "text/plain": plain}
