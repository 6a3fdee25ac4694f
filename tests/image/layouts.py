"""Layouts for tests: a good one, and the same with anything in it changed and its digests set right again."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jupyter_dockerize.image.layer import Compression, write_layer
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import LAYER_GZIP, Config, ImageValue, Layer
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.tar import Member, archive

REF = Reference.parse("analysis:v2")
Change = Callable[[dict[str, Any]], object]


def file(path: str, data: bytes = b"text", **more: Any) -> Member:
    return Member(path=path, data=data, size=len(data), **more)


def folder(path: str, **more: Any) -> Member:
    return Member(path=path, kind="folder", mode=0o755, **more)


def link(path: str, target: str) -> Member:
    return Member(path=path, kind="symlink", target=target, mode=0o777)


def write(layout: Layout, members: Iterable[Member], compression: Compression = "gzip") -> Layer:
    with layout.writing() as unfinished:
        made = write_layer(members, unfinished.write, "copy", compression=compression)
        layout.keep(unfinished, made.descriptor.digest)
    return made


GOOD: tuple[tuple[Member, ...], ...] = (
    (folder("etc"), file("etc/hosts"), link("bin", "usr/bin"), folder("usr"), folder("usr/bin"),
     file("usr/bin/true", mode=0o4755), Member(path="usr/bin/false", kind="hardlink", target="usr/bin/true")),
    (folder("opt"), file("opt/" + "n" * 255), file("opt/\udce9t\udce9", xattrs={"user.note": b"\xff\0"}),
     file("opt/.wh.gone", b"")),
)  # fmt: skip


def good(path: Path, layers: Iterable[Iterable[Member]] = GOOD) -> tuple[Layout, ImageValue]:
    layout = Layout.create(path)
    image = ImageValue(config=Config(platform="linux/amd64", env=("PATH=/bin",), cmd=("true",)))
    image = image.append(*(write(layout, members) for members in layers))
    layout.name(image, REF)
    return layout, image


class Changed:
    """A good layout in ``folder``; each change is written with the digests and sizes above it set right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _, self.image = good(folder)

    def path(self, digest: str) -> Path:
        return self.folder / "blobs" / digest.replace(":", "/")

    def index(self, change: Change) -> None:
        path = self.folder / "index.json"
        plain = json.loads(path.read_bytes())
        change(plain)
        path.write_text(json.dumps(plain))

    @property
    def manifest_digest(self) -> str:
        digest = json.loads((self.folder / "index.json").read_bytes())["manifests"][0]["digest"]
        assert isinstance(digest, str)
        return digest

    def manifest(self, change: Change) -> None:
        plain = json.loads(self.path(self.manifest_digest).read_bytes())
        change(plain)
        self.raw_manifest(json.dumps(plain).encode())

    def raw_manifest(self, data: bytes) -> None:
        self.path(self.manifest_digest).unlink()
        named = self.blob(data)
        self.index(lambda plain: plain["manifests"][0].update(named))

    @property
    def config_digest(self) -> str:
        digest = json.loads(self.path(self.manifest_digest).read_bytes())["config"]["digest"]
        assert isinstance(digest, str)
        return digest

    def config(self, change: Change) -> None:
        plain = json.loads(self.path(self.config_digest).read_bytes())
        change(plain)
        self.raw_config(json.dumps(plain).encode())

    def raw_config(self, data: bytes) -> None:
        self.path(self.config_digest).unlink()
        named = self.blob(data)
        self.manifest(lambda plain: plain["config"].update(named))

    def layer(self, blob: bytes, tar: bytes = b"", media_type: str = LAYER_GZIP) -> None:
        """The upper layer's blob is this one, and its diff id that of ``tar``."""
        upper = json.loads(self.path(self.manifest_digest).read_bytes())["layers"][1]["digest"]
        self.path(upper).unlink()
        self.config(lambda plain: plain["rootfs"]["diff_ids"].__setitem__(1, sha256(tar)))
        named = self.blob(blob) | {"mediaType": media_type}
        self.manifest(lambda plain: plain["layers"].__setitem__(1, named))

    def tar(self, data: bytes) -> None:
        self.layer(gzip.compress(data, 1, mtime=0), data)

    def members(self, *members: Member) -> None:
        self.tar(b"".join(archive(members)))

    def blob(self, data: bytes) -> dict[str, Any]:
        digest = sha256(data)
        self.path(digest).write_bytes(data)
        return {"digest": digest, "size": len(data)}


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
