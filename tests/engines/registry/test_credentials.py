"""Logins as Docker and Podman write them down, found when a registry asks."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.engines.registry.credential_helper import CredentialsError
from jupyter_dockerize.engines.registry.credentials import Login, StoredLogins

from .helper import install

SECRET = "canary-1d9f"


def auth(user: str = "ada", secret: str = SECRET) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    for name in ("docker", "run/containers", "bin"):
        (tmp_path / name).mkdir(parents=True)
    return {
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path}/bin:/usr/bin:/bin",
    }


def docker(environ: dict[str, str], **plain: Any) -> None:
    Path(environ["DOCKER_CONFIG"], "config.json").write_text(json.dumps(plain))


def podman(environ: dict[str, str], **plain: Any) -> None:
    Path(environ["XDG_RUNTIME_DIR"], "containers", "auth.json").write_text(json.dumps(plain))


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("registry.example.org", "registry.example.org"),
        ("https://registry.example.org", "registry.example.org"),
        ("https://registry.example.org/v2/", "registry.example.org"),
        ("localhost:5000", "localhost:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_a_login_of_dockers_file(environ: dict[str, str], key: str, domain: str) -> None:
    docker(environ, auths={key: auth()})
    assert StoredLogins(environ)(domain, "a/b") == Login("ada", SECRET)
    assert StoredLogins(environ)("other.example.org", "a/b") is None


def test_an_identity_token_stands_for_both(environ: dict[str, str]) -> None:
    docker(environ, auths={"r.example.org": {**auth("x", ""), "identitytoken": SECRET}})
    assert StoredLogins(environ)("r.example.org") == Login("<token>", SECRET, is_token=True)


def test_podmans_file_is_read_the_narrowest_key_first(environ: dict[str, str]) -> None:
    podman(
        environ,
        auths={
            "r.example.org": auth("all"),
            "r.example.org/team": auth("team"),
            "r.example.org/team/x": auth("x"),
        },
    )
    find = StoredLogins(environ)
    users = [
        getattr(find("r.example.org", path), "user", None) for path in ("team/x", "team/y/z", "teams/x", "")
    ]
    assert users == ["x", "team", "all", "all"]


def test_the_file_that_is_named_goes_first_then_dockers_then_podmans(
    environ: dict[str, str], tmp_path: Path
) -> None:
    podman(environ, auths={"r.example.org": auth("podman"), "p.example.org": auth("podman")})
    assert StoredLogins(environ)("r.example.org") == Login("podman", SECRET)
    docker(environ, auths={"r.example.org": auth("docker")})
    assert StoredLogins(environ)("r.example.org") == Login("docker", SECRET)
    assert StoredLogins(environ)("p.example.org") == Login("podman", SECRET)
    (tmp_path / "named.json").write_text(json.dumps({"auths": {"r.example.org": auth("named")}}))
    environ["REGISTRY_AUTH_FILE"] = str(tmp_path / "named.json")
    assert StoredLogins(environ)("r.example.org") == Login("named", SECRET)


def test_helpers_are_asked_one_for_a_registry_before_the_one_for_all(environ: dict[str, str]) -> None:
    install(
        environ, "all", {"a.example.org": ("all", SECRET), "https://index.docker.io/v1/": ("hub", SECRET)}
    )
    install(environ, "own", {"b.example.org": ("own", SECRET), "c.example.org": ("<token>", SECRET)})
    docker(
        environ,
        credsStore="all",
        credHelpers={"b.example.org": "own", "c.example.org": "own"},
        auths={"a.example.org": {}, "d.example.org": auth("file")},
    )
    find = StoredLogins(environ)
    assert find("a.example.org") == Login("all", SECRET)
    assert find("b.example.org") == Login("own", SECRET)
    assert find("c.example.org") == Login("<token>", SECRET, is_token=True)
    assert find("docker.io") == Login("hub", SECRET)
    assert find("d.example.org") == Login("file", SECRET)  # the helper does not have it
    assert find("e.example.org") is None


def test_a_helper_that_is_configured_and_not_there_is_named(environ: dict[str, str]) -> None:
    docker(environ, credsStore="desktop")
    with pytest.raises(CredentialsError, match="docker-credential-desktop is not there"):
        StoredLogins(environ)("r.example.org")
    assert StoredLogins(environ, forgiving=True)("r.example.org") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"auths": []}',
        '{"auths": {"r.example.org": "x"}}',
        '{"auths": {"r.example.org": {"auth": "%%%"}}}',
        '{"auths": {"r.example.org": {"auth": 5}}}',
        '{"auths": {"r.example.org": {"auth": "YWRh"}}}',
        '{"auths": {"r.example.org": {"identitytoken": 5}}}',
        '{"credsStore": 5, "credHelpers": 5}',
    ],
)
def test_a_file_that_holds_no_login_gives_none(environ: dict[str, str], text: str) -> None:
    Path(environ["DOCKER_CONFIG"], "config.json").write_text(text)
    assert StoredLogins(environ)("r.example.org") is None


def test_a_password_is_in_no_repr() -> None:
    assert SECRET not in repr(Login("ada", SECRET))
