"""Blobs on their way: cut off anywhere they go on there, and what a registry says is not believed."""

from __future__ import annotations

import random
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry import patience, upload
from jupyter_dockerize.engines.registry.blobs import BytesBlob, FileBlob
from jupyter_dockerize.engines.registry.credentials import Login
from jupyter_dockerize.engines.registry.session import Session
from jupyter_dockerize.engines.registry.upload import Upload
from jupyter_dockerize.errors import DamagedError, RegistryError
from jupyter_dockerize.image.manifest import describe

from .servers import Answer, Conforming, Fake, Line, closing, digest

DATA = random.Random(7).randbytes(1_000_003)
BLOB = BytesBlob("application/octet-stream", DATA)
CANARY = Login("user", "canary")


def send(host: str, blob: BytesBlob | FileBlob = BLOB, *, login: Login | None = None) -> bool:
    with Session(host, logins=lambda *_: login) as session:
        return Upload(session, "a/b", blob, lambda done: None).run()


def refused(host: str, **more: Login) -> RegistryError:
    with pytest.raises(RegistryError) as error:
        send(host, **more)
    return error.value


def there(registry: Conforming) -> bytes | None:
    return registry.blobs.get(("a/b", digest(DATA)))


def test_an_upload_that_is_cut_at_any_of_50_places_goes_on_there(conforming: Conforming) -> None:
    for number in range(50):
        conforming.blobs.clear()
        conforming.received = 0
        with closing(Line(conforming.host, 200 + number * len(DATA) // 50)) as line:
            assert send(line.host) is False
        assert there(conforming) == DATA
        # What had arrived before the cut is not sent again.
        assert conforming.received == len(DATA)


def test_an_upload_that_is_cut_50_times_comes_through(conforming: Conforming) -> None:
    cuts = [number * len(DATA) // 50 for number in range(1, 51)]
    with closing(Line(conforming.host, *cuts)) as line:
        send(line.host)
        assert not line.cuts
    assert there(conforming) == DATA


def test_a_registry_that_forgets_what_was_cut_off_gets_it_from_the_beginning(conforming: Conforming) -> None:
    """As those of the distribution project do before version 3."""

    def forget(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        return (404, {}) if method == "GET" else (status, headers)

    conforming.twist = forget
    with closing(Line(conforming.host, 400_000)) as line:
        send(line.host)
    assert there(conforming) == DATA


def test_requests_become_smaller_where_large_ones_are_refused(
    conforming: Conforming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "SMALL", 300_000)
    conforming.largest = 400_000
    send(conforming.host)
    assert there(conforming) == DATA
    assert len(conforming.paths("PATCH")) == 5  # one that was too large, and four


def test_what_was_lost_after_it_was_taken_is_sent_again(conforming: Conforming) -> None:
    """A registry that was killed may have less than it said before."""
    cut = [True]

    def lose(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PATCH" and cut:
            cut.clear()
            (held,) = conforming.uploads.values()
            del held[123_456:]
            return 503, {}
        return status, headers

    conforming.twist = lose
    send(conforming.host)
    assert there(conforming) == DATA


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_registry_that_is_busy_is_asked_again(conforming: Conforming, status: int) -> None:
    left = [3]

    def busy(request: BaseHTTPRequestHandler) -> Answer | None:
        left[0] -= 1
        return (status, {"Retry-After": "0"}, b"") if left[0] >= 0 else None

    conforming.guard = busy
    send(conforming.host)
    assert there(conforming) == DATA


@pytest.mark.parametrize("wait", ["7200", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_registry_that_wants_to_be_left_alone_for_hours_is_not_waited_for(fake: Fake, wait: str) -> None:
    fake.give("/v2/a/b/blobs/uploads/", 429, Retry_After=wait)
    error = refused(fake.host)
    assert "429" in error.why
    assert "minutes" in error.fix


def test_a_registry_that_never_answered_is_not_waited_for_long() -> None:
    with pytest.raises(RegistryError, match="does not answer"), Session("127.0.0.1:9") as session:
        Upload(session, "a/b", BLOB, lambda done: None).run()
    assert not session.answered


def test_a_registry_that_falls_silent_is_given_up_in_the_end(
    conforming: Conforming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SECONDS", 1.0)
    conforming.guard = lambda request: _hung_up(request) if request.command == "PATCH" else None
    assert "does not answer" in refused(conforming.host).what


def _hung_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.close()
    raise ConnectionResetError


# What registries must not get away with


def ranged(end: int) -> Callable[[str, str, int, dict[str, str]], tuple[int, dict[str, str]]]:
    def twist(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PATCH":
            headers["Range"] = f"0-{end}"
        return status, headers

    return twist


@pytest.mark.parametrize("end", [len(DATA), len(DATA) * 2, 10**14])
def test_a_registry_that_has_other_bytes_than_it_was_sent_is_refused(
    conforming: Conforming, end: int
) -> None:
    conforming.twist = ranged(end)
    error = refused(conforming.host)
    assert "specification" in error.what
    assert f"sent {len(DATA):,}" in error.why


def test_a_registry_that_took_less_than_it_was_sent_is_sent_the_rest(conforming: Conforming) -> None:
    first = [True]

    def less(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PATCH" and first:
            first.clear()
            (held,) = conforming.uploads.values()
            del held[1000:]
            headers["Range"] = "0-999"
        return status, headers

    conforming.twist = less
    send(conforming.host)
    assert there(conforming) == DATA


def test_a_registry_that_takes_a_byte_at_a_time_is_given_up(
    conforming: Conforming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.5)

    def one(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PATCH":
            (held,) = conforming.uploads.values()
            del held[len(conforming.paths("PATCH")) + 1 :]
            headers["Range"] = f"0-{len(held) - 1}"
        return status, headers

    conforming.twist = one
    assert "less than it is sent" in refused(conforming.host).why
    assert len(conforming.paths("PATCH")) < 20


def test_a_registry_that_says_after_a_cut_that_it_has_what_never_came_is_refused(
    conforming: Conforming,
) -> None:
    def more(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "GET":
            headers["Range"] = f"0-{len(DATA)}"
        return status, headers

    conforming.twist = more
    with closing(Line(conforming.host, 300_000)) as line:
        error = refused(line.host)
    assert f"has {len(DATA) + 1:,} bytes" in error.why
    assert there(conforming) is None


def test_a_registry_that_puts_parts_together_wrongly_gets_the_whole_once_and_is_refused(
    conforming: Conforming,
) -> None:
    """One was seen to append whatever comes: a gap was answered with 202."""

    def gap(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "GET":
            (held,) = conforming.uploads.values()
            held[100:200] = b""
            headers["Range"] = f"0-{len(held) + 99}"
        return status, headers

    original = conforming._upload

    def append(request: BaseHTTPRequestHandler, repository: str, key: str, asked: dict[str, str]) -> Answer:
        if request.command == "PATCH" and "Content-Range" in request.headers:
            held = conforming.uploads[key]
            conforming._body(request, keep=held)
            place = conforming._place(repository, key)
            return 202, {**place, "Range": f"0-{len(DATA) - 1}"}, b""
        return original(request, repository, key, asked)

    conforming.twist = gap
    conforming._upload = append  # type: ignore[method-assign]
    with closing(Line(conforming.host, 300_000)) as line:
        send(line.host)  # the second time in one piece
    assert there(conforming) == DATA


def test_another_digest_in_the_answer_is_refused(conforming: Conforming) -> None:
    def other(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PUT":
            headers["Docker-Content-Digest"] = "sha256:" + "0" * 64
        return status, headers

    conforming.twist = other
    assert "sha256:000" in refused(conforming.host).why


def test_bytes_that_arrive_otherwise_are_refused(fake: Fake) -> None:
    fake.give("/v2/a/b/blobs/uploads/", 202, Location="/up")
    fake.routes["/up"] = lambda request: _taken(request)
    assert "other bytes" in refused(fake.host).why


def _taken(request: BaseHTTPRequestHandler) -> Answer:
    left = int(request.headers.get("Content-Length", 0))
    request.rfile.read(left)
    return (202, {}, b"") if request.command == "PATCH" else (400, {}, b"")


def test_an_upload_that_goes_on_at_another_host_gets_no_credentials_there(fake: Fake, other: Fake) -> None:
    def begin(request: BaseHTTPRequestHandler) -> Answer:
        if not request.headers.get("Authorization"):
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        return 202, {"Location": f"http://{other.host}/up"}, b""

    def up(request: BaseHTTPRequestHandler) -> Answer:
        request.rfile.read(int(request.headers.get("Content-Length", 0)))
        return (202, {}, b"") if request.command == "PATCH" else (201, {}, b"")

    fake.routes["/v2/a/b/blobs/uploads/"] = begin
    other.routes["/up"] = up
    send(fake.host, login=CANARY)
    assert any(fake.authorized())
    assert other.authorized() == [None, None]


def test_an_upload_that_is_asked_for_credentials_at_another_host_gives_none(fake: Fake, other: Fake) -> None:
    fake.give("/v2/a/b/blobs/uploads/", 202, Location=f"http://{other.host}/up")

    def wants(request: BaseHTTPRequestHandler) -> Answer:
        request.rfile.read(int(request.headers.get("Content-Length", 0)))
        return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""

    other.routes["/up"] = wants
    assert "401" in refused(fake.host, login=CANARY).why
    assert set(other.authorized()) == {None}


@pytest.mark.parametrize(
    "place",
    ["http://example.org/up", "file:///etc/passwd", "ftp://x/", "https://user:pw@example.org/", "//["],
)
def test_an_upload_is_led_to_no_unsafe_place(fake: Fake, place: str) -> None:
    fake.give("/v2/a/b/blobs/uploads/", 202, Location=place)
    assert "not safe" in refused(fake.host).why


def test_what_is_written_is_not_redirected(fake: Fake, other: Fake) -> None:
    fake.give("/v2/a/b/blobs/uploads/", 307, Location=f"http://{other.host}/up")
    assert "redirects what is written" in refused(fake.host).why
    assert not other.seen


@pytest.mark.parametrize(("status", "there"), [(200, True), (403, True), (404, False)])
def test_a_blob_may_be_in_a_store_elsewhere(fake: Fake, other: Fake, status: int, there: bool) -> None:
    fake.give(f"/v2/a/b/blobs/{digest(DATA)}", 307, Location=f"http://{other.host}/store")
    other.routes["/store"] = lambda request: (status, {"Content-Length": str(len(DATA))}, b"")
    with Session(fake.host, logins=lambda *_: CANARY) as session:
        assert upload.has(session, "a/b", BLOB.descriptor) is there
    assert other.authorized() == [None]


def test_an_upload_without_a_place_is_refused(fake: Fake) -> None:
    fake.give("/v2/a/b/blobs/uploads/", 202)
    assert "where the upload goes" in refused(fake.host).why


@pytest.mark.parametrize(
    ("status", "fix"),
    [(401, "login"), (403, "may write to"), (404, "project"), (405, "may write to"), (413, "proxy")],
)
def test_a_refusal_says_what_to_do(fake: Fake, status: int, fix: str) -> None:
    said = b'{"errors": [{"code": "DENIED", "message": "not yours"}]}'
    fake.give("/v2/a/b/blobs/uploads/", status, said)
    error = refused(fake.host)
    assert str(status) in error.why
    assert fix in error.fix


def test_what_a_registry_says_itself_is_passed_on(fake: Fake) -> None:
    fake.give("/v2/a/b/blobs/uploads/", 403, b'{"errors": [{"code": "DENIED", "message": "not yours"}]}')
    assert refused(fake.host).why == "HTTP status 403: DENIED, not yours"


# What we send


def test_a_file_that_has_other_bytes_by_now_does_not_arrive(conforming: Conforming, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(DATA)
    blob = FileBlob(describe("x", DATA), path)
    path.write_bytes(b"x" + DATA[1:])
    with pytest.raises(DamagedError, match="not whole"):
        send(conforming.host, blob)
    path.write_bytes(DATA[:-1])
    with pytest.raises(DamagedError, match="not whole"):
        send(conforming.host, blob)
    path.unlink()
    with pytest.raises(DamagedError, match="not whole"):
        send(conforming.host, blob)
    assert not conforming.blobs


def test_progress_is_told_in_bytes(conforming: Conforming) -> None:
    told: list[int] = []
    with Session(conforming.host, cancel=Cancel()) as session:
        Upload(session, "a/b", BLOB, told.append).run()
    assert told[0] == 0
    assert told == sorted(told)
    assert told[-1] == len(DATA)
