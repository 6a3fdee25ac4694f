"""Layers of copied images: the files that a command changed, and no recipe.

What was there before is remembered by stamps of all files, for the command that runs now and, beside the
state, for installs that go past us until the next one.
"""

from __future__ import annotations

import msgspec

from ..cancel import Cancel
from ..engines.base import Image
from ..environment.model import Snapshot
from ..environment.plan.copied import as_copied
from ..environment.plan.planning import Plan
from ..errors import UsageError
from ..events import Report
from ..export.layered import above, append, moment
from ..image import disk
from ..image.copy.changed import Above, Stamps, difference, held, is_bytecode
from ..image.copy.dpkg import STATUS
from . import state
from .layered import Layered

MOMENTS = "moments"  # in the state's folder: a file for each layer


def now(plan: Plan, snapshot: Snapshot) -> Stamps:
    """The files of the environment that ``plan`` is of, as they are."""
    stamps, _ = moment(as_copied(plan, snapshot), snapshot)
    return stamps


def members(
    layered: Layered, before: Stamps, plan: Plan, snapshot: Snapshot, cancel: Cancel
) -> tuple[Above, Stamps]:
    """The files of a layer that makes an image of ``before`` one of the environment as it is; how it is."""
    engine = layered.engine
    head = engine.find(layered.state.head.image)

    def status() -> str:
        return engine.read(head.id, f"/{STATUS}", cancel=cancel).decode("utf-8", "surrogateescape")

    return above(head, layered.plan(), before, as_copied(plan, snapshot), snapshot, status)


def put(
    layered: Layered,
    files: Above,
    *,
    labels: dict[str, str],
    command: str,
    created: str,
    tag: str,
    report: Report,
    cancel: Cancel,
) -> Image:
    """The image of the head with these files on it; they were read back by then."""
    engine = layered.engine
    return append(
        engine,
        engine.find(layered.state.head.image),
        files,
        labels=labels,
        created_by=command,
        created=created,
        ref=tag,
        report=report,
        cancel=cancel,
    )


def remember(ref: str, chain: str, stamps: Stamps) -> None:
    """What the environment is like at the layer that is known by ``chain``. Raises `OutputError`."""
    folder = state.folder_for(ref) / MOMENTS
    disk.make_folder(folder)
    disk.put(folder / chain, msgspec.msgpack.encode(stamps))


def with_layer(ref: str, chain: str, before: Stamps, after: Stamps) -> Stamps:
    """What the image known by ``chain`` holds with a layer of what led from ``before`` to ``after``."""
    return held(remembered(ref, chain), before, after) if knows(ref, chain) else after


def changed_files(before: Stamps, after: Stamps) -> int:
    """How many files are new, otherwise or gone; bytecode comes and goes, and is not counted."""
    found = difference(before, after)
    return sum(not is_bytecode(place) for place in (*found.written, *found.gone))


def knows(ref: str, chain: str) -> bool:
    """Whether it is remembered what the environment was like at this layer."""
    return (state.folder_for(ref) / MOMENTS / chain).is_file()


def remembered(ref: str, chain: str) -> Stamps:
    """What it was like. Raises `UsageError` where nobody remembers."""
    try:
        data = (state.folder_for(ref) / MOMENTS / chain).read_bytes()
        return msgspec.msgpack.decode(data, type=Stamps)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            "nobody knows which files the image has otherwise",
            why="it was copied, and what the environment was like is remembered from its first `exec` on",
            fix="install it by `jupyter dockerize exec`; or build the image again, which takes it along",
        ) from error


__all__ = [
    "changed_files", "knows", "members", "now", "put", "remember", "remembered", "with_layer",
]  # fmt: skip
