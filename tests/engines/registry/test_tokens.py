"""Challenges are read as they are written, and a password goes to whom it is for."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.engines.registry.credentials import Login
from jupyter_dockerize.engines.registry.session import Session
from jupyter_dockerize.engines.registry.tokens import Challenge, bearer, may_have
from jupyter_dockerize.errors import RegistryError

from .servers import Fake, Tokens, closing

REALM = 'realm="https://auth.example.org/token"'


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (
            f'Bearer {REALM},service="s",scope="repository:a:pull"',
            Challenge("bearer", "https://auth.example.org/token", "s", "repository:a:pull"),
        ),
        (f"bearer {REALM} , service=s", Challenge("bearer", "https://auth.example.org/token", "s")),
        ('Basic realm="x"', Challenge("basic")),
        (f'Basic realm="x", Bearer {REALM}', Challenge("bearer", "https://auth.example.org/token")),
        ("Negotiate", None),
        ("Bearer", None),
        ('Bearer service="s"', None),
        ("", None),
        ("=,=,=", None),
        ('Digest realm="x", nonce="Basic realm=1"', None),
    ],
)
def test_a_challenge(header: str, challenge: Challenge | None) -> None:
    assert Challenge.parse(header) == challenge


@given(st.text() | st.lists(st.sampled_from(["Bearer ", "realm", "=", '"', ",", "x", "Basic "])).map("".join))
def test_whatever_is_sent_as_a_challenge_is_read_or_passed_over(header: str) -> None:
    found = Challenge.parse(header)
    assert found is None or found.scheme in ("basic", "bearer")


@pytest.mark.parametrize(
    ("realm", "host", "may"),
    [
        ("registry.example.org", "registry.example.org", True),
        ("registry.example.org:5000", "registry.example.org:5000", True),
        ("registry.example.org:5001", "registry.example.org:5000", False),
        ("registry.example.org", "Registry.Example.org:443", True),
        ("auth.docker.io", "registry-1.docker.io", True),
        ("auth.docker.io", "registry.example.org", False),
        ("gitlab.com", "registry.gitlab.com", True),
        ("example.org", "registry.example.org:5000", True),
        ("auth.example.org", "registry.example.org", False),
        ("registry.example.org", "example.org", False),
        ("xample.org", "registry.example.org", False),
        ("org", "registry.example.org", False),
        ("0.0.1", "127.0.0.1:5000", False),
        ("", "registry.example.org", False),
    ],
)
def test_who_may_see_a_password(realm: str, host: str, may: bool) -> None:
    assert may_have(realm, host) is may


@pytest.mark.parametrize(
    "answer", [{}, [], {"token": ""}, {"token": "a\r\nX: y"}, {"token": 5}, {"token": "x" * 70_000}]
)
def test_what_is_no_token(answer: object) -> None:
    assert bearer(answer) is None


def test_an_identity_token_is_changed_for_one_of_the_registry(fake: Fake) -> None:
    with closing(Tokens({})) as tokens:
        tokens.refresh["r3fresh"] = "ada"
        guard = tokens.guard(f"http://{fake.host}/token")
        fake.routes["/token"] = tokens.answer
        fake.routes["/v2/a/manifests/1"] = lambda request: guard(request) or (200, {}, b"{}")
        login = Login("<token>", "r3fresh", is_token=True)
        with Session(fake.host, logins=lambda *_: login) as session:
            assert session.ask("GET", "/v2/a/manifests/1").status == 200
        assert all("r3fresh" not in path for _, path, _ in fake.seen)


def test_an_identity_token_is_no_password(fake: Fake) -> None:
    fake.give("/v2/", 401, WWW_Authenticate='Basic realm="x"')
    login = Login("<token>", "r3fresh", is_token=True)
    with Session(fake.host, logins=lambda *_: login) as session, pytest.raises(RegistryError):
        session.ask("GET", "/v2/")
    assert set(fake.authorized()) == {None}


def test_a_login_is_looked_up_when_it_is_asked_for_and_once(fake: Fake) -> None:
    asked: list[tuple[str, str]] = []

    def look(domain: str, repository: str) -> Login:
        asked.append((domain, repository))
        return Login("ada", "secret")

    def known(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], bytes]:
        if request.path == "/open" or request.headers.get("Authorization"):
            return 200, {}, b"{}"
        return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""

    for path in ("/open", "/closed"):
        fake.routes[path] = known
    with Session(fake.host, logins=look, repository="a/b") as session:
        session.ask("GET", "/open")
        assert not asked
        session.ask("GET", "/closed")
        session.ask("GET", "/closed")
    assert asked == [(fake.host, "a/b")]
