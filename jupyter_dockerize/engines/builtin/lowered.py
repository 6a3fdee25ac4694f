"""A program that root runs: it takes limits upon itself, becomes an ordinary user, and then bwrap.

Between fork and exec is no place for this, since other threads may hold locks; afterwards root may be refused
it, for it need not have CAP_SYS_RESOURCE (in Docker it has not). Standard library only.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Mapping


def words(user: int, limits: Mapping[int, int]) -> list[str]:
    """What stands before the other program's own words; ``limits`` are by resource, see setrlimit(2)."""
    plain = json.dumps({str(kind): most for kind, most in limits.items()})
    return [sys.executable, "-I", "-S", __file__, str(user), plain]


def main(user: str, limits: str, argv: list[str]) -> None:
    """Never comes back."""
    number = int(user)
    with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123 - quick to start
        file.write("1000")
    for kind, most in json.loads(limits).items():
        resource.setrlimit(int(kind), (most, most))
    os.setgroups([])
    os.setresgid(number, number, number)
    os.setresuid(number, number, number)
    os.execv(argv[0], argv)  # noqa: S606 - there is no shell


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

__all__ = ["main", "words"]
