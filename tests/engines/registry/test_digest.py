"""Digests of base images, asked of a real registry and of hostile ones."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import requests

from jupyter_dockerize.engines.registry import digest_of
from jupyter_dockerize.engines.registry.credentials import Login
from jupyter_dockerize.engines.registry.session import Session
from jupyter_dockerize.errors import RegistryError, UsageError

from ...conftest import Rig
from .servers import Answer, Fake, digest

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = json.dumps({"os": "linux", "architecture": "amd64"}).encode()
CANARY = Login("user", "canary")


def image(**more: Any) -> bytes:
    plain = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"digest": digest(CONFIG)},
        "layers": [],
        **more,
    }
    return json.dumps(plain).encode()


def index(*platforms: str) -> bytes:
    entries = [dict(zip(("os", "architecture"), p.split("/"), strict=True)) for p in platforms]
    return json.dumps({"mediaType": INDEX, "manifests": [{"platform": e} for e in entries]}).encode()


@pytest.fixture(autouse=True)
def _config(fake: Fake) -> None:
    fake.give(f"/v2/a/blobs/{digest(CONFIG)}", 200, CONFIG)


def asked(
    fake: Fake, name: str = ":latest", *, login: Login | None = None, seconds: float = 5.0
) -> str | None:
    return digest_of(f"{fake.host}/a{name}", "linux/amd64", logins=lambda *_: login, seconds=seconds)


def refused(fake: Fake, **more: Any) -> RegistryError:
    with pytest.raises(RegistryError) as error:
        asked(fake, **more)
    return error.value


# A real registry


def push(host: str, repository: str, tag: str, config: bytes, manifest: bytes) -> str:
    start = requests.post(f"http://{host}/v2/{repository}/blobs/uploads/", timeout=30)
    place = start.headers["Location"]
    place = place if place.startswith("http") else f"http://{host}{place}"
    joint = "&" if "?" in place else "?"
    sent = requests.put(f"{place}{joint}digest={digest(config)}", data=config, timeout=30)
    assert sent.status_code == 201
    put = requests.put(
        f"http://{host}/v2/{repository}/manifests/{tag}",
        data=manifest,
        headers={"Content-Type": MANIFEST},
        timeout=30,
    )
    assert put.status_code == 201, put.text
    return put.headers["Docker-Content-Digest"]


@pytest.mark.rig
def test_a_real_registry_gives_the_digest_that_it_was_pushed_with(rig: Rig) -> None:
    registry = rig.registry
    manifest = image(
        config={
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": len(CONFIG),
            "digest": digest(CONFIG),
        }
    )
    pushed = push(registry, "library/digest-test", "1", CONFIG, manifest)
    assert digest_of(f"{registry}/library/digest-test:1", "linux/amd64") == pushed
    assert digest_of(f"{registry}/library/digest-test@{pushed}", "linux/amd64") == pushed
    assert digest_of(f"{registry}/library/digest-test:2", "linux/amd64") is None
    with pytest.raises(UsageError, match="not for linux/arm64") as error:
        digest_of(f"{registry}/library/digest-test:1", "linux/arm64")
    assert error.value.why == "it is for linux/amd64"


# What registries may do


def test_an_index_is_pinned_by_its_own_digest_for_every_platform_in_it(fake: Fake) -> None:
    body = index("linux/amd64", "linux/arm64", "unknown/unknown")
    fake.give("/v2/a/manifests/latest", 200, body, Content_Type=INDEX)
    for platform in ("linux/amd64", "linux/arm64"):
        assert digest_of(f"{fake.host}/a", platform) == digest(body)
    with pytest.raises(UsageError, match="linux/s390x"):
        digest_of(f"{fake.host}/a", "linux/s390x")


def test_a_token_is_fetched_where_the_registry_asks_for_one(fake: Fake) -> None:
    realm = f'Bearer realm="http://{fake.host}/token",service="fake",scope="repository:a:pull"'

    def manifest(request: BaseHTTPRequestHandler) -> Answer:
        if request.headers.get("Authorization") != "Bearer t0ken":
            return 401, {"WWW-Authenticate": realm}, b""
        return 200, {"Content-Type": MANIFEST}, image()

    fake.routes["/v2/a/manifests/latest"] = manifest
    fake.give("/token", 200, b'{"token": "t0ken"}')
    found = asked(fake, login=CANARY)
    assert found == digest(image())
    token = next(path for _, path, _ in fake.seen if path.startswith("/token"))
    assert token == "/token?service=fake&scope=repository%3Aa%3Apull"


# What they must not get away with


def test_credentials_and_tokens_do_not_follow_a_redirect_to_another_host(fake: Fake, other: Fake) -> None:
    realm = f'Bearer realm="http://{fake.host}/token"'

    def manifest(request: BaseHTTPRequestHandler) -> Answer:
        if not request.headers.get("Authorization"):
            return 401, {"WWW-Authenticate": realm}, b""
        return 307, {"Location": f"http://{other.host}/elsewhere"}, b""

    fake.routes["/v2/a/manifests/latest"] = manifest
    fake.give("/token", 200, b'{"token": "t0ken"}')
    other.give("/elsewhere", 200, index("linux/amd64"), Content_Type=INDEX)
    assert asked(fake, login=CANARY)
    assert other.authorized() == [None]


def test_credentials_are_not_given_to_a_token_server_on_another_host(fake: Fake, other: Fake) -> None:
    fake.give("/v2/a/manifests/latest", 401, WWW_Authenticate=f'Bearer realm="http://{other.host}/token"')
    other.give("/token", 200, b'{"token": "t0ken"}')
    refused(fake, login=CANARY)
    assert other.authorized() == [None]


def test_a_netrc_of_this_machine_is_not_asked(
    fake: Fake, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    fake.give("/v2/a/manifests/latest", 200, index("linux/amd64"), Content_Type=INDEX)
    asked(fake)
    assert fake.authorized() == [None]


@pytest.mark.parametrize(
    "realm",
    [
        "http://example.org/token",
        "file:///etc/passwd",
        "https://user:pw@example.org/",
        "ftp://x/",
        "https://[",
        "https://x:y/",
        "token",
        "",
    ],
)
def test_a_token_realm_without_encryption_is_refused(fake: Fake, realm: str) -> None:
    fake.give("/v2/a/manifests/latest", 401, WWW_Authenticate=f'Bearer realm="{realm}"')
    assert "not safe" in refused(fake).why


@pytest.mark.parametrize("place", ["http://example.org/x", "file:///etc/passwd", "gopher://example.org/"])
def test_a_redirect_without_encryption_is_refused(fake: Fake, place: str) -> None:
    fake.give("/v2/a/manifests/latest", 302, Location=place)
    assert "not safe" in refused(fake).why


def test_only_this_machine_is_spoken_to_without_encryption() -> None:
    with pytest.raises(RegistryError, match="without encryption"):
        Session("http://registry.example.org")


def test_asking_for_authorization_again_and_again_ends(fake: Fake) -> None:
    fake.give("/v2/a/manifests/latest", 401, WWW_Authenticate=f'Bearer realm="http://{fake.host}/token"')
    fake.give("/token", 200, b'{"token": "t0ken"}')
    assert "401" in refused(fake).why
    assert len(fake.seen) == 3


def test_redirects_without_end_end(fake: Fake) -> None:
    fake.give("/v2/a/manifests/latest", 302, Location="/v2/a/manifests/latest")
    assert "without end" in refused(fake).why


def test_a_digest_is_computed_and_not_believed(fake: Fake) -> None:
    body = index("linux/amd64")
    wrong = "sha256:" + "0" * 64
    fake.give("/v2/a/manifests/latest", 200, body, Content_Type=INDEX, Docker_Content_Digest=wrong)
    assert asked(fake) == digest(body)
    fake.give(f"/v2/a/manifests/{wrong}", 200, body, Content_Type=INDEX)
    with pytest.raises(RegistryError) as error:
        asked(fake, f"@{wrong}")
    assert "digest that was asked for" in error.value.why


def test_a_configuration_with_other_bytes_than_its_digest_is_refused(fake: Fake) -> None:
    fake.give("/v2/a/manifests/latest", 200, image(), Content_Type=MANIFEST)
    fake.give(f"/v2/a/blobs/{digest(CONFIG)}", 200, CONFIG + b" ")
    assert "do not have its digest" in refused(fake).why


@pytest.mark.parametrize(
    ("body", "kind", "why"),
    [
        (b"<html>", "text/html", "not JSON"),
        (b"[]", MANIFEST, "not a JSON object"),
        (b"[" * 100_000, MANIFEST, "not JSON"),
        (image(manifests=[]), MANIFEST, "an image and an index at once"),
        (image(config={"digest": "sha256:../../x"}), MANIFEST, "sha256 digest"),
        (image(config=[]), MANIFEST, "sha256 digest"),
        (index("linux/amd64"), "text/html", "media type"),
    ],
)
def test_what_is_no_manifest_is_refused_by_name(fake: Fake, body: bytes, kind: str, why: str) -> None:
    fake.give("/v2/a/manifests/latest", 200, body, Content_Type=kind)
    assert why in refused(fake).why


def test_a_body_without_end_is_cut_off(fake: Fake) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while True:
                request.wfile.write(b"x" * 65536)
        except OSError:
            pass

    fake.routes["/v2/a/manifests/latest"] = endless
    assert "MiB" in refused(fake, seconds=60).why


def test_a_registry_that_says_nothing_is_waited_for_no_longer_than_was_asked(fake: Fake) -> None:
    done = threading.Event()
    fake.routes["/v2/a/manifests/latest"] = lambda request: done.wait(30) and None
    assert "in time" in refused(fake, seconds=0.2).why
    done.set()


def test_a_body_that_drips_is_waited_for_no_longer_than_was_asked(fake: Fake) -> None:
    done = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while not done.wait(0.05):
                request.wfile.write(b" ")
                request.wfile.flush()
        except OSError:
            pass

    fake.routes["/v2/a/manifests/latest"] = drip
    start = time.monotonic()
    refused(fake, seconds=0.5)
    done.set()
    assert time.monotonic() - start < 20  # and not for ever


@pytest.mark.parametrize(("status", "word"), [(403, "login"), (500, "later"), (429, "later")])
def test_a_refusal_says_what_to_do(fake: Fake, status: int, word: str) -> None:
    fake.give("/v2/a/manifests/latest", status)
    error = refused(fake)
    assert str(status) in error.why
    assert word in error.fix


@pytest.mark.parametrize("host", ["127.0.0.1:9", "nothing.invalid"])
def test_a_registry_that_is_not_there_is_named_with_the_cause(host: str) -> None:
    with pytest.raises(RegistryError, match="does not answer") as error:
        digest_of(f"{host}/a", "linux/amd64")
    assert error.value.why
    assert "Traceback" not in str(error.value)
