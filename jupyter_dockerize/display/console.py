"""A command that becomes a layer, as it is watched: its own output as it comes, then what is made of it."""

from __future__ import annotations

from typing import TextIO

from ..events import Event, Log, Step
from .progress import Printer
from .untrusted import coloured


class Console(Printer):
    """Lines of the command, and a line for each step. What builders print is kept for when they fail."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._quiet = False
        self.report = self._print

    def _print(self, event: Event) -> None:
        if isinstance(event, Step) and not event.within:
            self._quiet = event.number > 1
            self.line(f"· {event.name}")
        elif isinstance(event, Log) and not self._quiet:
            self.line(coloured(event.text))


__all__ = ["Console"]
