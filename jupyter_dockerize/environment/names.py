"""What the names, versions and texts of strangers may look like before they enter a snapshot.

Everything here answers in well under a microsecond for what is usual: a snapshot asks a few
thousand times and has ten milliseconds.
"""

from __future__ import annotations

import re
import unicodedata

_NORMAL = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_RUN = re.compile(r"[-_.]+")
_RELEASE = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.(?:0|[1-9][0-9]{0,17})){0,7}")
_DEBIAN_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_DEBIAN_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:-]*")
_WORD = re.compile(r"[A-Za-z0-9_.+-]+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\"'<>\\^`{|}]+")
_SCP = re.compile(r"(?:[A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+:[^\s\"'<>\\^`{|}]+")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # controls, bidi marks, lone surrogates, separators

NAME_LENGTH = 200
VERSION_LENGTH = 128
URL_LENGTH = 2048
PATH_LENGTH = 4096


def project_name(text: str) -> str | None:
    """The normalized name (PEP 503), None where ``text`` is not a name by PEP 508."""
    if len(text) > NAME_LENGTH:
        return None
    if _NORMAL.fullmatch(text):
        return text
    if _NAME.fullmatch(text):
        return _RUN.sub("-", text).lower()
    return None


def project_version(text: str) -> str | None:
    """The version as PEP 440 writes it ("1.0.0-RC1" → "1.0.0rc1"), None where it is none."""
    if len(text) > VERSION_LENGTH:
        return None
    if _RELEASE.fullmatch(text):
        return text
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text))
    except InvalidVersion:
        return None


def metadata_name(entry: str) -> tuple[str | None, str | None]:
    """Name and version that a metadata folder's own name says: "numpy-1.26.4.dist-info".

    Either is None where it does not say it properly (Binary distribution format, "File name
    convention"). An egg-info name may end in "-py3.11".
    """
    if len(entry) > NAME_LENGTH + VERSION_LENGTH:
        return None, None
    stem, _, kind = entry.rpartition(".")
    name, _, version = (stem if kind in ("dist-info", "egg-info", "egg-link") else entry).partition("-")
    return project_name(name), project_version(version.partition("-py")[0]) if version else None


def debian_name(text: str) -> str | None:
    """``text`` where it is a package name of Debian (Policy 5.6.1), without ":amd64"; else None."""
    text = text.partition(":")[0]
    return text if len(text) <= NAME_LENGTH and _DEBIAN_NAME.fullmatch(text) else None


def debian_version(text: str) -> str | None:
    """``text`` where it is a version by Debian Policy 5.6.12, else None."""
    return text if len(text) <= NAME_LENGTH and _DEBIAN_VERSION.fullmatch(text) else None


def word(text: str, limit: int = NAME_LENGTH) -> str | None:
    """``text`` where it is letters, digits and ``_ . + -`` and nothing else, else None."""
    return text if len(text) <= limit and _WORD.fullmatch(text) else None


def address(text: str) -> str | None:
    """``text`` where it can stand as a URL (or git's host:path), else None."""
    if len(text) > URL_LENGTH or not text.isprintable():
        return None
    return text if _URL.fullmatch(text) or _SCP.fullmatch(text) else None


def printable(text: str, limit: int = PATH_LENGTH) -> str:
    """``text`` with everything that acts instead of showing escaped, cut at ``limit`` characters."""
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(
        char.encode("unicode_escape").decode() if unicodedata.category(char) in _HIDDEN else char
        for char in text[:limit]
    )
    return shown if len(shown) <= limit and len(text) <= limit else shown[: limit - 1] + "…"


def one_line(text: str, limit: int = NAME_LENGTH) -> str:
    """A sentence of somebody else's: without what acts instead of showing, at most ``limit`` characters."""
    words = "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text).split()
    return " ".join(words)[:limit]


def clean(text: str | None, limit: int = NAME_LENGTH) -> str | None:
    """`printable`, and None where there is nothing to print."""
    return printable(text, limit) if text else None


def shown(text: str) -> str:
    """``text`` for a message: quoted, escaped, at most 80 characters."""
    quoted = printable(repr(text[:200]))
    return quoted if len(quoted) <= 80 and len(text) <= 200 else quoted[:79] + "…"
