"""The engine without a daemon: images are written into a store of our own, and opened by bubblewrap."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ...cancel import Cancel
from ...contents.identity import LABEL_BASE, LABEL_BASE_DIGEST, LABEL_SCHEMA
from ...contents.times import rfc3339
from ...errors import DamagedError, DockerizeError, EngineError, NoEngineError, UsageError
from ...events import Counter, Report, ignore
from ...image.continued import of_stored
from ...image.layer import Compression
from ...image.layout import Layout
from ...image.listed import Stored
from ...image.manifest import LAYER_GZIP, Descriptor, ImageValue
from ...image.reference import DIGEST, Reference
from ...image.store import Pruned, Store, is_called
from ...image.unpack import unpack
from ...recipe.bundle import Bundle
from ...recipe.steps import Feature
from ..base import LARGEST, Container, Image, Limits, Pushed, Status
from . import bwrap, diagnosis, running, sandbox, stranger
from .running import Run, Runs
from .settings import Settings

if TYPE_CHECKING:
    from ..registry.blobs import Blob
    from ..registry.credentials import Logins

RUNS = "open"  # in the store's folder
GZIP_ENDS = 4  # RFC 1952, 2.3.1: ISIZE, the unpacked size modulo 2^32, little endian


class BuiltinEngine:
    """The engine of this machine and user; its store is where ``settings`` say."""

    name = diagnosis.NAME

    def __init__(self, *, settings: Settings | None = None, environ: Mapping[str, str] | None = None) -> None:
        self.instead: Status | None = None
        self._environ = dict(os.environ if environ is None else environ)
        self._settings = settings
        self._lock = threading.Lock()
        self._unpacked: dict[str, Path] = {}
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    # What it is

    def status(self) -> Status:
        """See `Engine.status`."""
        return diagnosis.status(lambda: self.store, self._environ)

    def features(self) -> frozenset[Feature]:
        """None: it follows no recipe."""
        return frozenset()

    @cached_property
    def store(self) -> Store:
        """Where its images are. Raises `UsageError` where the configuration is wrong."""
        settings = self._settings or Settings.load(self._environ)
        return Store(settings.store, settings.quota)

    @cached_property
    def _runs(self) -> Runs:
        return Runs(self.store.folder / RUNS)

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
        """Raises `NoEngineError`: there is nobody here who installs packages into an image."""
        raise NoEngineError(
            "the builtin engine does not rebuild environments",
            why="it copies their own files",
            fix="leave --method rebuild out, or start Docker",
        )

    def take(
        self,
        write: Callable[[Layout, Compression], ImageValue],
        ref: str,
        *,
        size: int,
        report: Report,
        cancel: Cancel,
    ) -> Image:
        """See `Engine.take`."""
        store, name = self.store, Reference.parse(ref)
        # Compressed the image is smaller, by how much nobody knows before: half is what data and code give.
        with store.writing(size // 2):
            value = write(store.layout, "gzip")
            cancel.check()
            return _image(store, store.name(value, name))

    def value(self, ref: str) -> ImageValue:
        """See `Engine.value`."""
        return of_stored(self._stored(ref))

    def inspect(self, ref: str) -> Image | None:
        """See `Engine.inspect`."""
        found = self.store.find(ref)
        return None if found is None else _image(self.store, found)

    def find(self, ref: str) -> Image:
        """See `Engine.find`."""
        return _image(self.store, self._stored(ref))

    def _stored(self, ref: str) -> Stored:
        store = self.store
        found = store.find(ref)
        if found is not None:
            return found
        for image in store.damaged():
            if is_called(image, ref):
                raise _damaged(image.name, image.why)
        if not DIGEST.fullmatch(ref):
            Reference.parse(ref)
        names = sorted({str(name).removesuffix(":latest") for image in store.images() for name in image.refs})
        close = get_close_matches(ref, names, 1)
        lists = "`jupyter dockerize images` lists what is there"
        raise UsageError(
            f"there is no image {ref} in the builtin engine's store",
            why=f"it is used because Docker cannot be: {self.instead.reason}" if self.instead else "",
            fix=f"{lists}; did you mean {close[0]}" if close else lists,
            instead=(ref, *close) if close else (),
        )

    def pull(self, ref: str, *, report: Report, cancel: Cancel) -> Image:
        """Raises `NoEngineError`."""
        raise NoEngineError(f"the builtin engine does not fetch images such as {ref}", fix="start Docker")

    def push(self, ref: str, *, report: Report, cancel: Cancel) -> Pushed:
        """See `Engine.push`."""
        from ..registry.credentials import StoredLogins
        from ..registry.names import check_pushable
        from ..registry.push import push_image

        name, stored = check_pushable(ref), self._stored(ref)
        logins = StoredLogins(self._environ, cancel=cancel)
        layout, manifest = self.store.layout, stored.manifest
        elsewhere = self._in_its_registry(stored, name, logins, cancel)
        with _naming(stored):
            return push_image(
                layout, manifest, name, elsewhere=elsewhere, logins=logins, report=report, cancel=cancel
            )

    def _in_its_registry(
        self, image: Stored, name: Reference, logins: Logins, cancel: Cancel
    ) -> Mapping[str, Blob]:
        """Layers of its base, where that is in the registry which the image goes to: they are mounted."""
        from ..registry.blobs import FileBlob
        from ..registry.pull import pull_manifest

        labels = (image.plain.get("config") or {}).get("Labels") or {}
        with contextlib.suppress(DockerizeError):
            base = Reference.parse(str(labels.get(LABEL_BASE)))
            if base.domain != name.domain or base.path == name.path:
                return {}
            pinned = replace(base, digest=labels.get(LABEL_BASE_DIGEST) or base.digest)
            platform = "/".join(str(image.plain.get(key)) for key in ("os", "architecture"))
            found = pull_manifest(pinned, platform, logins=logins, cancel=cancel)
            origin = (base.domain, base.path)
            each = {blob.descriptor.digest for blob in found.layers}
            return {
                layer.digest: FileBlob(layer, self.store.layout.path(layer.digest), origin)
                for layer in image.layers
                if layer.digest in each
            }
        return {}

    def tag(self, image_id: str, ref: str) -> None:
        """See `Engine.tag`."""
        self.store.tag(self._stored(image_id), Reference.parse(ref))

    def remove(self, ref: str) -> None:
        """See `Engine.remove`. Raises `EngineError` where the image is open."""
        image = self.store.find(ref)
        if image is None:
            return
        for run in self._runs.all():
            if run.image == image.config.digest and len(image.refs) < 2 and run.alive:
                raise EngineError(f"{ref} is in use", fix=_stop(run))
        self.store.forget(ref)

    def images(self) -> list[Image]:
        """See `Engine.images`."""
        store = self.store
        found = [_image(store, image) for image in reversed(store.images())]
        broken = [
            Image(id=each.digest, refs=(str(each.ref),) if each.ref else (), damaged=each.why)
            for each in store.damaged()
        ]
        return [image for image in found if LABEL_SCHEMA in image.labels] + broken

    def prune(self, refs: Sequence[str], *, recipes: Sequence[str] = (), dry_run: bool) -> Pruned:
        """Removes these names, images without one, and ``recipes`` (`Store.prune`); or says what would go.

        Raises `UsageError` where there is no such image, or it is open and would lose its last name.
        """
        damaged = self.store.damaged()
        asked = [self._stored(r) for r in refs if not any(is_called(each, r) for each in damaged)]
        lost = self.store.lost(refs)
        last = {image.config.digest for image in asked if lost[image.manifest.digest].issuperset(image.refs)}
        self._runs.sweep()
        for run in self._runs.all():
            if run.alive and run.image in last:
                raise UsageError(f"{run.ref} is open", fix=_stop(run))
        return self.store.prune(*refs, recipes=recipes, dry_run=dry_run)

    # What runs

    def read(self, ref: str, path: str, *, report: Report = ignore, cancel: Cancel) -> bytes:
        """See `Engine.read`."""
        root = self.unpacked(ref, report=report, cancel=cancel)
        target = root / path.lstrip("/")
        if not target.resolve().is_relative_to(root.resolve()) or not target.is_file():
            raise EngineError(f"{ref} has no file {path}")
        return target.read_bytes()

    def read_folder(
        self, ref: str, path: str, *, report: Report = ignore, cancel: Cancel
    ) -> dict[str, bytes]:
        """See `Engine.read_folder`."""
        root = self.unpacked(ref, report=report, cancel=cancel)
        top = root / path.lstrip("/")
        if not top.resolve().is_relative_to(root.resolve()):
            return {}
        files = [Path(folder, name) for folder, _, names in os.walk(top) for name in names]
        files = [each for each in files if stat.S_ISREG(each.lstat().st_mode)]
        if sum(each.stat().st_size for each in files) > LARGEST:
            raise EngineError(f"{path} is not read", why=f"it has more than {LARGEST >> 20} MiB")
        return {each.relative_to(top).as_posix(): each.read_bytes() for each in files}

    def unpacked(self, ref: str, *, report: Report = ignore, cancel: Cancel) -> Path:
        """The folder that holds all files of the image, each layer's digest compared, for as long as this
        engine is used. Raises `UsageError` where it is not here, `DamagedError`, `OutputError`."""
        return self._root(self._stored(ref), report, cancel)

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
        cancel = cancel or Cancel()
        user, image = stranger.number(), self._stored(ref)
        program = bwrap.program(self._environ, user=user)
        root = self._root(image, report, cancel)
        return sandbox.execute(program, root, argv, _variables(image), stdin, limits, cancel, user=user)

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
        if gpus is not None:
            raise UsageError("the builtin engine gives no GPUs", fix="leave --gpus out, or use Docker")
        if argv is not None:
            raise UsageError("the builtin engine opens images in JupyterLab only")
        mount = mount.expanduser().resolve() if mount is not None else None
        if mount is not None and not mount.is_dir():
            raise UsageError(f"there is no folder {mount}")
        image, program, cancel = self._stored(ref), bwrap.program(self._environ), cancel or Cancel()
        runs = self._runs
        runs.sweep()
        there = runs.open(image, mount, port)
        if there is not None:
            return there
        with runs.room(ref) as folder:
            (folder / running.ROOT).mkdir()
            self._unpack(image, folder / running.ROOT, self.store.folder, report, cancel)
            return running.begin(
                program, folder, image, ref, port=port, mount=mount, wait=wait, report=report, cancel=cancel
            )

    def containers(self) -> list[Container]:
        """See `Engine.containers`."""
        now = {str(name): i.config.digest for i in self.store.images() for name in i.refs}
        short = {name.removesuffix(":latest"): digest for name, digest in now.items()}
        return self._runs.containers({**now, **short})

    def stop(self, name: str) -> None:
        """See `Engine.stop`."""
        self._runs.stop(name)

    def logs(self, name: str, *, tail: int = 200) -> list[str]:
        """See `Engine.logs`."""
        return self._runs.logs(name, tail)

    def _root(self, image: Stored, report: Report, cancel: Cancel) -> Path:
        """Where the image is unpacked for as long as this engine is used."""
        with self._lock:
            known = self._unpacked.get(image.manifest.digest)
            if known is not None:
                return known
            user = stranger.number()
            if self._scratch is None:
                self._scratch = stranger.room(user)
            folder = Path(tempfile.mkdtemp(dir=self._scratch.name))
            try:
                self._unpack(image, folder, Path(self._scratch.name).parent, report, cancel)
                stranger.hand_over(folder, user)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._unpacked[image.manifest.digest] = folder
            return folder

    def _unpack(self, image: Stored, folder: Path, place: Path, report: Report, cancel: Cancel) -> None:
        read = Counter("unpacked", sum(layer.size for layer in image.layers), report)
        layout = self.store.layout
        with _naming(image):
            unpack(image.layers, layout, folder, place=place, progress=read.add, cancel=cancel)


@contextlib.contextmanager
def _naming(image: Stored) -> Iterator[None]:
    """Says which image it is that a damaged blob belongs to."""
    try:
        yield
    except DamagedError as error:
        name = str(image.refs[0]) if image.refs else image.config.digest[:19]
        raise _damaged(name, error.cause) from error


def _damaged(name: str, why: str) -> DamagedError:
    return DamagedError(
        f"the image {name} is damaged",
        why=why,
        fix=f"build it again; or `jupyter dockerize prune {name}` removes it",
    )


def _stop(run: Run) -> str:
    return f"stop it first: `jupyter dockerize stop {run.name}`"


def _variables(image: Stored) -> dict[str, str]:
    env = (image.plain.get("config") or {}).get("Env") or ()
    return dict(each.split("=", 1) for each in env if "=" in each)


def _image(store: Store, stored: Stored) -> Image:
    inner = stored.plain.get("config") or {}
    return Image(
        id=stored.config.digest,
        refs=tuple(str(ref) for ref in stored.refs),
        digest=stored.manifest.digest,
        size=sum(_unpacked_size(store, layer) for layer in stored.layers),
        created=_written(store, stored),
        platform="/".join(str(stored.plain.get(key)) for key in ("os", "architecture")),
        labels={name: str(value) for name, value in (inner.get("Labels") or {}).items()},
        volumes=tuple(inner.get("Volumes") or ()),
    )


def _written(store: Store, stored: Stored) -> str:
    """When it came into the store: the image itself says the time of its newest input."""
    try:
        time = store.layout.path(stored.manifest.digest).stat().st_mtime
    except OSError:
        return ""
    return rfc3339(int(time))


def _unpacked_size(store: Store, layer: Descriptor) -> int:
    """Bytes of the layer's archive, as engines count; a blob of more than 4 GiB is counted too small."""
    if layer.media_type != LAYER_GZIP:
        return layer.size
    with contextlib.suppress(OSError), store.layout.path(layer.digest).open("rb") as file:
        file.seek(-GZIP_ENDS, os.SEEK_END)
        size = int.from_bytes(file.read(GZIP_ENDS), "little")
        return size + max(0, -((size - layer.size) >> 32)) * (1 << 32)
    return layer.size


__all__ = ["BuiltinEngine"]
