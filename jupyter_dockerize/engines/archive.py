"""Files of a container or an image as the engine packs them, whole or not at all: no program runs for them.

What a program prints is no way to have them: see `sandbox.execute`.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote_from_bytes

from ..errors import EngineError
from . import sandbox
from .base import LARGEST, Image, Limits
from .connection import Connection
from .faults import mapped
from .inhabited import Inhabited

_SECONDS = 3600.0  # after which nobody waits for a container
_NO_FILE = 0x8F28_0000  # bits of a mode (ModeType of Go's package io/fs), of which a regular file has none


class LargeError(EngineError):
    """It has more bytes than were to be read."""


def file(connection: Connection, container: str, path: str, most: int = LARGEST) -> bytes | None:
    """The file at ``path``, None where none is there: folders, links, pipes and devices are no files.

    Raises `LargeError` where it has more than ``most`` bytes, and `EngineError`.
    """
    with _packed(connection, container, path) as (about, blocks):
        if about is None or int(about.get("mode", 0)) & _NO_FILE:  # a folder's archive is all that is in it
            return None
        if not 0 <= int(about.get("size", 0)) <= min(most, LARGEST):
            raise _large(path, min(most, LARGEST))
        return next(iter(_unpacked(blocks, path).values()), None)


def folder(connection: Connection, container: str, path: str) -> dict[str, bytes]:
    """The files below ``path``, by their paths from there; none where there is no such folder.

    Links, pipes and devices are left out. Raises `LargeError` where they have more than `LARGEST` bytes, and
    `EngineError`.
    """
    with _packed(connection, container, path) as (_, blocks):
        # The archive's names begin with that of the folder.
        found = ((name.partition("/")[2], data) for name, data in _unpacked(blocks, path).items())
        return {name: data for name, data in found if name}


@contextlib.contextmanager
def unstarted(connection: Connection, image: Image, name: str) -> Iterator[Inhabited]:
    """A container of the image, spoken of as ``name``, in which nothing runs; it is removed at the end.

    Raises `EngineError`.
    """
    client = connection.client()
    with mapped(f"look into {name}"):
        sandbox.sweep(client)
        configuration = sandbox.configuration(image, ["true"], Limits(seconds=_SECONDS))
        made: str = client.create_container_from_config(configuration)["Id"]
    try:
        yield Inhabited(id=made, name=name, image=image.id, ref=name, own=(), mounts=())
    finally:
        sandbox.removed(client, made)


@contextlib.contextmanager
def _packed(
    connection: Connection, container: str, path: str
) -> Iterator[tuple[dict[str, Any] | None, Iterator[bytes]]]:
    """What is at ``path`` and its archive (Docker Engine API v1.41, ``ContainerArchive``); None and nothing.

    Not by the SDK, which keeps the connection of an archive that nobody reads to its end: the engine would
    wait for that, and not let go of the container.
    """
    with mapped(f"read {path}"), contextlib.closing(connection.private()) as client:
        url = f"{client.base_url}/v{client.api_version}/containers/{container}/archive"
        named = quote_from_bytes(os.fsencode(path))  # which need not be UTF-8
        with contextlib.closing(client.get(f"{url}?path={named}", stream=True)) as answer:
            if answer.status_code == 404:
                yield None, iter(())
                return
            if answer.status_code >= 400:
                raise EngineError(f"the engine does not hand over {path}", why=answer.text[:500])
            about = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
            yield about, answer.iter_content(1 << 20)


def _unpacked(blocks: Iterable[bytes], path: str) -> dict[str, bytes]:
    whole = io.BytesIO()
    for block in blocks:
        if whole.tell() + len(block) > LARGEST + (1 << 20):
            raise _large(path, LARGEST)
        whole.write(block)
    if not whole.tell():
        return {}
    whole.seek(0)
    try:
        with tarfile.open(fileobj=whole, mode="r:") as packed:
            return {
                member.name: data.read()
                for member in packed
                if member.isfile() and (data := packed.extractfile(member)) is not None
            }
    except tarfile.TarError as error:
        raise EngineError(f"the engine did not hand over all of {path}", why=str(error)) from None


def _large(path: str, most: int) -> LargeError:
    return LargeError(f"{path} is not read", why=f"it has more than {most >> 20} MiB")
