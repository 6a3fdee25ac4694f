"""Was something installed into the environment of this process? Asked after each cell, so by a few calls of
stat: folders that packages are installed into have another date once something was."""

from __future__ import annotations

import os
import sys

_SITES = ("site-packages", "dist-packages")
_DPKG = "/var/lib/dpkg/status"


class Watch:
    """Notices that something was installed into the environment of this process, by the dates of folders."""

    def __init__(self) -> None:
        self._places = places()
        self._dates = self._now()

    def moved(self) -> bool:
        """Whether something was installed or removed since it was asked before."""
        now = self._now()
        if now == self._dates:
            return False
        self._dates = now
        return True

    def _now(self) -> list[int]:
        dates = []
        for place in self._places:
            try:
                dates.append(os.stat(place).st_mtime_ns)  # noqa: PTH116 - after every cell
            except OSError:  # noqa: PERF203 - a folder may come later
                dates.append(0)
        return dates


def places() -> tuple[str, ...]:
    """What has another date once a package was installed here: by pip, by conda, by apt."""
    sites = [path for path in sys.path if path.rstrip("/").endswith(_SITES)]
    return tuple(dict.fromkeys((*sites, f"{sys.prefix}/conda-meta", _DPKG)))


__all__ = ["Watch", "places"]
