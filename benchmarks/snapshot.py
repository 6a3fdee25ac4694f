"""The snapshot against the commands that people ask: pip freeze, apt-mark showmanual, apt list."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .environment import python
from .timing import Figure, command, in_turn, met, ratio, show, table

RUNS = 11
SECONDS, TIMES = 0.060, 40
PACKAGE = Path(__file__).resolve().parent.parent
# The measured interpreter has none of our dependencies: it is given the two rooms that a kernel needs.
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from jupyter_dockerize.environment.probe import gather
from jupyter_dockerize.environment.interpret.snapshot import interpret
for line in sys.stdin:
    snapshot = interpret(gather())
    print(len(snapshot.packages.pip), len(snapshot.packages.apt), flush=True)
"""


def run() -> str:
    """The section of the report."""
    interpreter = str(python("large", "msgspec", "packaging"))
    with _Observed.running(interpreter) as observed:
        ours, *commands = in_turn(
            {
                "snapshot": observed.snapshot,
                "pip freeze": command(interpreter, "-m", "pip", "freeze"),
                "apt-mark showmanual": command("apt-mark", "showmanual"),
                "apt list --installed": command("apt", "list", "--installed"),
            },
            runs=RUNS,
            warm=2,
        )
        distributions, debs = observed.snapshot()
    together = Figure("all three", tuple(map(sum, zip(*(f.seconds for f in commands), strict=True))))
    faster = ratio(together, ours)
    rows = [[f.name, str(f)] for f in (ours, *commands, together)]
    return "\n".join(
        [
            "## Snapshot",
            "",
            f"{distributions} distributions and {debs} Debian packages, warm, in-process; the target is "
            f"{show(SECONDS)} and {TIMES} times faster than the three commands.",
            "",
            table(rows, ("what", "median")),
            "",
            f"**{show(ours.median)}, {faster:.0f} times faster** (median). "
            + met(ours.median <= SECONDS, faster >= TIMES),
        ]
    )


class _Observed:
    """A process with the measured environment, which looks at itself when it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin and process.stdout
        self._ask, self._answer = process.stdin, process.stdout

    @classmethod
    @contextmanager
    def running(cls, interpreter: str) -> Iterator[_Observed]:
        argv = [interpreter, "-c", PROGRAM, str(PACKAGE)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield cls(process)

    def snapshot(self) -> tuple[int, int]:
        """How many distributions and Debian packages it found."""
        print(file=self._ask, flush=True)
        pip, apt = self._answer.readline().split()
        return int(pip), int(apt)
