"""The files of an installed distribution, as the members that its wheel had.

RECORD ("Recording installed projects") lists them; installed-files.txt (pip's, beside an egg-info)
and top_level.txt are what older installs left. Every path in these is hostile: only what lies in the
distribution's own site-packages or under its prefix is read.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator
from configparser import Error as ConfigError
from configparser import RawConfigParser
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .wheelfile import Member, stem

#: What an installer adds, or what names the machine; uv's two hold paths and times of it.
LEFT_OUT = frozenset(
    (
        "RECORD",
        "RECORD.jws",
        "RECORD.p7s",
        "INSTALLER",
        "REQUESTED",
        "direct_url.json",
        "uv_cache.json",
        "uv_build.json",
    )
)
METADATA_LIMIT = 16 << 20  # bytes of one RECORD or METADATA

_SITE = re.compile(r"(?:.*/)?lib(?:32|64)?/(?:python|pypy)[0-9.]+/(?:site|dist)-packages")
_WINDOWS_SITE = re.compile(r"(?:.*/)?Lib/site-packages", re.I)
_HEADERS = re.compile(r"include/(?:site/)?(?:python|pypy)[0-9.]+[a-z]*/[^/]+/(.+)")
_PYTHON = re.compile(rb"#![^\n]*python[0-9.]*w?(?:\.exe)?\"?[ \t\r]*\n", re.I)
_LOGIN = re.compile(rb"\b([A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/?#'\"<>]{1,500}@")
_LONG_PYTHON = re.compile(rb"#!/bin/sh\r?\n'''exec' [^\n]*\r?\n' '''\r?\n")


class Unreadable(Exception):  # noqa: N818 - an answer; becomes a finding
    """The installed files do not give a wheel; the message says why."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where an installed distribution's parts lie."""

    info: Path  # *.dist-info, or *.egg-info (a folder or a file)
    site: Path
    prefix: Path

    @property
    def metadata(self) -> Path:
        if self.info.is_dir():
            name = "METADATA" if self.info.suffix == ".dist-info" else "PKG-INFO"
            return self.info / name
        return self.info


def layout_of(info: Path, prefix: str) -> Layout:
    """``prefix`` is the interpreter's; a user's or Debian's packages have one of their own."""
    site = info.parent
    for pattern, up in ((_SITE, 2), (_WINDOWS_SITE, 1)):
        if pattern.fullmatch(site.as_posix()):
            return Layout(info, site, site.parents[up])
    return Layout(info, site, Path(prefix) if prefix else site)


@dataclass(frozen=True, slots=True)
class Listed:
    """The files that an install recorded and that are there; ``outside`` are not to be read."""

    files: tuple[Path, ...]
    outside: tuple[str, ...] = ()


def listed(layout: Layout) -> Listed | None:
    """Every file that the install recorded; None where nothing was recorded."""
    if layout.info.is_dir() and (record := layout.info / "RECORD").is_file():
        rows = [row for row in csv.reader(io.StringIO(_text(record))) if row and row[0]]
        return _inside(layout, layout.site, {row[0]: row[1] if len(row) > 1 else "" for row in rows})
    if layout.info.is_dir() and (old := layout.info / "installed-files.txt").is_file():
        return _inside(layout, layout.info, dict.fromkeys(filter(None, _text(old).splitlines()), ""))
    return None


def by_top_level(layout: Layout, name: str) -> list[Path]:
    """What an install without any record must have put there: its metadata and its top-level names."""
    tops = layout.info / "top_level.txt" if layout.info.is_dir() else None
    names = _text(tops).split() if tops and tops.is_file() else [name.replace("-", "_")]
    files = (
        [layout.info] if layout.info.is_file() else sorted(p for p in layout.info.rglob("*") if p.is_file())
    )
    found = False
    for top in names:
        if not top.isidentifier():
            continue
        folder = layout.site / top
        modules = [layout.site / f"{top}.py", *sorted(layout.site.glob(f"{top}.*.so"))]
        parts = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
        parts += [p for p in modules if p.is_file()]
        found = found or bool(parts)
        files += parts
    if not found:
        raise Unreadable("it has no record of its files, and none of its name are there")
    return files


def members(layout: Layout, files: Iterable[Path], name: str, version: str) -> dict[str, Member]:
    """Path in the wheel → file, for ``files``: compiled caches and what installers write left out.

    Scripts that entry points name are left to the installer, which makes them again.
    """
    data = f"{stem(name, version)}.data"
    generated = _entry_points(layout)
    found: dict[str, Member] = {}
    for path in files:
        where = _where(layout, path, data)
        if where is None or _compiled(path):
            continue
        if where.startswith(f"{data}/scripts/"):
            script = PurePosixPath(where).name
            if {script, script.removesuffix(".exe"), script.removesuffix("-script.py")} & generated:
                continue
            found[where] = Member(portable_script(read(path)), executable=True)
        else:
            found[where] = Member(read(path), os.access(path, os.X_OK))
    return found


def metadata_members(layout: Layout, name: str, version: str) -> dict[str, Member]:
    """The .dist-info of the wheel; an egg-info's is written anew in today's form."""
    info = f"{stem(name, version)}.dist-info"
    if layout.info.suffix == ".dist-info":
        paths = sorted(p for p in layout.info.rglob("*") if p.is_file())
        return {
            f"{info}/{p.relative_to(layout.info).as_posix()}": Member(
                without_logins(read(p)) if p == layout.metadata else read(p)
            )
            for p in paths
            if p.name not in LEFT_OUT and "__pycache__" not in p.parts
        }
    found = {f"{info}/METADATA": Member(without_logins(_metadata_of_egg(layout)))}
    for extra in ("entry_points.txt", "top_level.txt"):
        if layout.info.is_dir() and (layout.info / extra).is_file():
            found[f"{info}/{extra}"] = Member(read(layout.info / extra))
    return found


def without_logins(metadata: bytes) -> bytes:
    """METADATA without the user names and passwords of its URLs (Home-page, Project-URL, Requires-Dist)."""
    return _LOGIN.sub(rb"\1", metadata)


def portable_script(data: bytes) -> bytes:
    """A script with ``#!python``, which an installer replaces; others as they are.

    > In wheel, scripts are packaged in {distribution}-{version}.data/scripts/. If the first line of a file in
    > scripts/ starts with exactly b'#!python', rewrite to point to the correct interpreter.
    """
    for pattern in (_LONG_PYTHON, _PYTHON):
        if match := pattern.match(data):
            return b"#!python\n" + data[match.end() :]
    return data


def read(path: Path) -> bytes:
    """The bytes of a regular file. Raises `Unreadable`."""
    try:
        if not path.is_file():
            raise Unreadable(f"{path.name} is not a regular file")
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from None


def _inside(layout: Layout, start: Path, names: dict[str, str]) -> Listed:
    """The named files that are there and lie inside.

    A link that leads out is followed where RECORD's digest says that it leads to the right file: uv
    can install by links into its cache.
    """
    roots = [Path(os.path.realpath(layout.site)), Path(os.path.realpath(layout.prefix))]
    found: list[Path] = []
    outside: list[str] = []
    for name, digest in names.items():
        path = Path(os.path.normpath(start / name)) if "\0" not in name else start
        if "\0" in name or not path.is_file():
            continue
        real = Path(os.path.realpath(path))
        if not (path.is_relative_to(layout.site) or path.is_relative_to(layout.prefix)) or (
            not any(real.is_relative_to(root) for root in roots) and _digest(path) != digest
        ):
            outside.append(name)
        else:
            found.append(path)
    return Listed(tuple(found), tuple(outside))


def _digest(path: Path) -> str:
    """As RECORD writes it: "sha256=" and base64 without padding."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(read(path)).digest()).rstrip(b"=").decode()


def _where(layout: Layout, path: Path, data: str) -> str | None:
    """The path in the wheel; None for metadata, which `metadata_members` takes."""
    if path == layout.info or path.is_relative_to(layout.info):
        return None
    if path.is_relative_to(layout.site):
        return path.relative_to(layout.site).as_posix()
    rest = path.relative_to(layout.prefix).as_posix()
    for scripts in ("bin/", "Scripts/"):
        if rest.startswith(scripts):
            return f"{data}/scripts/{rest.removeprefix(scripts)}"
    if match := _HEADERS.fullmatch(rest):
        return f"{data}/headers/{match[1]}"
    return f"{data}/data/{rest}"


def _compiled(path: Path) -> bool:
    """Bytecode that Python made from a source file; a .pyc that stands for its source is kept."""
    if path.suffix not in (".pyc", ".pyo"):
        return False
    return path.parent.name == "__pycache__" or path.with_suffix(".py").is_file()


def _entry_points(layout: Layout) -> set[str]:
    """Names of the scripts that installers make from entry_points.txt."""
    path = layout.info / "entry_points.txt"
    if not layout.info.is_dir() or not path.is_file():
        return set()
    parser = RawConfigParser(delimiters=("=",), strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(_text(path))
    except ConfigError:
        return set()
    groups = ("console_scripts", "gui_scripts")
    return {name for group in groups if parser.has_section(group) for name in parser.options(group)}


def _metadata_of_egg(layout: Layout) -> bytes:
    """PKG-INFO with the requirements that setuptools kept in requires.txt."""
    text = _text(layout.metadata)
    head, blank, body = text.partition("\n\n")
    requires = layout.info / "requires.txt" if layout.info.is_dir() else None
    if requires and requires.is_file() and "\nRequires-Dist:" not in head:
        head = "\n".join([head.rstrip("\n"), *_requires_dist(_text(requires))])
    return (head.rstrip("\n") + "\n" + ("\n" + body if blank else "")).encode()


def _requires_dist(text: str) -> Iterator[str]:
    """setuptools' requires.txt: sections "[extra]", "[extra:marker]" or "[:marker]"."""
    extra, marker = "", ""
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            extra, _, marker = line[1:-1].partition(":")
            if extra:
                yield f"Provides-Extra: {extra}"
        elif line:
            grouped = f"({marker})" if marker and extra else marker
            conditions = [grouped, f'extra == "{extra}"' if extra else ""]
            condition = " and ".join(c for c in conditions if c)
            yield f"Requires-Dist: {line}" + (f"; {condition}" if condition else "")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > METADATA_LIMIT:
            raise Unreadable(f"{path.name} is larger than {METADATA_LIMIT >> 20} MiB")
        return path.read_text("utf-8", "replace")
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from None


__all__ = [
    "Layout", "Listed", "Unreadable", "by_top_level", "layout_of", "listed", "members", "metadata_members",
    "portable_script", "read",
]  # fmt: skip
