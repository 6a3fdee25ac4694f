"""Members → layers: at most 20, and so cut that one more package rewrites little.

A layer depends on what lies in it and on nothing else: a large distribution has one of its own, the small
ones are dealt into a fixed number of piles by their names.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..tar import Member

MOST = 20  # layers of a copied image; engines stop at 127, and each costs them time
LARGE = 24 << 20  # bytes of a distribution that is a layer of its own
LARGE_LAYERS = 10
PILES = 4


@dataclass(frozen=True, slots=True)
class Group:
    """What becomes one layer. ``title`` is what `docker history` shows."""

    title: str
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(member.size for member in self.members if member.kind == "file")


def distributions(members: Mapping[str, Member], owners: Mapping[str, str]) -> list[Group]:
    """The environment's groups: what no distribution owns, the piles, the large ones by name."""
    by_name: dict[str, list[Member]] = {}
    names_of = {path: _owner(path, owners) for path in members}
    above = _above(path for path, name in names_of.items() if name)
    for path, member in members.items():
        # A layer brings the folders of its files; in the frame they would change it with every package.
        if member.kind != "folder" or path not in above:
            by_name.setdefault(names_of[path], []).append(member)
    rest = by_name.pop("", [])
    sizes = {name: sum(m.size for m in own if m.kind == "file") for name, own in by_name.items()}
    limit = LARGE
    while sum(size >= limit for size in sizes.values()) > LARGE_LAYERS:
        limit *= 2
    large = sorted(name for name, size in sizes.items() if size >= limit)
    piles: list[list[Member]] = [[] for _ in range(PILES)]
    names: list[list[str]] = [[] for _ in range(PILES)]
    for name in sorted(set(by_name) - set(large)):
        number = zlib.crc32(name.encode()) % PILES
        piles[number] += by_name[name]
        names[number].append(name)
    groups = [Group("the environment's frame", tuple(rest))] if rest else []
    groups += [
        Group(f"packages: {_list(name)}", tuple(pile))
        for pile, name in zip(piles, names, strict=True)
        if pile
    ]
    groups += [Group(f"package: {name}", tuple(by_name[name])) for name in large]
    return groups


def _above(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def _owner(path: str, owners: Mapping[str, str]) -> str:
    """Whose the file is; bytecode is its source's, as lists of files seldom name it."""
    found = owners.get(path)
    if found is not None or not path.endswith(".pyc"):
        return found or ""
    folder, _, name = path.rpartition("/")
    return owners.get(f"{folder.rpartition('/')[0]}/{name.partition('.')[0]}.py", "")


def _list(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:6]) + (f" and {len(every) - 6} more" if len(every) > 6 else "")


__all__ = ["LARGE", "MOST", "PILES", "Group", "distributions"]
