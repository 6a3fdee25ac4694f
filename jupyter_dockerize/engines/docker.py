"""Docker Engine, and whatever else speaks its API (Docker Desktop, Podman, Colima …)."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cancel import Cancel
from ..contents.identity import LABEL_BASE, LABEL_SCHEMA
from ..environment.names import one_line
from ..errors import BuildError, EngineError, NoEngineError, UsageError
from ..events import Counter, Log, Report, ignore
from ..image.reference import DIGEST, Reference
from ..recipe.bundle import Bundle
from ..recipe.steps import Feature
from . import archive, diagnosis, inhabited, ownership, running, sandbox
from .base import Container, Image, Limits, Pushed, Status
from .buildkit import Cli
from .classic import Api
from .connection import Connection
from .endpoint import Endpoint, candidates
from .explain import LOST, meaning
from .faults import explanation, mapped
from .inhabited import Inhabited, Kind
from .place import Place
from .podman import remove_working_containers
from .progress import Narrator

if TYPE_CHECKING:  # written on Linux and macOS only, and this is for Windows, too
    from ..image.layer import Compression
    from ..image.layout import Layout
    from ..image.manifest import ImageValue
    from .committing import About

LATE = 2.0  # seconds in which an engine may name an image though its builder was ended


class DockerEngine:
    """The engine at ``endpoint``, or the first that answers of those that ``environ`` leads to."""

    name = "docker"
    instead: Status | None = None

    def __init__(self, endpoint: Endpoint | None = None, *, environ: Mapping[str, str] | None = None) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._endpoint = endpoint
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._status: Status | None = None
        self._builder: Cli | Api | None = None

    # What it is

    def status(self, *, seconds: float = diagnosis.SECONDS) -> Status:
        """Within ``seconds``, never raises. Asked anew each time."""
        with self._lock:
            return self._look(seconds)

    def features(self) -> frozenset[Feature]:
        """What its builder can. Raises `NoEngineError` where it is not available."""
        self._connected()
        return self._its_builder().features

    def close(self) -> None:
        """Closes its connections; it may be used again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = self._status = self._builder = None

    def _look(self, seconds: float) -> Status:
        try:
            endpoints = [self._endpoint] if self._endpoint else candidates(self._environ)
        except NoEngineError as error:
            return Status(name=self.name, available=False, reason=f"{error.what}: {error.why}", fix=error.fix)
        place = Place.here(self._environ)
        if len(endpoints) > 1:
            endpoints = [one for one in endpoints if _may_exist(one)] or endpoints[:1]
        known = self._connection
        connections = [
            known if known is not None and known.endpoint == one else Connection(one, self._environ)
            for one in endpoints
        ]
        found = diagnosis.ask(connections, seconds=seconds)
        statuses = [diagnosis.status_of(one, place) for one in found]
        number = next((i for i, status in enumerate(statuses) if status.available), 0)
        for other in connections:
            if other is not connections[number] and other is not known:
                other.close()
        status = statuses[number]
        if status.available:
            self._connection, self._status = connections[number], status
            builder = self._its_builder()
            status = replace(status, builder=str(builder), reason=f"{status.reason}, builds with {builder}")
        return status

    def _connected(self) -> Connection:
        """The connection. Raises `NoEngineError` with the diagnosis."""
        with self._lock:
            if self._connection is None:
                status = self._look(diagnosis.REMOTE_SECONDS)
                if not status.available:
                    raise NoEngineError("no engine can be used", why=status.reason, fix=status.fix)
            assert self._connection is not None
            return self._connection

    def _its_builder(self) -> Cli | Api:
        """Decided once: BuildKit through the CLI where both can, else the Engine API."""
        with self._lock:
            if self._builder is None:
                assert self._connection is not None
                assert self._status is not None
                podman = self._status.flavour == "Podman"
                cli = None if podman else Cli.find(self._connection.endpoint, self._environ)
                self._builder = cli or Api(podman=podman)
            return self._builder

    # Images

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
        """See `Engine.build`."""
        name = _taggable(ref)
        connection, builder = self._connected(), self._its_builder()
        wanted: dict[str, bytes] = {key: data for key, data in secrets.items() if key in bundle.secrets}
        self._sweep()
        temporary = ownership.building()

        def build() -> None:
            if isinstance(builder, Cli):
                builder.build(connection.endpoint, self._environ, bundle, temporary,
                              secrets=wanted, report=report, cancel=cancel, pull=pull)  # fmt: skip
            else:
                builder.build(connection, self._environ, bundle, temporary,
                              secrets=wanted, report=report, cancel=cancel, pull=pull)  # fmt: skip

        try:
            try:
                build()
            except BuildError as error:
                if LOST not in error.why:
                    raise
                # Seen with Docker 26, once in thousands of builds; nothing of the recipe is wrong.
                report(Log(f"{error.why}; it is built once more"))
                build()
            image = self._present(temporary)
            cancel.check()
            self.tag(image.id, str(name))
        except BaseException as error:
            self._forget(temporary, seconds=0 if isinstance(error, EngineError) else LATE)
            raise
        self._forget(temporary)
        return self._present(str(name))

    def take(
        self,
        write: Callable[[Layout, Compression], ImageValue],
        ref: str,
        *,
        size: int,
        report: Report,
        cancel: Cancel,
    ) -> Image:
        """See `Engine.take`. Layers that the engine has already are not sent."""
        from ..image import disk
        from ..image.layout import Layout

        name = _taggable(ref)
        self._connected()  # before the work
        temporary = Path(tempfile.gettempdir())
        disk.check_room(temporary, size)
        with disk.unfinished_folder(temporary) as folder:
            layout = Layout.create(folder.path, lasting=False)
            value = write(layout, "none")
            base = value.config.labels.get(LABEL_BASE, "")
            there = self._layers_there([layer.diff_id for layer in value.layers], base)
            try:
                return self._load(layout, value, name, there, report, cancel)
            except EngineError:
                if not there or value.head is not None:
                    raise
                # An image that had them may have been removed meanwhile.
                return self._load(layout, value, name, (), report, cancel)

    def _layers_there(self, wanted: Sequence[str], base: str) -> tuple[str, ...]:
        """The lowest layers that an image of ours, or the base, has here, too.

        Stores know a layer by all that is below.
        """
        import docker.errors

        longest = 0
        with mapped("list images"):
            client = self._connected().client()
            ours = [str(one["Id"]) for one in client.images(filters={"label": LABEL_SCHEMA})]
            for one in (*ours, base):
                with contextlib.suppress(docker.errors.NotFound, docker.errors.NullResource):
                    have = (client.inspect_image(one).get("RootFS") or {}).get("Layers") or ()
                    same = itertools.takewhile(
                        lambda pair: pair[0] == pair[1], zip(wanted, have, strict=False)
                    )
                    longest = max(longest, sum(1 for _ in same))
        return tuple(wanted[:longest])

    def _load(
        self,
        layout: Layout,
        value: ImageValue,
        name: Reference,
        without: Sequence[str],
        report: Report,
        cancel: Cancel,
    ) -> Image:
        from ..image import archive

        self._sweep()
        temporary = ownership.building()
        # Of each layer the engine tells only when it comes to it; how large all are is known before.
        sizes = {one.diff_id: one.descriptor.size for one in value.layers if one.diff_id not in set(without)}
        total = sum(sizes.values())
        moved = Counter("sent to the engine", total, report)
        taken, layers = Counter("taken by the engine", total, report), dict[str, int]()

        def sent() -> Iterator[bytes]:
            for piece in archive.stream(layout, value, Reference.parse(temporary), without=without):
                cancel.check()
                moved.add(len(piece))
                yield piece

        try:
            with mapped(f"load {name}"), contextlib.closing(self._connected().private()) as client:
                for line in client.load_image(sent(), quiet=False):
                    cancel.check()
                    if isinstance(said := line.get("error"), str):
                        raise EngineError(f"the engine does not take the image {name}", why=said)
                    detail = line.get("progressDetail") or {}
                    if isinstance(detail.get("total"), int):
                        layer, done = str(line.get("id")), int(detail.get("current", 0))
                        taken.add(max(0, done - layers.get(layer, 0)))
                        layers[layer] = max(done, layers.get(layer, 0))
            image = self._present(temporary)
            cancel.check()
            self.tag(image.id, str(name))
        finally:
            self._forget(temporary)
        return self._present(str(name))

    def commit(
        self,
        container: Inhabited,
        ref: str,
        about: Callable[[Image], About],
        *,
        report: Report,
        cancel: Cancel,
    ) -> Image:
        """The state of a running container as the image ``ref``, on the image that it was started from.

        The image's configuration is that image's, with the labels that ``about`` gives: nothing that the
        container was started with is in it. ``about`` is handed an image that may be looked into, and is
        gone afterwards. The container is paused meanwhile. ``ref`` keeps its old image until the new one is
        there; whatever is raised, nothing is left.
        """
        from ..image import disk
        from ..image.layout import Layout
        from . import committing

        name = _taggable(ref)
        connection = self._connected()
        self._sweep()
        raw = ownership.building()
        try:
            committing.commit(connection, container, raw, lambda: self._forget(raw), cancel)
            said = about(self._present(raw))
            with disk.unfinished_folder(Path(tempfile.gettempdir())) as folder:
                layout = Layout.create(folder.path, lasting=False)
                value = committing.rewritten(connection, container, raw, said, layout, cancel)
                there = self._layers_there([layer.diff_id for layer in value.layers], raw)
                return self._load(layout, value, name, there, report, cancel)
        finally:
            self._forget(raw)

    def value(self, ref: str) -> ImageValue:
        """See `Engine.value`."""
        from ..image.continued import of_inspected

        image, client = self.find(ref), self._connected().client()
        with mapped(f"look at {ref}"):
            return of_inspected(client.inspect_image(image.id), client.history(image.id))

    def inspect(self, ref: str) -> Image | None:
        """See `Engine.inspect`; ``ref`` may also be an image's id."""
        import docker.errors

        with mapped(f"look at {ref}"):
            try:
                return _image(self._connected().client().inspect_image(_named(ref)), ref)
            except docker.errors.NotFound:
                return None

    def find(self, ref: str) -> Image:
        """See `Engine.find`; ``ref`` may also be an image's id."""
        image = self.inspect(ref)
        if image is not None:
            return image
        with mapped("list images"):
            listed = self._connected().client().images()
        names = {str(Reference.parse(name)) for one in listed for name in one.get("RepoTags") or ()
                 if "<none>" not in name and ownership.BUILDING not in name}  # fmt: skip
        close = get_close_matches(ref, sorted(name.removesuffix(":latest") for name in names), 1)
        lists = f"`jupyter dockerize images` lists what was made here, `docker pull {ref}` fetches others"
        raise UsageError(
            f"there is no image {ref} in this engine",
            fix=f"{lists}; did you mean {close[0]}" if close else lists,
            instead=(ref, *close) if close else (),
        )

    def pull(self, ref: str, *, report: Report, cancel: Cancel) -> Image:
        """See `Engine.pull`. Raises `EngineError` with what the registry said."""
        import docker.errors

        name = Reference.parse(ref)
        narrator = Narrator(report)
        cancel.check()
        with mapped(f"pull {ref}"):
            client = self._connected().private()
            with contextlib.closing(client):
                try:
                    stream = client.pull(
                        name.repository, tag=name.digest or name.tag or "latest", stream=True, decode=True
                    )
                except docker.errors.APIError as error:
                    raise _not_pulled(ref, explanation(error)) from error
                for line in stream:
                    cancel.check()
                    if isinstance(said := line.get("error"), str):
                        raise _not_pulled(ref, said)
                    detail = line.get("progressDetail") or {}
                    if line.get("status") == "Downloading" and isinstance(detail.get("total"), int):
                        part = str(line.get("id"))
                        narrator.transfer(
                            "pull", part, int(detail.get("current", 0)), detail["total"], f"pull {ref}"
                        )
        return self._present(ref)

    def push(self, ref: str, *, report: Report, cancel: Cancel) -> Pushed:
        """See `Engine.push`."""
        from .pushing import push
        from .registry.names import check_pushable

        cancel.check()
        name, image = check_pushable(ref), self.find(ref)
        return push(self._connected(), self._environ, image, name, report=report, cancel=cancel)

    def tag(self, image_id: str, ref: str) -> None:
        """See `Engine.tag`."""
        name = _taggable(ref)
        with mapped(f"tag {ref}"):
            self._connected().client().tag(image_id, name.repository, name.tag, force=True)

    def remove(self, ref: str) -> None:
        """See `Engine.remove`. Raises `EngineError` where a container still uses the image."""
        import docker.errors

        with mapped(f"remove {ref}"):
            connection, name = self._connected(), _named(ref)
            for last in (False, True):
                try:
                    connection.client().remove_image(name)
                except docker.errors.NotFound:  # noqa: PERF203 - twice at most
                    return
                except docker.errors.APIError as error:
                    if error.status_code != 409:
                        raise
                    image = self.inspect(ref)
                    podman = self._status is not None and self._status.flavour == "Podman"
                    if (
                        last
                        or not podman
                        or image is None
                        or not remove_working_containers(connection, image.id)
                    ):
                        raise EngineError(
                            f"{ref} is in use",
                            why=explanation(error),
                            fix="stop the container first: `jupyter dockerize ps`, or `docker ps -a`",
                        ) from error
                else:
                    return

    def images(self) -> list[Image]:
        """See `Engine.images`."""
        with mapped("list images"):
            listed = self._connected().client().images(filters={"label": LABEL_SCHEMA})
        found = [image for one in listed if (image := self.inspect(one["Id"])) is not None]
        return sorted(found, key=lambda image: image.created, reverse=True)

    def _present(self, ref: str) -> Image:
        image = self.inspect(ref)
        if image is None:
            raise EngineError(f"{ref} is not in the engine's store, though the engine said that it is done")
        return image

    def _forget(self, temporary: str, *, seconds: float = 0) -> None:
        """Removes the name of a build. One that was cut short may still get it, for ``seconds`` from now."""
        end = time.monotonic() + seconds
        with contextlib.suppress(EngineError):
            while self.inspect(temporary) is None:
                if time.monotonic() >= end:
                    return
                time.sleep(0.1)
            self.remove(temporary)

    def _sweep(self) -> None:
        """Removes names of builds whose owners died."""
        with contextlib.suppress(EngineError), mapped("list images"):
            for one in self._connected().client().images(name=ownership.BUILDING):
                for name in one.get("RepoTags") or ():
                    if ownership.abandoned(name):
                        self.remove(name)

    # Containers

    def read(self, ref: str, path: str, *, report: Report = ignore, cancel: Cancel) -> bytes:
        """See `Engine.read`."""
        cancel.check()
        connection = self._connected()
        with archive.unstarted(connection, self.find(ref), ref) as container:
            data = archive.file(connection, container.id, path)
        if data is None:
            raise EngineError(f"{ref} has no file {path}")
        return data

    def read_folder(
        self, ref: str, path: str, *, report: Report = ignore, cancel: Cancel
    ) -> dict[str, bytes]:
        """See `Engine.read_folder`."""
        cancel.check()
        connection = self._connected()
        with archive.unstarted(connection, self.find(ref), ref) as container:
            return archive.folder(connection, container.id, path)

    def execute(
        self,
        ref: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        limits: Limits = Limits(),  # noqa: B008 - frozen
        report: Report = ignore,
        cancel: Cancel | None = None,
    ) -> bytes:
        """See `Engine.execute`."""
        connection, image = self._connected(), self.find(ref)
        return sandbox.execute(connection, image, ref, argv, stdin, limits, cancel or Cancel())

    def container(self, name: str) -> Inhabited:
        """A container that somebody started and that runs. Raises `UsageError` where there is none."""
        return inhabited.find(self._connected(), name)

    def command(
        self,
        container: Inhabited,
        script: str,
        *,
        environ: Mapping[str, str],
        output: Callable[[bytes], object],
        cancel: Cancel,
    ) -> int:
        """See `inhabited.run`."""
        connection = self._connected()
        return inhabited.run(connection, container, script, environ=environ, output=output, cancel=cancel)

    def changes(self, container: Inhabited) -> dict[str, Kind]:
        """See `inhabited.changes`."""
        return inhabited.changes(self._connected(), container)

    def read_from(self, container: Inhabited, path: str, most: int) -> bytes | None:
        """The file, b"" where none is there any more; None where it has more than ``most`` bytes."""
        try:
            return archive.file(self._connected(), container.id, path, most) or b""
        except archive.LargeError:
            return None

    def unstarted(self, image: Image, name: str) -> contextlib.AbstractContextManager[Inhabited]:
        """See `archive.unstarted`: for `read_from`."""
        return archive.unstarted(self._connected(), image, name)

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
        """See `Engine.start`."""
        if port is not None and not 0 < port < 65536:
            raise UsageError(f"not a port: {port}", fix="a port is a number from 1 to 65535")
        connection, image = self._connected(), self.find(ref)
        return running.start(connection, image, ref, port=port, mount=mount, gpus=gpus, argv=argv,
                             wait=wait, report=report, cancel=cancel or Cancel())  # fmt: skip

    def containers(self) -> list[Container]:
        """See `Engine.containers`."""
        return running.containers(self._connected())

    def stop(self, name: str) -> None:
        """See `Engine.stop`."""
        running.stop(self._connected(), name)

    def logs(self, name: str, *, tail: int = 200) -> list[str]:
        """See `Engine.logs`."""
        return running.logs(self._connected(), name, tail)


def _may_exist(endpoint: Endpoint) -> bool:
    try:
        return endpoint.socket is None or endpoint.socket.exists()
    except OSError:
        return True  # it may well: we are not allowed to look


def _named(ref: str) -> str:
    """``ref`` checked: an image's id, or a reference. Raises `ReferenceError`."""
    if DIGEST.fullmatch(ref):
        return ref
    return Reference.parse(ref).full


def _taggable(ref: str) -> Reference:
    name = Reference.parse(ref)
    if name.digest:
        raise UsageError(
            f"{ref} cannot be given to an image", why="it names a digest", fix="use a tag instead"
        )
    return name


def _not_pulled(ref: str, said: str) -> EngineError:
    known = meaning(one_line(said, 2000))
    fix = known.fix.replace("docker pull NAME", f"docker pull {ref}")
    return BuildError(f"{ref} cannot be pulled", why=known.why, fix=fix, log=[said])


def _image(found: dict[str, Any], ref: str) -> Image:
    """An answer of ``GET /images/NAME/json`` (Docker Engine API v1.41, ``ImageInspect``)."""
    configuration = found.get("Config") or {}
    refs = tuple(str(Reference.parse(name)) for name in found.get("RepoTags") or () if ":<none>" not in name)
    digests = [Reference.parse(name) for name in found.get("RepoDigests") or () if "<none>" not in name]
    repository = None if ref.startswith("sha256:") else Reference.parse(ref).repository
    own = [one.digest for one in digests if repository in (None, one.repository)]
    system = "/".join(
        part for part in (found.get("Os"), found.get("Architecture"), found.get("Variant")) if part
    )
    return Image(
        id=str(found["Id"]),
        refs=refs,
        digest=own[0] if own else None,
        size=int(found.get("Size") or 0),
        created=str(found.get("Created") or ""),
        platform=system,
        labels=dict(configuration.get("Labels") or {}),
        volumes=tuple(configuration.get("Volumes") or ()),
    )
