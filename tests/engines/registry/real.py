"""A real registry: docker-registry, the rig's program."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

import requests


class RealRegistry:
    """A process of its own, with its storage in ``folder``; ``more`` is added to its configuration."""

    def __init__(self, program: Path, folder: Path, more: str = "") -> None:
        self._program, self.folder = program, folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        self.config = folder / "config.yml"
        self.config.write_text(f"""\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder / "storage"}}}
  delete: {{enabled: true}}
http: {{addr: {self.host}, secret: {secrets.token_hex(8)}}}
{more}""")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", self.config], stdout=log, stderr=log, env={"PATH": os.defpath}
            )
        for _ in range(500):
            try:
                requests.get(f"http://{self.host}/v2/", timeout=5)
            except requests.RequestException:  # noqa: PERF203 - until it answers
                time.sleep(0.02)
            else:
                return
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
