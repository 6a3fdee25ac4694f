"""An image goes into a registry: what it lacks, several blobs side by side, and the manifest last.

OCI distribution specification 1.1, "Push". The name is the old image's or the new one's: the manifest is
sent when every blob is there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ...cancel import Cancel
from ...errors import CancelledError, UsageError
from ...events import Progress, Report, ignore
from ...image.layout import Layout
from ...image.manifest import Descriptor, ImageValue
from ...image.reference import Reference
from ..base import Pushed
from . import manifests
from .blobs import Blob, BytesBlob, FileBlob
from .credentials import Logins, StoredLogins
from .faults import SilentError
from .patience import Patience
from .session import Session
from .upload import Upload, has

WORKERS = 3  # blobs at once
REPORTED = 1 << 20  # bytes between two reports

T = TypeVar("T")


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
    has is mounted from there. Raises `UsageError` where the layout does not hold the image, `OutputError`
    where a blob of it is not whole, `RegistryError` where the registry does not answer, refuses or lies, and
    `CancelledError`: then ``ref`` is what it was.
    """
    body, media_type, config, layers = _documents(layout, image)
    digest = image.descriptor.digest if isinstance(image, ImageValue) else image.digest
    if ref.digest not in (None, digest):
        raise UsageError(f"{ref} names another image", why=f"this one is {digest}", fix="name a tag instead")
    known = elsewhere or {}
    blobs = {
        each.digest: known.get(each.digest) or FileBlob(each, layout.path(each.digest)) for each in layers
    }
    wanted = {**blobs, config.descriptor.digest: config}
    stop = Cancel()
    forget = cancel.on_cancel(stop.cancel) if cancel else lambda: None
    try:
        with Session(
            ref.domain,
            logins=logins or StoredLogins(cancel=stop),
            repository=ref.path,
            scopes=_scopes(ref, wanted),
            ca=ca,
            cancel=stop,
            connections=WORKERS,
        ) as session:
            there = _side_by_side(
                wanted, lambda each: _patiently(session, lambda: has(session, ref.path, each)), stop
            )
            missing = {key: each for key, each in wanted.items() if not there[key]}
            sent = _Sent(f"push {ref}", sum(each.descriptor.size for each in missing.values()), report)
            mounted = _side_by_side(
                missing, lambda each: Upload(session, ref.path, each, sent.of(each)).run(), stop
            )
            _patiently(session, lambda: _name(session, ref, body, media_type, digest))
    finally:
        forget()
    return Pushed(
        ref=str(ref),
        digest=digest,
        size=len(body) + sum(each.descriptor.size for each in wanted.values()),
        uploaded=sum(not mounted[key] for key in missing if key in blobs),
        mounted=sum(mounted[key] for key in missing if key in blobs),
        skipped=sum(there[key] for key in blobs),
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


def _scopes(ref: Reference, wanted: Mapping[str, Blob]) -> list[str]:
    """What a token is to allow: writing here, and reading where blobs are mounted from."""
    origins = {each.origin for each in wanted.values()}
    others = sorted(origin[1] for origin in origins if origin and origin[0] == ref.domain)
    return [
        f"repository:{ref.path}:pull,push",
        *(f"repository:{path}:pull" for path in others if path != ref.path),
    ]


def _side_by_side(blobs: Mapping[str, Blob], work: Callable[[Blob], bool], stop: Cancel) -> dict[str, bool]:
    """What ``work`` gives for each, the largest first. The first failure ends the others."""

    def one(blob: Blob) -> bool:
        try:
            return work(blob)
        except BaseException:
            stop.cancel()  # what the others do is of no use any more
            raise

    order = sorted(blobs, key=lambda key: -blobs[key].descriptor.size)
    with ThreadPoolExecutor(WORKERS) as pool:
        running = {key: pool.submit(one, blobs[key]) for key in order}
    failed = [error for each in running.values() if (error := each.exception())]
    if failed:
        raise next((each for each in failed if not isinstance(each, CancelledError)), failed[0])
    return {key: each.result() for key, each in running.items()}


def _patiently(session: Session, work: Callable[[], T]) -> T:
    patience = Patience(session)
    while True:
        try:
            return work()
        except SilentError as error:  # noqa: PERF203 - once per attempt
            patience.after(error)


def _name(session: Session, ref: Reference, body: bytes, media_type: str, digest: str) -> None:
    """> PUT /v2/<name>/manifests/<reference>: 201, and what is meant by the name is the new image."""
    url = f"/v2/{ref.path}/manifests/{ref.tag or digest}"
    answer = session.ask("PUT", url, headers={"Content-Type": media_type}, body=body)
    if answer.status not in (201, 200):
        raise session.faults.refused(answer.status, answer.body, pushing=ref.path)
    said = answer.headers.get("Docker-Content-Digest", digest)
    if said != digest:
        raise session.faults.broken(f"it took the manifest {digest[:19]}… and says that it is {said[:80]!r}")


class _Sent:
    """Adds up what several threads send, and tells of it now and then; never less than before."""

    def __init__(self, what: str, total: int, report: Report) -> None:
        self._what, self._total, self._report = what, total, report
        self._done: dict[str, int] = {}
        self._told = 0
        self._lock = threading.Lock()

    def of(self, blob: Blob) -> Callable[[int], None]:
        digest = blob.descriptor.digest

        def moved(done: int) -> None:
            with self._lock:
                self._done[digest] = done
                sum_ = sum(self._done.values())
                if sum_ - self._told < REPORTED and sum_ < self._total:
                    return
                self._told = sum_
            self._report(Progress(self._what, sum_, self._total))

        return moved


__all__ = ["push_image"]
