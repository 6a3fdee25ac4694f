"""An engine behind ssh, as a local socket.

The docker SDK's own ssh transport needs paramiko; the ssh client that people have configured
(agent, jump hosts, known hosts) is better. Each connection to the local socket becomes one
``ssh HOST docker system dial-stdio``, which is what the docker CLI does, too.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import NoEngineError


class Bridge:
    """A private unix socket whose connections end at the engine of ``host`` ("ssh://USER@HOST:PORT").

    ``environ`` is the environment of the ssh client.
    """

    def __init__(self, host: str, environ: Mapping[str, str]) -> None:
        ssh = shutil.which("ssh", path=environ.get("PATH"))
        if ssh is None:
            raise NoEngineError(
                f"{host} cannot be reached", why="there is no ssh client here", fix="install an ssh client"
            )
        self._environ = dict(environ)
        parts = urlsplit(host)
        self._argv = [ssh, "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        if parts.username:
            self._argv += ["-l", parts.username]
        if parts.port:
            self._argv += ["-p", str(parts.port)]
        self._argv += ["--", str(parts.hostname), "docker", "system", "dial-stdio"]
        self._folder = Path(tempfile.mkdtemp(prefix="jdz-ssh-"))  # mode 700
        self.path = self._folder / "engine.sock"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(16)
        self._errors = ""
        threading.Thread(target=self._serve, name="ssh bridge", daemon=True).start()

    @property
    def complaint(self) -> str:
        """What ssh last said on stderr: "Permission denied (publickey)", "Could not resolve hostname"."""
        return self._errors

    def close(self) -> None:
        """Ends listening and removes the socket; connections that are open go on."""
        # A listener blocked in accept() is woken by shutdown, not by close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, connection: socket.socket) -> None:
        # A file, because a shared connection (ControlPersist) holds stderr open long after its client.
        with connection, tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                self._argv,
                env=self._environ,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=stderr,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
            process.wait()
            stderr.seek(0)
            said = stderr.read(4096).decode(errors="replace").strip()
            if said:
                # Before the connection ends, so that whoever sees its end finds the reason.
                self._errors = said.splitlines()[-1]
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
