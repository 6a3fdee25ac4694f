"""The kernels that run on this machine, as their connection files tell."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import KernelError
from ..names import printable

SECONDS = 0.5  # that a port of this machine may take to answer
SHOWN = 8  # kernels that an error names


def the_one() -> str:
    """The connection file of the only kernel that runs here.

    Raises `KernelError` where there is none, or several: it names them then.
    """
    kernels = running()
    if len(kernels) == 1:
        return str(kernels[0][0])
    if not kernels:
        raise KernelError(
            "live means a running kernel, and none runs here",
            why="Jupyter's folder for running kernels (`jupyter --runtime-dir`) has none that answers",
            fix="start it, or name an environment as kernel:NAME or python:PATH",
        )
    named = [f"live:{_id(file)}" + (f" ({notebook})" if notebook else "") for file, notebook in kernels]
    more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
    raise KernelError(
        f"live alone does not say which of the {len(kernels)} kernels that run here is meant",
        why=", ".join(named[:SHOWN]) + more,
        fix="write it with its id",
        instead=("live", f"live:{_id(kernels[0][0])}"),
    )


def running() -> list[tuple[Path, str]]:
    """The connection file of each kernel that runs here, and the name of its notebook, "" where unknown."""
    from jupyter_core.paths import jupyter_runtime_dir

    found = []
    for file in sorted(Path(jupyter_runtime_dir()).glob("kernel-*.json")):
        with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            info = json.loads(file.read_bytes()[: 1 << 16])
            if _answers(info):
                session = info.get("jupyter_session")
                found.append((file, printable(Path(session).name, 80) if isinstance(session, str) else ""))
    return found


def _answers(info: dict[str, Any]) -> bool:
    """Whether somebody listens there, else OSError: connection files of killed kernels stay behind."""
    if info.get("transport") == "ipc":
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(SECONDS)
            local.connect(f"{info['ip']}-{info['shell_port']}")
        return True
    with socket.create_connection((str(info["ip"]), int(info["shell_port"])), timeout=SECONDS):
        return True


def _id(file: Path) -> str:
    return file.stem.removeprefix("kernel-")
