"""A password is asked for where nobody sees it, and stands in no line, log or result."""

from __future__ import annotations

import base64
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from .commandline import argv, environment
from .engines.registry.servers import Answer, Fake
from .kernels import Session

SECRET = "canary-7c1e"
BASIC = "Basic " + base64.b64encode(f"ada:{SECRET}".encode()).decode()


@pytest.fixture
def registry() -> Iterator[Fake]:
    """Knows ada, by her password."""

    def known(request: BaseHTTPRequestHandler) -> Answer:
        if request.headers.get("Authorization") == BASIC:
            return 200, {}, b"{}"
        return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""

    server = Fake()
    server.routes["/v2/"] = known
    yield server
    server.close()


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment({"DOCKER_CONFIG": str(tmp_path / "docker")})


def login(
    env: dict[str, str], *words: str, stdin: bytes = SECRET.encode() + b"\n"
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        argv("login", *words), input=stdin, env=env, capture_output=True, timeout=60, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def kept(env: dict[str, str]) -> dict[str, object]:
    path = Path(env["DOCKER_CONFIG"], "config.json")
    return dict(json.loads(path.read_bytes())["auths"]) if path.exists() else {}


def test_a_password_comes_from_a_pipe(registry: Fake, env: dict[str, str]) -> None:
    done = login(env, registry.host, "-u", "ada", "--password-stdin", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["registry"], said["user"], said["helper"], said["checked"]) == (
        registry.host,
        "ada",
        "",
        True,
    )
    assert [finding["code"] for finding in said["findings"]] == ["login-in-plain-text"]
    assert kept(env) == {registry.host: {"auth": BASIC[6:]}}
    assert SECRET not in done.stdout + done.stderr


def test_one_that_the_registry_does_not_take_is_told_and_not_kept(
    registry: Fake, env: dict[str, str]
) -> None:
    done = login(env, registry.host, "-u", "ada", "--password-stdin", stdin=b"wrong-7c1e")
    assert done.returncode == 4
    assert "does not take this login" in done.stderr
    assert "7c1e" not in done.stderr
    assert not kept(env)


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        (("--password-stdin",), SECRET.encode(), "-u USER"),
        (("-u", "ada", "--password-stdin"), b"", "no password on stdin"),
        (("-u", "ada", "--password-stdin"), b"\n", "no password on stdin"),
        (("-u", "ada", "--password-stdin"), b"\xff\xfe", "no password on stdin"),
        (("-u", "ada", "--password-stdin"), b"x" * 70_000, "no password on stdin"),
        (("-u", "ada"), b"", "no terminal"),
    ],
)
def test_where_there_is_none_that_is_told(
    registry: Fake, env: dict[str, str], words: tuple[str, ...], stdin: bytes, told: str
) -> None:
    done = login(env, registry.host, *words, stdin=stdin)
    assert done.returncode == 2
    assert told in done.stderr
    assert not registry.seen


def typed(env: dict[str, str], *words: str, answers: tuple[bytes, ...]) -> tuple[int, str]:
    """What a terminal shows of it."""
    near, far = pty.openpty()
    process = subprocess.Popen(
        argv("login", *words), stdin=far, stdout=far, stderr=far, env=env, start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )  # fmt: skip
    os.close(far)
    seen = b""
    waiting = list(answers)
    try:
        while data := os.read(near, 4096):
            seen += data
            if waiting and seen.endswith(b": "):
                os.write(near, waiting.pop(0))
    except OSError:
        pass
    os.close(near)
    return process.wait(60), seen.decode()


def test_a_password_that_is_typed_is_not_seen(registry: Fake, env: dict[str, str]) -> None:
    status, seen = typed(env, registry.host, answers=(b"ada\n", SECRET.encode() + b"\n"))
    assert status == 0, seen
    assert f"user at {registry.host}: " in seen
    assert f"password of ada at {registry.host}: " in seen
    assert "knows you as ada" in seen
    assert SECRET not in seen
    assert kept(env) == {registry.host: {"auth": BASIC[6:]}}


def test_an_interrupt_at_the_prompt_is_a_cancel(registry: Fake, env: dict[str, str]) -> None:
    status, seen = typed(env, registry.host, "-u", "ada", answers=(b"\x03",))
    assert status == 130, seen
    assert not registry.seen


def test_an_end_at_the_prompt_is_told(registry: Fake, env: dict[str, str]) -> None:
    status, seen = typed(env, registry.host, "-u", "ada", answers=(b"\x04",))
    assert status == 2, seen
    assert "nobody answered" in seen


@pytest.mark.parametrize("interpreter", ["newer", "older"])
def test_in_a_notebook_the_front_end_asks(
    registry: Fake, env: dict[str, str], tmp_path: Path, interpreter: str, request: pytest.FixtureRequest
) -> None:
    python = Path(sys.executable) if interpreter == "newer" else request.getfixturevalue("older")
    with Session(python, tmp_path, DOCKER_CONFIG=env["DOCKER_CONFIG"]) as session:
        cell = session.begin(f"%dockerize login {registry.host}")
        asked = []
        for answer in ("ada", SECRET):
            asked.append(session.client.get_stdin_msg(timeout=60)["content"])
            session.client.input(answer)
        session.until(lambda: cell in session.idle)
        assert [(one["prompt"].split()[0], one["password"]) for one in asked] == [
            ("user", False),
            ("password", True),
        ]
        found = session.cells[cell]
        assert "knows you as ada" in found.stdout
        assert SECRET not in f"{found}"
        assert kept(env) == {registry.host: {"auth": BASIC[6:]}}


def test_a_front_end_that_cannot_ask_is_told_where_else(
    registry: Fake, env: dict[str, str], tmp_path: Path
) -> None:
    with Session(Path(sys.executable), tmp_path) as session:
        session.client.allow_stdin = False
        found = session.run(f"%dockerize login {registry.host} -u ada")
        assert found.error
        assert found.error["ename"] == "UsageError"
        assert "nobody answered" in found.error["evalue"]
