"""Links of a copy lead somewhere in the image, or are named."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_dockerize.image.copy.dangling import dangling
from jupyter_dockerize.image.tar import Member


def image(**targets: str) -> dict[str, Member]:
    """An image with a file, a merged /usr, and these links."""
    made = [
        Member(path="usr/lib/libz.so.1"),
        Member(path="lib", kind="symlink", target="usr/lib"),
        Member(path="opt/env/data/file"),
        *(Member(path=f"opt/env/{name}", kind="symlink", target=to) for name, to in targets.items()),
    ]
    return {member.path: member for member in made}


def named(members: dict[str, Member]) -> list[str]:
    links = [path for path in members if path.startswith("opt/env/") and members[path].kind == "symlink"]
    return [f"{finding.severity}: {finding.message}" for finding in dangling(members, links)]


def test_links_that_lead_somewhere_are_not_mentioned() -> None:
    members = image(
        file="data/file", folder="../env/data/", through="/lib/libz.so.1", chain="file", up="../../../../usr",
        made="/dev/null", standard="/proc/self/fd/1",
    )  # fmt: skip
    assert named(members) == []


def test_a_link_to_what_stays_here_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "big.csv").touch()
    place = str(tmp_path / "link").lstrip("/")
    os.symlink("big.csv", tmp_path / "link")
    members = {place: Member(path=place, kind="symlink", target="big.csv")}
    [finding] = dangling(members, [place])
    assert (finding.code, finding.severity) == ("links-lead-nowhere", "warning")
    assert f"{tmp_path}/link → big.csv" in finding.message


def test_a_link_that_leads_nowhere_here_either_is_told_as_such() -> None:
    [said] = named(image(gone="/nowhere/at\nall", around="around"))
    assert said.startswith("info: 2 links")
    assert "\n" not in said
