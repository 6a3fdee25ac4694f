"""What lies on a base: the environment alone, with what the base lacks; or why it cannot lie there."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.environment.model import Snapshot
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.image.copy import symbols
from jupyter_dockerize.image.copy.capture import Captured
from jupyter_dockerize.image.copy.contents import GROUP, PASSWD, Contents
from jupyter_dockerize.image.copy.dangling import parents
from jupyter_dockerize.image.copy.onto import capture_onto
from jupyter_dockerize.image.copy.whiteouts import takes_away
from jupyter_dockerize.image.tar import Member

from ..layouts import file, folder, link
from .environments import planned, site, venv

LIBRARIES = "usr/lib/x86_64-linux-gnu"
LIBC = next(str(path) for path in Path("/").glob("lib/*-linux-gnu/libc.so.6"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, Snapshot]:
    python = venv(tmp_path_factory.mktemp("onto") / "env", "humanize")
    return (python, *planned(python))


def base(*more: Member, glibc: Collection[str] | None = None) -> Contents:
    """A small system, whose C library has the versions of this machine's, or those that are named."""
    has = symbols.of_file(LIBC).has if glibc is None else frozenset(glibc)
    members = [
        folder("bin"), file("bin/bash"), folder(LIBRARIES), file(f"{LIBRARIES}/libc.so.6"),
        file(PASSWD, b"root:x:0:0::/root:/bin/sh"), file(GROUP, b"root:x:0:\n"),
        folder("tmp", uid=7), folder("srv"), *more,
    ]  # fmt: skip
    libc = f"{LIBRARIES}/libc.so.6"
    every = {path: folder(path) for path in parents([member.path for member in members])}
    return Contents({**every, **{m.path: m for m in members}}, {libc: symbols.Symbols({}, has)}, (LIBRARIES,))


def onto(environment: tuple[Path, Plan, Snapshot], contents: Contents) -> Captured:
    _, plan, snapshot = environment

    def ours(packages: Collection[str], places: Collection[str]) -> Mapping[str, Member]:
        return {}

    return capture_onto(plan, snapshot, ours, {}, contents, "base:1")


def last(captured: Captured) -> dict[str, Member]:
    return {member.path: member for group in captured.groups for member in group.members}


def test_nothing_of_the_system_comes_along_but_what_the_base_lacks(
    environment: tuple[Path, Plan, Snapshot],
) -> None:
    captured = onto(environment, base())
    members = last(captured)
    assert not any(path.startswith(("var/lib/dpkg/", "usr/share/zoneinfo")) for path in members)
    carried = {path for path in members if path.startswith(f"{LIBRARIES}/")}
    assert f"{LIBRARIES}/libm.so.6" in carried  # each interpreter links to it
    assert f"{LIBRARIES}/libc.so.6" not in carried
    [said] = [finding for finding in captured.findings if finding.code == "library-carried"]
    assert "base:1" in said.message


def test_folders_of_the_base_stay_as_they_are_and_the_user_has_a_home(
    environment: tuple[Path, Plan, Snapshot],
) -> None:
    captured = onto(environment, base())
    for group in captured.groups:
        for member in group.members:
            if member.path.startswith("home/jovyan"):
                assert (member.uid, member.gid) == (1000, 1000)
            if member.path == "tmp":
                assert member.uid == 7


def test_the_user_is_added_where_the_base_has_none_of_its_number(
    environment: tuple[Path, Plan, Snapshot],
) -> None:
    members = last(onto(environment, base()))
    assert members[PASSWD].data == (
        b"root:x:0:0::/root:/bin/sh\njovyan:x:1000:1000::/home/jovyan:/bin/bash\n"
    )
    assert members[GROUP].data == b"root:x:0:\njovyan:x:1000:\n"
    there = base(file(PASSWD, b"ubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n"), file(GROUP, b"jovyan:x:5:\n"))
    members = last(onto(environment, there))
    assert PASSWD not in members
    assert members[GROUP].data == b"jovyan:x:5:\njovyan1000:x:1000:\n"


def test_what_the_base_has_in_the_environments_folders_is_taken_away(
    environment: tuple[Path, Plan, Snapshot],
) -> None:
    packages = str(site(environment[0])).lstrip("/")
    old = [folder(f"{packages}/old"), file(f"{packages}/old/a.py"), file(f"{packages}/humanize/gone.py")]
    captured = onto(environment, base(*old, file("srv/own")))
    gone = {member.path for group in captured.groups[:1] for member in group.members if takes_away(member)}
    assert gone == {f"{packages}/.wh.old", f"{packages}/humanize/.wh.gone.py"}


def refused(environment: tuple[Path, Plan, Snapshot], contents: Contents, *said: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        onto(environment, contents)
    for words in said:
        assert words in str(caught.value)
    return caught.value


def test_an_older_c_library_is_refused_with_what_needs_the_newer_one(
    environment: tuple[Path, Plan, Snapshot],
) -> None:
    error = refused(
        environment, base(glibc={"GLIBC_2.2.5", "GLIBC_2.17"}), "older than the environment needs"
    )
    assert "goes up to 2.17" in error.why
    assert "leave --base out" in error.fix


def test_a_base_without_a_c_library_is_refused(environment: tuple[Path, Plan, Snapshot]) -> None:
    bare = base()
    del bare.members[f"{LIBRARIES}/libc.so.6"]
    refused(environment, bare, "base:1 has none")
    python, plan, snapshot = environment
    musl = replace(snapshot, system=replace(snapshot.system, libc="musl 1.2.3"))
    refused((python, plan, musl), base(), "made for musl 1.2.3")


def test_a_link_in_the_place_of_a_folder_is_refused(environment: tuple[Path, Plan, Snapshot]) -> None:
    first = str(environment[0]).split(os.sep)[1]
    contents = base()
    contents.members.pop(first, None)
    contents.members[first] = link(first, "srv")
    refused(environment, contents, f"/{first} is a link there")


def test_the_systems_own_python_is_refused(environment: tuple[Path, Plan, Snapshot]) -> None:
    python, plan, snapshot = environment
    own = replace(snapshot, python=replace(snapshot.python, base_prefix="/usr"))
    refused((python, plan, own), base(), "system's own Python", "--method rebuild")


def test_other_versions_of_a_library_than_the_base_has_are_told(
    environment: tuple[Path, Plan, Snapshot], monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = base(file(f"{LIBRARIES}/libm.so.6"))
    contents.symbols[f"{LIBRARIES}/libm.so.6"] = symbols.Symbols({}, frozenset({"GLIBC_2.2.5"}))
    real = symbols.of_file

    def needs(path: str) -> symbols.Symbols:
        found = real(path)
        return replace(found, needs={"libm.so.6": frozenset({"OTHER_1"})} if found.needs else {})

    monkeypatch.setattr(symbols, "of_file", needs)
    [said] = [each for each in onto(environment, contents).findings if each.code == "library-not-in-base"]
    assert "libm.so.6 with OTHER_1" in said.message
