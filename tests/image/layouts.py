"""Layouts for tests: a good one, and the same with anything in it changed and its digests set right again."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jupyter_dockerize.image.layer import Compression, write_layer
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import LAYER_GZIP, Config, ImageValue, Layer
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.tar import END, Member, archive
from jupyter_dockerize.image.validate.layout import validate
from jupyter_dockerize.image.validate.violation import Limits

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


def of_text(layout: Layout, text: bytes, compression: Compression = "gzip") -> Layer:
    members = [Member(path="word.txt", data=text, size=len(text))]
    with layout.writing() as file:
        made = write_layer(members, file.write, f"copy {text[:20]!r}", compression=compression)
        layout.keep(file, made.descriptor.digest)
    return made


def of_texts(layout: Layout, *texts: bytes) -> ImageValue:
    config = Config(platform="linux/amd64", env=("PATH=/bin",), cmd=("true",), labels={"a": "b"})
    return ImageValue(config=config).append(*(of_text(layout, text) for text in texts))


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


def rules(path: Path, limits: Limits | None = None) -> set[str]:
    return {each.rule for each in validate(path, limits) if each.severity == "error"}


def plain_tar(*members: Member) -> bytes:
    return b"".join(archive(members))


def entry(path: str = "x", kind: bytes = b"0", **more: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.type = kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


def foreign(*infos: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar that ours would not write."""
    return (
        b"".join(info.tobuf(form, "utf-8", "surrogateescape") + bytes(info.size and 512) for info in infos)
        + END
    )


def rewritten(data: bytes, at: int, new: bytes) -> bytes:
    """The first header with other bytes, and the checksum of those."""
    block = bytearray(data[:512])
    block[at : at + len(new)] = new
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + data[512:]
