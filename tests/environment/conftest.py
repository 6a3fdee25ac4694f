"""Real kernels of two environments: the one that runs the tests, and one that is made for them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

from jupyter_dockerize.cancel import Cancel

LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a virtual environment with ipykernel 6 (no subshells) and humanize."""
    venv = tmp_path_factory.mktemp("other") / "venv"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, venv], check=True)
    python = venv / "bin" / "python"
    packages = ["ipykernel==6.29.5", "humanize==4.11.0"]
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


@pytest.fixture
def no_orphans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that a test starts outlives it: every process inherits a mark, and none has it at the end."""
    mark = f"ORPHAN_MARK={uuid.uuid4().hex}"
    monkeypatch.setenv(*mark.split("="))
    yield
    for _ in range(100):  # a process that was killed may need a moment to be gone
        left = [command for command, environ in _processes() if mark.encode() in environ]
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"still running: {left}")


def _processes() -> Iterator[tuple[str, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # ended meanwhile
                yield (entry / "cmdline").read_text(errors="replace"), (entry / "environ").read_bytes()


@pytest.fixture
def cancelled_by() -> Iterator[Callable[[Path], Cancel]]:
    """A token that is cancelled as soon as the file is there."""
    over = threading.Event()

    def token_of(file: Path) -> Cancel:
        token = Cancel()

        def watch() -> None:
            while not over.wait(0.001):
                if file.exists():
                    token.cancel()
                    return

        threading.Thread(target=watch).start()
        return token

    yield token_of
    over.set()


@pytest.fixture
def kernelspecs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Installs kernelspecs for one test: ``kernelspecs(name, argv, language)`` gives the name back."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    def install(name: str, argv: list[str], language: str = "python") -> str:
        folder = tmp_path / "jupyter" / "kernels" / name
        folder.mkdir(parents=True)
        spec = {"argv": argv, "display_name": f"The {name}", "language": language}
        (folder / "kernel.json").write_text(json.dumps(spec))
        return name

    return install


class RunningKernel:
    """A kernel with a client, as a notebook has them."""

    def __init__(self, name: str, **start: Any) -> None:
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel(**start)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    @property
    def file(self) -> str:
        return str(self.manager.connection_file)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)  # type: ignore[union-attr]

    def run(self, code: str) -> None:
        reply = self.client.execute(code, reply=True, timeout=60)
        assert reply["content"]["status"] == "ok", reply["content"]

    def value(self, expression: str) -> str:
        """The repr of an expression, as `RunningKernel` itself asks it: silently."""
        reply = self.client.execute(
            "", silent=True, user_expressions={"value": expression}, reply=True, timeout=60
        )
        return str(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])

    def busy(self, code: str) -> None:
        """Starts a cell, and returns when it runs."""
        self.client.execute(f"print('running', flush=True)\n{code}")
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "stream" and "running" in message["content"]["text"]:
                return

    def stop(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def start(no_orphans: None, kernelspecs: Callable[..., str]) -> Iterator[Callable[..., RunningKernel]]:
    """Starts kernels: ``start()`` of this environment, ``start(python)`` of another one."""
    running: list[RunningKernel] = []

    def begin(python: Path | str = sys.executable, **options: Any) -> RunningKernel:
        name = kernelspecs(f"kernel{len(running)}", [str(python), *LAUNCH])
        running.append(RunningKernel(name, **options))
        return running[-1]

    yield begin
    for kernel in running:
        kernel.stop()
