"""What SOURCE, A and B of ``verify`` and ``diff`` name.

file:PATH   image:REF (a face may name a layer of it: image:REF#N)   kernel:NAME   python:PATH   live[:ID]
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ..cancel import Cancel
from ..engines.base import Engine
from ..environment.model import Snapshot, parse
from ..environment.observe.running import the_one
from ..environment.observe.ways import Where
from ..errors import UsageError
from ..events import Report
from .prepare import look
from .unrun import holds

KINDS = ("file", "image", "kernel", "python", "live")
FORMS = "file:PATH, image:REF[#LAYER], kernel:NAME, python:PATH or live[:ID]"
LARGEST = 64 << 20  # bytes of a snapshot file: a thousand times a large one


def snapshot_of(
    source: str,
    engine: Callable[[], Engine],
    *,
    here: bool = False,
    hashes: bool = False,
    report: Report,
    cancel: Cancel,
) -> Snapshot:
    """The snapshot that ``source`` names; ``engine`` is asked for only where it names an image.

    ``here``: this process is the kernel that ``live`` means. ``hashes`` also looks for files that were
    edited after install. Raises `UsageError` where it names nothing.
    """
    kind, name = named(source)
    if kind == "image":
        chosen = engine()
        image = chosen.find(name)
        return holds(chosen, image, hashes=hashes, digests=hashes, report=report, cancel=cancel)[0]
    if kind == "file":
        return _read(Path(name))
    if kind == "live":
        where = Where(here=True) if here and not name else Where(live=name or the_one())
    else:
        where = Where(kernel=name) if kind == "kernel" else Where(python=name)
    return look(where, hashes=hashes, report=report, cancel=cancel)


def named(source: str) -> tuple[str, str]:
    """Kind and name of what ``source`` names; the name is "" for ``live`` alone. Raises `UsageError`."""
    kind, _, name = source.partition(":")
    if source == "live" or (kind in KINDS and name):
        return kind, name
    raise UsageError(f"{source!r} names no environment", fix=f"write it as {FORMS}")


def _read(path: Path) -> Snapshot:
    try:
        with path.open("rb") as stream:  # a pipe or a device has no size, and perhaps no end
            data = stream.read(min(os.fstat(stream.fileno()).st_size or LARGEST, LARGEST) + 1)
        if len(data) > LARGEST:
            raise UsageError(f"{path} is too large for a snapshot")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read",
            why=(error.strerror or str(error)).lower(),
            fix=f"on the command line `snapshot --json > {path}` writes what an environment has now",
        ) from error
    try:
        snapshot = parse(data, Snapshot)
    except UsageError as error:
        raise UsageError(f"{path}: {error.what}", why=error.why, fix=error.fix) from error
    assert isinstance(snapshot, Snapshot)
    return snapshot
