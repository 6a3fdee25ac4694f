"""The kernels that run on this machine, as their connection files tell."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...errors import KernelError
from ...sizes import and_more
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
    raise KernelError(
        f"live alone does not say which of the {len(kernels)} kernels that run here is meant",
        why=and_more(named, SHOWN),
        fix="write it with its id",
        instead=("live", f"live:{_id(kernels[0][0])}"),
    )


def running() -> list[tuple[Path, str]]:
    """The connection file of each kernel that runs here, and the name of its notebook, "" where unknown."""
    found = []
    for file in _known()[1]:
        with suppress(KernelError, OSError, ValueError, TypeError, LookupError):
            info = connection(file)
            if _answers(info):
                session = info.get("jupyter_session")
                found.append((file, printable(Path(session).name, 80) if isinstance(session, str) else ""))
    return found


def connection_file(target: str) -> Path:
    """The connection file that ``target`` means (see `kernel.live`). Raises `KernelError`."""
    path = Path(target).expanduser()
    folder, known = _known()
    if path.suffix == ".ipynb":
        found = [file for file in known if _is_for(file, path)]
    elif path.suffix == ".json" or len(path.parts) != 1:
        found = [path] if path.is_file() else []
    else:
        found = [file for file in known if _id(file).startswith(target)]
        found = [file for file in found if _id(file) == target] or found
    if len(found) == 1:
        return found[0].absolute()
    if found:
        ids = ", ".join(_id(file) for file in found[:5])
        raise KernelError(f"{target} means more than one kernel", why=ids, fix="give the whole id")
    raise KernelError(
        f"there is no running kernel {target}",
        why=f"{folder} has {len(known)} connection files, and none of them is meant",
        fix="give a kernel's id, its connection file, or the notebook that it was started for",
    )


def connection(file: Path) -> dict[str, Any]:
    """What a connection file says: ports and key, who signs, which notebook. Raises `KernelError`."""
    try:
        with file.open("rb") as stream:
            info = json.loads(stream.read(1 << 16))
    except OSError as error:
        raise KernelError(f"{file} cannot be read", why=error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise KernelError(f"{file} is not a connection file", why="it is not JSON") from error
    if not isinstance(info, dict) or not {"shell_port", "control_port", "key"} <= info.keys():
        raise KernelError(f"{file} is not a connection file", why="it names no ports")
    return info


def _is_for(file: Path, notebook: Path) -> bool:
    try:
        session = connection(file).get("jupyter_session")
        return isinstance(session, str) and session != "" and Path(session).samefile(notebook)
    except (KernelError, OSError, ValueError):
        return False


def _known() -> tuple[Path, list[Path]]:
    """Jupyter's folder for running kernels, and the connection files in it."""
    from jupyter_core.paths import jupyter_runtime_dir

    folder = Path(jupyter_runtime_dir())
    return folder, sorted(folder.glob("kernel-*.json"))


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
