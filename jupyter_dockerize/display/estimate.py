"""How long the rest will take: from the pace of late, and only where there is something to go by."""

from __future__ import annotations

import threading
import time
from collections import deque

from ..events import Progress

SOONEST = 3.0  # seconds that must have been seen: before that it would be a guess
STILL = 10.0  # seconds without anything done: then nobody knows
SHORTEST = 10.0  # seconds over which the pace is taken at least; else over the later half of all
POINTS = 500  # amounts that are remembered; of more, every other one
DAY = 86_400


class Estimate:
    """Hears of an amount's progress and says how long the rest will take. Times are `time.monotonic`'s."""

    def __init__(self) -> None:
        self._of: tuple[str, str] | None = None
        self._points: deque[tuple[float, int]] = deque()
        self._begun = self._moved = 0.0
        self._total = 0
        self._lock = threading.Lock()  # a screen asks from a thread of its own

    def hear(self, event: Progress, now: float | None = None) -> None:
        """Something was done. Another thing, or less of the same, is a new beginning."""
        now = time.monotonic() if now is None else now
        done, of = max(0, event.done), (event.what, event.unit)
        with self._lock:
            if of != self._of or not self._points or done < self._points[-1][1]:
                self._of, self._begun = of, now
                self._points.clear()
            if not self._points or done > self._points[-1][1]:
                self._moved = now
                self._points.append((now, done))
                if len(self._points) > POINTS:
                    *before, last = self._points
                    self._points = deque([*before[::2], last])
            self._total = event.total

    def left(self, now: float | None = None) -> float | None:
        """Seconds, None where that is not known: yet, or because the total is not, or nothing moves."""
        with self._lock:
            return self._left(time.monotonic() if now is None else now)

    def _left(self, now: float) -> float | None:
        if not self._points:
            return None
        done, seen = self._points[-1][1], now - self._begun
        if done >= self._total or seen < SOONEST or now - self._moved > STILL:
            return None
        # A pause counts: the pace is up to now, not up to the last time that something was done.
        since = now - max(SHORTEST, seen / 2)
        while len(self._points) > 2 and self._points[1][0] <= since:
            self._points.popleft()
        began, before = self._points[0]
        pace = (done - before) / (now - began) if now > began else 0.0
        return (self._total - done) / pace if pace > 0 else None


def in_words(left: float | None) -> str:
    """Rounded as far as it is to be trusted: ", about 2 min left"; "" where there is nothing to say."""
    if left is None or left >= DAY:
        return ""
    if left < 5:
        return ", a few seconds left"
    if left < 55:
        return f", about {max(10, round(left / 10) * 10)} s left"
    minutes = max(1, round(left / 60))
    if minutes < 60:
        return f", about {minutes} min left"
    hours = round(minutes / 60, 1)
    return f", about {hours:g} h left"


__all__ = ["Estimate", "in_words"]
