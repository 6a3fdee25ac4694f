"""A running container becomes an image that starts as the image did which the container was started from.

The engine's own commit writes the container's variables into the image, secrets among them, and its command:
what it makes is there for moments, and only its layers stay. The image on them gets a configuration of its
own, which is sent as an archive without layers.
"""

from __future__ import annotations

import contextlib
import json
import queue
import re
import tarfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from ..cancel import Cancel
from ..errors import EngineError
from ..image.layer import write_layer
from ..image.layout import Layout
from ..image.manifest import LAYER, Config, Descriptor, ImageValue, Layer, canonical
from ..image.reference import Reference
from ..image.tar import Member
from .connection import Connection
from .faults import mapped
from .inhabited import Inhabited

if TYPE_CHECKING:
    from docker import APIClient

# What an image says of its containers (Docker Engine API v1.41, ``ContainerConfig``); the rest is a container's.
_KEPT = (
    "User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels",
    "StopSignal", "StopTimeout", "Healthcheck", "Shell", "OnBuild", "ArgsEscaped",
)  # fmt: skip
_NO_LAYER = re.compile(
    r"(?:/bin/sh -c #\(nop\)\s+)?"
    r"(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME)\b"
)
_DOCUMENT = 4 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an image that was committed says of itself: ``labels`` beside those of the image below,
    ``files`` by path, ``command`` in its history."""

    labels: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    command: str = "commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(ImageValue):
    """An image whose configuration is another's to the letter, save for labels and layers."""

    document: bytes

    @property
    def config_json(self) -> bytes:
        return self.document


def commit(connection: Connection, container: Inhabited, ref: str, forget: Callable[[], None], cancel: Cancel) -> None:
    """The engine's own commit, named ``ref``: the container is paused for it.

    Cancelled, ``forget`` is called once it is there after all. Raises `EngineError` and `CancelledError`.
    """
    base = connection.client().inspect_image(container.image)["Config"].get("Env") or ()
    # A variable that is named here is not taken from the container, so that this image has no secret either:
    # Docker reads it in the body, Podman as an instruction.
    known = {each.partition("=")[0] for each in base}
    emptied = [name for each in container.own if (name := each.partition("=")[0]) not in known]
    body = {"Env": [*base, *(f"{name}=" for name in emptied)]}
    name = Reference.parse(ref)
    parameters = {
        "container": container.id, "repo": name.repository, "tag": name.tag, "pause": "1",
        "changes": [f"ENV {name}=" for name in emptied if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII)],
    }  # fmt: skip
    done: queue.Queue[Exception | None] = queue.Queue()
    over = threading.Event()

    def work() -> None:
        try:
            with mapped(f"commit {container.name}"), contextlib.closing(connection.private()) as client:
                answer = client._post_json(client._url("/commit"), data=body, params=parameters)
                client._raise_for_status(answer)
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
) -> Committed:
    """The image on the layers of ``ref``, which `commit` made; what it has more is in ``layout``."""
    with mapped(f"look at what was committed of {container.name}"):
        client = connection.client()
        found, base = client.inspect_image(ref), client.inspect_image(container.image)
        told = list(reversed(client.history(container.image)))
        stored = _stored(connection, found, ref, cancel)
    diff_ids = [str(each) for each in found["RootFS"]["Layers"]]
    below = len(base["RootFS"]["Layers"])
    if diff_ids[:below] != list(base["RootFS"]["Layers"]):
        raise EngineError(f"what the engine committed of {container.name} is not on its image")
    layers = [
        Layer(descriptor=stored[number] if stored else _unknown(each), diff_id=each, created_by=about.command)
        for number, each in enumerate(diff_ids)
    ]
    if about.files:
        layers.append(_own(about.files, layout, cancel))
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    own = [{"created": now, "created_by": each.created_by} for each in layers[below:]]
    inner = {key: base["Config"].get(key) for key in _KEPT}
    inner["Labels"] = {**(inner["Labels"] or {}), **about.labels}
    system, machine = str(base["Os"]), str(base["Architecture"])
    document = {
        "created": now,
        "os": system,
        "architecture": machine,
        **({"variant": base["Variant"]} if base.get("Variant") else {}),
        "config": {key: value for key, value in inner.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        "history": [*_history(told, below), *own],
    }
    return Committed(
        config=Config(platform=f"{system}/{machine}", created=now),
        layers=tuple(layers),
        document=canonical(document),
    )


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
        layer = write_layer(members, file.write, "what the image is meant to hold", compression="none", cancel=cancel)
        layout.keep(file, layer.descriptor.digest)
    return layer


def _unknown(diff_id: str) -> Descriptor:
    """Of a layer that is known by what it unpacks to: most stores know no other name."""
    return Descriptor(media_type=LAYER, digest=diff_id, size=0)


def _history(told: Sequence[Mapping[str, Any]], layers: int) -> list[dict[str, Any]]:
    """The history of an image with so many layers, the oldest first, out of what ``docker history`` shows.

    Which entries have a layer is not said: those with a size have, and of the others those whose instruction
    writes files.
    """
    has = [bool(one.get("Size")) for one in told]
    for number, one in enumerate(told):
        if sum(has) < layers and not has[number] and not _NO_LAYER.match(str(one.get("CreatedBy") or "")):
            has[number] = True
    if sum(has) != layers:
        return [{"created_by": ""} for _ in range(layers)]
    return [
        {
            "created": datetime.fromtimestamp(max(0, int(one.get("Created") or 0)), timezone.utc).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
            "created_by": str(one.get("CreatedBy") or ""),
            **({"comment": str(one["Comment"])} if one.get("Comment") else {}),
            **({} if layer else {"empty_layer": True}),
        }
        for one, layer in zip(told, has, strict=True)
    ]


def _stored(
    connection: Connection, found: Mapping[str, Any], ref: str, cancel: Cancel
) -> list[Descriptor] | None:
    """The layers as blobs, where the store knows them by their blobs (containerd's); None elsewhere.

    Only the image's manifest says it, and only an export gives that: it is read as far as the manifest.
    """
    if not _by_blobs(connection.client()):
        return None
    with contextlib.closing(connection.private()) as client:
        pieces = client.get_image(ref, chunk_size=1 << 20)
        with tarfile.open(fileobj=_Stream(pieces, cancel), mode="r|") as archive:
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


class _Stream:
    """Pieces as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes], cancel: Cancel) -> None:
        self._pieces, self._cancel, self._rest = iter(pieces), cancel, b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            self._cancel.check()
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


__all__ = ["About", "Committed", "commit", "rewritten"]
