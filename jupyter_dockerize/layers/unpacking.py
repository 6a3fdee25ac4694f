"""``apt-get install`` into a copied image only: packages are unpacked, as nobody here has to be root for it.

No script of a package is run. Those that have some are refused by name: they want a Docker engine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..cancel import Cancel
from ..contents.times import rfc3339
from ..environment.model import AptPackage, Packages
from ..environment.observe.ways import Where
from ..errors import EngineError, UsageError
from ..events import Finding, Report, Step
from ..export.layered import beside
from ..export.prepare import look
from ..image.copy.deb import HARMLESS, Deb, read
from ..image.copy.dpkg import STATUS, versions
from ..image.copy.system import Root
from ..image.copy.trees import DATE
from ..image.tar import Member
from ..resolve import apt
from . import copied, pending
from .adding import STEPS, Done, add
from .calls import arguments, calls, joined
from .journal import Entry
from .layered import Layered
from .looking import quietly
from .model import Layer, Typed, applied
from .pinning import Pinned
from .words import split

FETCHING = "Fetching the packages"
MARKS = "var/lib/apt/extended_states"
_WANTED = ("install", "update")
_RELEASE = ("-t", "--target-release", "--default-release")


def asked(command: str) -> tuple[str, ...]:
    """The names that ``apt-get install`` is given, () where the command is anything else.

    A release that an option names stands behind each, as apt takes it, too: "jq/bookworm-backports".
    """
    items, names = split(command), []
    for call in calls(items):
        words, options = arguments(call)
        if call.manager != "apt" or not call.install or not words or words[0] not in _WANTED:
            return ()
        release = "".join(f"/{value}" for name, value in options.items() if name in _RELEASE)
        names += [name if "=" in name or "/" in name else f"{name}{release}" for name in words[1:]]
    return tuple(names) if joined(items) else ()


def unpack(layered: Layered, typed: Typed, where: Where, *, report: Report, cancel: Cancel) -> Done:
    """The packages that the command names, and what they need, as one layer; the environment stays as it is.

    Raises `UsageError` where the command is no ``apt-get install``, a package has scripts that would have to
    run, or one would take the place of another, and what `resolve.apt.fetch` and `add` raise.
    """
    started, now, engine = time.monotonic(), layered.state, layered.engine
    names = asked(typed.command)
    if not names:
        raise UsageError(
            f"{now.image} was copied, and nothing can be installed into it that is not installed here",
            why="only `apt-get install NAME …` is unpacked without root",
            fix="build it with Docker and without --method copy",
        )
    pending.refuse(now.image)
    head = engine.find(now.head.image)
    report(Step(1, len(STEPS), FETCHING))
    data = engine.read(head.id, f"/{STATUS}", report=quietly(report), cancel=cancel)
    status = _text(data)
    with tempfile.TemporaryDirectory(prefix="jupyter-dockerize-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        files = apt.fetch(names, data, folder / "apt", report=report, cancel=cancel)
        place = Root(Path("/")).place
        debs = [read(file, folder / str(number), place) for number, file in enumerate(files)]
        if not debs:
            return Done(image=now.image, number=now.number, layer=None, seconds=time.monotonic() - started)
        _refuse(debs, versions(status))
        for finding in (notes := tuple(_not_run(debs))):
            report(finding)
        members: dict[str, Member] = {}
        for deb in debs:
            members |= deb.members
        members |= _database(debs, status, _marks(layered, cancel), names)
        above = beside(head, members, [deb.package.name for deb in debs], status)
        layer = _layer(typed, debs, names)
        plan = applied(layered.plan(), layer)
        entry = Entry(layer=replace(layer, fingerprint=plan.fingerprint), files={})
        known = copied.knows(now.image, now.head.chain)
        pinned = Pinned(
            entry=entry,
            plan=plan,
            findings=notes,
            files=above,
            now=copied.remembered(now.image, now.head.chain) if known else None,
        )
        snapshot = look(where, report=quietly(report), cancel=cancel)
        done = add(layered, pinned, snapshot, report=report, cancel=cancel)
    return replace(done, seconds=time.monotonic() - started)


def _refuse(debs: Sequence[Deb], installed: Mapping[str, str]) -> None:
    refused = sorted(deb.package.name for deb in debs if deb.refused)
    if refused:
        raise UsageError(
            f"{', '.join(refused)} cannot be unpacked without root",
            why="installation scripts would have to run in the image",
            fix="build the image with Docker; or install the package here as root, and build again",
        )
    replaced = sorted(deb.package.name for deb in debs if deb.package.name in installed)
    if replaced:
        raise UsageError(
            f"{', '.join(replaced)} would be replaced by another version",
            why="that is not done without root: the files of the old one would have to go",
            fix="upgrade the packages of this machine, and build the image again",
        )


def _not_run(debs: Sequence[Deb]) -> Iterator[Finding]:
    for deb in debs:
        if deb.scripts:
            name = deb.package.name
            yield Finding(
                "script-not-run",
                "info",
                f"{name} was unpacked, and its {' and '.join(deb.scripts)} not run: {HARMLESS[name]}",
            )


def _database(debs: Sequence[Deb], status: str, marks: str, names: Sequence[str]) -> dict[str, Member]:
    """dpkg's list with the packages, and apt's marks for those that nobody asked for."""
    wanted = _without_versions(names)
    stanzas = [status.strip("\n"), *(deb.package.stanza for deb in debs)]
    automatic = [
        f"Package: {deb.package.name}\nArchitecture: {deb.package.arch}\nAuto-Installed: 1\n"
        for deb in debs
        if deb.package.name not in wanted
    ]
    written = {
        STATUS: "\n\n".join(filter(None, stanzas)) + "\n\n",
        MARKS: "\n".join(filter(None, [marks.strip("\n") and marks.strip("\n") + "\n", *automatic])),
    }
    return {
        place: Member(path=place, data=data, size=len(data), mtime=DATE)
        for place, text in written.items()
        for data in (text.encode("utf-8", "surrogateescape"),)
    }


def _without_versions(names: Iterable[str]) -> set[str]:
    """Nor with a release or an architecture: "jq:amd64=1.6-2" and "jq/bookworm-backports" → "jq"."""
    return {name.partition("=")[0].partition("/")[0].partition(":")[0] for name in names}


def _marks(layered: Layered, cancel: Cancel) -> str:
    try:
        return _text(layered.engine.read(layered.state.head.image, f"/{MARKS}", cancel=cancel))
    except EngineError:
        return ""  # an image that nothing was marked in has no such file


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _layer(typed: Typed, debs: Sequence[Deb], names: Sequence[str]) -> Layer:
    wanted = _without_versions(names)
    packages = (
        AptPackage(
            name=deb.package.name,
            version=deb.package.version,
            arch=deb.package.arch,
            manual=deb.package.name in wanted,
        )
        for deb in debs
    )
    return Layer(
        command=typed.command,
        origin="image-only",
        packages=Packages(apt=tuple(sorted(packages, key=lambda each: each.name))),
        created=rfc3339(int(time.time())),
    )


__all__ = ["asked", "unpack"]
