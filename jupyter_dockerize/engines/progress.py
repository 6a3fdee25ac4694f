"""From what builders print to the one progress format, in bounded memory.

Log lines are whatever a program inside the build printed. They stay text, are cut at `LONGEST`,
and only the last `KEPT` of each step are held back for the error.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Iterator
from typing import Literal

from ..events import Log, Progress, Report, Step

LONGEST = 16 << 10  # characters of a line that are passed on
KEPT = 60  # last lines of a step
_KEPT_LENGTH = 2000  # characters of each of these

_BREAK = re.compile(r"([\r\n])")


class Lines:
    """Bytes → lines, as a terminal would leave them: what a carriage return overwrites is gone."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._parts: list[str] = []
        self._length = 0
        self._cut = 0
        self._returned = False

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that ``data`` completes."""
        for piece in _BREAK.split(self._decode(data)):
            if piece == "\n":
                yield self._take()
            elif piece == "\r":
                self._returned = True
            elif piece:
                if self._returned:
                    self._forget()
                room = LONGEST - self._length
                self._parts.append(piece[:room])
                self._length += min(len(piece), room)
                self._cut += max(len(piece) - room, 0)

    def end(self) -> Iterator[str]:
        """The line that has no newline, where there is one."""
        if self._parts:
            yield self._take()

    def _take(self) -> str:
        line = "".join(self._parts)
        if self._cut:
            line += f" … [{self._cut:,} more characters]"
        self._forget()
        return line

    def _forget(self) -> None:
        self._parts, self._length, self._cut, self._returned = [], 0, 0, False


class Narrator:
    """Reports steps in the order in which they begin, their logs, and remembers the last lines.

    ``key`` is the builder's own name for a step. The number of steps is what the builder has
    announced so far, so it can grow; the numbers that are reported only ever rise.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._stages: dict[str, int] = {}
        self._announced: set[str] = set()
        self._names: dict[str, str] = {}
        self._begun: list[str] = []
        self._lines: dict[tuple[str, str], Lines] = {}
        self._tails: dict[str, deque[str]] = {}
        self._transfers: dict[str, dict[str, tuple[int, int]]] = {}
        self.last = ""  # the step that began last

    def announce(self, key: str) -> None:
        """A step that is going to be done, or found in the cache."""
        self._announced.add(key)

    def begin(self, key: str, name: str, *, stage: str = "", of: int = 0) -> None:
        """The step ``key`` began; ``of`` is how many its stage has, where the builder says so."""
        if key in self._names:
            return
        self._names[key] = name
        self._begun.append(key)
        self._stages[stage] = max(of, self._stages.get(stage, 0))
        total = max(sum(self._stages.values()), len(self._announced), len(self._begun))
        self.last = key
        self._report(Step(len(self._begun), total, name))

    def note(self, key: str, name: str) -> None:
        """Names something that is no step of the recipe (loading the context), for errors."""
        self._names.setdefault(key, name)
        self.last = key

    def log(self, key: str, data: bytes, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        for line in self._lines.setdefault((key, stream), Lines()).feed(data):
            self._line(key, line, stream)

    def transfer(self, key: str, part: str, done: int, total: int, what: str = "") -> None:
        """``done`` of ``total`` bytes of one of the parts (layers) that a step moves."""
        parts = self._transfers.setdefault(key, {})
        if parts.get(part) != (done, total) and (part in parts or len(parts) < 1000):
            parts[part] = (done, total)
            known = list(parts.values())
            self._report(
                Progress(what or self._names.get(key, ""), sum(d for d, _ in known), sum(t for _, t in known))
            )

    def end(self) -> None:
        """Reports lines that never got their newline."""
        for (key, stream), lines in self._lines.items():
            for line in lines.end():
                self._line(key, line, "stderr" if stream == "stderr" else "stdout")

    def name(self, key: str) -> str:
        return self._names.get(key, "")

    def tail(self, key: str) -> list[str]:
        """The last lines that the step printed."""
        return list(self._tails.get(key, ()))

    def _line(self, key: str, line: str, stream: Literal["stdout", "stderr"]) -> None:
        self._tails.setdefault(key, deque(maxlen=KEPT)).append(line[:_KEPT_LENGTH])
        self._report(Log(line, stream))
