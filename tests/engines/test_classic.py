"""Builds through the Engine API: recorded answers, and engines that fail in the middle."""

import io
import json
import socket
import tarfile
import threading
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.classic import Api
from jupyter_dockerize.engines.connection import Connection
from jupyter_dockerize.engines.endpoint import Endpoint
from jupyter_dockerize.engines.exchange import LONGEST_LINE, split
from jupyter_dockerize.errors import BuildError, CancelledError, EngineError
from jupyter_dockerize.events import Event, Log, Progress, Step, ignore
from jupyter_dockerize.recipe.bundle import Bundle

from .listeners import DOCKER, listening, request, respond, silence

RECORDED = Path(__file__).parent / "recorded"
BUNDLE = Bundle({"Dockerfile": b"FROM scratch\n"})


class Builder:
    """An engine whose ``POST /build`` answers with ``chunks``, and then ends as told."""

    def __init__(self, *chunks: bytes, end: str = "well", status: str = "200 OK") -> None:
        self.chunks, self.end, self.status = chunks, end, status
        self.requests: list[tuple[str, str]] = []
        self.context = b""
        self.closed = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        while True:
            method, path, body = request(connection)
            self.requests.append((method, path))
            if path.endswith("/version"):
                respond(connection, DOCKER)
            elif method == "POST" and "/build" in path:
                self.context = body
                self._answer(connection)
            else:
                respond(connection, {}, "200 OK")

    def _answer(self, connection: socket.socket) -> None:
        if self.status != "200 OK":
            respond(connection, {"message": b"".join(self.chunks).decode()}, self.status)
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in self.chunks:
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if self.end == "well":
            connection.sendall(b"0\r\n\r\n")
        elif self.end == "broken":
            connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        else:
            silence(connection)
            self.closed.set()


def build(folder: Path, builder: Builder, *, podman: bool = False, bundle: Bundle = BUNDLE,
          secrets: dict[str, bytes] | None = None, report=ignore,
          cancel: Cancel | None = None) -> None:  # fmt: skip
    with listening(builder, folder / "s") as host:
        connection = Connection(Endpoint(host=host, origin="a test"), {})
        Api(podman=podman).build(connection, {}, bundle, "x:1", secrets=secrets or {}, report=report,
                                 cancel=cancel or Cancel(), pull=False)  # fmt: skip


@pytest.mark.parametrize("name", ["docker-26-classic.txt", "podman-4.3-buildah.txt"])
def test_a_recorded_build(tmp_path: Path, name: str):
    events: list[Event] = []
    with pytest.raises(BuildError) as caught:
        build(tmp_path, Builder((RECORDED / name).read_bytes()), report=events.append)
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.number for step in steps] == [1, 2, 3, 4, 5]
    assert steps[-1] == Step(5, 5, 'RUN echo to-stderr >&2; echo "no wheel for that"; exit 3')
    assert [event.text for event in events if isinstance(event, Log)] == [
        "building", "done", "no wheel for that", "to-stderr",
    ]  # fmt: skip
    assert caught.value.what.startswith("the build failed at: RUN echo to-stderr")
    assert caught.value.log == ("no wheel for that", "to-stderr")


def test_the_classic_builders_stderr_is_stderr(tmp_path: Path):
    events: list[Event] = []
    with pytest.raises(BuildError):
        build(tmp_path, Builder((RECORDED / "docker-26-classic.txt").read_bytes()), report=events.append)
    assert Log("to-stderr", "stderr") in events


def test_bytes_of_a_pull(tmp_path: Path):
    said = [
        {"stream": "Step 1/2 : FROM debian"},
        {"status": "Downloading", "id": "abc", "progressDetail": {"current": 5, "total": 10}},
        {"status": "Extracting", "id": "abc", "progressDetail": {"current": 1, "total": 10}},
    ]
    events: list[Event] = []
    build(tmp_path, Builder(*(json.dumps(one).encode() + b"\r\n" for one in said)), report=events.append)
    assert events == [Step(1, 2, "FROM debian"), Progress("FROM debian", 5, 10)]


def test_a_secret_is_never_sent_to_a_builder_without_mounts(tmp_path: Path):
    builder = Builder()
    with pytest.raises(EngineError, match="needs a secret") as caught:
        build(
            tmp_path, builder, bundle=Bundle({"Dockerfile": b""}, secrets=("ca",)), secrets={"ca": b"canary"}
        )
    assert "buildx" in caught.value.fix
    assert builder.requests == []


def test_podman_takes_secrets_as_files_of_the_context(tmp_path: Path):
    builder = Builder()
    bundle = Bundle({"Dockerfile": b"FROM x"}, secrets=("ca",))
    build(tmp_path, builder, podman=True, bundle=bundle, secrets={"ca": b"canary"})
    path = next(path for method, path in builder.requests if "/build" in path)
    assert "secrets=" in path
    assert "canary" not in path
    body = b""
    rest = builder.context
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert archive.getnames() == ["Dockerfile", "jupyter-dockerize-secret-ca"]


def test_an_engine_that_goes_away_in_the_middle(tmp_path: Path):
    builder = Builder(b'{"stream": "Step 1/2 : RUN x"}\n', end="broken")
    with pytest.raises(EngineError, match="went away during the build") as caught:
        build(tmp_path, builder)
    assert not isinstance(caught.value, BuildError)


def test_an_engine_that_refuses(tmp_path: Path):
    with pytest.raises(BuildError, match="refused the build") as caught:
        build(
            tmp_path,
            Builder(b"dockerfile parse error line 1: unknown instruction: FRUM", status="400 Bad Request"),
        )
    assert "does not understand" in caught.value.why


def test_cancel_cuts_the_connection(tmp_path: Path):
    builder = Builder(b'{"stream": "Step 1/2 : RUN x"}\n', end="hang")
    cancel = Cancel()
    with pytest.raises(CancelledError):
        build(tmp_path, builder, cancel=cancel, report=lambda event: cancel.cancel())
    assert builder.closed.wait(5)


def test_cancel_does_not_wait_for_an_engine_that_does_not_answer(tmp_path: Path):
    cancel = Cancel()
    threading.Timer(0.3, cancel.cancel).start()

    class Mute(Builder):
        def _answer(self, connection: socket.socket) -> None:
            silence(connection)

    with pytest.raises(CancelledError):
        build(tmp_path, Mute(), cancel=cancel)


def test_cancel_before_it_began(tmp_path: Path):
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        build(tmp_path, Builder(end="hang"), cancel=cancel)


def test_nonsense_is_passed_over(tmp_path: Path):
    said = [
        b"\xff\n",
        b"[]\n",
        b'{"stream": 5}\n',
        b'{"progressDetail": {"total": "x"}, "id": "a"}\n',
        b'{"aux": {}}\n',
    ]
    build(tmp_path, Builder(*said))


def test_lines_of_a_stream():
    assert list(split(iter([b"a\nb", b"c\r\n\n", b"d"]))) == [b"a", b"bc\r", b"d"]


def test_a_line_that_never_ends_is_passed_over():
    chunks = [b"x" * (LONGEST_LINE + 1), b"x" * 100, b"\nnext\n"]
    assert list(split(iter(chunks))) == [b"next"]
