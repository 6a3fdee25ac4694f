"""A wheel as bytes: the same members give the same bytes, on every machine.

Format: PyPA specifications "Binary distribution format" (PEP 427) and "Recording installed projects".
Members are stored, not compressed: deflate differs between zlib's builds, and a bundle is
read on the same machine or compressed by whatever carries it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import re
import stat
import time
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ..contents.times import source_date_epoch

EARLIEST = 315532800  # 1980-01-01: zip archives know nothing before
LATEST = 4354819198  # 2107-12-31T23:59:58Z: and nothing after
_TAG = re.compile(
    r"[a-z0-9_]+(?:\.[a-z0-9_]+)*-[a-z0-9_]+(?:\.[a-z0-9_]+)*-[a-z0-9_]+(?:\.[a-z0-9_]+)*", re.I
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file of a wheel."""

    data: bytes = field(repr=False)
    executable: bool = False


@dataclass(frozen=True, slots=True)
class Wheel:
    """``filename`` is checked (PEP 427); ``data`` the archive."""

    filename: str
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def stem(name: str, version: str) -> str:
    """What the names of the wheel, its .dist-info and its .data folders begin with: "my_package-1.0"."""
    return f"{canonicalize_name(name).replace('-', '_')}-{version.replace('-', '_')}"


def expand(tags: Iterable[str]) -> tuple[str, ...]:
    """Single tags, sorted: "py2.py3-none-any" → py2-none-any, py3-none-any. Wrong ones are left out."""
    single: set[str] = set()
    for tag in tags:
        if _TAG.fullmatch(tag):
            single |= {
                "-".join(parts) for parts in itertools.product(*(p.split(".") for p in tag.split("-")))
            }
    return tuple(sorted(single))


def make(name: str, version: str, tags: Iterable[str], members: Mapping[str, Member]) -> Wheel:
    """The wheel of ``members`` (path in the archive → file), with a WHEEL and a RECORD of its own.

    Raises `ValueError` where name, version and tags make no wheel's file name or a path leads out.
    """
    single = expand(tags)
    parts = [sorted({tag.split("-")[place] for tag in single}) for place in range(3)]
    filename = "-".join([stem(name, version), *(".".join(part) for part in parts)]) + ".whl"
    try:
        parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ValueError(str(error)) from None
    info = f"{stem(name, version)}.dist-info"
    # A file name with three alternatives means all their combinations: WHEEL says the same.
    every = expand(["-".join(".".join(part) for part in parts)])
    pure = all(tag.endswith("-none-any") for tag in every)
    files = {
        path: member for path, member in members.items() if path not in (f"{info}/WHEEL", f"{info}/RECORD")
    }
    files[f"{info}/WHEEL"] = Member(_wheel_text(every, pure))
    files[f"{info}/RECORD"] = Member(_record(files, f"{info}/RECORD"))
    return Wheel(filename, _archive(files, info))


def _wheel_text(tags: tuple[str, ...], pure: bool) -> bytes:
    lines = ["Wheel-Version: 1.0", "Generator: jupyter-dockerize", f"Root-Is-Purelib: {str(pure).lower()}"]
    return "\n".join([*lines, *(f"Tag: {tag}" for tag in tags), ""]).encode()


def _record(files: Mapping[str, Member], own: str) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path in sorted(files):
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[path].data).digest()).rstrip(b"=").decode()
        writer.writerow([path, f"sha256={digest}", len(files[path].data)])
    writer.writerow([own, "", ""])
    return text.getvalue().encode()


def _archive(files: Mapping[str, Member], info: str) -> bytes:
    buffer = io.BytesIO()
    when = _time()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        # > Archivers are encouraged to place the .dist-info files physically at the end of the archive.
        for path in sorted(files, key=lambda p: (p.startswith(f"{info}/"), p)):
            _check(path)
            entry = zipfile.ZipInfo(path, when)
            entry.create_system = 3  # Unix, whatever this machine is: modes mean something there
            entry.external_attr = (stat.S_IFREG | (0o755 if files[path].executable else 0o644)) << 16
            archive.writestr(entry, files[path].data)
    return buffer.getvalue()


def _check(path: str) -> None:
    pure = PurePosixPath(path)
    if (
        pure.is_absolute()
        or ".." in pure.parts
        or str(pure) != path
        or any(ord(char) < 0x20 for char in path)
    ):
        raise ValueError(f"not a path inside a wheel: {path!r}")


def _time() -> tuple[int, int, int, int, int, int]:
    epoch = source_date_epoch() or EARLIEST
    return time.gmtime(min(max(EARLIEST, epoch), LATEST))[:6]


__all__ = ["Member", "Wheel", "expand", "make", "stem"]
