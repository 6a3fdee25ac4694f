"""Layers of copied images: the files that a command changed, and no recipe.

What was there before is remembered by stamps of all files, for the command that runs now and, beside the
state, for installs that go past us until the next one.
"""

from __future__ import annotations

from pathlib import Path

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
from ..image.copy.changed import Above, Stamps
from . import state
from .layered import Layered

MOMENT = "moment"  # in the state's folder, and in what is pending


def now(plan: Plan, snapshot: Snapshot) -> Stamps:
    """The files of the environment that ``plan`` is of, as they are."""
    stamps, _ = moment(as_copied(plan, snapshot), snapshot)
    return stamps


def save(folder: Path, stamps: Stamps) -> None:
    """All or nothing. Raises `OutputError`."""
    disk.make_folder(folder)
    disk.put(folder / MOMENT, msgspec.msgpack.encode(stamps))


def load(folder: Path) -> Stamps:
    """Raises `UsageError` where none was remembered."""
    try:
        return msgspec.msgpack.decode((folder / MOMENT).read_bytes(), type=Stamps)
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(
            "nobody knows which files the image has otherwise",
            why="it was copied, and what the environment was like then is remembered on the machine that did",
            fix="build it again: `jupyter dockerize build`",
        ) from error


def members(layered: Layered, before: Stamps, plan: Plan, snapshot: Snapshot) -> Above:
    """The files of a layer that makes an image of ``before`` one of the environment as it is."""
    head = layered.engine.find(layered.state.head.image)
    return above(head, layered.plan(), before, as_copied(plan, snapshot), snapshot)


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


def remember(ref: str, stamps: Stamps) -> None:
    """What the environment is like at the head."""
    save(state.folder_for(ref), stamps)


def remembered(ref: str) -> Stamps:
    """What it was like. Raises `UsageError` where nobody remembers."""
    return load(state.folder_for(ref))


__all__ = ["load", "members", "now", "put", "remember", "remembered", "save"]
