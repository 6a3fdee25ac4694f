"""CA bundles and logins: found where pip and uv find them, for the hosts that are asked, and never shown."""

from __future__ import annotations

import netrc
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.model import Index, Packages, Python, Snapshot, System
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.recipe.resolution import Base, Resolution
from jupyter_dockerize.resolve.credentials import Access, LoginAuth, certificates, logins_for, secrets_for

HOST = "pypi.example.org"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import os

    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "XDG_")) or name == "NETRC":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "etc"))
    return tmp_path


def snapshot(ca: str | None = None) -> Snapshot:
    return Snapshot(
        system=System(os="debian"),
        python=Python(implementation="cpython", version="3.11.7"),
        packages=Packages(),
        indexes=(
            Index(url=f"https://{HOST}/simple", kind="index", credentials=True),
            Index(url="https://local.example.org/simple", kind="extra", local=True),
        ),
        ca=ca,
    )


def resolution(*secrets: str) -> Resolution:
    return Resolution(base=Base(ref="python:3", kind="python", reason=""), secrets=secrets)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "login"),
    [
        ("PIP_INDEX_URL", f"https://user:canary@{HOST}/simple", ("user", "canary")),
        ("PIP_EXTRA_INDEX_URL", f"https://other.org https://user:p%40ss@{HOST}:8443/x", ("user", "p@ss")),
        ("UV_DEFAULT_INDEX", f"corp=https://t0ken@{HOST}/simple", ("t0ken", "")),
        ("UV_INDEX", f"a=https://x.org b=https://__token__:canary@{HOST}/simple", ("__token__", "canary")),
    ],
)
def test_logins_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, login: tuple[str, str]
) -> None:
    monkeypatch.setenv(name, value)
    assert logins_for([HOST]) == {HOST: login}


def test_the_login_of_a_named_index_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX", f"corp-index=https://{HOST}/simple")
    monkeypatch.setenv("UV_INDEX_CORP_INDEX_USERNAME", "user")
    monkeypatch.setenv("UV_INDEX_CORP_INDEX_PASSWORD", "canary")
    assert logins_for([HOST]) == {HOST: ("user", "canary")}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            ".config/pip/pip.conf",
            "[global]\n# https://no:no@pypi.example.org\nindex-url = https://user:canary@%s/s\n",
        ),
        (
            ".pip/pip.conf",
            "[install]\nextra-index-url =\n  https://other.org\n  https://user:canary@%s/simple\n",
        ),
        (".config/uv/uv.toml", '[[index]]\nname = "corp"\nurl = "https://user:canary@%s/simple"\n'),
        ("etc/pip/pip.conf", "[global]\nindex-url = https://user:canary@%s/s\n"),
        ("venv/pip.conf", "[global]\nindex-url = https://user:canary@%s/s\n"),
        (".netrc", "machine %s login user password canary\n"),
    ],
)
def test_logins_are_read_from_files(home: Path, file: str, text: str) -> None:
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    (home / file).write_text(text % HOST)
    (home / file).chmod(0o600)
    assert logins_for([HOST], prefix=str(home / "venv")) == {HOST: ("user", "canary")}


def test_only_the_hosts_that_are_asked_are_handed_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://user:other-secret@elsewhere.org/simple")
    (home / ".netrc").write_text(
        f"machine {HOST} login user password canary\nmachine github.com login me password other-secret\n"
        "default login anyone password other-secret\n"
    )
    (home / ".netrc").chmod(0o600)
    secrets = secrets_for(resolution("netrc"), snapshot())
    assert secrets == {"netrc": f'machine {HOST} login "user" password "canary"\n'.encode()}
    assert logins_for(["unknown.org"]) == {}


def test_a_netrc_that_is_broken_is_passed_over(home: Path) -> None:
    (home / ".netrc").write_text("machine\x00 nonsense {{{")
    assert logins_for([HOST]) == {}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1),
    st.text("a\"\\ #'$`"),
)
def test_any_password_survives_the_netrc(tmp_path: Path, user: str, password: str) -> None:
    file = tmp_path / "netrc"
    file.write_bytes(Access(logins={HOST: (user, password)}).netrc)
    login, _, read = netrc.netrc(file).authenticators(HOST) or ("", "", "")
    assert (login, read) == (user, password)


def test_a_login_with_a_line_break_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", f"https://user:a%0Amachine%20evil@{HOST}/simple")
    assert logins_for([HOST]) == {}


def test_nothing_shows_a_login() -> None:
    access = Access(logins={HOST: ("user", "canary")})
    assert "canary" not in f"{access!r} {access} {LoginAuth(access)!r}"


def test_a_request_gets_the_login_of_its_own_host_only() -> None:
    auth = LoginAuth(Access(logins={HOST: ("user", "canary")}))
    sent = [
        requests.Request("GET", f"https://{host}/", auth=auth).prepare().headers.get("Authorization")
        for host in (HOST, f"sub.{HOST}", "example.org", f"{HOST}.evil.org")
    ]
    assert sent == ["Basic dXNlcjpjYW5hcnk=", None, None, None]


def test_only_certificates_leave_a_bundle(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(
        f"# ours\n{CERTIFICATE}-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n{CERTIFICATE}"
    )
    assert secrets_for(resolution("ca"), snapshot(str(file))) == {"ca": (CERTIFICATE * 2).encode()}


@pytest.mark.parametrize(
    "text", [None, "", "not a bundle", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"]
)
def test_a_bundle_that_is_none_is_refused_with_what_to_do(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UsageError, match="CA bundle") as error:
        certificates(file)
    assert "PIP_CERT" in error.value.fix


def test_what_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    assert secrets_for(resolution(), snapshot(str(tmp_path / "missing.pem"))) == {}
