"""Debian packages that come, change and go below a copied environment, as layers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.brought import Brought, Debian, brought, debian
from jupyter_dockerize.image.copy.dpkg import DIVERSIONS, INFO, STATUS, Dpkg
from jupyter_dockerize.image.copy.system import collect_system
from jupyter_dockerize.image.copy.trees import ROOT, collect
from jupyter_dockerize.image.copy.userland import CACHE
from jupyter_dockerize.image.tar import Member

from ...conftest import missing

PACKAGE = "mount"  # nobody needs it, and it has no scripts
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("dpkg"), reason="packages are removed by root, with dpkg"
)


@pytest.fixture(params=["bullseye", "bookworm", "trixie"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The root of a real Debian system, to be changed; dpkg replaces files and never writes into them."""
    roots = os.environ.get("JUPYTER_DOCKERIZE_TEST_ROOTS")
    if not roots:
        missing("the rig has no roots (tests/rig/up roots)")
    subprocess.run(["cp", "-al", Path(roots) / str(request.param), tmp_path / "root"], check=True)
    return tmp_path / "root"


def remove(root: Path) -> None:
    subprocess.run(["dpkg", f"--root={root}", "--purge", PACKAGE], check=True, capture_output=True)


def image(root: Path, *, without: str = "") -> tuple[dict[str, Member], set[str]]:
    """What a copy has of the system, and its packages."""
    dpkg = Dpkg(root)
    found = collect_system(dpkg, [name for name in dpkg.packages if name != without])
    return found.members, {package.name for package in found.packages}


def layered(below: Mapping[str, Member], layer: Brought) -> dict[str, Member]:
    there = {
        path: member
        for path, member in below.items()
        if not any(f"{path}/".startswith(f"{gone}/") for gone in layer.gone)
    }
    return {**there, **{path: member for path, member in layer.members.items() if path != CACHE}}


def content(members: Mapping[str, Member]) -> dict[str, object]:
    """Without where it was read."""
    return {
        path: (replace(each, source=None), each.source and Path(each.source).read_bytes())
        for path, each in members.items()
        if each.kind != "folder"
    }


def change(before: Debian, have: Collection[str], root: Path, **written: Member) -> Brought:
    return brought(before, have, written, {}, "amd64", path=root)


def test_a_package_that_goes_and_comes_leaves_the_image_of_a_whole_copy(system: Path, tmp_path: Path) -> None:
    shutil.copytree(system, tmp_path / "with", symlinks=True, copy_function=os.link)
    full, names = image(system)
    whole = content(full)
    before = debian(system)
    remove(system)
    gone = change(before, names, system)
    assert f"{INFO}/{PACKAGE}.list" in gone.gone
    assert gone.members.keys() - {DIVERSIONS} == {STATUS, CACHE}
    less, fewer = image(system)
    assert names - fewer == {PACKAGE}
    assert content(layered(full, gone)) == content(less)
    back = change(debian(system), fewer, tmp_path / "with")
    assert (back.gone, back.packages) == ((), (PACKAGE,))
    assert content(layered(less, back)) == whole


def test_an_upgrade_brings_its_files_and_takes_the_old_ones(system: Path) -> None:
    full, names = image(system)
    before = debian(system)
    status, listed = system / STATUS, system / INFO / f"{PACKAGE}.list"
    text = status.read_text()
    version = before.versions[PACKAGE]
    at = text.index(f"\nVersion: {version}\n", text.index(f"Package: {PACKAGE}\n"))
    replaced(status, text[:at] + text[at:].replace(version, "99", 1))
    old = next(path for path in listed.read_text().splitlines() if path.endswith("/mount"))
    replaced(listed, listed.read_text().replace(old, f"{old}.new"))
    Path(f"{system}{old}").rename(f"{system}{old}.new")
    found = change(before, names, system)
    assert [path for path in found.gone if path.endswith("bin/mount")] == list(found.gone)
    assert any(path.endswith("bin/mount.new") for path in found.members)
    assert found.packages == ()
    assert b"Version: 99\n" in (found.members[STATUS].data or b"")
    assert content(layered(full, found)) == content(image(system)[0])


def replaced(path: Path, text: str) -> None:
    """It may be a link to somebody else's."""
    path.unlink()
    path.write_text(text)


def test_what_the_image_does_not_have_does_not_go_from_it(system: Path) -> None:
    _, names = image(system, without=PACKAGE)
    assert PACKAGE not in names
    before = debian(system)
    remove(system)
    assert change(before, names, system) == Brought()


def test_a_library_that_new_files_link_to_comes_with_its_package() -> None:
    """Here: the one of Debian's that this Python's sqlite3 wants, in an image that lacks it."""
    import _sqlite3

    dpkg = Dpkg()
    file = next(iter(collect([_sqlite3.__file__], owner=ROOT).members.values()))
    names = set(dpkg.packages)
    owner = [each for each in dpkg.closure(["libsqlite3-0"]) if each.name == "libsqlite3-0"]
    if not owner:
        pytest.skip("its sqlite is not Debian's")
    now = debian()
    assert change(now, names, Path("/"), file=file) == Brought()
    found = change(now, names - {"libsqlite3-0"}, Path("/"), file=file)
    assert found.packages == ("libsqlite3-0",)
    assert any("libsqlite3.so" in path for path in found.members)
    assert b"\nPackage: libsqlite3-0\n" in b"\n" + (found.members[STATUS].data or b"")
