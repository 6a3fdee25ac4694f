"""What a live card knows: the events so far, summed up; and when it is time to draw again."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from ..events import Event, Finding, Log, Progress, Result, Step
from . import text
from .progress import as_line
from .untrusted import last_frame, plain

INTERVAL = 0.25  # seconds between two drawings: more would only load the browser
LOG_LINES = 200


class Live:
    """Takes events from any thread and calls ``draw`` at most four times a second."""

    def __init__(self, title: str, draw: Callable[[Live], None]) -> None:
        self.title = title
        self.steps: list[Step] = []
        self.starts: list[float] = []
        self.findings: list[Finding] = []
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.note, self.count, self.total = "", 0, 0
        self.failed = ""
        self.done = False
        self._draw, self._drawn = draw, 0.0
        self._ended: float | None = None
        self._lock = threading.Lock()

    def report(self, event: Event) -> None:
        """The ``report`` of a verb."""
        with self._lock:
            outer = self._take(event)
            if outer or time.monotonic() - self._drawn > INTERVAL:
                self._drawn = time.monotonic()
                self._draw(self)

    def finish(self, failed: str = "") -> None:
        """The last drawing."""
        with self._lock:
            self.failed, self.done = failed, not failed
            self._ended = time.monotonic()
            self._draw(self)

    def seconds(self, number: int) -> float:
        """How long step ``number`` (from 0) took, or has taken so far."""
        last = number == len(self.starts) - 1
        end = (self._ended or time.monotonic()) if last else self.starts[number + 1]
        return end - self.starts[number]

    def as_text(self) -> str:
        """The same in plain text."""
        lines = [self.title]
        lines += [f"  {as_line(step)} {self.seconds(n):.0f} s" for n, step in enumerate(self.steps)]
        if self.failed:
            lines.append(self.failed)
        return "\n".join(lines)

    def _take(self, event: Event) -> bool:
        if isinstance(event, Step):
            if not event.within:
                self.steps.append(event)
                self.starts.append(time.monotonic())
                self.note, self.count, self.total = "", 0, 0
                return True
            self.note = event.name
            self.count, self.total = event.number - 1, event.total
        elif isinstance(event, Finding):
            if event not in self.findings:
                self.findings.append(event)
        elif isinstance(event, Log):
            self.log.append(plain(last_frame(event.text)))
        elif isinstance(event, Progress):
            amount = text.size(event.done) if event.unit == "bytes" else str(event.done)
            self.note = f"{event.what}: {amount}"
        elif isinstance(event, Result):
            return False
        return False
