"""One layer more on an image that was copied: it costs what that layer costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ..cancel import Cancel
from ..contents.identity import LABEL_BASE_DIGEST
from ..engines.base import Engine, Image
from ..engines.builtin import BuiltinEngine
from ..environment.comparison import Difference
from ..environment.model import Snapshot
from ..environment.plan.planning import Plan
from ..errors import VerificationError
from ..events import Counter, Report
from ..image import readback
from ..image.continued import listed
from ..image.copy import changed
from ..image.copy.changed import Above, Stamps
from ..image.copy.leading import leading
from ..image.copy.listing import Listings
from ..image.copy.mounts import mount_points
from ..image.copy.python import Taken, taken
from ..image.layer import Compression, write_layer
from ..image.layout import Layout
from ..image.manifest import ImageValue
from ..image.store import BASES
from ..image.tar import Member


def moment(plan: Plan, snapshot: Snapshot) -> tuple[Stamps, Taken]:
    """What a copy of the environment, planned `as_copied`, would take right now; no file is opened for it."""
    found = taken(plan, snapshot, mount_points())
    return changed.stamps(found), found


def above(head: Image, held: Plan, before: Stamps, plan: Plan, snapshot: Snapshot) -> Above:
    """The layer that makes ``head``, which was copied and holds ``held``, the environment as it is now.

    ``before`` is the moment from which on it changed, ``plan`` the environment's own now, `as_copied`. It has
    no members where nothing changed. Raises nothing: what cannot be read is a finding.
    """
    after, found = moment(plan, snapshot)
    difference = changed.difference(before, after)
    return changed.members(difference, before, found, plan, _leading(head, held, snapshot))


def append(
    engine: Engine,
    head: Image,
    members: Collection[Member],
    *,
    labels: Mapping[str, str],
    created_by: str,
    created: str = "",
    ref: str,
    report: Report,
    cancel: Cancel,
) -> Image:
    """The image ``ref``: ``head`` with one layer and these labels more. The layer was read back by then.

    ``created_by`` is what its history says of the layer, ``created`` when (RFC 3339; "" for the head's time).
    The head stays; its layers are neither read nor written nor sent. Raises `ChangedError` for files that are
    written meanwhile, `VerificationError` for those that were, `OutputError`, `EngineError` and
    `CancelledError`: then ``ref`` is what it was.
    """
    value = engine.value(head.id)
    size = sum(member.size for member in members if member.kind == "file")
    copied, read = Counter("copied", size, report), Counter("compared", size, report)

    def into(layout: Layout, compression: Compression) -> ImageValue:
        with layout.writing(hashed=False) as file:
            layer = write_layer(
                members, file.write, created_by, compression=compression, progress=copied.add, cancel=cancel
            )
            layout.keep(file, layer.descriptor.digest)
        _refuse(readback.layer_read_back(layout, layer, members, progress=read.add, cancel=cancel))
        config = replace(value.config, labels={**value.config.labels, **labels})
        made = replace(value, config=replace(config, created=created or config.created))
        return listed(made.append(layer))

    return engine.take(into, ref, size=size, report=report, cancel=cancel)


def _refuse(differences: tuple[Difference, ...]) -> None:
    if differences:
        first = differences[0]
        more = f" and {len(differences) - 1} more" if differences[1:] else ""
        raise VerificationError(
            "the layer is not what it was made of",
            why=f"{first.name} has another {first.field}{more}",
            fix=first.note or "make it again",
        )


def _leading(head: Image, held: Plan, snapshot: Snapshot) -> Callable[[str], Member]:
    left = {c.name for c in held.choices if (c.manager, c.kind) == ("apt", "left-out")}
    packages = {package.name for package in snapshot.packages.apt} - left
    digest = head.labels.get(LABEL_BASE_DIGEST)
    base = Listings(BuiltinEngine().store.folder / BASES).find(digest) if digest else None
    return leading(packages, base)


__all__ = ["above", "append", "moment"]
