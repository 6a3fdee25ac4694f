"""Servers to test with: a registry that does as the test says, one that keeps to the specification and can be
made to lie, a token server, and a line that breaks."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, str], bytes]
Route = Callable[[BaseHTTPRequestHandler], "Answer | None"]
Twist = Callable[[str, str, int, dict[str, str]], "tuple[int, dict[str, str]]"]


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Server:
    """Answers on a loopback port with what `answer` gives; remembers every request and who asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str | None]] = []  # method, path, Authorization
        own = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(OSError):
                    super().handle_one_request()

            def do(self) -> None:
                own.seen.append((self.command, self.path, self.headers.get("Authorization")))
                answer = own.answer(self)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if not {"Content-Length", "Transfer-Encoding"} & headers.keys():
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.host = f"127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> Answer | None:
        raise NotImplementedError

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def authorized(self) -> list[str | None]:
        return [authorization for _, _, authorization in self.seen]

    def paths(self, method: str) -> list[str]:
        return [path for how, path, _ in self.seen if how == method]


class Fake(Server):
    """A registry whose answers a test gives, by path."""

    def __init__(self) -> None:
        super().__init__()
        self.routes: dict[str, Route] = {}

    def answer(self, request: BaseHTTPRequestHandler) -> Answer | None:
        route = self.routes.get(request.path.partition("?")[0])
        return route(request) if route else (404, {}, b"")

    def give(self, path: str, status: int, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.routes[path] = lambda request: (status, named, body)


class Conforming(Server):
    """A registry in memory that keeps to the distribution specification 1.1, but where ``twist`` lies.

    ``received`` counts the bytes of blobs that arrived; ``guard`` may answer instead.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.busy: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # one request of an upload
        self.received = 0
        self.largest = 1 << 40  # bytes of a request
        self.twist: Twist = lambda method, path, status, headers: (status, headers)
        self.guard: Callable[[BaseHTTPRequestHandler], Answer | None] = lambda request: None

    def answer(self, request: BaseHTTPRequestHandler) -> Answer | None:
        refused = self.guard(request)
        if refused:
            self._body(request, keep=None)
            return refused
        status, headers, body = self._answer(request)
        status, headers = self.twist(request.command, request.path, status, headers)
        return status, headers, body

    def _answer(self, request: BaseHTTPRequestHandler) -> Answer:
        address = urlsplit(request.path)
        asked = {key: values[0] for key, values in parse_qs(address.query).items()}
        if address.path == "/v2/":
            return 200, {}, b"{}"
        if found := re.fullmatch(r"/v2/(.+)/blobs/uploads/([0-9a-f]*)", address.path):
            with self.busy[found[2] or uuid.uuid4().hex]:
                return self._upload(request, found[1], found[2], asked)
        if found := re.fullmatch(r"/v2/(.+)/blobs/(sha256:[0-9a-f]+)", address.path):
            return self._blob(request, (found[1], found[2]))
        if found := re.fullmatch(r"/v2/(.+)/manifests/(.+)", address.path):
            return self._manifest(request, found[1], found[2])
        return 404, {}, b""

    def _upload(
        self, request: BaseHTTPRequestHandler, repository: str, key: str, asked: dict[str, str]
    ) -> Answer:
        if request.command == "POST":
            if "mount" in asked and (asked.get("from", ""), asked["mount"]) in self.blobs:
                self.blobs[repository, asked["mount"]] = self.blobs[asked["from"], asked["mount"]]
                return 201, {"Docker-Content-Digest": asked["mount"]}, b""
            key = uuid.uuid4().hex
            self.uploads[key] = bytearray()
            return 202, self._place(repository, key), b""
        if key not in self.uploads:
            self._body(request, keep=None)
            return 404, {}, b""
        held = self.uploads[key]
        if request.command == "GET":
            return 204, self._place(repository, key), b""
        if request.command == "DELETE":
            del self.uploads[key]
            return 204, {}, b""
        if int(request.headers.get("Content-Length", 0)) > self.largest:
            self._body(request, keep=None)
            return 413, {}, b""
        if request.command == "PATCH":
            begins = request.headers.get("Content-Range", f"{0 if not held else -1}-").partition("-")[0]
            if begins != str(len(held)):
                self._body(request, keep=None)
                return 416, self._place(repository, key), b""
            self._body(request, keep=held)
            return 202, self._place(repository, key), b""
        self._body(request, keep=held)
        if digest(bytes(held)) != asked["digest"]:
            return 400, {}, b'{"errors":[{"code":"DIGEST_INVALID"}]}'
        self.blobs[repository, asked["digest"]] = bytes(held)
        del self.uploads[key]
        return 201, {"Docker-Content-Digest": asked["digest"]}, b""

    def _place(self, repository: str, key: str) -> dict[str, str]:
        end = max(0, len(self.uploads[key]) - 1)
        return {"Location": f"/v2/{repository}/blobs/uploads/{key}?state={end}", "Range": f"0-{end}"}

    def _body(self, request: BaseHTTPRequestHandler, *, keep: bytearray | None) -> bytes:
        """The request's body; what arrives is kept, though the rest never comes."""
        parts = []
        for piece in _arriving(request):
            parts.append(piece)
            if keep is not None:
                keep += piece
                self.received += len(piece)
        return b"".join(parts)

    def _blob(self, request: BaseHTTPRequestHandler, key: tuple[str, str]) -> Answer:
        if key not in self.blobs:
            return 404, {}, b""
        data, headers = self.blobs[key], {"Docker-Content-Digest": key[1]}
        if found := re.fullmatch(r"bytes=([0-9]+)-", request.headers.get("Range", "")):
            start = int(found[1])
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return 206, headers, data[start:]
        return 200, {**headers, "Content-Length": str(len(data))}, data

    def _manifest(self, request: BaseHTTPRequestHandler, repository: str, name: str) -> Answer:
        if request.command == "PUT":
            body = self._body(request, keep=None)
            for key in (name, digest(body)):
                self.manifests[repository, key] = (request.headers.get("Content-Type", ""), body)
            return 201, {"Docker-Content-Digest": digest(body)}, b""
        if (repository, name) not in self.manifests:
            return 404, {}, b""
        kind, body = self.manifests[repository, name]
        headers = {
            "Content-Type": kind,
            "Docker-Content-Digest": digest(body),
            "Content-Length": str(len(body)),
        }
        return 200, headers, body


def _arriving(request: BaseHTTPRequestHandler) -> Iterator[bytes]:
    """A body in pieces, of a known size or in chunks (RFC 9112, 7.1)."""
    chunked = request.headers.get("Transfer-Encoding") == "chunked"
    left = 0 if chunked else int(request.headers.get("Content-Length", 0))
    while left or chunked:
        if not left and not (left := int(request.rfile.readline() or _reset(), 16)):
            request.rfile.readline()
            return
        piece = request.rfile.read1(min(left, 65536))  # type: ignore[attr-defined]
        left -= len(piece or _reset())
        yield piece
        if chunked and not left:
            request.rfile.readline()


def _reset() -> bytes:
    raise ConnectionResetError


class Tokens(Server):
    """A token server for ``users``. A token is good for ``uses`` requests, and for what it was asked for."""

    def __init__(self, users: dict[str, str], uses: int = 1 << 30) -> None:
        super().__init__()
        self.users, self.uses = users, uses
        self.given: dict[str, tuple[set[str], list[int]]] = {}
        self.refresh: dict[str, str] = {}  # identity token → user
        self.denied: set[str] = set()  # scopes that nobody gets

    def answer(self, request: BaseHTTPRequestHandler) -> Answer:
        if request.command == "POST":
            form = parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
            if form["refresh_token"][0] not in self.refresh:
                return 401, {}, b""
            scopes = set(form.get("scope", [""])[0].split())
            return self._token(scopes, "access_token")
        kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
        user, _, password = (
            base64.b64decode(encoded).decode().partition(":") if kind == "Basic" else ("", "", "")
        )
        if user and self.users.get(user) != password:
            return 401, {}, b""
        scopes = set(parse_qs(urlsplit(request.path).query).get("scope", []))
        return self._token(scopes if user else {one for one in scopes if one.endswith(":pull")}, "token")

    def _token(self, scopes: set[str], key: str) -> Answer:
        token = uuid.uuid4().hex
        self.given[token] = (scopes - self.denied, [self.uses])
        return 200, {}, json.dumps({key: token}).encode()

    def guard(self, realm: str = "") -> Callable[[BaseHTTPRequestHandler], Answer | None]:
        """What a registry asks before each request: is there a token, is it good for this?"""
        where = realm or f"http://{self.host}/token"

        def check(request: BaseHTTPRequestHandler) -> Answer | None:
            found = re.match(r"/v2/(.+)/(?:blobs|manifests)/", request.path)
            action = (
                "pull" if request.command in ("GET", "HEAD") and "/uploads/" not in request.path else "push"
            )
            token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
            scopes, left = self.given.get(token, (set(), [0]))
            allowed = not found or any(
                scope.startswith(f"repository:{found[1]}:") and action in scope.rpartition(":")[2].split(",")
                for scope in scopes
            )
            if token in self.given and allowed and left[0] > 0:
                left[0] -= 1
                return None
            scope = f',scope="repository:{found[1]}:{action}"' if found else ""
            return 401, {"WWW-Authenticate": f'Bearer realm="{where}",service="test"{scope}'}, b""

        return check


class Line:
    """A TCP line to ``target`` that breaks once at each of ``cuts``: numbers of bytes sent to the target."""

    def __init__(self, target: str, *cuts: int) -> None:
        self.target = target
        self.cuts = sorted(cuts)
        self.sent = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        host, _, port = self.target.partition(":")
        try:
            far = socket.create_connection((host, int(port)))
        except OSError:
            near.close()
            return
        threading.Thread(target=self._back, args=(far, near), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := near.recv(16384):
                with self._lock:
                    room = self.cuts[0] - self.sent if self.cuts else len(data)
                    cut = room < len(data)
                    if cut:
                        data = data[: max(0, room)]
                        self.cuts.pop(0)
                    self.sent += len(data)
                far.sendall(data)
                if cut:
                    break
        _shut(far)
        _shut(near)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                near.sendall(data)
        _shut(near)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def closing(*servers: Server | Line) -> Iterator[Any]:
    try:
        yield servers[0] if len(servers) == 1 else servers
    finally:
        for server in servers:
            server.close()
