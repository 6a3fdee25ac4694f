"""An image as a container that is never started: its files can be read, and no program of it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from . import ownership
from .base import Image
from .connection import Connection
from .faults import mapped
from .inhabited import Inhabited
from .sandbox import removed, sweep

_SECONDS = 3600.0  # after which nobody waits for it


@contextlib.contextmanager
def unstarted(connection: Connection, image: Image, name: str) -> Iterator[Inhabited]:
    """The container, spoken of as ``name``; it is removed at the end. Raises `EngineError`."""
    client = connection.client()
    configuration = {
        "Image": image.id,
        "Entrypoint": ["true"],
        "NetworkDisabled": True,
        "Labels": ownership.labels("sandbox", seconds=_SECONDS),
    }
    with mapped(f"look into {name}"):
        sweep(client)
        made: str = client.create_container_from_config(configuration)["Id"]
    try:
        yield Inhabited(id=made, name=name, image=image.id, ref=name, own=(), mounts=())
    finally:
        removed(client, made)


__all__ = ["unstarted"]
