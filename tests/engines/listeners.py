"""Things that listen where an engine should: real sockets that behave badly on purpose."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None], path: Path | None = None) -> Iterator[str]:
    """Serves each connection in a thread; gives the endpoint's address: a unix socket or a loopback port."""
    if path is not None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
    else:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            threading.Thread(target=_serve, args=(serve, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"unix://{path}" if path else f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in held:
            connection.close()


def _serve(serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        serve(connection)


def silence(connection: socket.socket) -> None:
    """Takes everything and never answers."""
    while connection.recv(65536):
        pass


def garbage(connection: socket.socket) -> None:
    """Answers, in no language that we know."""
    connection.recv(65536)
    connection.sendall(b"220 mail.example.org ESMTP\r\n")
    connection.close()


def request(connection: socket.socket) -> tuple[str, str, bytes]:
    """Reads one HTTP request: method, path without version, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            raise ConnectionResetError
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
    if b"chunked" in head:
        while not body.endswith(b"0\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                raise ConnectionResetError
            body += more
    return method, path, body


def respond(connection: socket.socket, value: Any, status: str = "200 OK") -> None:
    data = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    connection.sendall(head.encode() + data)


def engine(version: dict[str, Any]) -> Callable[[socket.socket], None]:
    """Something that answers ``GET /version`` as told, and 404 to all else."""

    def serve(connection: socket.socket) -> None:
        while True:
            _, path, _ = request(connection)
            if path.endswith("/version"):
                respond(connection, version)
            else:
                respond(connection, {"message": "page not found"}, "404 Not Found")

    return serve


DOCKER = {"Version": "26.1.5", "ApiVersion": "1.45", "Os": "linux", "Platform": {"Name": ""}}
