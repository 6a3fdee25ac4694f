"""A private package index on a loopback port, with wheels made on the spot and, if wanted, a password."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jupyter_dockerize.resolve.wheelfile import Member, make, stem


class PrivateIndex:
    """The Simple repository API (PEP 503) for the wheels of `add`; remembers who asked for what."""

    def __init__(self, login: tuple[str, str] | None = None, status: int = 200) -> None:
        self.files: dict[str, bytes] = {}
        self.seen: list[tuple[str, str | None]] = []
        index = self
        wanted = "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else None

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                given = self.headers.get("Authorization")
                index.seen.append((self.path, given))
                status, body = index.answer(self.path, given == wanted if wanted else True, status_of_all)
                self.send_response(status)
                if status == 401:
                    self.send_header("WWW-Authenticate", 'Basic realm="private"')
                self.send_header(
                    "Content-Type", "text/html" if body.startswith(b"<") else "binary/octet-stream"
                )
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *args: object) -> None:
                pass

        status_of_all = status
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/simple"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def add(self, name: str, version: str) -> str:
        """Publishes a pure wheel; gives its hash."""
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        files = {f"{stem(name, version)}.dist-info/METADATA": Member(metadata), f"{name}.py": Member(b"")}
        wheel = make(name, version, ["py3-none-any"], files)
        self.files[wheel.filename] = wheel.data
        return f"sha256:{wheel.sha256}"

    def answer(self, path: str, allowed: bool, status: int) -> tuple[int, bytes]:
        if status != 200:
            return status, b""
        if not allowed:
            return 401, b""
        parts = path.strip("/").split("/")
        if parts[0] == "files":
            return 200, self.files[parts[1]]
        mine = [f for f in self.files if f.split("-")[0].replace("_", "-") == parts[-1]]
        links = "".join(
            f'<a href="/files/{f}#sha256={hashlib.sha256(self.files[f]).hexdigest()}">{f}</a>' for f in mine
        )
        return (200, f"<!DOCTYPE html><body>{links}</body>".encode()) if mine else (404, b"")


@contextlib.contextmanager
def private_index(login: tuple[str, str] | None = None, status: int = 200) -> Iterator[PrivateIndex]:
    index = PrivateIndex(login, status)
    try:
        yield index
    finally:
        index.server.shutdown()
