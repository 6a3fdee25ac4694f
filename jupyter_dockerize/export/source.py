"""What SOURCE, A and B of ``verify`` and ``diff`` name.

file:PATH   image:REF   kernel:NAME   python:PATH   live[:ID]
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..cancel import Cancel
from ..engines.base import Engine
from ..environment.model import Snapshot, parse
from ..environment.observe.ways import Where
from ..errors import UsageError
from ..events import Report
from .prepare import look
from .verify import find, probe_image

FORMS = "file:PATH, image:REF, kernel:NAME, python:PATH or live[:ID]"
LARGEST = 64 << 20  # bytes of a snapshot file: a thousand times a large one


def snapshot_of(source: str, engine: Callable[[], Engine], *, report: Report, cancel: Cancel) -> Snapshot:
    """The snapshot that ``source`` names; ``engine`` is asked for only where it names an image.

    Raises `UsageError` where it names nothing.
    """
    kind, _, name = source.partition(":")
    if kind == "image" and name:
        chosen = engine()
        return probe_image(chosen, find(chosen, name), cancel=cancel)
    if kind == "file" and name:
        return _read(Path(name))
    if kind in ("kernel", "python", "live"):
        return look(where_of(source), report=report, cancel=cancel)
    raise UsageError(f"{source!r} names no environment", fix=f"write it as {FORMS}")


def where_of(source: str) -> Where:
    """The running environment that ``source`` names."""
    kind, _, name = source.partition(":")
    if kind == "live":
        return Where(live=name or None) if name else Where()
    if kind == "kernel" and name:
        return Where(kernel=name)
    if kind == "python" and name:
        return Where(python=name)
    raise UsageError(f"{source!r} names no running environment", fix=f"write it as {FORMS}")


def _read(path: Path) -> Snapshot:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is too large for a snapshot")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=str(error)) from error
    try:
        snapshot = parse(data, Snapshot)
    except UsageError as error:
        raise UsageError(f"{path}: {error.what}", why=error.why, fix=error.fix) from error
    assert isinstance(snapshot, Snapshot)
    return snapshot
