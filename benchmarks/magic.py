"""What `%load_ext jupyter_dockerize` costs a kernel that has IPython anyway."""

from __future__ import annotations

import subprocess
import sys

from .timing import Figure, inside, met, show

RUNS = 15
SECONDS = 0.080
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
    seconds = [inside(sys.executable, PROGRAM)[0] for _ in range(RUNS + 1)][1:]
    figure = Figure("load_ext", tuple(seconds))
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    heavy = done.stderr.split()
    return "\n".join(
        [
            "## `%load_ext jupyter_dockerize`",
            "",
            "In a fresh process that has a shell already; the target is "
            f"{show(SECONDS)}, with no docker or tornado imported.",
            "",
            f"**{show(figure.median)}** ({figure.spread}); heavy modules imported: "
            f"{', '.join(heavy) or 'none'}. {met(figure.median <= SECONDS, not heavy)}",
        ]
    )
