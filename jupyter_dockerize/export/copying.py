"""Plan → copy: the environment's own files become the layers, without a builder and without a network."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ..cancel import Cancel
from ..contents import identity, init, jupyter, layout, times
from ..environment.model import Snapshot
from ..environment.plan.copied import settled, settled_onto
from ..environment.plan.planning import Plan, redacted, refuse
from ..events import Counter, Finding, Report
from ..image.cache import LayerCache, stamp
from ..image.continued import listed
from ..image.copy.accounts import shell
from ..image.copy.base_image import BaseImage
from ..image.copy.capture import Captured, capture
from ..image.copy.contents import STATUS, Contents
from ..image.copy.dpkg import versions
from ..image.copy.grouping import Group
from ..image.copy.newest import newest_input
from ..image.copy.onto import capture_onto
from ..image.copy.since import capture_since
from ..image.copy.standing import Standing
from ..image.copy.whiteouts import takes_away
from ..image.layer import Compression, write_layer
from ..image.layout import Layout
from ..image.manifest import Config, ImageValue, Layer
from ..image.side_by_side import side_by_side
from ..image.tar import Member
from .added import our_files, project_files
from .server import Beside, NoServer, Server

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Of a base: they would lead the environment's Python to what is not its own.
_LEADS_PYTHON = frozenset({"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONPLATLIBDIR"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What is to be copied, and how its image starts."""

    plan: Plan
    captured: Captured
    config: Config
    findings: tuple[Finding, ...]
    base: BaseImage | None = None

    @property
    def size(self) -> int:
        """Bytes that are written, about: of files, and of the base's blobs."""
        return self.captured.size + (self.base.size if self.base else 0)

    @property
    def packed(self) -> int:
        """Bytes of its blobs, about. How small files get nobody knows before: half is what data and code
        give."""
        return self.captured.size // 2 + (self.base.size if self.base else 0)


@dataclass(frozen=True, slots=True)
class Onto:
    """The base of a copy, and what it holds; ``running`` where this very container runs it."""

    image: BaseImage
    contents: Contents
    running: Standing | None = None


def plan_copy(
    plan: Plan,
    snapshot: Snapshot,
    allow: tuple[str, ...],
    onto: Onto | None = None,
    server: Server | NoServer | None = None,  # of a plan whose environment has none
) -> Copy:
    """Which files make the image of a plan `as_copied`: ``FROM scratch``, or ``onto`` a base; with the
    ``server`` that opens an environment which has none.

    On the image that this container runs they are those that were added.

    Raises `FindingsError` for those that cannot be read, and what `capture_onto` raises.
    """
    python = snapshot.python.executable
    beside = Beside(server, others_system=onto is not None and onto.running is None)
    final = plan

    def ours(packages: frozenset[str], places: Collection[str]) -> dict[str, Member]:
        nonlocal final
        final = settled(beside.planned(plan), snapshot, packages, lambda path: path.lstrip("/") in places)
        return our_files(final, python, places)

    def ours_onto(carried: Collection[str], places: Collection[str]) -> dict[str, Member]:
        nonlocal final
        assert onto
        final = settled_onto(beside.planned(plan), snapshot, versions(onto.contents.text(STATUS)), carried)
        return our_files(final, python, places)

    def ours_since(places: Collection[str]) -> dict[str, Member]:
        nonlocal final
        names = {each.name for each in snapshot.packages.apt}
        final = settled(beside.planned(plan), snapshot, names, lambda path: True)
        return our_files(final, python, places)

    if onto and onto.running:
        captured = capture_since(
            plan, snapshot, ours_since, project_files(plan), onto.running, onto.image.ref, beside.laid
        )
    elif onto:
        ref = onto.image.ref
        captured = capture_onto(
            plan, snapshot, ours_onto, project_files(plan), onto.contents, ref, beside.laid
        )
    else:
        captured = capture(plan, snapshot, ours, project_files(plan), beside.laid)
    findings = (*captured.findings, *beside.findings)
    refuse(findings, allow)
    programs = _programs(snapshot, captured)
    base = onto.image if onto else None
    inherited = {k: v for k, v in base.env.items() if k not in _LEADS_PYTHON} if base else {}
    path = [folder for folder in inherited.get("PATH", "").split(":") if folder]
    variables = {
        **inherited,
        **dict(final.environ),
        **dict(captured.variables),
        "PATH": ":".join(dict.fromkeys((*programs, *path, *SYSTEM_PATH))),
        "HOME": layout.HOME,
        "SHELL": shell(onto.contents) if onto else "/bin/bash",
    }
    said = times.source_date_epoch()
    config = Config(
        platform=final.platform,
        created=times.rfc3339(newest_input(captured.groups) if said is None else said),
        env=tuple(f"{name}={value}" for name, value in sorted(variables.items())),
        entrypoint=init.entrypoint(python),
        cmd=_command(final, python, beside.taken, _server(captured, programs, onto)),
        user=str(layout.UID),
        folder=layout.WORK,
        ports=(f"{layout.PORT}/tcp",),
        labels={
            **(base.labels if base else {}),
            **identity.labels(
                redacted(final),
                "copy",
                python=python,
                lab=final.server == "environment" or beside.taken is not None,
                **({"base": base.ref, "digest": base.digest} if base else {}),
            ),
        },
    )
    return Copy(plan=final, captured=captured, config=config, findings=findings, base=base)


def _command(plan: Plan, python: str, server: Server | None, where: str) -> tuple[str, ...]:
    if plan.server == "environment":
        return jupyter.command(plan, where)
    return jupyter.command_beside(plan, server.python) if server else (python,)


def _programs(snapshot: Snapshot, captured: Captured) -> list[str]:
    """Folders of the environment's own programs: what the system has not on its path anyway."""
    prefix = snapshot.conda_prefix or snapshot.python.prefix
    user = dict(captured.variables).get("PYTHONUSERBASE")
    own = [f"{folder}/bin" for folder in (prefix, user) if folder]
    return [folder for folder in own if folder not in SYSTEM_PATH]


def _server(captured: Captured, programs: list[str], onto: Onto | None) -> str:
    """The prefix whose `bin/jupyter` opens the image."""
    folders = [folder.removesuffix("/bin") for folder in (*programs, *SYSTEM_PATH)]
    paths = {member.path for group in captured.groups for member in group.members}
    paths |= onto.running.here.keys() if onto and onto.running else set()
    return next((each for each in folders if f"{each}/bin/jupyter".lstrip("/") in paths), folders[0])


def members(copy: Copy) -> Iterator[Member]:
    """What the image is to hold above its base; without what only takes away from that."""
    every = (member for group in copy.captured.groups for member in group.members)
    return (member for member in every if not takes_away(member))


def write(
    copy: Copy,
    to: Layout,
    *,
    compression: Compression,
    report: Report,
    cancel: Cancel,
    known: LayerCache | None = None,
) -> ImageValue:
    """Writes the layers into ``to``, several at once, and returns the image, which has no name yet.

    Layers that ``known`` has, and ``to`` still holds, are not written again. Raises `ChangedError` for files
    that are written meanwhile, `OutputError`, `CancelledError`.
    """
    read = Counter("copied", copy.size, report)
    below = copy.base.layers if copy.base else ()

    def base(layer: Layer, cancel: Cancel) -> None:
        assert copy.base
        source, blob = copy.base, layer.descriptor

        def pieces() -> Iterator[bytes]:
            for piece in source.open(blob.digest, cancel):
                cancel.check()
                yield piece
                read.add(len(piece))

        cancel.check()
        if not to.receive(blob, pieces):
            read.add(blob.size)

    def one(group: Group, cancel: Cancel) -> Layer:
        if known is None:
            return written(group, cancel)
        before = stamp(group.members, compression)
        layer = known.find(before, to, group.title) if before else None
        if layer is None:
            layer = written(group, cancel)
            if before:
                known.keep(before, stamp(group.members, compression), layer)
        else:
            read.add(group.size)
        return layer

    def written(group: Group, cancel: Cancel) -> Layer:
        with to.writing(hashed=False) as file:
            layer = write_layer(
                group.members,
                file.write,
                group.title,
                compression=compression,
                progress=read.add,
                cancel=cancel,
            )
            to.keep(file, layer.descriptor.digest)
        return layer

    try:
        side_by_side(base, below, size=lambda layer: layer.descriptor.size, cancel=cancel)
        layers = side_by_side(one, copy.captured.groups, size=lambda group: group.size, cancel=cancel)
    finally:
        if known:
            known.save()
    return listed(ImageValue(config=copy.config).append(*below, *layers))


__all__ = ["Copy", "Onto", "members", "plan_copy", "write"]
