"""The snapshot against the commands that people ask: pip freeze, apt-mark showmanual, apt list."""

from __future__ import annotations

from pathlib import Path

from .environment import LARGE, python
from .timing import Figure, command, in_turn, inside, ratio, show, table

RUNS = 15
PACKAGE = Path(__file__).resolve().parent.parent
# The measured interpreter has none of our dependencies: it is given the two rooms that a kernel needs.
PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from jupyter_dockerize.environment.probe import gather
from jupyter_dockerize.environment.interpret import interpret
for number in range(int(sys.argv[2]) + 3):
    began = time.perf_counter()
    snapshot = interpret(gather())
    if number >= 3:
        print(time.perf_counter() - began)
print(len(snapshot.packages.pip), len(snapshot.packages.apt), file=sys.stderr)
"""


def run() -> str:
    """The section of the report."""
    interpreter = str(python("large", [*LARGE, "msgspec", "packaging"]))
    ours = Figure("snapshot", tuple(inside(interpreter, PROGRAM, str(PACKAGE), str(RUNS))))
    commands = in_turn(
        {
            "pip freeze": command(interpreter, "-m", "pip", "freeze"),
            "apt-mark showmanual": command("apt-mark", "showmanual"),
            "apt list --installed": command("apt", "list", "--installed"),
        },
        runs=5,
    )
    counts = _counts(interpreter)
    together = Figure("all three", tuple(map(sum, zip(*(f.seconds for f in commands), strict=True))))
    first = Figure(ours.name, ours.seconds[: len(together.seconds)])
    rows = [[f.name, str(f)] for f in (ours, *commands, together)]
    return "\n".join(
        [
            "## Snapshot",
            "",
            f"{counts}, warm, in-process; the target is 60 ms and 40 times faster than the three commands.",
            "",
            table(rows, ("what", "median")),
            "",
            f"**{show(ours.median)}, {ratio(together, first):.0f} times faster.**",
        ]
    )


def _counts(interpreter: str) -> str:
    import subprocess

    done = subprocess.run(
        [interpreter, "-c", PROGRAM, str(PACKAGE), "0"], check=True, capture_output=True, text=True
    )
    pip, apt = done.stderr.split()[-2:]
    return f"{pip} distributions and {apt} Debian packages"
