"""What an environment is: the snapshot and its parts, frozen and in a fixed order.

Two environments that hold the same give equal snapshots, whatever the order in which they
were installed. ``to_json`` and ``parse`` are the file format (``schema`` 1): keys may be
added, none is renamed or removed. Dataclasses of the standard library, because a kernel
imports this; msgspec, which parses what strangers send, is imported where it is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Literal

from ..errors import UsageError
from ..events import Finding

SCHEMA = 1
_LEAVES = frozenset({str, int, bool, float, type(None)})

Scope = Literal["env", "user", "system", "path", "debian"]
SourceKind = Literal["index", "vcs", "archive", "local", "editable", "conda", "apt", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a package came from; every URL has lost its secrets."""

    kind: SourceKind
    url: str | None = None
    commit: str | None = None
    index: str | None = None
    subdirectory: str | None = None
    hash: str | None = None  # "sha256=…" of the archive


@dataclass(frozen=True, slots=True, kw_only=True)
class PipPackage:
    """A Python distribution. ``name`` is normalized (PEP 503), ``version`` as PEP 440 writes it."""

    name: str
    version: str
    scope: Scope = "env"
    source: Source = field(default_factory=lambda: Source(kind="unknown"))
    shadows: str | None = None  # "1.2 (user)": what this one hides on sys.path
    others: tuple[str, ...] = ()  # versions that are recorded beside it in the same folder
    built_locally: bool = False  # the wheel's tag says that it was compiled on this machine
    pure: bool = True
    tags: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()  # Requires-Dist, where it was read
    edited: tuple[str, ...] = ()  # files changed after install, where it was looked for
    lost: tuple[str, ...] = ()  # files gone after install, where it was looked for
    content: str | None = None  # a digest of its files as they are, where they were read
    dist_info: str | None = None  # the metadata folder, absolute; None in what is stored in images
    location: str | None = None  # an editable's source, absolute; None in what is stored in images
    used: bool | None = None  # this kernel has imported from it; None: not looked at
    requested: bool | None = None  # pip was asked for it by name; None where the installer does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaPackage:
    """A record of conda-meta. ``overwritten`` names the pip package that took its place."""

    name: str
    version: str
    build: str
    channel: str
    subdir: str
    url: str
    md5: str | None = None
    sha256: str | None = None
    overwritten: str | None = None  # "numpy 2.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AptPackage:
    """A Debian package that is installed. ``manual``: somebody asked for it by name."""

    name: str
    version: str
    arch: str
    manual: bool = False
    essential: bool = False
    priority: str = "optional"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """A shared library outside the environment that the environment needs."""

    soname: str
    owner: str | None = None  # Debian package; None where no package has it
    loaded: bool = False
    by: tuple[str, ...] = ()  # at most 3 of the files that need it


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingLibrary:
    """An ELF file of the environment that does not find a library."""

    file: str  # "site-packages/cv2/cv2.abi3.so": the same in source and image
    soname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """What the ELF files of the environment need from outside, and what is not there."""

    files: int
    needed: tuple[Library, ...] = ()
    missing: tuple[MissingLibrary, ...] = ()
    roots: tuple[str, ...] = ()  # Debian packages that bring all of ``needed``, dependencies left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A package index of pip's or uv's configuration, without credentials."""

    url: str
    kind: Literal["index", "extra", "find-links"]
    local: bool = False
    credentials: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    implementation: str
    version: str
    executable: str = ""
    prefix: str = ""
    base_prefix: str = ""
    soabi: str | None = None
    venv: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """``os`` is debian, ubuntu, macos, windows or another ID of os-release; ``arch`` is amd64 or arm64."""

    os: str
    version: str = ""
    codename: str = ""
    arch: str = "amd64"
    libc: str | None = None  # "glibc 2.36"
    locale: str | None = None
    timezone: str | None = None
    cpus: int = 0
    cpu: str | None = None
    gpus: tuple[str, ...] = ()
    driver: str | None = None
    cuda: str | None = None
    container: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """The kernelspec that the environment was reached by."""

    name: str
    display_name: str = ""
    language: str = "python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    pip: tuple[PipPackage, ...] = ()
    conda: tuple[CondaPackage, ...] = ()
    apt: tuple[AptPackage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An environment, as it was when it was looked at."""

    system: System
    python: Python
    packages: Packages
    kernel: Kernel | None = None
    environ: tuple[tuple[str, str], ...] = ()  # the allow-list's, sorted
    withheld: tuple[str, ...] = ()  # names of variables that are set and on no list; their values nobody has
    indexes: tuple[Index, ...] = ()
    ca: str | None = None  # path of a CA bundle that pip or uv is configured with
    conda_prefix: str | None = None
    libraries: Libraries | None = None  # None: not looked at
    imported: tuple[str, ...] | None = None  # distributions that this kernel has imported from
    modules: tuple[tuple[str, str], ...] = ()  # imported modules outside every site-packages: name, file
    executed: int = 0  # cells that the kernel had run
    findings: tuple[Finding, ...] = ()
    schema: int = SCHEMA

    @property
    def fingerprint(self) -> str:
        """ "sha256:…" of the Python version and every pip and conda package (`fingerprint`)."""
        return fingerprint(self.python, self.packages)


def fingerprint(python: Python, packages: Packages) -> str:
    """``sha256:`` and 64 hex digits: equal for environments that hold the same packages.

    Counts: implementation and version of Python; name, version and origin of each pip package
    (kind, URL, commit); name, version, build, channel and subdir of each conda package. Does not
    count: prefix, machine, system packages, scopes, the order of anything.
    """
    lines = [f"python {python.implementation} {python.version}"]
    lines += sorted(
        f"pip {p.name} {p.version} {p.source.kind} {p.source.url or ''} {p.source.commit or ''}".rstrip()
        for p in packages.pip
    )
    lines += sorted(f"conda {c.name} {c.version} {c.build} {c.channel} {c.subdir}" for c in packages.conda)
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def to_json(value: Any) -> dict[str, Any]:
    """A dataclass of this package as plain JSON types; ``None`` is kept out, so that files stay short.

    A snapshot or plan also says its ``fingerprint``.
    """
    plain = _plain(value)
    if not isinstance(plain, dict):
        raise TypeError(f"{type(value).__name__} is not an object in JSON")
    mark = getattr(value, "fingerprint", None)
    return {"fingerprint": mark, **plain} if isinstance(mark, str) else plain


def dump(value: Any) -> bytes:
    """The file form of ``to_json``: UTF-8, sorted keys, two spaces, a newline at the end."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(to_json(value), order="sorted"), indent=2) + b"\n"


def parse(data: bytes, kind: type[Any]) -> Any:
    """The dataclass ``kind`` from JSON that anybody may have written.

    Unknown keys are passed over (a newer version wrote them). Raises `UsageError` where the
    text is not JSON, a value has another type, or ``schema`` is newer than this version knows.
    """
    import msgspec

    try:
        plain = msgspec.json.decode(data)
        schema = plain.get("schema", SCHEMA) if isinstance(plain, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise UsageError(
                f"written by a newer jupyter-dockerize (schema {schema}, this one knows {SCHEMA})",
                fix="upgrade jupyter-dockerize",
            )
        return msgspec.convert(plain, kind)
    except msgspec.MsgspecError as error:
        raise UsageError(f"not a {kind.__name__.lower()}", why=str(error)) from error


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _LEAVES:
        return value
    names = _names(kind)  # type: ignore[arg-type] # mypy takes no class of any kind for hashable
    if names is not None:  # `asdict` copies every leaf, too: it takes many times as long
        return {name: _plain(item) for name in names if (item := getattr(value, name)) is not None}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@cache
def _names(kind: Any) -> tuple[str, ...] | None:
    """Of the fields of a dataclass; None for what is none."""
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else None


def ordered(packages: Iterable[PipPackage]) -> tuple[PipPackage, ...]:
    """By name; the one that Python imports comes before what it shadows."""
    return tuple(sorted(packages, key=lambda p: (p.name, p.shadows is None, p.scope)))
