"""One layer more on an image that was copied: it costs what that layer costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ..cancel import Cancel
from ..contents.identity import LABEL_BASE_DIGEST, LABEL_DEBIAN
from ..engines.base import Engine, Image
from ..engines.builtin import BuiltinEngine
from ..environment.choices import SCRATCH
from ..environment.comparison import Difference
from ..environment.model import Snapshot
from ..environment.plan.planning import Plan
from ..errors import VerificationError
from ..events import Counter, Report
from ..image import readback
from ..image.continued import listed
from ..image.copy import changed
from ..image.copy.brought import Brought, brought, debian
from ..image.copy.changed import Above, Stamps
from ..image.copy.contents import STATUS, Contents
from ..image.copy.dpkg import Package, parse, versions
from ..image.copy.leading import leading
from ..image.copy.listing import Listings
from ..image.copy.mounts import mount_points
from ..image.copy.python import Taken, taken
from ..image.copy.trees import with_folders
from ..image.layer import Compression, write_layer
from ..image.layout import Layout
from ..image.manifest import ImageValue
from ..image.store import BASES
from ..image.tar import Member


def moment(plan: Plan, snapshot: Snapshot) -> tuple[Stamps, Taken]:
    """What a copy of the environment, planned `as_copied`, would take right now; no file is opened for it."""
    found = taken(plan, snapshot, mount_points())
    return changed.stamps(found, debian()), found


def above(
    head: Image,
    held: Plan,
    before: Stamps,
    plan: Plan,
    snapshot: Snapshot,
    status: Callable[[], str] = lambda: "",
) -> tuple[Above, Stamps]:
    """The layer that makes ``head``, which was copied and holds ``held``, the environment now; how it is.

    ``before`` is the moment from which on it changed, ``plan`` the environment's own now, `as_copied`;
    ``status`` gives the text of dpkg's list in the head. The layer has no members where nothing changed.
    Raises nothing: what cannot be read is a finding.
    """
    after, found = moment(plan, snapshot)
    below = _below(head)
    have = _packages(head, held, before, below)

    def alone(names: Collection[str]) -> list[Package]:
        """What only the image has of Debian's."""
        found = map(parse, status().split("\n\n"))
        return [package for package in found if package and package.name in names]

    def system(written: Mapping[str, Member]) -> Brought:
        if held.wishes.base not in (None, SCRATCH):
            return Brought()  # the base's packages are the base's; what lacks a library is not verified
        return brought(
            before.debian, have, written, found.files, plan.system.arch, mount_points(), alone=alone
        )

    difference = changed.difference(before, after)
    return changed.members(difference, before, found, plan, leading(have, below), system), after


def beside(head: Image, members: Mapping[str, Member], packages: Collection[str], status: str) -> Above:
    """The layer of ``members``, files of Debian's ``packages``, on a head that has the ``status`` file."""
    folder = leading(versions(status).keys(), _below(head))
    return Above(tuple(with_folders(members.values(), folder)), packages=tuple(sorted(packages)))


def append(
    engine: Engine,
    head: Image,
    above: Above,
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
    value, members, size = engine.value(head.id), above.members, above.size
    copied, read = Counter("copied", size, report), Counter("compared", size, report)
    known = {*head.labels.get(LABEL_DEBIAN, "").split(), *above.packages}
    labels = {**labels, **({LABEL_DEBIAN: " ".join(sorted(known))} if known else {})}

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


def _below(head: Image) -> Contents | None:
    """What the head's base holds, where it has one and that is remembered here."""
    digest = head.labels.get(LABEL_BASE_DIGEST)
    return Listings(BuiltinEngine().store.folder / BASES).find(digest) if digest else None


def _packages(head: Image, held: Plan, before: Stamps, below: Contents | None) -> set[str]:
    """The Debian packages that the head has."""
    left = {each.name for each in held.choices if (each.manager, each.kind) == ("apt", "left-out")}
    first = versions(below.text(STATUS)).keys() if below else before.debian.versions.keys() - left
    return {*first, *head.labels.get(LABEL_DEBIAN, "").split()}


__all__ = ["above", "append", "beside", "moment"]
