"""What a command prints, as events: a line each, without secrets, and never more in memory than one line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..events import Log, Report
from .redact import HIDDEN, LEAST

LONGEST_LINE = 10_000  # bytes; what a line has more than that is passed over
_END = re.compile(rb"\r\n|[\r\n]")


class Lines:
    """Output as `Log` events, a line each; of a long line its beginning."""

    def __init__(self, secrets: Sequence[str], report: Report) -> None:
        self._report = report
        values = sorted((secret.encode() for secret in secrets), key=len, reverse=True)
        long = [re.escape(value) for value in values if len(value) >= LEAST]
        short = [b"(?<=:)%s(?=@)" % re.escape(value) for value in values if 0 < len(value) < LEAST]
        self._secrets = re.compile(b"|".join(long + short)) if long or short else None
        # A secret that begins within the limit is seen whole.
        self._most = LONGEST_LINE + max(map(len, values), default=0)
        self._line = b""
        self._whole = True  # nothing of this line is told yet
        self._returned = False  # the last character was \r: a \n right behind it belongs to it

    def add(self, block: bytes) -> None:
        """Tells the lines that end in ``block``."""
        if self._returned and block.startswith(b"\n"):
            block = block[1:]
        self._returned = block.endswith(b"\r")
        start = 0
        for match in _END.finditer(block):
            line = self._line + block[start : match.start()]
            if line or match[0] != b"\r":  # else the beginning of the next frame of a progress bar
                self._tell(line)
            self._line, self._whole, start = b"", True, match.end()
        if self._whole:
            self._line = (self._line + block[start:])[: self._most + 1]
            if len(self._line) > self._most:
                self._tell(self._line)
                self._line, self._whole = b"", False

    def end(self) -> None:
        """Tells the line that nothing ended."""
        if self._line:
            self._tell(self._line)
        self._line = b""

    def _tell(self, line: bytes) -> None:
        if self._whole:
            self._report(Log(self._clean(line)))

    def _clean(self, line: bytes) -> str:
        limit = LONGEST_LINE
        parts, end = [], 0
        for match in self._secrets.finditer(line) if self._secrets else ():
            if match.start() >= limit:
                break
            parts += [line[end : match.start()], HIDDEN.encode()]
            end = match.end()
        parts.append(line[end : max(end, limit)])
        cut = "…" if len(line) > max(end, limit) else ""
        return b"".join(parts).decode("utf-8", "replace") + cut


__all__ = ["LONGEST_LINE", "Lines"]
