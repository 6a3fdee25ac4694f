"""What `%load_ext jupyter_dockerize` costs a kernel that has IPython anyway."""

from __future__ import annotations

import sys

from .timing import Figure, inside, show

RUNS = 15
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


def run() -> str:
    """The section of the report."""
    import subprocess

    seconds = [inside(sys.executable, PROGRAM)[0] for _ in range(RUNS + 1)][1:]
    figure = Figure("load_ext", tuple(seconds))
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    heavy = done.stderr.split() or ["none"]
    return "\n".join(
        [
            "## `%load_ext jupyter_dockerize`",
            "",
            "In a fresh process that has a shell already; the target is 80 ms, with no docker or tornado imported.",
            "",
            f"**{figure}**; heavy modules imported: {', '.join(heavy)}.",
            "",
            f"({show(figure.median)} of a kernel's start.)",
        ]
    )
