"""How the image opens: JupyterLab on the notebook, and the kernels that the notebook may name.

Kernelspecs: jupyter_client documentation, "Kernel specs"; their names as `jupyter kernelspec` allows.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from ..environment.plan.planning import Plan
from ..errors import UsageError
from . import layout

NATIVE = "python3"  # the kernelspec that ipykernel brings along

_KERNEL = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}")


def command(plan: Plan, where: str) -> tuple[str, ...]:
    """The image's CMD: the server of the prefix ``where``, on all its container's addresses, with a token."""
    return opening(plan, (f"{where}/bin/jupyter", "lab"))


def command_beside(plan: Plan, python: str) -> tuple[str, ...]:
    """The same by the interpreter ``python``, which is not the environment's: variables and folders that lead
    Python to the environment's packages are not for it (isolated mode), and reach the kernel all the same."""
    return opening(plan, (python, "-I", "-m", "jupyterlab"))


def opening(plan: Plan, program: tuple[str, ...]) -> tuple[str, ...]:
    """``program`` on the plan's notebook."""
    argv = [
        *program,
        "--ip=0.0.0.0",
        f"--port={layout.PORT}",
        "--no-browser",
        f"--ServerApp.root_dir={layout.WORK}",
    ]
    if plan.notebook:
        argv.append(f"--LabApp.default_url=/lab/tree/{quote(plan.notebook)}")
    return tuple(argv)


def kernelspecs(plan: Plan, python: str) -> dict[str, bytes]:
    """Files for the kernels that JupyterLab would not find by itself: path in the image → bytes.

    They run ``python``.

    A server of its own knows no kernel at all; the environment's own knows ``python3``. Raises
    `UsageError` for a name that no kernelspec can have.
    """
    if not _KERNEL.fullmatch(plan.kernel):
        raise UsageError(
            f"no kernelspec can be called {plan.kernel!r}",
            why="letters, digits, dots, dashes and underscores are allowed",
            fix="choose a kernel with --kernel",
        )
    names = {plan.kernel.lower()}  # Jupyter looks them up in lower case
    if plan.server == "own":
        names.add(NATIVE)
    else:
        names.discard(NATIVE)
    spec = _kernelspec(python)
    return {f"{layout.KERNELSPECS}/{name}/kernel.json": spec for name in sorted(names)}


def _kernelspec(python: str) -> bytes:
    spec = {
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    return (json.dumps(spec, indent=1, sort_keys=True) + "\n").encode()
