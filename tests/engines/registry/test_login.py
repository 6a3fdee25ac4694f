"""``login``: the registry has the first word, and what is kept is kept as Docker keeps it."""

from __future__ import annotations

import base64
import json
import os
import stat
import tempfile
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from jupyter_dockerize.display import text
from jupyter_dockerize.engines.registry import login as room
from jupyter_dockerize.engines.registry.credentials import Login, StoredLogins
from jupyter_dockerize.engines.registry.login import LoggedIn
from jupyter_dockerize.errors import OutputError, RegistryError, UsageError

from .helper import install
from .servers import Answer, Fake, Tokens, closing

SECRET = "canary-1d9f"
ADA = Login("ada", SECRET)
BASIC = "Basic " + base64.b64encode(f"ada:{SECRET}".encode()).decode()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "HOME": str(tmp_path),
    }


@pytest.fixture
def registry(fake: Fake) -> Fake:
    """Knows ada, by her password."""

    def known(request: BaseHTTPRequestHandler) -> Answer:
        if request.headers.get("Authorization") == BASIC:
            return 200, {}, b"{}"
        return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""

    fake.routes["/v2/"] = known
    return fake


def login(host: str, environ: dict[str, str], who: Login = ADA) -> LoggedIn:
    return room.login(host, who, environ=environ)


def config(environ: dict[str, str]) -> Path:
    return Path(environ["DOCKER_CONFIG"], "config.json")


def test_a_login_is_kept_where_docker_finds_it(registry: Fake, environ: dict[str, str]) -> None:
    done = login(registry.host, environ)
    assert (done.registry, done.user, done.helper, done.checked) == (registry.host, "ada", "", True)
    assert [finding.code for finding in done.findings] == ["login-in-plain-text"]
    assert json.loads(config(environ).read_bytes()) == {"auths": {registry.host: {"auth": BASIC[6:]}}}
    assert stat.S_IMODE(config(environ).stat().st_mode) == 0o600
    assert StoredLogins(environ)(registry.host) == ADA
    assert SECRET not in repr(done)


def test_what_else_stands_in_the_file_stays(registry: Fake, environ: dict[str, str], tmp_path: Path) -> None:
    Path(environ["DOCKER_CONFIG"]).mkdir()
    real = tmp_path / "dotfiles.json"
    before = {
        "auths": {"x.example.org": {"auth": "eDp5"}},
        "HttpHeaders": {"X": "y"},
        "currentContext": "far",
    }
    real.write_text(json.dumps(before))
    real.chmod(0o644)
    config(environ).symlink_to(real)
    login(registry.host, environ)
    after = json.loads(real.read_bytes())
    assert after.pop("auths") == {"x.example.org": {"auth": "eDp5"}, registry.host: {"auth": BASIC[6:]}}
    assert after == {"HttpHeaders": {"X": "y"}, "currentContext": "far"}
    assert config(environ).is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".config*"))


def test_a_helper_keeps_it_where_one_is_configured(registry: Fake, environ: dict[str, str]) -> None:
    kept = install(environ, "ring")
    Path(environ["DOCKER_CONFIG"]).mkdir()
    config(environ).write_text(json.dumps({"credsStore": "ring"}))
    done = login(registry.host, environ)
    assert done.helper == "ring"
    assert not done.findings
    assert json.loads(kept.read_text()) == {registry.host: ["ada", SECRET]}
    assert json.loads(config(environ).read_text()) == {"credsStore": "ring"}
    assert StoredLogins(environ)(registry.host) == ADA


def test_a_login_that_the_registry_does_not_take_is_not_kept(registry: Fake, environ: dict[str, str]) -> None:
    with pytest.raises(RegistryError, match="does not take this login") as error:
        login(registry.host, environ, Login("ada", "wrong"))
    assert "password" in error.value.fix
    assert not config(environ).exists()


def test_a_registry_with_tokens(fake: Fake, environ: dict[str, str]) -> None:
    with closing(Tokens({"ada": SECRET})) as tokens:
        fake.routes["/token"] = tokens.answer
        guard = tokens.guard(f"http://{fake.host}/token")
        fake.routes["/v2/"] = lambda request: guard(request) or (200, {}, b"{}")
        assert login(fake.host, environ).checked
        with pytest.raises(RegistryError, match="does not take this login"):
            login(fake.host, environ, Login("ada", "wrong"))


def test_a_token_server_elsewhere_is_not_shown_the_password(fake: Fake, environ: dict[str, str]) -> None:
    with closing(Tokens({"ada": SECRET})) as tokens:
        guard = tokens.guard()
        fake.routes["/v2/"] = lambda request: guard(request) or (200, {}, b"{}")
        with pytest.raises(RegistryError, match="was not tried") as error:
            login(fake.host, environ)
        assert tokens.host in error.value.why
        assert set(tokens.authorized()) == {None}
    assert not config(environ).exists()


def test_a_registry_that_lets_everybody_in_is_told(fake: Fake, environ: dict[str, str]) -> None:
    fake.give("/v2/", 200, b"{}")
    done = login(fake.host, environ)
    assert not done.checked
    [said] = [finding for finding in done.findings if finding.code == "login-not-checked"]
    assert "did not ask who you are" in said.message
    told = text.logged_in(done)
    assert "knows you" not in told
    assert told.startswith(
        f"the login of ada for {fake.host} is kept by {config(environ)}, and was not tried"
    )
    assert fake.authorized() == [None]


def test_what_is_no_registry_is_told(fake: Fake, environ: dict[str, str]) -> None:
    with pytest.raises(RegistryError) as error:
        login(fake.host, environ)
    assert "no registry" in error.value.why
    assert not config(environ).exists()


@pytest.mark.parametrize(
    "name", ["", "penguins", "team/penguins", "a b.org", "r.example.org/team", "-x.org", "x" * 300]
)
def test_what_is_no_registrys_name_is_refused(environ: dict[str, str], name: str) -> None:
    with pytest.raises(UsageError, match="not a registry"):
        login(name, environ)


@pytest.mark.parametrize("who", [Login("", "x"), Login("ada", ""), Login("a:b", "x")])
def test_what_is_no_login_is_refused(registry: Fake, environ: dict[str, str], who: Login) -> None:
    with pytest.raises(UsageError):
        login(registry.host, environ, who)
    assert not registry.seen


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_a_file_that_we_would_spoil_is_left_alone(registry: Fake, environ: dict[str, str], text: str) -> None:
    Path(environ["DOCKER_CONFIG"]).mkdir()
    config(environ).write_text(text)
    with pytest.raises(OutputError, match="cannot be kept"):
        login(registry.host, environ)
    assert config(environ).read_text() == text


@pytest.mark.parametrize(("where", "what"), [(os, "fsync"), (Path, "replace"), (tempfile, "mkstemp")])
def test_a_disk_that_fails_leaves_the_old_file(
    registry: Fake, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, where: object, what: str
) -> None:
    Path(environ["DOCKER_CONFIG"]).mkdir()
    config(environ).write_text('{"auths": {}}')

    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(where, what, full)
    with pytest.raises(OutputError, match="cannot be kept") as error:
        login(registry.host, environ)
    assert "No space" in error.value.why
    assert [path.name for path in Path(environ["DOCKER_CONFIG"]).iterdir()] == ["config.json"]
    assert config(environ).read_text() == '{"auths": {}}'
