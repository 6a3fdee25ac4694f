"""An image goes into a registry: what it lacks, several blobs side by side, and the manifest last.

OCI distribution specification 1.1, "Push". The name is the old image's or the new one's: the manifest is
sent when every blob is there.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from ...cancel import Cancel
from ...errors import CancelledError, NamingCancelledError, UsageError
from ...events import Counter, Report, ignore
from ...image.layout import Layout
from ...image.manifest import Descriptor, ImageValue
from ...image.reference import Reference
from ...image.side_by_side import side_by_side
from ..base import Pushed
from . import manifests
from .blobs import Blob, BytesBlob, FileBlob, Origin, Source
from .credentials import Logins, StoredLogins
from .faults import SilentError
from .patience import Patience
from .session import Session
from .upload import Upload, has

WORKERS = 3  # blobs at once
REPORTED = 1 << 20  # bytes between two reports

Item = TypeVar("Item")
T = TypeVar("T")


class Repository:
    """Where one image goes: blobs in any order, several at once, and then the name. From `repository`, of a
    name that `check_pushable` gave.

    All of it raises `RegistryError` where the registry does not answer, refuses or lies, and
    `CancelledError`.
    """

    def __init__(self, session: Session, ref: Reference) -> None:
        self._session, self._ref = session, ref

    def holds(self, blob: Descriptor) -> bool:
        """Whether the blob is there."""
        return self._patiently(lambda: has(self._session, self._ref.path, blob))

    def send(
        self,
        source: Source,
        moved: Callable[[int], None] = lambda done: None,
        heard: Callable[[bytes], object] = lambda new: None,
    ) -> bool:
        """Brings it there; see `Upload`. Whether it was mounted, so that nothing was sent."""
        return Upload(self._session, self._ref.path, source, moved, heard).run()

    def name(self, body: bytes, media_type: str, digest: str) -> None:
        """The name is that of the manifest ``body`` now.

        Raises `NamingCancelledError` where the registry was asked, and nobody waited for its answer.
        """
        self._session.cancel.check()
        try:
            self._patiently(lambda: self._name(body, media_type, digest))
        except CancelledError as error:
            said = f"cancelled while {self._ref} was named: it is the image of before, or the new one"
            raise NamingCancelledError(said) from error

    def each(
        self, work: Callable[[Item, Cancel], T], items: Sequence[Item], *, size: Callable[[Item], int]
    ) -> list[T]:
        """`side_by_side`; the first failure ends what the others send or wait for."""

        def one(item: Item, cancel: Cancel) -> T:
            forget = cancel.on_cancel(self._session.cancel.cancel)
            try:
                return work(item, cancel)
            finally:
                forget()

        return side_by_side(one, items, size=size, cancel=self._session.cancel, workers=WORKERS)

    def _patiently(self, work: Callable[[], T]) -> T:
        patience = Patience(self._session)
        while True:
            try:
                return work()
            except SilentError as error:  # noqa: PERF203 - once per attempt
                patience.after(error)

    def _name(self, body: bytes, media_type: str, digest: str) -> None:
        """> PUT /v2/<name>/manifests/<reference>: 201, and what is meant by the name is the new image."""
        session, ref = self._session, self._ref
        url = f"/v2/{ref.path}/manifests/{ref.tag}"
        answer = session.ask("PUT", url, headers={"Content-Type": media_type}, body=body)
        if answer.status not in (201, 200):
            raise session.faults.refused(answer.status, answer.body, pushing=ref.path)
        said = answer.headers.get("Docker-Content-Digest", digest)
        if said != digest:
            raise session.faults.broken(
                f"it took the manifest {digest[:19]}… and says that it is {said[:80]!r}"
            )


@contextlib.contextmanager
def repository(
    ref: Reference,
    *,
    origins: Iterable[Origin | None] = (),
    logins: Logins | None = None,
    ca: str | None = None,
    cancel: Cancel | None = None,
) -> Iterator[Repository]:
    """The repository that ``ref`` names; blobs may be mounted from ``origins``."""
    stop = Cancel()
    forget = cancel.on_cancel(stop.cancel) if cancel else lambda: None
    try:
        with Session(
            ref.domain,
            logins=logins or StoredLogins(cancel=stop),
            repository=ref.path,
            scopes=_scopes(ref, origins),
            ca=ca,
            cancel=stop,
            connections=WORKERS,
        ) as session:
            yield Repository(session, ref)
    finally:
        forget()


def push_image(
    layout: Layout,
    image: ImageValue | Descriptor,
    ref: Reference,
    *,
    elsewhere: Mapping[str, Blob] | None = None,
    logins: Logins | None = None,
    ca: str | None = None,
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Pushed:
    """Pushes ``image`` (or that of the layout, by its manifest's descriptor) as ``ref``.

    Blobs come from ``elsewhere``, by digest, or from the layout; one that another repository of the registry
    has is mounted from there. Raises `UsageError` where the layout does not hold the image, `DamagedError`
    where a blob of it is not whole, `RegistryError` where the registry does not answer, refuses or lies, and
    `CancelledError`: then ``ref`` is what it was.
    """
    body, media_type, config, layers = _documents(layout, image)
    digest = image.descriptor.digest if isinstance(image, ImageValue) else image.digest
    known = elsewhere or {}
    blobs = {
        each.digest: known.get(each.digest) or FileBlob(each, layout.path(each.digest)) for each in layers
    }
    wanted = list({**blobs, config.descriptor.digest: config}.values())
    origins = [each.origin for each in wanted]
    with repository(ref, origins=origins, logins=logins, ca=ca, cancel=cancel) as to:
        found = to.each(lambda each, cancel: to.holds(each.descriptor), wanted, size=_size)
        missing = [each for each, there in zip(wanted, found, strict=True) if not there]
        sent = Counter(f"push {ref}", sum(map(_size, missing)), report, every=REPORTED)
        came = to.each(lambda each, cancel: to.send(each, _into(sent)), missing, size=_size)
        to.name(body, media_type, digest)
    mounted = {each.descriptor.digest: how for each, how in zip(missing, came, strict=True)}
    return Pushed(
        ref=str(ref),
        digest=digest,
        size=manifests.size_of(body),
        uploaded=sum(not how for key, how in mounted.items() if key in blobs),
        mounted=sum(how for key, how in mounted.items() if key in blobs),
        skipped=len(blobs.keys() - mounted.keys()),
    )


def _documents(layout: Layout, image: ImageValue | Descriptor) -> tuple[bytes, str, Blob, list[Descriptor]]:
    """Manifest, its media type, configuration and layers."""
    if isinstance(image, ImageValue):
        config: Blob = BytesBlob(image.config_descriptor.media_type, image.config_json)
        layers = [layer.descriptor for layer in image.layers]
        return image.manifest_json, image.descriptor.media_type, config, layers
    body = layout.read(image.digest)
    try:
        plain = json.loads(body)
        found = [manifests.parsed(each) for each in (plain["config"], *plain["layers"])]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UsageError(f"{layout.folder} holds no image {image.digest[:19]}…", why=str(error)) from error
    return body, image.media_type, FileBlob(found[0], layout.path(found[0].digest)), found[1:]


def _size(blob: Blob) -> int:
    return blob.descriptor.size


def _scopes(ref: Reference, origins: Iterable[Origin | None]) -> list[str]:
    """What a token is to allow: writing here, and reading where blobs are mounted from."""
    others = {origin[1] for origin in origins if origin and origin[0] == ref.domain} - {ref.path}
    return [
        f"repository:{ref.path}:pull,push",
        *(f"repository:{path}:pull" for path in sorted(others)),
    ]


def _into(sent: Counter) -> Callable[[int], None]:
    """What hears how much of one blob is there, and adds to ``sent`` what is new; it may be less again."""
    before = 0

    def moved(done: int) -> None:
        nonlocal before
        sent.add(done - before)
        before = done

    return moved


__all__ = ["Repository", "push_image", "repository"]
