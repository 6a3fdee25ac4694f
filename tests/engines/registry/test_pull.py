"""Images that are read from a registry: every byte checked, nothing fetched from where a manifest leads."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry.blobs import RemoteBlob, checked
from jupyter_dockerize.engines.registry.credentials import Login, nobody
from jupyter_dockerize.engines.registry.pull import Pulled, pull_manifest
from jupyter_dockerize.engines.registry.push import push_image
from jupyter_dockerize.errors import RegistryError, UsageError
from jupyter_dockerize.image.manifest import INDEX, MANIFEST, Descriptor, ImageValue
from jupyter_dockerize.image.reference import Reference

from .images import an_image
from .servers import Answer, Conforming, Fake, Line, closing, digest

PLATFORM = "linux/amd64"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@pytest.fixture
def image(conforming: Conforming, tmp_path: Path) -> ImageValue:
    """Pushed as a/b:1."""
    layout, image = an_image(tmp_path / "layout", 600_000, 1000)
    push_image(layout, image, Reference.parse(f"{conforming.host}/a/b:1"), logins=nobody)
    conforming.seen.clear()
    return image


def pull(host: str, name: str = ":1", platform: str = PLATFORM) -> Pulled:
    return pull_manifest(Reference.parse(f"{host}/a/b{name}"), platform, logins=nobody)


def put(conforming: Conforming, plain: Any, kind: str = MANIFEST) -> str:
    """The manifest of a/b:1 is this one."""
    body = json.dumps(plain).encode()
    for key in ("1", digest(body)):
        conforming.manifests["a/b", key] = (kind, body)
    return digest(body)


def plain(image: ImageValue) -> dict[str, Any]:
    found = json.loads(image.manifest_json)
    assert isinstance(found, dict)
    return found


def test_an_image_comes_with_its_documents_and_its_layers_as_streams(
    conforming: Conforming, image: ImageValue
) -> None:
    found = pull(conforming.host)
    assert found.manifest == image.manifest_json
    assert found.config == image.config_json
    assert found.ref.digest == image.descriptor.digest
    assert [each.descriptor for each in found.layers] == [each.descriptor for each in image.layers]
    for each in found.layers:
        assert digest(b"".join(checked(each, Cancel()))) == each.descriptor.digest


def test_of_an_index_the_image_for_the_platform_is_taken(conforming: Conforming, image: ImageValue) -> None:
    arm = {"os": "linux", "architecture": "arm64"}
    entries = [
        {"digest": digest(b"none"), "platform": {"os": "unknown", "architecture": "unknown"}},
        {"digest": digest(b"arm"), "platform": arm},
        image.descriptor.plain(),
    ]
    whole = put(conforming, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}, INDEX)
    for name in (":1", f"@{whole}", f"@{image.descriptor.digest}"):
        assert pull(conforming.host, name).ref.digest == image.descriptor.digest
    with pytest.raises(UsageError, match="not for linux/s390x"):
        pull(conforming.host, platform="linux/s390x")
    with pytest.raises(RegistryError):
        pull(conforming.host, platform="linux/arm64")  # listed, and not there


def test_dockers_own_media_types_say_the_same(conforming: Conforming, image: ImageValue) -> None:
    manifest = plain(image) | {"mediaType": DOCKER}
    for layer in manifest["layers"]:
        layer["mediaType"] = DOCKER_LAYER
    put(conforming, manifest, DOCKER)
    assert {each.descriptor.media_type for each in pull(conforming.host).layers} == {DOCKER_LAYER}


@pytest.mark.parametrize("kind", ["application/vnd.docker.distribution.manifest.v1+prettyjws", DOCKER])
def test_dockers_first_format_is_refused_by_name(conforming: Conforming, kind: str) -> None:
    put(conforming, {"schemaVersion": 1, "fsLayers": [], "history": []}, kind)
    with pytest.raises(UsageError) as error:
        pull(conforming.host)
    assert "schema 1" in error.value.why


@pytest.mark.parametrize(
    "more",
    [
        {"urls": ["https://example.org/layer"]},
        {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
        {"mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
    ],
)
def test_layers_that_are_elsewhere_are_refused(
    conforming: Conforming, image: ImageValue, more: dict[str, Any]
) -> None:
    manifest = plain(image)
    manifest["layers"][1] |= more
    put(conforming, manifest)
    with pytest.raises(UsageError) as error:
        pull(conforming.host)
    assert "addresses that the manifest names" in error.value.why


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["layers"][0].update(digest="sha256:../../x"),
        lambda manifest: manifest["layers"][0].update(digest=5),
        lambda manifest: manifest["layers"][0].update(size=-1),
        lambda manifest: manifest["layers"][0].update(size=True),
        lambda manifest: manifest["layers"][0].update(size=1 << 50),
        lambda manifest: manifest["layers"][0].pop("mediaType"),
        lambda manifest: manifest["layers"].append("x"),
        lambda manifest: manifest["layers"].pop(),
        lambda manifest: manifest.update(layers=[]),
        lambda manifest: manifest.update(layers={}),
        lambda manifest: manifest.update(manifests=[]),
        lambda manifest: manifest["config"].update(digest="sha256:0"),
        lambda manifest: manifest["config"].update(digest=digest(b"not there")),
        lambda manifest: manifest.pop("config"),
    ],
)
def test_what_is_no_manifest_is_refused(conforming: Conforming, image: ImageValue, change: Any) -> None:
    manifest = plain(image)
    change(manifest)
    put(conforming, manifest)
    with pytest.raises((RegistryError, UsageError)):
        pull(conforming.host)


def test_other_bytes_than_a_digest_says_are_refused(conforming: Conforming, image: ImageValue) -> None:
    name = image.descriptor.digest
    conforming.manifests["a/b", name] = (MANIFEST, image.manifest_json + b" ")
    with pytest.raises(RegistryError):
        pull(conforming.host, f"@{name}")
    conforming.blobs["a/b", image.config_descriptor.digest] = image.config_json + b" "
    with pytest.raises(RegistryError) as error:
        pull(conforming.host)
    assert "digest" in error.value.why


def test_an_image_that_is_not_there_is_told(conforming: Conforming) -> None:
    with pytest.raises(UsageError, match="there is no image"):
        pull(conforming.host)


# Streams


def layer(conforming: Conforming, image: ImageValue) -> RemoteBlob:
    return RemoteBlob(image.layers[0].descriptor, conforming.host, "a/b")


def test_a_stream_that_breaks_off_is_taken_up_where_it_ended(
    conforming: Conforming, image: ImageValue
) -> None:
    """The registry sends 100,000 bytes and hangs up, each time."""
    key = ("a/b", image.layers[0].descriptor.digest)
    data = conforming.blobs[key]

    def short(request: BaseHTTPRequestHandler) -> Answer | None:
        if "/blobs/" not in request.path:
            return None
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(data) - start))
        request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.end_headers()
        request.wfile.write(data[start : start + 100_000])
        request.wfile.flush()
        request.connection.shutdown(2)
        return None

    original = conforming.answer
    conforming.answer = (  # type: ignore[method-assign]
        lambda request: short(request) if "/blobs/" in request.path else original(request)
    )
    assert b"".join(checked(layer(conforming, image), Cancel())) == data
    assert len(conforming.paths("GET")) > 5


def test_a_registry_that_knows_no_ranges_is_read_from_the_beginning(
    conforming: Conforming, image: ImageValue
) -> None:
    data = conforming.blobs["a/b", image.layers[0].descriptor.digest]
    original = conforming._blob

    def whole(request: BaseHTTPRequestHandler, key: tuple[str, str]) -> Answer:
        del request.headers["Range"]
        return original(request, key)

    conforming._blob = whole  # type: ignore[method-assign]
    assert b"".join(layer(conforming, image).open(250_000, Cancel())) == data[250_000:]


@pytest.mark.parametrize("change", [lambda data: b"x" + data[1:], lambda data: data + b"x"])
def test_a_stream_of_other_bytes_is_refused(conforming: Conforming, image: ImageValue, change: Any) -> None:
    key = ("a/b", image.layers[0].descriptor.digest)
    conforming.blobs[key] = change(conforming.blobs[key])
    with pytest.raises(RegistryError):
        list(checked(layer(conforming, image), Cancel()))


def test_another_part_than_was_asked_for_is_refused(conforming: Conforming, image: ImageValue) -> None:
    conforming.twist = lambda method, path, status, headers: (
        status,
        headers | ({"Content-Range": "bytes 0-9/10"} if status == 206 else {}),
    )
    with pytest.raises(RegistryError) as error:
        list(layer(conforming, image).open(10, Cancel()))
    assert "another part" in error.value.why


def test_a_blob_elsewhere_is_read_without_credentials(fake: Fake, other: Fake) -> None:
    data = b"a layer"

    def blob(request: BaseHTTPRequestHandler) -> Answer:
        if not request.headers.get("Authorization"):
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        return 307, {"Location": f"http://{other.host}/store"}, b""

    fake.routes[f"/v2/a/b/blobs/{digest(data)}"] = blob
    other.give("/store", 200, data)
    descriptor = Descriptor(media_type="x", digest=digest(data), size=len(data))
    remote = RemoteBlob(descriptor, fake.host, "a/b", lambda *_: Login("ada", "canary"))
    assert b"".join(checked(remote, Cancel())) == data
    assert other.authorized() == [None]
    assert "canary" not in repr(remote)


def test_a_line_that_breaks_is_no_end(conforming: Conforming, image: ImageValue) -> None:
    data = conforming.blobs["a/b", image.layers[0].descriptor.digest]
    with closing(Line(conforming.host, 50)) as line:
        remote = RemoteBlob(image.layers[0].descriptor, line.host, "a/b")
        assert b"".join(checked(remote, Cancel())) == data
