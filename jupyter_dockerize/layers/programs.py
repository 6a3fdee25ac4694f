"""The variables that a command runs with: the programs of one environment come first."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from ..errors import EngineError, OutputError

SHELL = "/bin/sh"
# Nobody can answer a question: there is no stdin.
SETTINGS = {
    "CONDA_ALWAYS_YES": "1",
    "DEBIAN_FRONTEND": "noninteractive",
    "MAMBA_ALWAYS_YES": "1",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_YES": "1",
    "PYTHONUNBUFFERED": "1",
}
_OF_TERMINALS = ("CLICOLOR_FORCE", "FORCE_COLOR")  # kernels set them; progress bars would be drawn to nobody
_STARTED_BY = re.compile(rb"(/[^\s'\"]*python[^\s'\"/]*)")


def environment(python: str, folder: Path) -> dict[str, str]:
    """This process's variables, with the programs of the environment of ``python`` first.

    Those that the environment does not have are made in ``folder``.
    """
    python = os.path.abspath(python)  # noqa: PTH100 - the interpreter of a venv is a link
    programs = Path(python).parent
    prefix = programs.parent
    env = {name: value for name, value in os.environ.items() if name not in _OF_TERMINALS}
    env |= SETTINGS | {"UV_PYTHON": python}  # uv takes neither conda's base nor a bare Python by itself
    env.pop("VIRTUAL_ENV", None)
    if (prefix / "pyvenv.cfg").is_file():
        env["VIRTUAL_ENV"] = str(prefix)
    elif (prefix / "conda-meta").is_dir() and env.get("CONDA_PREFIX") != str(prefix):
        env |= {"CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": str(prefix)}
    path = [str(programs), env.get("PATH") or os.defpath]
    if stand_ins := _stand_ins(python, programs):
        shims = folder / "bin"
        shims.mkdir()
        for name, text in stand_ins.items():
            written(shims / name, text, 0o700)
        path.insert(0, str(shims))
    env["PATH"] = os.pathsep.join(path)
    return env


def _stand_ins(python: str, programs: Path) -> dict[str, str]:
    """Scripts for ``python`` and ``pip`` where the environment's folder has none, or another Python's."""
    found = {}
    own = os.path.realpath(python)
    for name in ("python", "python3"):
        if os.path.realpath(programs / name) != own:
            found[name] = f'#!{SHELL}\nexec {shlex.quote(python)} "$@"\n'
    for name in ("pip", "pip3"):
        if not _is_of(programs / name, own):
            found[name] = _pip(shlex.quote(python))
    return found


def _is_of(script: Path, own: str) -> bool:
    """Whether a program is there, and not one that names another Python, or one elsewhere, as its own."""
    try:
        with script.open("rb") as file:
            head = file.read(4096)
        # "#!/opt/env/bin/python", or for a long path "#!/bin/sh" and that in the next line.
        named = _STARTED_BY.search(b"\n".join(head.split(b"\n", 2)[:2])) if head.startswith(b"#!") else None
        if named is None:
            return True
        python = Path(os.fsdecode(named[1]))
        return os.path.realpath(python) == own and python.parent.samefile(script.parent)
    except OSError:
        return False


def _pip(python: str) -> str:
    """pip as a module of the environment; where it has none, uv speaks for it."""
    from ..resolve.uv import binary

    module = f'exec {python} -m pip "$@"'
    try:
        uv = shlex.quote(binary())
    except EngineError:
        return f"#!{SHELL}\n{module}\n"
    there = "import importlib.util as u, sys; sys.exit(u.find_spec('pip') is None)"
    return f'#!{SHELL}\nif {python} -c "{there}"; then {module}; fi\nexec {uv} pip "$@"\n'


def written(path: Path, text: str, mode: int) -> Path:
    """The new file ``path``. Raises `OutputError`."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(text.encode())
    except OSError as error:
        raise OutputError(
            "the command cannot be written to a file", why=str(error), fix="set TMPDIR"
        ) from error
    return path


__all__ = ["SETTINGS", "SHELL", "environment", "written"]
