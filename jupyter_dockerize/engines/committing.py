"""A running container becomes an image that starts as the image did which the container was started from.

The engine's own commit writes the container's variables into the image, secrets among them, and its command:
what it makes is there for moments, and only its layers stay. The image on them gets a configuration of its
own, which is sent as an archive without layers.
"""

from __future__ import annotations

import contextlib
import io
import json
import queue
import re
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..cancel import Cancel
from ..contents.identity import LABEL_LAYERS
from ..contents.times import rfc3339
from ..errors import EngineError
from ..image.continued import listed, of_inspected
from ..image.layer import write_layer
from ..image.layout import Layout
from ..image.manifest import LAYER, Descriptor, ImageValue, Layer
from ..image.reference import Reference
from ..image.tar import Member
from .connection import Connection
from .faults import mapped
from .inhabited import Inhabited

if TYPE_CHECKING:
    from docker import APIClient

_PLAIN = re.compile(r"[A-Za-z_]\w*=[\w./:@%+,-]*", re.ASCII)  # as an instruction, without quotes
_DOCUMENT = 4 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an image that was committed says of itself: ``labels`` beside those of the image below,
    ``files`` by path, ``command`` in its history."""

    labels: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    command: str = "commit"


def commit(
    connection: Connection, container: Inhabited, ref: str, forget: Callable[[], None], cancel: Cancel
) -> None:
    """The engine's own commit, named ``ref``: the container is paused for it.

    Cancelled, ``forget`` is called once it is there after all. Raises `EngineError` and `CancelledError`.
    """
    base = connection.client().inspect_image(container.image)["Config"].get("Env") or ()
    # A variable that is named here is not taken from the container, so that this image has no secret either:
    # Docker reads it in the body, Podman as an instruction.
    known = {each.partition("=")[0] for each in base}
    own = [each.partition("=")[0] for each in container.own]
    variables = [*base, *(f"{each}=" for each in own if each not in known)]
    body = {"Env": variables}
    name = Reference.parse(ref)
    parameters = {
        "container": container.id, "repo": name.repository, "tag": name.tag, "pause": "1",
        "changes": [f"ENV {each}" for each in variables if _PLAIN.fullmatch(each)],
    }  # fmt: skip
    done: queue.Queue[Exception | None] = queue.Queue()
    over = threading.Event()

    def work() -> None:
        try:
            with mapped(f"commit {container.name}"), contextlib.closing(connection.private()) as client:
                url = f"{client.base_url}/v{client.api_version}/commit"
                answer = client.post(url, params=parameters, json=body)
                if answer.status_code >= 400:
                    said = (
                        answer.json().get("message")
                        if "json" in answer.headers.get("Content-Type", "")
                        else ""
                    )
                    raise EngineError(
                        f"the engine could not commit {container.name}", why=said or answer.text[:500]
                    )
            done.put(None)
        except Exception as error:
            done.put(error)
        if over.is_set():
            forget()

    threading.Thread(target=work, name="commit", daemon=True).start()
    try:
        while True:
            cancel.check()
            with contextlib.suppress(queue.Empty):
                if error := done.get(timeout=0.1):
                    raise error
                return
    except BaseException:
        over.set()
        raise


def rewritten(
    connection: Connection, container: Inhabited, ref: str, about: About, layout: Layout, cancel: Cancel
) -> ImageValue:
    """The image on the layers of ``ref``, which `commit` made; what it has more is in ``layout``."""
    with mapped(f"look at what was committed of {container.name}"):
        client = connection.client()
        found, base = client.inspect_image(ref), client.inspect_image(container.image)
        history = client.history(container.image)
        blobs = _blobs(connection, found, ref, cancel)
    diff_ids, below = [str(each) for each in found["RootFS"]["Layers"]], len(base["RootFS"]["Layers"])
    if diff_ids[:below] != list(base["RootFS"]["Layers"]):
        raise EngineError(f"what the engine committed of {container.name} is not on its image")
    value = of_inspected(base, history, blobs[:below])
    own = [
        Layer(descriptor=blob, diff_id=diff_id, created_by=about.command)
        for blob, diff_id in zip(blobs[below:], diff_ids[below:], strict=True)
    ]
    if about.files:
        own.append(_own(about.files, layout, cancel))
    config = replace(
        value.config,
        created=rfc3339(int(time.time())),
        labels={**value.config.labels, **about.labels},
    )
    value = replace(value, config=config).append(*own)
    return listed(value) if LABEL_LAYERS in config.labels else value


def _own(files: Mapping[str, bytes], layout: Layout, cancel: Cancel) -> Layer:
    folders = sorted({
        "/".join(parts[:end])
        for path in files
        for parts in (path.strip("/").split("/"),)
        for end in range(1, len(parts))
    })  # fmt: skip
    members = [Member(path=path, kind="folder", mode=0o755) for path in folders]
    members += [
        Member(path=path.strip("/"), data=data, size=len(data)) for path, data in sorted(files.items())
    ]
    with layout.writing(hashed=False) as file:
        layer = write_layer(
            members, file.write, "what the image is meant to hold", compression="none", cancel=cancel
        )
        layout.keep(file, layer.descriptor.digest)
    return layer


def _blobs(connection: Connection, found: Mapping[str, Any], ref: str, cancel: Cancel) -> list[Descriptor]:
    """The layers of an image as the blobs by which its store knows them.

    Most know what a layer unpacks to. For containerd's it is what the manifest says, which only an export
    gives: that is read as far as the manifest.
    """
    if not _by_blobs(connection.client()):
        return [Descriptor(media_type=LAYER, digest=str(each), size=0) for each in found["RootFS"]["Layers"]]
    with contextlib.closing(connection.private()) as client:
        pieces = client.get_image(ref, chunk_size=1 << 20)
        with tarfile.open(fileobj=io.BufferedReader(_Stream(pieces, cancel), 1 << 20), mode="r|") as archive:
            for member in archive:
                if member.name != f"blobs/{str(found['Id']).replace(':', '/')}" or member.size > _DOCUMENT:
                    continue
                file = archive.extractfile(member)
                plain = json.loads(file.read()) if file is not None else {}
                return [
                    Descriptor(
                        media_type=str(one["mediaType"]), digest=str(one["digest"]), size=int(one["size"])
                    )
                    for one in plain["layers"]
                ]
    raise EngineError(f"the engine does not give the manifest of {ref}")


def _by_blobs(client: APIClient) -> bool:
    pairs: Iterable[Sequence[str]] = client.info().get("DriverStatus") or ()
    return any(pair[1].startswith("io.containerd.snapshotter") for pair in pairs if len(pair) > 1)


class _Stream(io.RawIOBase):
    """Pieces as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes], cancel: Cancel) -> None:
        self._pieces, self._cancel, self._rest = iter(pieces), cancel, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._cancel.check()
        self._rest = self._rest or next(self._pieces, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


__all__ = ["About", "commit", "rewritten"]
