"""What an engine is: who builds images, looks into them, and runs them.

Adapters raise `NoEngineError`, `EngineError`, `BuildError` and `CancelledError`, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..cancel import Cancel
from ..events import Report, ignore
from ..recipe.bundle import Bundle
from ..recipe.steps import Feature

if TYPE_CHECKING:  # written on Linux and macOS only, and this is for Windows, too
    from ..image.layer import Compression
    from ..image.layout import Layout
    from ..image.manifest import ImageValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Whether an engine can be used now; ``reason`` is the diagnosis, ``fix`` what to do about it, also where
    it can do only some of its work."""

    name: str  # docker, builtin
    available: bool
    version: str = ""
    reason: str = ""
    fix: str = ""
    endpoint: str = ""  # "unix:///var/run/docker.sock"
    flavour: str = ""  # "Docker Engine", "Podman", "Docker Desktop"
    builder: str = ""  # "buildx 0.13.1", "BuildKit in docker 20.10", "classic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of an engine's store. ``size`` in bytes, ``created`` RFC 3339."""

    id: str  # sha256:…
    refs: tuple[str, ...] = ()
    digest: str | None = None  # of its manifest, where the store has one
    size: int = 0
    created: str = ""
    platform: str = ""  # linux/amd64
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()  # paths that it declares as volumes
    damaged: str = ""  # why it cannot be used, which only `Engine.images` gives


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """An image that a registry has now.

    ``size`` is that of the image as it lies there: bytes of its manifest, its configuration and its layers,
    which are compressed, each once. None where another engine sent it, and the registry did not say.

    ``uploaded``, ``mounted`` and ``skipped`` are numbers of layers: those that were sent, that the registry
    took from another repository of its own, that were there already. Podman does not say.
    """

    ref: str
    digest: str
    size: int | None
    uploaded: int = 0
    mounted: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that `Engine.start` began. ``url`` is where its JupyterLab answers."""

    name: str
    id: str
    ref: str
    status: str  # "running", "exited (0)"
    url: str | None = None
    started: str = ""
    note: str = ""  # what to know first: how to reach the url, or that a folder cannot be written
    already: bool = False  # it was open before it was asked for
    replaced: bool = False  # a newer image has taken the name since


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The sandbox of `Engine.execute`: no network, read-only root, no capabilities, and these."""

    seconds: float = 120
    memory: int = 2 << 30  # bytes of all processes together; of each, where they cannot be counted together
    processes: int = 256
    output: int = 64 << 20  # bytes of stdout kept; more ends the run with an error


LARGEST = 64 << 20  # bytes that are read of an image, or of a container, at once

# The one folder in which the sandboxed program may write. Every image has it, and none has files of its own
# there: a folder of the image that is covered could be where its environment lies, below /tmp, say.
SCRATCH = "/dev/shm"  # noqa: S108 - in the image


class Engine(Protocol):
    """One endpoint. All calls may be made from any thread."""

    name: str
    instead: Status | None  # the better engine that cannot be used, where "auto" took this one in its place

    def status(self) -> Status:
        """Within 2 s, never raises."""

    def features(self) -> frozenset[Feature]:
        """What its builder can; decides how the recipe is written for it."""

    def build(
        self,
        bundle: Bundle,
        ref: str,
        *,
        secrets: Mapping[str, bytes],
        report: Report,
        cancel: Cancel,
        pull: bool = False,
    ) -> Image:
        """Builds and tags ``ref``, which keeps its old image until the new one is finished.

        ``secrets`` are the contents of `Bundle.secrets` by id; those that are missing are left out.
        ``pull`` asks the registry for newer base images. Raises `BuildError` with the last log lines
        of the step that failed, `EngineError` where the engine went away or has no secret mounts, and
        `CancelledError` within 5 s; in all cases nothing of it is left but the builder's own cache.
        """

    def take(
        self,
        write: Callable[[Layout, Compression], ImageValue],
        ref: str,
        *,
        size: int,
        report: Report,
        cancel: Cancel,
    ) -> Image:
        """Takes an image whose files are written here, as ``ref``.

        ``write`` puts its layers into the layout that it is handed, and gives the image; ``size`` is about
        what they unpack to, in bytes; the layers of a `value` are here already. ``ref`` keeps its old
        image until the new one is there. Raises
        `OutputError` where there is no room, before ``write`` is called, `EngineError`, and whatever
        ``write`` raises; then nothing of it is left.
        """

    def value(self, ref: str) -> ImageValue:
        """An image of this store, for `take` to take with more layers: those that it has are neither read
        nor written for it.

        Raises `UsageError` where it is not here, `EngineError`.
        """

    def inspect(self, ref: str) -> Image | None:
        """The image in this store, None where it is not here."""

    def find(self, ref: str) -> Image:
        """The image in this store. Raises `UsageError`, with a name much like it, where it is not here."""

    def pull(self, ref: str, *, report: Report, cancel: Cancel) -> Image:
        """Fetches ``ref`` into this store."""

    def push(self, ref: str, *, report: Report, cancel: Cancel) -> Pushed:
        """Puts the image into the registry that its name names, with the logins that are kept here.

        Raises `UsageError` where it is not here, or its name is none of a registry, and `EngineError` with
        what the registry said; then the name there is what it was.
        """

    def tag(self, image_id: str, ref: str) -> None:
        """Gives the image another name."""

    def remove(self, ref: str) -> None:
        """Removes the name, and the image where it was the last one. Missing is fine."""

    def execute(
        self,
        ref: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        limits: Limits = Limits(),
        report: Report = ignore,
        cancel: Cancel | None = None,
    ) -> bytes:
        """stdout of a program in a sandboxed container of the image, entry point bypassed.

        User 1000, no network, nothing writable but 64 MB of `SCRATCH`, which is its TMPDIR, no capabilities,
        `Limits`. A program that prints nothing may be run again. Raises `EngineError` with the end of
        stderr when it exits otherwise than 0 or goes over a limit, `CancelledError` when it was cancelled.
        """

    def read(self, ref: str, path: str, *, report: Report = ignore, cancel: Cancel) -> bytes:
        """A file of the image, whole. Raises `EngineError` where there is none."""

    def read_folder(
        self, ref: str, path: str, *, report: Report = ignore, cancel: Cancel
    ) -> dict[str, bytes]:
        """The files below a folder of the image, by their paths from there, without links.

        Empty where there is no such folder. Raises `EngineError`, also where they have more than 64 MiB.
        """

    def images(self) -> list[Image]:
        """The images that this product made (by label), newest first."""

    def start(
        self,
        ref: str,
        *,
        port: int | None = None,
        mount: Path | None = None,
        gpus: str | None = None,
        argv: Sequence[str] | None = None,
        wait: float = 60,
        report: Report = ignore,
        cancel: Cancel | None = None,
    ) -> Container:
        """Runs the image's JupyterLab on a free loopback port (or ``port``) with a fresh token.

        Returns when it answers; ``wait`` is how many seconds that may take. What is open already with this
        very image, ``mount`` and ``gpus`` is returned as it is, unless it has another ``port``.
        ``mount`` is a folder of this machine: where it holds the image's notebook it takes the place of
        the project folder, otherwise it appears in it under its own name. Where it cannot be written from
        there, the note says so. ``gpus`` is "all", a number or "device=0,2".
        With ``argv`` that runs instead, nothing is published unless ``port`` says so, and nothing is
        waited for. Raises `UsageError` for a port that is taken or a folder that does not exist,
        `EngineError` with the log's end where the container does not come up.
        """

    def containers(self) -> list[Container]:
        """What `start` began and nobody removed yet."""

    def stop(self, name: str) -> None:
        """Stops and removes one of `containers`, by its name or, where that is open once, its image's.

        Raises `UsageError` where there is none, or several.
        """

    def logs(self, name: str, *, tail: int = 200) -> list[str]:
        """The last lines of one of `containers`; ``name`` as for `stop`."""
