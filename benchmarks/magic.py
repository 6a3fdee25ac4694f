"""What `%load_ext jupyter_dockerize` costs a kernel that has IPython anyway, and each cell after that."""

from __future__ import annotations

import subprocess
import sys

from .timing import Figure, inside, met, show

RUNS = 15
SECONDS, AFTER_A_CELL = 0.080, 0.001
PROGRAM = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
shell.extension_manager.load_extension("jupyter_dockerize")
print(time.perf_counter() - began)
heavy = sorted({"docker", "tornado", "requests", "nbformat", "msgspec", "rich"} & set(sys.modules))
print(*heavy, file=sys.stderr)
"""
CELLS = """
import time
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
shell = InteractiveShell.instance()
shell.extension_manager.load_extension("jupyter_dockerize")
result = ExecutionResult(None)
result.execution_count = 1
for _ in range(15):
    began = time.perf_counter()
    for _ in range(1000):
        shell.events.trigger("post_run_cell", result)
    print((time.perf_counter() - began) / 1000)
"""


def run() -> str:
    """The section of the report."""
    seconds = [inside(sys.executable, PROGRAM)[0] for _ in range(RUNS + 1)][1:]
    figure = Figure("load_ext", tuple(seconds))
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    heavy = done.stderr.split()
    cell = Figure("after a cell", tuple(inside(sys.executable, CELLS)))
    return "\n".join(
        [
            "## `%load_ext jupyter_dockerize`",
            "",
            "In a fresh process that has a shell already; the target is "
            f"{show(SECONDS)}, with no docker or tornado imported.",
            "",
            f"**{show(figure.median)}** ({figure.spread}); heavy modules imported: "
            f"{', '.join(heavy) or 'none'}. {met(figure.median <= SECONDS, not heavy)}",
            "",
            "After each cell it is asked whether something was installed past us. Where nothing was:",
            "",
            f"**{show(cell.median)}** a cell ({cell.spread} of 1,000 cells); the target is less than a "
            f"millisecond. {met(cell.median < AFTER_A_CELL)}",
        ]
    )
