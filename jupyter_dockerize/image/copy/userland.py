"""What maintainer scripts make on every Debian system: accounts, certificates, names, caches.

Nothing is taken from this machine's own versions: they hold its users, its private authorities and its paths.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace

from ...contents import layout
from ..tar import Member
from . import elf, loadercache
from .system import Root
from .trees import DATE

AUTHORITIES = "usr/share/ca-certificates/"
CERTIFICATES = "etc/ssl/certs"
BUNDLE = f"{CERTIFICATES}/ca-certificates.crt"
ZONES = "usr/share/zoneinfo"
LOCALES = "usr/lib/locale/locale-archive"
CACHE = "etc/ld.so.cache"

_LIBRARY = re.compile(r"(?:usr/)?(?:local/)?lib(?:/[a-z0-9_]+-linux-gnu)?/[^/]+\.so(?:\.[^/]*)?")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}")
_ACCOUNTS = "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
_GROUP = "root:*:0:\nnogroup:*:65534:\n"
_NAMES = """\
passwd:         files
group:          files
shadow:         files
hosts:          files dns
networks:       files
protocols:      files
services:       files
ethers:         files
rpc:            files
"""
FOLDERS = {
    "dev": 0o755, "etc": 0o755, "home": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "sys": 0o555,
    "tmp": 0o1777, "usr": 0o755, "var": 0o755, "var/tmp": 0o1777, "var/log": 0o755, "var/cache": 0o755,
    "var/lib": 0o755,
}  # fmt: skip


def members(
    root: Root, system: Mapping[str, Member], *, timezone: str | None, locale: str | None
) -> dict[str, Member]:
    """By path. ``system`` are the packages' files; ``root`` is where they were read."""
    made = {path: Member(path=path, kind="folder", mode=mode, mtime=DATE) for path, mode in FOLDERS.items()}
    accounts = {
        "etc/passwd": _master(root, system, "passwd", _ACCOUNTS)
        + f"{layout.USER_NAME}:x:{layout.UID}:{layout.UID}::{layout.HOME}:/bin/bash\n",
        "etc/group": _master(root, system, "group", _GROUP) + f"{layout.USER_NAME}:x:{layout.UID}:\n",
        "etc/nsswitch.conf": _NAMES,
        "etc/shells": "".join(f"/bin/{shell}\n" for shell in ("sh", "dash", "bash")),
    }
    texts = {path: text.encode() for path, text in accounts.items()}
    texts |= _certificates(root, system)
    for path, data in texts.items():
        made[path] = Member(path=path, data=data, size=len(data), mtime=DATE)
    made |= _hashed(root, system)
    if timezone and _ZONE.fullmatch(timezone) and f"{ZONES}/{timezone}" in system:
        made["etc/localtime"] = Member(
            path="etc/localtime", kind="symlink", mode=0o777, target=f"/{ZONES}/{timezone}", mtime=DATE
        )
        made["etc/timezone"] = _text("etc/timezone", f"{timezone}\n")
    if locale and not re.fullmatch(r"C(\.UTF-?8)?|POSIX", locale, re.IGNORECASE):
        # The compiled locales: made by locale-gen out of Debian's own sources, and nobody's secret.
        made |= {member.path: member for member in [_found(root, LOCALES)] if member}
    for home in (layout.HOME, layout.WORK):
        place = home.lstrip("/")
        made[place] = Member(
            path=place, kind="folder", mode=0o755, uid=layout.UID, gid=layout.UID, mtime=DATE
        )
    return made


def loader_cache(members: Mapping[str, Member], arch: str) -> Member | None:
    """The cache of all libraries in the loader's folders, None for an architecture that we cannot write."""
    if arch not in loadercache.FLAGS:
        return None
    libraries = []
    # > /etc/ld.so.conf.d of Debian names /usr/local first: what was installed there hides the system's.
    for path in sorted(members, key=lambda path: (not path.startswith("usr/local/"), path)):
        if _LIBRARY.fullmatch(path) and (member := _followed(members, path)) and member.source:
            libraries.append((path.rpartition("/")[2], f"/{path}"))
            soname = elf.soname(member.source)
            if soname:
                libraries.append((soname, f"/{path}"))
    data = loadercache.write(libraries, arch)
    return Member(path=CACHE, data=data, size=len(data), mtime=DATE)


def _followed(members: Mapping[str, Member], path: str) -> Member | None:
    for _ in range(8):
        member = members.get(path)
        if member is None or member.kind != "symlink":
            return member if member and member.kind == "file" else None
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), member.target)).lstrip("/")
    return None


def _master(root: Root, system: Mapping[str, Member], name: str, otherwise: str) -> str:
    """base-passwd's own list of the accounts that every Debian system has."""
    place = f"usr/share/base-passwd/{name}.master"
    if place not in system:
        return otherwise
    return (root.root / place).read_text("ascii", "replace")


def _certificates(root: Root, system: Mapping[str, Member]) -> dict[str, bytes]:
    """The bundle that update-ca-certificates would make of Debian's authorities alone."""
    pieces = [
        (root.root / path).read_bytes().strip() + b"\n"
        for path in sorted(system)
        if path.startswith(AUTHORITIES) and path.endswith(".crt")
    ]
    return {BUNDLE: b"".join(pieces)} if pieces else {}


def _hashed(root: Root, system: Mapping[str, Member]) -> dict[str, Member]:
    """OpenSSL's links, `HASH.0` → name → authority: those that lead to Debian's own."""
    try:
        names = sorted(path.name for path in (root.root / CERTIFICATES).iterdir())
    except OSError:
        return {}
    targets = {name: root.link(f"{CERTIFICATES}/{name}") for name in names}
    named = {
        name for name, to in targets.items() if to and to.startswith(f"/{AUTHORITIES}") and to[1:] in system
    }
    chosen = named | {name for name, to in targets.items() if to in named}
    return {
        f"{CERTIFICATES}/{name}": Member(
            path=f"{CERTIFICATES}/{name}", kind="symlink", mode=0o777, target=str(targets[name]), mtime=DATE
        )
        for name in chosen
    }


def _text(path: str, text: str) -> Member:
    return Member(path=path, data=text.encode(), size=len(text.encode()), mtime=DATE)


def _found(root: Root, place: str) -> Member | None:
    try:
        member = root.member(place)
    except OSError:
        return None
    return replace(member, mode=0o644) if member and member.kind == "file" else None


__all__ = ["FOLDERS", "loader_cache", "members"]
