"""Writes conda packages, .conda and .tar.bz2, as conda-build leaves them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import posixpath
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

SUBDIR = "linux-64"


@dataclasses.dataclass(frozen=True)
class File:
    """A regular file of a package."""

    data: bytes
    executable: bool = False


@dataclasses.dataclass(frozen=True)
class Package:
    """What goes into a package: its index record, files, and links to files in it.

    A link's target is relative to the link's own folder. `prefix` is the build prefix: in text
    files that hold it the installer puts the real one.
    """

    index: Mapping[str, Any]
    files: Mapping[str, File]
    links: Mapping[str, str] = dataclasses.field(default_factory=dict)
    link_json: Mapping[str, Any] | None = None
    prefix: str | None = None


def index(name: str, version: str, build: str, depends: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """Give an index.json; its build number is what ends the build string, if anything does."""
    number = build.rpartition("_")[2]
    record = {
        "name": name,
        "version": version,
        "build": build,
        "build_number": int(number) if number.isdigit() else 0,
        "depends": list(depends),
        "subdir": SUBDIR,
        "license": "MIT",
        # A fixed day, so that the same inputs give the same bytes.
        "timestamp": 1700000000000,
    }
    return {**record, **more}


def write(channel: Path, package: Package, suffix: str = ".conda") -> Path:
    """Write a package into its subdir of a channel folder; give the file."""
    stem = "{name}-{version}-{build}".format(**package.index)
    target = channel / str(package.index["subdir"]) / (stem + suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    content = [_member(path, file.data, file.executable) for path, file in package.files.items()]
    content += [_link_member(path, to) for path, to in package.links.items()]
    info = [_member(path, data) for path, data in _info(package).items()]
    making = target.with_name(target.name + ".making")
    if suffix == ".tar.bz2":
        making.write_bytes(_tar([*info, *content], "w:bz2", compresslevel=1))
    else:
        _write_conda(making, stem, content, info)
    return making.rename(target)


def _info(package: Package) -> dict[str, bytes]:
    paths = [
        _path_entry(path, file.data, "hardlink", _placeholder(file, package.prefix))
        for path, file in package.files.items()
    ]
    for path, to in package.links.items():
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), to))
        while target in package.links:
            target = posixpath.normpath(posixpath.join(posixpath.dirname(target), package.links[target]))
        paths.append(_path_entry(path, package.files[target].data, "softlink", {}))
    documents: dict[str, Any] = {
        "index.json": dict(package.index),
        "paths.json": {"paths": paths, "paths_version": 1},
        "about.json": {},
    }
    if package.link_json is not None:
        documents["link.json"] = package.link_json
    info = {f"info/{name}": json.dumps(document).encode() for name, document in documents.items()}
    info["info/files"] = "".join(f"{path['_path']}\n" for path in paths).encode()
    return info


def _path_entry(path: str, data: bytes, kind: str, more: Mapping[str, str]) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    return {"_path": path, "path_type": kind, "sha256": digest, "size_in_bytes": len(data), **more}


def _placeholder(file: File, prefix: str | None) -> dict[str, str]:
    if prefix and prefix.encode() in file.data and b"\0" not in file.data:
        return {"file_mode": "text", "prefix_placeholder": prefix}
    return {}


Member = tuple[tarfile.TarInfo, bytes]


def _member(path: str, data: bytes, executable: bool = False) -> Member:
    info = tarfile.TarInfo(path)
    info.size = len(data)
    info.mode = 0o755 if executable else 0o644
    return info, data


def _link_member(path: str, to: str) -> Member:
    info = tarfile.TarInfo(path)
    info.type = tarfile.SYMTYPE
    info.linkname = to
    return info, b""


def _tar(members: Iterable[Member], mode: Any, **options: Any) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode=mode, **options) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return output.getvalue()


def _write_conda(target: Path, stem: str, content: list[Member], info: list[Member]) -> None:
    """Write the newer format: a zip, nothing compressed in it, of two zstd tars."""
    try:
        from compression import zstd  # Python 3.14
    except ImportError:
        from backports import zstd
    with zipfile.ZipFile(target, "w") as archive:
        day = (2023, 11, 14, 22, 13, 20)
        archive.writestr(zipfile.ZipInfo("metadata.json", day), '{"conda_pkg_format_version": 2}')
        for kind, members in (("pkg", content), ("info", info)):
            name = zipfile.ZipInfo(f"{kind}-{stem}.tar.zst", day)
            archive.writestr(name, zstd.compress(_tar(members, "w"), level=1))
