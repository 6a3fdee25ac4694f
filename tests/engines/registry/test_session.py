"""How a registry is spoken with: over TLS that is trusted, without cookies, with an end."""

from __future__ import annotations

import ssl
import threading
import time
from pathlib import Path

import pytest
import trustme

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry.session import Session
from jupyter_dockerize.errors import CancelledError, RegistryError

from .servers import Fake


def test_a_certificate_is_trusted_where_its_authority_is(fake: Fake, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    fake.server.socket = context.wrap_socket(fake.server.socket, server_side=True)
    fake.give("/v2/", 200, b"{}")
    host = f"https://localhost:{fake.server.server_port}"
    with Session(host, seconds=10) as session, pytest.raises(RegistryError) as error:
        session.ask("GET", "/v2/")
    assert "not trusted" in error.value.why
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with Session(host, ca=str(bundle), seconds=10) as session:
        assert session.ask("GET", "/v2/").status == 200


def test_cookies_are_not_kept(fake: Fake) -> None:
    seen = []
    fake.routes["/v2/"] = lambda request: (
        seen.append(request.headers.get("Cookie")) or (200, {"Set-Cookie": "who=we; Path=/"}, b"{}")  # type: ignore[func-returns-value]
    )
    with Session(fake.host) as session:
        session.ask("GET", "/v2/")
        session.ask("GET", "/v2/")
    assert seen == [None, None]


def test_nothing_is_asked_for_compressed(fake: Fake) -> None:
    seen = []
    fake.routes["/v2/"] = lambda request: (
        seen.append(request.headers["Accept-Encoding"]) or (200, {}, b"{}")  # type: ignore[func-returns-value]
    )
    with Session(fake.host) as session:
        session.ask("GET", "/v2/")
    assert seen == ["identity"]


def test_a_proxy_hears_nothing_of_a_registry_on_this_machine(
    fake: Fake, other: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{other.host}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    fake.give("/v2/", 200, b"{}")
    with Session(fake.host) as session:
        assert session.ask("GET", "/v2/").status == 200
    assert not other.seen


@pytest.mark.parametrize("where", ["before the answer", "in its middle"])
def test_a_cancel_ends_what_is_under_way(fake: Fake, where: str) -> None:
    over, begun, cancel = threading.Event(), threading.Event(), Cancel()

    def silent(request):  # type: ignore[no-untyped-def]
        if where == "in its middle":
            request.send_response(200)
            request.send_header("Content-Length", "100")
            request.end_headers()
            request.wfile.write(b"x")
        begun.set()
        over.wait(30)

    fake.routes["/v2/"] = silent
    threading.Thread(target=lambda: (begun.wait(), cancel.cancel()), daemon=True).start()
    began = time.monotonic()
    with Session(fake.host, cancel=cancel) as session, pytest.raises(CancelledError):
        session.ask("GET", "/v2/")
    over.set()
    assert time.monotonic() - began < 20  # and not for as long as it is silent


def test_a_cancelled_session_asks_nobody(fake: Fake) -> None:
    cancel = Cancel()
    cancel.cancel()
    with Session(fake.host, cancel=cancel) as session, pytest.raises(CancelledError):
        session.ask("GET", "/v2/")
    assert not fake.seen


def test_a_registry_elsewhere_may_not_point_at_this_machine() -> None:
    with Session("registry.example.org") as session:
        assert session.address("/v2/") == "https://registry.example.org/v2/"
        assert session.address("https://store.example.org/x") == "https://store.example.org/x"
        for place in ("https://127.0.0.1/x", "https://localhost:8888/x", "http://[::1]/x", "//127.0.0.1/x"):
            with pytest.raises(RegistryError) as error:
                session.address(place)
            assert "not safe" in error.value.why
