"""What a live card knows: the events so far, summed up; and when it is time to draw again."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from ..events import Event, Finding, Log, Progress, Step
from .estimate import Estimate, in_words
from .progress import LAST, as_line, brief, note
from .untrusted import last_frame, plain

INTERVAL = 0.25  # seconds between two drawings: more would only load the browser


class Live:
    """Takes events from any thread and calls ``draw`` at most four times a second.

    ``heartbeat`` redraws while nothing is reported, so that the clock of a long step goes on.
    """

    def __init__(self, title: str, draw: Callable[[Live], None]) -> None:
        self.title = title
        self.steps: list[Step] = []
        self.starts: list[float] = []
        self.findings: list[Finding] = []
        self.log: deque[str] = deque(maxlen=LAST)
        self.note, self.count, self.total = "", 0, 0
        self.amount: Progress | None = None  # of what the note tells
        self._estimate = Estimate()
        self.failed = ""
        self.state = "running"  # then done, failed or cancelled
        self._draw, self._drawn = draw, 0.0
        self._ended: float | None = None
        self._lock = threading.Lock()

    def report(self, event: Event) -> None:
        """The ``report`` of a verb."""
        with self._lock:
            if self.state != "running":
                return
            outer = self._take(event)
            if outer or time.monotonic() - self._drawn > INTERVAL:
                self._redraw()

    def heartbeat(self) -> bool:
        """Draws again, and says whether the work still goes on."""
        with self._lock:
            if self.state == "running":
                self._redraw()
            return self.state == "running"

    def finish(self, state: str = "done", failed: str = "", title: str = "") -> None:
        """The last drawing: ``state`` is done, failed or cancelled; ``failed`` says why, under ``title``."""
        with self._lock:
            self.state, self.failed = state, failed
            self.title = title or self.title
            self._ended = time.monotonic()
            self._redraw()

    def seconds(self, number: int) -> float:
        """How long step ``number`` (from 0) took, or has taken so far."""
        last = number == len(self.starts) - 1
        end = (self._ended or time.monotonic()) if last else self.starts[number + 1]
        return end - self.starts[number]

    def left(self) -> str:
        """How long the rest of what is being done will take, in words; "" where nobody knows."""
        return in_words(self._estimate.left()) if self.amount else ""

    def as_text(self) -> str:
        """The same in plain text."""
        lines = [self.title]
        lines += [f"  {as_line(step)} {self.seconds(n):.0f} s" for n, step in enumerate(self.steps)]
        if self.failed:
            lines += map(plain, self.failed.splitlines())
        return "\n".join(lines)

    def _redraw(self) -> None:
        self._drawn = time.monotonic()
        self._draw(self)

    def _take(self, event: Event) -> bool:
        """Whether it is worth a drawing of its own."""
        if isinstance(event, Step) and not event.within:
            self.steps.append(event)
            self.starts.append(time.monotonic())
            self.note, self.count, self.total = "", 0, 0
            self.amount = None
            self.log.clear()  # its end belongs to the step that failed
            return True
        if isinstance(event, Finding):
            if event not in self.findings:
                self.findings.append(event)
        elif isinstance(event, Log):
            self.log.append(plain(last_frame(event.text)))
            if not self.total:  # else the inner step's name says more
                self.note, self.amount = self.log[-1].strip(), None
        elif isinstance(event, Step):
            self.note, self.count, self.total = brief(event.name), event.number - 1, event.total
            self.amount = None
        elif isinstance(event, Progress):
            self.note, self.amount = note(event) or self.note, event
            self._estimate.hear(event)
        return False
