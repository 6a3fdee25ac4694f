"""Copy → registry: layers go there while they are made, and nothing of the image is kept here.

What is sent of a layer is unpacked in memory at the same time, and compared file by file with the
environment. The name comes last, and only where the two are the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

from ..cancel import Cancel
from ..engines.base import Pushed
from ..engines.registry.blobs import BytesBlob, Origin
from ..engines.registry.credentials import Logins
from ..engines.registry.making import Making
from ..engines.registry.manifests import size_of
from ..engines.registry.pull import pull_manifest
from ..engines.registry.push import Repository, repository
from ..environment.compare import compare_files
from ..environment.comparison import Comparison
from ..errors import DockerizeError, RegistryError
from ..events import Counter, Report
from ..image.alongside import Alongside
from ..image.cache import LayerCache, stamp
from ..image.continued import listed
from ..image.copy.base_image import BaseImage
from ..image.copy.grouping import Group
from ..image.held import Expected, Read, differences, expected_of, held_before, hold, is_layer
from ..image.layer import layer_pieces
from ..image.manifest import LAYER_GZIP, Descriptor, ImageValue, Layer
from ..image.reference import Reference
from ..image.tar import ChangedError
from ..image.validate.violation import Found, Limits
from .copying import Copy, members


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of it; ``pushed`` is None where it is not the same environment, and so got no name."""

    value: ImageValue
    comparison: Comparison | None
    pushed: Pushed | None
    before: int  # files of layers that were there, and had been compared when they were sent


def send(
    copy: Copy,
    ref: Reference,
    *,
    check: bool,
    known: LayerCache,
    logins: Logins | None = None,
    report: Report,
    cancel: Cancel,
) -> Sent:
    """Brings the layers into the registry, several at once, and names the image where it is the same
    environment, or nobody wants to know (``check``).

    Layers that ``known`` has, and the registry still holds, are not made again. Raises `ChangedError` for
    files that are written meanwhile, `RegistryError`, and `CancelledError`: then ``ref`` is what it was.
    """
    base, origin = copy.base, _origin(copy.base, ref, copy.plan.platform, logins, cancel)
    read = Counter("copied and sent", copy.size, report)
    expected = expected_of(members(copy)) if check else None
    with repository(ref, origins=[origin], logins=logins, cancel=cancel) as to:

        def below(layer: Layer, cancel: Cancel) -> _Arrived:
            assert base
            return _below(layer, base, origin, to, read)

        def one(group: Group, cancel: Cancel) -> _Arrived:
            return _group(group, expected, known, to, read, cancel)

        try:
            lower = to.each(below, base.layers if base else (), size=lambda layer: layer.descriptor.size)
            upper = to.each(one, copy.captured.groups, size=lambda group: group.size)
        finally:
            known.save()
        layers = (each.layer for each in (*lower, *upper))
        value = listed(ImageValue(config=copy.config).append(*layers))
        comparison = _compared(copy, upper, expected) if expected is not None else None
        same = comparison is None or comparison.verdict in ("identical", "equivalent")
        if same:
            if not to.holds(value.config_descriptor):
                to.send(BytesBlob(value.config_descriptor.media_type, value.config_json))
            to.name(value.manifest_json, value.descriptor.media_type, value.descriptor.digest)
    hows = [each.how for each in (*lower, *upper)]
    pushed = Pushed(
        ref=str(ref),
        digest=value.descriptor.digest,
        size=size_of(value.manifest_json),
        uploaded=hows.count("sent"),
        mounted=hows.count("mounted"),
        skipped=hows.count("there"),
    )
    before = sum(group.files for group, each in zip(copy.captured.groups, upper, strict=True) if each.known)
    return Sent(value=value, comparison=comparison, pushed=pushed if same else None, before=before)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrived:
    """A layer that the registry has. ``how`` is "sent", "mounted" or "there"; ``known``: by a record only."""

    layer: Layer
    how: str
    known: bool = False
    read: Read | None = None
    found: Found = field(default_factory=lambda: Found(Limits()))


class _Files:
    """The layer of a group, made as often as it has to be."""

    def __init__(self, group: Group, read: Counter) -> None:
        self._group, self._read = group, read
        self._told = 0  # bytes that were read, the first time that they were
        self.layer: Layer | None = None
        self.making = Making(self._pieces, self._described, self._changed)

    def _pieces(self, cancel: Cancel) -> Generator[bytes, None, None]:
        at = 0

        def progress(size: int) -> None:
            nonlocal at
            at += size
            self._read.add(max(0, at - self._told))
            self._told = max(self._told, at)

        group = self._group
        self.layer = yield from layer_pieces(group.members, group.title, progress=progress, cancel=cancel)

    def _described(self) -> Descriptor:
        assert self.layer
        return self.layer.descriptor

    def _changed(self, why: str) -> ChangedError:
        return ChangedError(f"the layer {self._group.title!r}", why)


def _group(
    group: Group,
    expected: Expected | None,
    known: LayerCache,
    to: Repository,
    read: Counter,
    cancel: Cancel,
) -> _Arrived:
    """Brings the layer of a group there, compared with ``expected``, unless it is there since earlier."""
    check = expected is not None
    before = stamp(group.members, "gzip")
    layer = known.find(before, to, group.title, compared=check) if before else None
    if layer:
        read.add(group.size)
        held = held_before(group.members) if check else None
        return _Arrived(layer=layer, how="there", known=True, read=held)
    files, found, held = _Files(group, read), Found(Limits()), None
    if expected is None:
        there = _bring(files.making, to, lambda new: None, cancel)
    else:
        say = found.at(group.title)
        with Alongside(
            lambda pieces: hold(pieces, LAYER_GZIP, expected, say, lambda size: None, cancel)
        ) as reader:
            there = _bring(files.making, to, reader.hear, cancel)
            held = reader.result()
        assert files.layer
        is_layer(held, files.layer, say)
    assert files.layer
    if before:
        equal = held is not None and held.equal and not found.violations
        known.keep(before, stamp(group.members, "gzip"), files.layer, compared=equal)
    return _Arrived(layer=files.layer, how="there" if there else "sent", read=held, found=found)


def _bring(making: Making, to: Repository, heard: Callable[[bytes], object], cancel: Cancel) -> bool:
    """Whether it was there: of a small one that is known before anything is sent."""
    if not (making.begun(cancel) and making.descriptor and to.holds(making.descriptor)):
        to.send(making, heard=heard)
        return False
    for piece in making.open(0, cancel):
        heard(piece)
    return True


def _below(layer: Layer, base: BaseImage, origin: Origin | None, to: Repository, read: Counter) -> _Arrived:
    """Brings a layer of the base there: mounted within a registry, else as a stream from where it is."""
    blob = layer.descriptor
    if to.holds(blob):
        read.add(blob.size)
        return _Arrived(layer=layer, how="there")
    source = Making(
        lambda cancel: base.open(blob.digest, cancel),
        lambda: blob,
        lambda why: RegistryError(f"the base {base.ref} is not whole", why=why),
        descriptor=blob,
        origin=origin,
    )
    mounted = to.send(source, heard=lambda new: read.add(len(new)))
    if mounted:
        read.add(blob.size)
    return _Arrived(layer=layer, how="mounted" if mounted else "sent")


def _origin(
    base: BaseImage | None, ref: Reference, platform: str, logins: Logins | None, cancel: Cancel
) -> Origin | None:
    """The base's repository, where it is another one of the registry that the image goes to, and has it."""
    at = Reference.parse(base.ref) if base else ref
    if base and at.domain == ref.domain and at.path != ref.path:
        with contextlib.suppress(DockerizeError):  # one of our own store may be in no registry
            pull_manifest(replace(at, digest=base.digest), platform, logins=logins, cancel=cancel)
            return at.domain, at.path
    return None


def _compared(copy: Copy, layers: Sequence[_Arrived], expected: Expected) -> Comparison:
    found = Found(Limits())
    for each in layers:
        for violation in each.found.violations:
            found.add(violation)
    read = [(each.layer.created_by, each.read) for each in layers if each.read]
    return compare_files(copy.plan, differences(read, expected, found))


__all__ = ["Sent", "send"]
