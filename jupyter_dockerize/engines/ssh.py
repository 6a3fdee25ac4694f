"""An engine behind ssh, as a local socket.

The docker SDK's own ssh transport needs paramiko; the ssh client that people have configured
(agent, jump hosts, known hosts) is better. Each connection to the local socket becomes one
``ssh HOST docker system dial-stdio``, which is what the docker CLI does, too.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import NoEngineError

PREFIX, SOCKET = "jupyter-dockerize-", "engine.sock"
LONGEST = 104  # bytes of a socket's path with its end, sun_path of unix(4) on macOS; Linux has 108


class Bridge:
    """A private unix socket whose connections end at the engine of ``host`` ("ssh://USER@HOST:PORT").

    ``environ`` is the environment of the ssh client. `close` ends listening and removes the socket.
    """

    def __init__(self, host: str, environ: Mapping[str, str]) -> None:
        ssh = shutil.which("ssh", path=environ.get("PATH"))
        if ssh is None:
            raise NoEngineError(
                f"{host} cannot be reached", why="there is no ssh client here", fix="install an ssh client"
            )
        parts = urlsplit(host)
        argv = [ssh, "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        if parts.username:
            argv += ["-l", parts.username]
        if parts.port:
            argv += ["-p", str(parts.port)]
        argv += ["--", str(parts.hostname), "docker", "system", "dial-stdio"]
        folder = _folder()
        self.path = folder / SOCKET
        self._said: deque[str] = deque(maxlen=1)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Also where nobody closes it, or the process ends. The threads must not hold it, then.
        self.close = weakref.finalize(self, _close, listener, folder)
        listener.bind(str(self.path))
        listener.listen(16)
        threading.Thread(
            target=_serve, args=(listener, argv, dict(environ), self._said), name="ssh bridge", daemon=True
        ).start()

    @property
    def complaint(self) -> str:
        """What ssh last said on stderr: "Permission denied (publickey)", "Could not resolve hostname"."""
        return self._said[0] if self._said else ""


def _folder() -> Path:
    """A private one, in which the socket's whole path is short enough."""
    place = Path(tempfile.gettempdir())
    longest = len(os.fsencode(place)) + len(f"/{PREFIX}12345678/{SOCKET}")
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place if longest < LONGEST else "/tmp"))  # noqa: S108


def _close(listener: socket.socket, folder: Path) -> None:
    """Ends listening and removes the socket; connections that are open go on."""
    # A listener blocked in accept() is woken by shutdown, not by close.
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    shutil.rmtree(folder, ignore_errors=True)


def _serve(listener: socket.socket, argv: list[str], environ: dict[str, str], said: deque[str]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_carry, args=(connection, argv, environ, said), daemon=True).start()


def _carry(connection: socket.socket, argv: list[str], environ: dict[str, str], said: deque[str]) -> None:
    # A file, because a shared connection (ControlPersist) holds stderr open long after its client.
    with connection, tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            argv,
            env=environ,
            stdin=connection.fileno(),
            stdout=connection.fileno(),
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
        process.wait()
        stderr.seek(0)
        # Before the connection ends, so that whoever sees its end finds the reason.
        said.extend(stderr.read(4096).decode(errors="replace").strip().splitlines())
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
