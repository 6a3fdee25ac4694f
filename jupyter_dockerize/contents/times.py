"""What time an image says that it is of. Never that of the build: the same input gives the same bytes.

> Reproducible Builds, "SOURCE_DATE_EPOCH specification" 1.1: seconds since 1970 as an ASCII decimal integer;
> "if the value is malformed, the build process SHOULD exit with a non-zero error code".
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from ..environment.names import printable
from ..errors import UsageError

VARIABLE = "SOURCE_DATE_EPOCH"
LATEST = 253402300799  # 9999-12-31T23:59:59Z: RFC 3339 writes years with four digits

_SECONDS = re.compile(r"[0-9]{1,12}")


def source_date_epoch(environ: Mapping[str, str] | None = None) -> int | None:
    """What the user says, in seconds since 1970; None where nothing is said.

    Raises `UsageError` for what is no such number.
    """
    said = (os.environ if environ is None else environ).get(VARIABLE, "")
    if not said:
        return None
    if not _SECONDS.fullmatch(said) or int(said) > LATEST:
        raise UsageError(
            f"{VARIABLE} is not a time: {printable(said, 40)!r}",
            why="it holds seconds since 1970 in decimal digits, up to the year 9999",
            fix=f"unset it, or take that of the last commit: {VARIABLE}=$(git log -1 --pretty=%ct)",
        )
    return int(said)


def newest(times: Iterable[float], now: float) -> int:
    """The latest of the inputs' times, in seconds since 1970: 0 for what is before, or where there is none.

    A time of the future is that of a wrong clock and does not count: it would be cut to ``now``, which is
    another one with each build.
    """
    return max((int(time) for time in times if 0 < time <= now), default=0)


def rfc3339(seconds: int) -> str:
    """As images say it: "2026-11-21T00:03:00Z"."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["LATEST", "VARIABLE", "newest", "rfc3339", "source_date_epoch"]
