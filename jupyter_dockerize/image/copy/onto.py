"""Plan → what is put on a base: the Python environment and its interpreter, ours, and the project.

The system is the base's. A library that the environment links to and the base lacks comes along as a file,
beside the base's C library, where every loader looks; one that the base has stays the base's. Where the base
has something in the environment's own folders it is taken away: two installs in one folder are none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from ...contents import layout
from ...environment.model import Snapshot
from ...environment.names import printable
from ...environment.plan.planning import Plan
from ...errors import UsageError
from ...events import Finding
from ..tar import Member
from . import symbols
from .base_image import GROUP, PASSWD, Contents
from .capture import Captured, folders, whole
from .dangling import dangling
from .dpkg import Dpkg
from .elf import Links
from .elsewhere import USER_BASE
from .grouping import Group, distributions
from .hosts import Lent, left_here
from .mounts import mount_points
from .owned import some
from .python import PythonFiles, python_files
from .system import Root
from .trees import DATE, ROOT, member_of

_LIBC = "libc.so.6"
_MODE = 0o644
_GONE = ".wh."


def capture_onto(
    plan: Plan,
    snapshot: Snapshot,
    ours: Callable[[Collection[str], Collection[str]], Mapping[str, Member]],
    project: Mapping[str, Member],
    base: Contents,
    ref: str,
    beside: Callable[[PythonFiles], PythonFiles] = lambda python: python,
) -> Captured:
    """What lies on the base ``ref``, which holds ``base``; ``beside`` may add to the Python files.

    ``ours`` gives the product's files when it is known of which Debian packages libraries come along, and
    all places in the image. Raises `UsageError` where the environment cannot be put onto this base.
    """
    mounts = mount_points()
    python = beside(python_files(plan, snapshot, mounts))
    root, dpkg = Root(Path("/")), Dpkg()
    _check_own(python, snapshot, dpkg, root)
    above = {**python.base, **python.environment}
    libc = _check_libc(base, snapshot, ref)
    lent = Lent(mounts)
    links = Links(
        plan.system.arch, os.environ, lambda at: lent(at) or bool(base.library(os.path.basename(at)))
    )
    carried, owners = _carried(links, above, libc.rpartition("/")[0], root, dpkg)
    findings = [
        *left_here(filter(lent, links.left)),
        *_named(carried, owners, ref),
        *_check_symbols(links, {**above, **carried}, base, snapshot, ref),
    ]
    lowest = {**_user(base), **carried}
    own = frozenset(owners.values())
    placed = {**base.members, **above, **project, **lowest}
    groups = [
        Group("what the base had in the environment's place", tuple(_taken_away(python, base))),
        Group("the user, and libraries that the base lacks", tuple(lowest.values())),
        Group(
            python.title,
            tuple(m for p, m in python.base.items() if p not in python.environment),
        ),
        *distributions(python.environment, python.groups),
        Group("what jupyter-dockerize adds", tuple(ours(own, placed.keys()).values())),
        Group("the notebook and what belongs to it", tuple(project.values())),
    ]
    below = {path: replace(m, mtime=DATE) for path, m in base.members.items() if m.kind == "folder"}
    leading = folders(above, {**below, **lowest})
    made = tuple(whole(group, leading) for group in groups if group.members)
    _check_ways(made, base, ref)
    at = [path for path, member in python.environment.items() if member.kind == "symlink"]
    return Captured(
        groups=made,
        packages=own,
        variables=python.variables,
        findings=(*python.findings, *dangling(placed, at), *findings),
    )


def _check_own(python: PythonFiles, snapshot: Snapshot, dpkg: Dpkg, root: Root) -> None:
    """The system's own Python is spread over the system's folders, and its packages name one another."""
    places = {root.place(path) for path in (*python.outside, *python.debian)}
    owners = sorted(set(dpkg.owners(places, root.place).values()))
    if owners or python.debian or snapshot.python.base_prefix == "/usr":
        raise UsageError(
            "the system's own Python cannot be put onto another base",
            why=f"its files belong to packages of this system{f': {some(owners)}' if owners else ''}",
            fix="leave --base out, which takes these packages along, or take --method rebuild",
        )


def _check_libc(base: Contents, snapshot: Snapshot, ref: str) -> str:
    """The path of the base's C library."""
    libc = base.library(_LIBC)
    here = snapshot.system.libc or "glibc"
    if libc is None or not here.startswith("glibc"):
        who = f"{ref} has none" if libc is None else f"this environment is made for {here}"
        raise UsageError(
            f"the environment cannot be put onto {ref}",
            why=f"both have to have the GNU C library, and {who}",
            fix="name a base of Debian, Ubuntu or another system with glibc",
        )
    return libc


def _carried(
    links: Links, above: Mapping[str, Member], folder: str, root: Root, dpkg: Dpkg
) -> tuple[dict[str, Member], dict[str, str]]:
    """Libraries that come along, by their place in the image, and of which package each is here."""
    inside = {*above, *(m.source.lstrip("/") for m in above.values() if m.source)}
    carried, here = {}, {}
    for path in sorted(links.wanted(above.values())):
        if root.place(path) in inside:
            continue
        source = os.path.realpath(path)
        place = f"{folder}/{os.path.basename(path)}"
        member = member_of(source, os.stat(source), ROOT, at=place)
        if member is not None:
            carried[place], here[place] = replace(member, mode=_MODE), root.place(source)
    owners = dpkg.owners(set(here.values()), root.place)
    return carried, {place: owners[at] for place, at in here.items() if at in owners}


def _named(carried: Iterable[str], owners: Mapping[str, str], ref: str) -> Iterator[Finding]:
    said = [
        os.path.basename(place) + (f" ({owners[place]})" if place in owners else "")
        for place in sorted(carried)
    ]
    if said:
        yield Finding(
            "library-carried",
            "warning",
            f"{ref} lacks libraries that the environment links to, which come along as files of no package: "
            f"{some(said)}",
            "name a base that has these packages, where it is to keep them up to date",
        )


def _check_symbols(
    links: Links, ours: Mapping[str, Member], base: Contents, snapshot: Snapshot, ref: str
) -> list[Finding]:
    """What the loader would refuse: versions of symbols that files ask for and the base's libraries have not.

    Raises `UsageError` for the C library's, without which nothing starts.
    """
    sources = {member.source for member in ours.values() if member.source}
    inside = {os.path.realpath(source) for source in sources}
    here = symbols.glibc("GLIBC_" + (snapshot.system.libc or "").rpartition(" ")[2])
    newest: tuple[tuple[int, ...], str] = ((), "")
    lacking: dict[str, str] = {}
    for path in sorted(links.seen & sources):
        for library, versions in symbols.of_file(path).needs.items():
            at = links.find(library, path)
            place = base.library(library)
            known = base.symbols.get(place) if place else None
            if known is None or (at and os.path.realpath(at) in inside):
                continue
            for version in sorted(versions - known.has):
                number = symbols.glibc(version)
                if not number:
                    lacking.setdefault(f"{library} with {printable(version, 60)}", path)
                elif not here or number <= here:  # a newer one would not be found here either
                    newest = max(newest, (number, path))
    if newest[0]:
        number, path = newest
        there = base.symbols[base.library(_LIBC) or ""].has
        has = max((symbols.glibc(each) for each in there), default=())
        raise UsageError(
            f"the C library of {ref} is older than the environment needs",
            why=f"{printable(path, 200)} needs GLIBC_{_dotted(number)}, the base goes up to {_dotted(has)}",
            fix=f"name a base with glibc {_dotted(number)} or newer, {_like(snapshot)}or leave --base out",
        )
    if not lacking:
        return []
    said = [f"{each} (for {os.path.basename(path)})" for each, path in sorted(lacking.items())]
    message = f"{ref} has other versions of libraries than the environment links to: it lacks {some(said)}"
    return [Finding("library-not-in-base", "warning", message, "name a base of this machine's release")]


def _dotted(number: Iterable[int]) -> str:
    return ".".join(map(str, number))


def _like(snapshot: Snapshot) -> str:
    system = snapshot.system
    return (
        f"such as {system.os}:{system.codename}, "
        if system.os in ("debian", "ubuntu") and system.codename
        else ""
    )


def _user(base: Contents) -> dict[str, Member]:
    """Our user where the base has none of this number, and the folders that belong to it."""
    made: dict[str, Member] = {}
    number, name = str(layout.UID), layout.USER_NAME
    for path, line in (
        (
            PASSWD,
            f"{{name}}:x:{number}:{number}::{layout.HOME}:{shell(base)}\n",
        ),
        (GROUP, f"{{name}}:x:{number}:\n"),
    ):
        text, place = base.text(path), base.place(path) or path
        entries = [each.split(":") for each in text.splitlines()]
        if any(each[2:3] == [number] for each in entries):
            continue
        taken = {each[0] for each in entries}
        line = line.format(name=f"{name}{number}" if name in taken else name)
        data = (text + "\n" * (text[-1:] not in ("", "\n")) + line).encode("utf-8", "surrogateescape")
        made[place] = Member(path=place, data=data, size=len(data), mode=_MODE, mtime=DATE)
    for folder in (layout.HOME, layout.WORK):
        path = folder.lstrip("/")
        made[path] = Member(path=path, kind="folder", mode=0o755, uid=layout.UID, gid=layout.UID, mtime=DATE)
    return made


def shell(base: Contents) -> str:
    """What the base's terminals open with."""
    return "/bin/bash" if base.place("bin/bash") else "/bin/sh"


def _taken_away(python: PythonFiles, base: Contents) -> Iterator[Member]:
    """Whiteouts (layer.md, "Whiteouts") for what the base has in folders that are the environment's alone."""
    above = {**python.base, **python.environment}
    kept = set(above)
    for path in above:
        parent = path.rpartition("/")[0]
        while parent and parent not in kept:
            kept.add(parent)
            parent = parent.rpartition("/")[0]
    own = (*python.roots, USER_BASE)
    roots = tuple(f"{each.strip('/')}/" for each in own if each.strip("/") in kept)
    for path in sorted(base.members):
        folder, _, name = path.rpartition("/")
        if path.startswith(roots) and path not in kept and folder in kept:
            yield Member(path=f"{folder}/{_GONE}{name}", data=b"", mtime=DATE)


def takes_away(member: Member) -> bool:
    """Whether it stands for what the base had; the environment's own files have a source."""
    return member.source is None and not member.size and member.path.rpartition("/")[2].startswith(_GONE)


def _check_ways(groups: Iterable[Group], base: Contents, ref: str) -> None:
    """A folder of ours in the place of a link would hide what the base has behind it."""
    for group in groups:
        for member in group.members:
            there = base.members.get(member.path)
            if member.kind == "folder" and there is not None and there.kind == "symlink":
                raise UsageError(
                    f"the environment cannot be put onto {ref}",
                    why=f"/{printable(member.path, 200)} is a link there, and a folder here",
                    fix="name another base, or leave --base out",
                )


__all__ = ["capture_onto", "shell", "takes_away"]
