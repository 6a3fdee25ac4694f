"""The typed steps that a recipe consists of: what a Dockerfile says, before it is text.

Nothing here is quoted: values are what they mean, and `dockerfile` is the only place that
knows how to write them down. A step that runs something holds an argument list or a script
of *ours*; data reaches scripts as files of the bundle, never as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Feature = Literal["mounts", "chown-copy"]
"""What a builder can: ``mounts`` secret and cache mounts (BuildKit), ``chown-copy`` COPY --chown."""

SecretId = Literal["ca", "netrc"]
"""What a build may have to be handed: a CA bundle in PEM, the logins of package indexes."""

CLASSIC: frozenset[Feature] = frozenset({"chown-copy"})
BUILDKIT: frozenset[Feature] = frozenset({"mounts", "chown-copy"})


@dataclass(frozen=True, slots=True)
class Comment:
    """Our own words only: numbers and checked package names, never user text."""

    text: str


@dataclass(frozen=True, slots=True)
class From:
    image: str
    digest: str | None = None
    stage: str | None = None  # "AS stage"; ``image`` may name an earlier stage
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret file that exists while this step runs; the step must also work without it."""

    id: SecretId
    target: str


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder that outlives the build on the builder, and is no part of the image."""

    target: str


@dataclass(frozen=True, slots=True)
class BindFile:
    """A file or folder of the bundle, or of an earlier stage, that this step reads; copied in where there
    are no mounts."""

    source: str
    target: str
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """Shell lines of ours, joined by ``&&``; a newline inside a line continues it on the next."""

    lines: tuple[str, ...]
    secrets: tuple[Secret, ...] = ()
    caches: tuple[Cache, ...] = ()
    binds: tuple[BindFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """Files of the bundle (names of ours) or of an earlier stage."""

    source: str
    target: str
    stage: str | None = None
    owner: int | None = None


@dataclass(frozen=True, slots=True)
class Unpack:
    """A tar archive of the bundle, unpacked with its own owners and modes (ADD)."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Env:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class SearchPath:
    """Puts ``folder`` first on PATH and keeps what is there."""

    folder: str


@dataclass(frozen=True, slots=True)
class Label:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class User:
    name: str


@dataclass(frozen=True, slots=True)
class Workdir:
    path: str


@dataclass(frozen=True, slots=True)
class Expose:
    port: int


@dataclass(frozen=True, slots=True)
class NoHealthcheck:
    """Forgets the base image's health check, which asks for the base's own program."""


@dataclass(frozen=True, slots=True)
class Entrypoint:
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cmd:
    argv: tuple[str, ...]


Step = (
    Comment
    | From
    | Run
    | Copy
    | Unpack
    | Env
    | SearchPath
    | Label
    | User
    | Workdir
    | Expose
    | NoHealthcheck
    | Entrypoint
    | Cmd
)
