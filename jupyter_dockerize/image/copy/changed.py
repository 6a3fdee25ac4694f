"""Two moments of one environment → what a layer must say for the second to lie on the first.

Both moments are seen as a whole copy would see them (`python.taken`), so that what stays out of an image
stays out of its layers. Files are stamped, not read: what has the same stamp twice is the same.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ...contents import layout
from ...environment.plan.planning import Plan
from ...events import Finding
from ..tar import Member
from . import private as secrets
from .brought import Brought, Debian
from .dangling import parents
from .elsewhere import USER_BASE
from .owned import special, unreadable
from .python import Taken, vouched
from .trees import CACHE, Here, members_of, source_of, with_folders
from .whiteouts import whiteout

Stamp = tuple[int, ...]
_WORK = f"{layout.WORK}/"
_SHARED = 0  # in the place of a ctime that says nothing
_CTIME = 3
_RECORD, _ORIGIN = "RECORD", "direct_url.json"  # the one says the digest of the other


@dataclass(frozen=True, slots=True)
class Stamps:
    """What a copy would have taken at one moment: place in the image → stamp. ``left`` are absolute paths
    that it would have left here, and named; ``debian`` what was installed below. Of ``sparse`` folders it
    took files, and the folders that lead to them."""

    files: Mapping[str, Stamp]
    left: frozenset[str] = frozenset()
    debian: Debian = field(default_factory=Debian)
    sparse: tuple[str, ...] = ()

    @property
    def implied(self) -> set[str]:
        """Places of folders that are there because files lie in them; those of the project are not ours."""
        within = tuple(f"{place}/" for place in self.sparse)
        above = parents(place for place in self.files if place.startswith(within)) if within else set()
        return {each for each in above if f"{each}/".startswith(within) and not f"/{each}/".startswith(_WORK)}


@dataclass(frozen=True, slots=True)
class Changed:
    """Places: ``written`` are new or otherwise, ``gone`` are the topmost of what is there no more.

    ``over`` are those of ``written`` that were there.
    """

    written: frozenset[str]
    gone: tuple[str, ...]
    over: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.written or self.gone)


@dataclass(frozen=True, slots=True)
class Above:
    """The members of one layer, and what the user should know of them; ``packages`` are those of Debian's
    that come along and were not in the image."""

    members: tuple[Member, ...]
    findings: tuple[Finding, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(member.size for member in self.members if member.kind == "file")


def stamps(taken: Taken, debian: Debian | None = None) -> Stamps:
    """The moment at which ``taken`` was looked at."""
    files = {place: _stamp(here) for place, here in taken.files.items()}
    collected = (taken.environment, taken.base)
    left = (
        *(each.unreadable for each in collected),
        *(each.special for each in collected),
        taken.keep.private,
        taken.keep.beside,
    )
    sparse = tuple(each.strip("/") for each in (*taken.elsewhere.places, USER_BASE))
    return Stamps(files, frozenset().union(*left), debian or Debian(), sparse)


def difference(before: Stamps, after: Stamps) -> Changed:
    """What is new, otherwise, or gone. Of a folder its own mode counts, and not what lies in it."""
    old, new = before.files, after.files
    written = {place for place, one in new.items() if place not in old or _differ(old[place], one)}
    gone = (old.keys() | before.implied) - new.keys() - after.implied
    written.update(_compiled(written | gone, new))
    topmost = [
        place
        for place in gone
        if (folder := place.rpartition("/")[0]) not in gone
        # What became a file or a link has taken the place of all that lay in it.
        and (folder not in new or stat.S_ISDIR(new[folder][0]))
    ]
    return Changed(frozenset(written), tuple(sorted(topmost)), frozenset(written & old.keys()))


def held(image: Stamps, before: Stamps, after: Stamps) -> Stamps:
    """What an image of ``image`` holds once it has a layer of what led from ``before`` to ``after``.

    What the environment had otherwise ``before`` it has otherwise still, but for bytecode, which comes and
    goes as modules are imported.
    """
    files = dict(after.files)
    for place in image.files.keys() | before.files.keys():
        had, was = image.files.get(place), before.files.get(place)
        if _same(had, was) or is_bytecode(place) or not _same(was, after.files.get(place)):
            continue
        if had is None:
            del files[place]
        else:
            files[place] = had
    return replace(after, files=files)


def is_bytecode(place: str) -> bool:
    return place.endswith(".pyc") or place.rpartition("/")[2] == CACHE


def members(
    changed: Changed,
    before: Stamps,
    taken: Taken,
    plan: Plan,
    leading: Callable[[str], Member],
    system: Callable[[Mapping[str, Member]], Brought] = lambda written: Brought(),
) -> Above:
    """The layer that makes an image of ``before`` one of ``taken``, which is the environment of ``plan`` now;
    with the folders that lead to its members, of which ``leading`` gives those above the environment, and
    with what ``system`` says that they need.

    Raises nothing: what cannot be read is a finding.
    """
    files = taken.files
    wanted = {place: files[place] for place in changed.written}
    for place in changed.written:
        for other in _companions(place):
            if other in files:
                wanted.setdefault(other, files[other])
    made = members_of(wanted)
    # Bytecode that became stale; what was removed together with its folder is gone with it.
    stale = [place for place in changed.over if place not in made]
    secrets.cut(made)
    for place in wanted.keys() - changed.written:
        if made[place].data is None or place.endswith(_ORIGIN):
            del made[place]
    for place in [p for p in made if p.endswith("/conda-meta/history") and p in changed.over]:
        del made[place]  # empty in every image
    groups = {path.lstrip("/"): name for path, name in taken.keep.owned.files.items()}
    below = system(made)
    findings = (*_left(taken, before), *secrets.search(made, vouched(plan), groups), *below.findings)
    away = [*changed.gone, *stale, *below.gone]
    every = [*below.members.values(), *made.values(), *map(whiteout, away)]

    def folder(place: str) -> Member:
        here = files.get(place)
        return members_of({place: here})[place] if here else leading(place)

    return Above(tuple(with_folders(every, folder)), findings, below.packages)


def _stamp(here: Here) -> Stamp:
    """Mode, size, times, inode, owner. Of a file that has other names, too, its ctime says nothing: whoever
    adds or removes one of them changes it, as uv does with its cache."""
    of, uid = here.status, here.owner.uid
    mode = of.st_mode
    if stat.S_ISDIR(mode):
        return mode, uid
    ctime = _SHARED if of.st_nlink > 1 else of.st_ctime_ns
    return mode, of.st_size, of.st_mtime_ns, ctime, of.st_ino, uid


def _differ(one: Stamp, other: Stamp) -> bool:
    if one == other:
        return False
    if len(one) != len(other) or _SHARED not in (one[_CTIME:][:1] + other[_CTIME:][:1]):
        return True
    return one[:_CTIME] + one[_CTIME + 1 :] != other[:_CTIME] + other[_CTIME + 1 :]


def _same(one: Stamp | None, other: Stamp | None) -> bool:
    return one == other or (one is not None and other is not None and not _differ(one, other))


def _compiled(sources: set[str], there: Mapping[str, Stamp]) -> Iterator[str]:
    """The bytecode of these: it names the time of its source."""
    folders = {
        f"{place.rpartition('/')[0]}/{CACHE}".lstrip("/") for place in sources if place.endswith(".py")
    }
    folders &= there.keys()
    if folders:
        for place in there:
            if place.endswith(".pyc") and place.rpartition("/")[0] in folders and source_of(place) in sources:
                yield place


def _companions(place: str) -> tuple[str, ...]:
    folder, _, name = place.rpartition("/")
    other = {_RECORD: _ORIGIN, _ORIGIN: _RECORD}.get(name)
    return (f"{folder}/{other}",) if other else ()


def _left(taken: Taken, before: Stamps) -> Iterator[Finding]:
    """What stays here by now, and did not before."""
    collected = (taken.environment, taken.base)

    def new(every: Mapping[str, str]) -> dict[str, str]:
        return {path: why for path, why in every.items() if path not in before.left}

    yield from unreadable(*(new(each.unreadable) for each in collected))
    yield from special(*(new(each.special) for each in collected))
    keep = taken.keep
    yield from replace(
        keep,
        private=[path for path in keep.private if path not in before.left],
        beside=[path for path in keep.beside if path not in before.left],
    ).findings


__all__ = [
    "Above", "Changed", "Stamp", "Stamps", "difference", "held", "is_bytecode", "members", "stamps",
]  # fmt: skip
