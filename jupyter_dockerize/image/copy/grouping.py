"""Members → layers: at most 20, and so cut that one more package rewrites little.

The largest distributions have a layer each. The others are dealt into piles by their size and name: what one
installs by the way is mostly small, and lies with small ones. What changes often lies above what seldom does,
because engines unpack again what lies above a layer that changed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from ...sizes import and_more
from ..tar import Member
from .dangling import parents

MOST = 20  # layers of a copied image; engines stop at 127, and each costs them time
LARGE = 24 << 20  # bytes of a distribution that may have a layer of its own
OWN_LAYERS = 8
PILES = ((LARGE, 2), (2 << 20, 2), (0, 3))  # how many, for distributions of so many bytes and more


@dataclass(frozen=True, slots=True)
class Group:
    """What becomes one layer. ``title`` is what `docker history` shows."""

    title: str
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(member.size for member in self.members if member.kind == "file")

    @property
    def files(self) -> int:
        """How many files it has."""
        return sum(member.kind == "file" for member in self.members)


def distributions(members: Mapping[str, Member], owners: Mapping[str, str]) -> list[Group]:
    """The environment's groups, the lowest first: the large ones, the piles, what no distribution owns."""
    by_name: dict[str, list[Member]] = {}
    names_of = {path: _owner(path, owners) for path in members}
    above = parents(path for path, name in names_of.items() if name)
    for path, member in members.items():
        # A layer brings the folders of its files; in the frame they would change it with every package.
        if member.kind != "folder" or path not in above:
            by_name.setdefault(names_of[path], []).append(member)
    rest = by_name.pop("", [])
    sizes = {name: sum(m.size for m in own if m.kind == "file") for name, own in by_name.items()}
    large = sorted((name for name in sizes if sizes[name] >= LARGE), key=lambda name: (-sizes[name], name))
    own = sorted(large[:OWN_LAYERS])
    piles: dict[tuple[int, int], list[str]] = {
        (floor, number): [] for floor, count in PILES for number in range(count)
    }
    for name in sorted(by_name.keys() - set(own)):
        floor, count = next(pile for pile in PILES if sizes[name] >= pile[0])
        piles[floor, zlib.crc32(name.encode()) % count].append(name)
    groups = [Group(f"package: {name}", tuple(by_name[name])) for name in own]
    groups += [
        Group(f"packages: {and_more(names, 6)}", tuple(member for name in names for member in by_name[name]))
        for names in piles.values()
        if names
    ]
    return [*groups, Group("the environment's frame", tuple(rest))] if rest else groups


def _owner(path: str, owners: Mapping[str, str]) -> str:
    """Whose the file is; bytecode is its source's, as lists of files seldom name it."""
    found = owners.get(path)
    if found is not None or not path.endswith(".pyc"):
        return found or ""
    folder, _, name = path.rpartition("/")
    return owners.get(f"{folder.rpartition('/')[0]}/{name.partition('.')[0]}.py", "")


__all__ = ["LARGE", "MOST", "OWN_LAYERS", "Group", "distributions"]
