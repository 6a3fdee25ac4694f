"""An engine that a test may kill, on a small disk of its own: like the rig's newest one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..rig import mounts
from ..rig.docker import Docker, _processes_of
from ..rig.engines import DEFAULT


@dataclass(frozen=True)
class Mortal(Docker):
    """``registry`` is where it looks first for what Docker Hub has."""

    registry: str = ""

    @property
    def disk(self) -> Path:
        return super().data

    @property
    def data(self) -> Path:
        return self.disk / "data"

    def kill(self) -> None:
        """kill -9, the daemon and all that is below it."""
        pid = int(self._pidfile.read_text())
        for each in (pid, *_processes_of(self._exec_root)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)

    def back(self) -> None:
        """It runs, also where it was killed."""
        self.up(self.registry)

    def environ(self, cli: bool = True) -> dict[str, str]:
        """The variables by which clients find it; without its CLI there is no BuildKit."""
        path = f"{self.cli}:{os.environ['PATH']}" if cli else "/nonexistent"
        return {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.config), "PATH": path}


@contextlib.contextmanager
def mortal_engine(registry: str, size: str) -> Iterator[Mortal]:
    """One on a disk of ``size`` ("700m"), which lies in memory."""
    engine = Mortal("docker26-faults", "trixie", DEFAULT.packages, number=6, registry=registry)
    mounts.clear(engine.disk)  # of a run that was killed
    engine.disk.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", engine.disk], check=True)
    try:
        engine.back()
        yield engine
    finally:
        engine.down()
        subprocess.run(["umount", engine.disk], check=True)
        engine.disk.rmdir()
