"""Programs that keep logins: their protocol, and what happens when they do not keep to it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry import credential_helper
from jupyter_dockerize.engines.registry.credential_helper import CredentialsError, get, store
from jupyter_dockerize.errors import CancelledError

from .helper import install, program

SERVER = "registry.example.org"
SECRET = 'canary "\\ é 1d9f'


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": f"{tmp_path}:/usr/bin:/bin"}


def test_what_is_stored_comes_back(environ: dict[str, str]) -> None:
    kept = install(environ, "file")
    store("file", SERVER, "ada", SECRET, environ=environ)
    assert json.loads(kept.read_text()) == {SERVER: ["ada", SECRET]}
    assert get("file", SERVER, environ=environ) == ("ada", SECRET)


def test_one_that_answers_with_nothing_has_nothing(environ: dict[str, str]) -> None:
    program(environ, "pass", """#!/bin/sh\necho '{"ServerURL":"","Username":"","Secret":""}'\n""")
    assert get("pass", SERVER, environ=environ) is None


@pytest.mark.parametrize("name", ["../../bin/sh", "", "a b", "-x", "x" * 200, "no-such-helper"])
def test_a_name_that_is_none_is_not_run(environ: dict[str, str], name: str) -> None:
    with pytest.raises(CredentialsError, match="is not there"):
        get(name, SERVER, environ=environ)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo no key ring here; exit 1", "no key ring here"),
        ("exit 1", "did not say"),
        ("echo hello", "protocol"),
        ("echo '[]'", "protocol"),
        ("""echo '{"Username": 5, "Secret": []}'""", "protocol"),
        ("yes", "no end"),
        ("cat /dev/zero", "no end"),
    ],
)
def test_one_that_fails_is_named_with_what_it_said(environ: dict[str, str], text: str, why: str) -> None:
    program(environ, "bad", f"#!/bin/sh\n{text}\n")
    with pytest.raises(CredentialsError, match="docker-credential-bad failed to get") as error:
        get("bad", SERVER, environ=environ)
    assert why in error.value.why
    assert len(error.value.why) < 1000


def test_one_that_hangs_is_ended_with_what_it_started(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credential_helper, "SECONDS", 0.3)
    program(environ, "slow", "#!/bin/sh\nsleep 60 & sleep 60\n")
    began = time.monotonic()
    with pytest.raises(CredentialsError) as error:
        get("slow", SERVER, environ=environ)
    assert "in time" in error.value.why
    assert time.monotonic() - began < 20  # and not a minute


def test_one_that_hangs_is_cancelled(environ: dict[str, str]) -> None:
    program(environ, "slow", "#!/bin/sh\nsleep 60\n")
    cancel = Cancel()
    threading.Timer(0.3, cancel.cancel).start()
    with pytest.raises(CancelledError):
        get("slow", SERVER, environ=environ, cancel=cancel)


def test_one_that_cannot_be_started_is_named(environ: dict[str, str]) -> None:
    program(environ, "odd", "#!/no/such/interpreter\n")
    with pytest.raises(CredentialsError, match="docker-credential-odd failed"):
        get("odd", SERVER, environ=environ)


def test_what_it_repeats_of_a_password_is_not_told(environ: dict[str, str]) -> None:
    program(environ, "loud", "#!/bin/sh\ncat; exit 1\n")
    with pytest.raises(CredentialsError) as error:
        store("loud", SERVER, "ada", SECRET, environ=environ)
    assert "1d9f" not in str(error.value)
