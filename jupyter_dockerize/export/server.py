"""The JupyterLab that comes along where a copied environment has none: that of the Python that runs this.

Not all of that Python's packages come, but JupyterLab's own, its extensions and what they need; of conda's
all, which need each other.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..cancel import Cancel
from ..environment.interpret.snapshot import interpret
from ..environment.model import Packages, PipPackage, Snapshot, ordered
from ..environment.names import project_name
from ..environment.observe.interpreter import interpreter
from ..environment.observe.process import interpreter_of
from ..environment.plan import packages
from ..environment.plan.copied import with_server
from ..environment.plan.planning import Plan
from ..environment.plan.requires import closure, marker_environment
from ..errors import DockerizeError
from ..events import Finding
from ..image.copy.python import PythonFiles
from ..image.copy.server import in_the_way, joined, server_files

PARENT = "JPY_PARENT_PID"  # jupyter_client sets it for kernels: the server that started this one
LARGEST = 1 << 20  # bytes of an extension's note of who installed it
_KERNEL = "ipykernel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A JupyterLab of this machine: its interpreter, its prefix, its version, and its files."""

    python: str
    prefix: str
    version: str
    files: PythonFiles
    system: bool  # its files belong to packages of this system


@dataclass(frozen=True, slots=True)
class NoServer:
    """Why none comes along."""

    why: str
    fix: str = "install jupyterlab into the environment; --method rebuild adds a server of its own"

    @property
    def finding(self) -> Finding:
        return Finding(
            "no-server",
            "warning",
            f"the environment has no JupyterLab, and {self.why}: the image opens Python instead",
            self.fix,
        )


class Beside:
    """Lays the server beside the environment's files, where it can lie there; then ``taken`` is it.

    ``others_system``: below them will be another system than this one.
    """

    def __init__(self, server: Server | NoServer | None, *, others_system: bool) -> None:
        self.taken: Server | None = None
        self.findings: tuple[Finding, ...] = (server.finding,) if isinstance(server, NoServer) else ()
        self._server = server if isinstance(server, Server) else None
        self._others_system = others_system

    def laid(self, python: PythonFiles) -> PythonFiles:
        """The environment's files, and the server's that are not the same ones."""
        server = self._server
        if server is None:
            return python
        path = in_the_way(python, server.files)
        if path or (server.system and self._others_system):
            why = f"has something else at /{path}" if path else "is this system's own"
            self.findings = (NoServer(f"that of {server.prefix} {why}").finding,)
            return python
        both = joined(python, server.files)
        size = sum(m.size for m in both.base.values()) - sum(m.size for m in python.base.values())
        said = f"the environment has no JupyterLab: that of {server.prefix} comes along, {size / 1e6:.0f} MB"
        fix = "install jupyterlab into the environment, where it is to open by itself"
        self.taken, self.findings = server, (Finding("server-carried", "info", said, fix),)
        return both

    def planned(self, plan: Plan) -> Plan:
        """The plan with what was laid beside the environment."""
        return with_server(plan, self.taken.prefix, self.taken.version) if self.taken else plan


def server_for(plan: Plan, snapshot: Snapshot, *, cancel: Cancel) -> Server | NoServer | None:
    """None where the environment has a JupyterLab of its own."""
    if plan.server == "environment":
        return None
    names = {p.name for p in plan.packages.pip} | {c.name for c in plan.packages.conda}
    if _KERNEL not in names:
        fix = "install ipykernel, or jupyterlab, into the environment; --method rebuild adds both"
        return NoServer("no kernel that another one could start", fix)
    found = NoServer("neither has the Python that runs this")
    for python in dict.fromkeys(_candidates()):
        cancel.check()
        try:
            there = interpret(interpreter(python, {"requires"}, cancel=cancel))
        except DockerizeError:
            cancel.check()
            continue
        if os.path.realpath(there.python.prefix) == os.path.realpath(snapshot.python.prefix):
            continue
        server = _taken(plan, there)
        if isinstance(server, Server):
            return server
        found = server or found
    return found


def _candidates() -> Iterator[str]:
    """The interpreter that runs the command, and that of the server that started this kernel."""
    if sys.executable:
        yield sys.executable
    with suppress(ValueError):
        server = interpreter_of(int(os.environ.get(PARENT, "")))
        if server:
            yield server


def _taken(plan: Plan, there: Snapshot) -> Server | NoServer | None:
    here, _ = packages.as_imported(there.packages.pip)
    if not packages.server(here, there.packages.conda):
        return None
    kept = _needed(here, there)
    prefix = there.python.prefix
    odd = [p.name for p in kept if p.scope in ("user", "path") or p.source.kind == "editable"]
    if odd:
        return NoServer(f"that of {prefix} needs packages from outside of it ({', '.join(odd[:3])})")
    packed = Packages(pip=ordered(kept), conda=there.packages.conda)
    files = server_files(replace(plan, packages=packed, python=there.python), there)
    wrong = [finding for finding in files.findings if finding.severity == "error"]
    if wrong:
        return NoServer(f"that of {prefix} cannot come along ({wrong[0].message})")
    versions = {p.name: p.version for p in here} | {c.name: c.version for c in there.packages.conda}
    return Server(
        python=there.python.executable,
        prefix=prefix,
        version=versions["jupyterlab"],
        files=files,
        system=bool(files.debian) or there.python.base_prefix == "/usr",
    )


def _needed(pip: tuple[PipPackage, ...], there: Snapshot) -> list[PipPackage]:
    """JupyterLab, its extensions, and what they require; all of conda's."""
    roots = (packages.SERVER | set(extensions(Path(there.python.prefix)))) - {packages.OWN}
    others = [package for package in pip if package.name != packages.OWN]
    needed = closure(others, sorted(roots), marker_environment(there.python, there.system))
    return [package for package in others if package.name in needed or package.source.kind == "conda"]


def extensions(prefix: Path) -> Iterator[str]:
    """Names of the packages that brought extensions of JupyterLab.

    JupyterLab's documentation, "Extension Developer Guide", "The install.json file": ``packageName``.
    """
    folder = prefix / "share/jupyter/labextensions"
    for path in (*sorted(folder.glob("*/install.json")), *sorted(folder.glob("@*/*/install.json"))):
        with suppress(OSError, ValueError, RecursionError):
            if path.stat().st_size <= LARGEST:
                plain = json.loads(path.read_bytes())
                name = project_name(str(plain.get("packageName", ""))) if isinstance(plain, dict) else None
                if name:
                    yield name


__all__ = ["Beside", "NoServer", "Server", "extensions", "server_for"]
