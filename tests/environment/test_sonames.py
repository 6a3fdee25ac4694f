"""The table of sonames: right where this machine can tell."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from jupyter_dockerize.environment.names import debian_name
from jupyter_dockerize.environment.sonames import _LINES, RELEASES, in_release, package_of


def rows() -> list[tuple[str, list[str]]]:
    lines = [line for line in _LINES.splitlines() if not line.startswith("#")]
    return [(line.partition(" : ")[0], line.partition(" : ")[2].split()) for line in lines]


def test_every_line_is_well_formed_and_says_one_thing() -> None:
    seen: set[tuple[str, str]] = set()
    for left, releases in rows():
        soname, package, *rest = left.split()
        assert rest in ([], ["t64"])
        assert re.fullmatch(r"lib[A-Za-z0-9_.+-]*\.so(\.[0-9a-z.]+)?", soname)
        assert debian_name(package) == package
        assert set(releases) <= set(RELEASES)
        for codename in releases or RELEASES:
            assert (soname, codename) not in seen
            seen.add((soname, codename))
    assert len(seen) > 1000


@pytest.mark.parametrize(
    ("soname", "codename", "package"),
    [
        ("libGL.so.1", "bookworm", "libgl1"),
        ("libGL.so.1", "noble", "libgl1"),
        ("libgthread-2.0.so.0", "bookworm", "libglib2.0-0"),
        ("libgthread-2.0.so.0", "trixie", "libglib2.0-0t64"),
        ("libasound.so.2", "jammy", "libasound2"),
        ("libasound.so.2", "noble", "libasound2t64"),
        ("libffi.so.7", "bullseye", "libffi7"),
        ("libffi.so.7", "bookworm", None),
        ("libffi.so.8", "bookworm", "libffi8"),
        ("libjpeg.so.8", "jammy", "libjpeg-turbo8"),
        ("libjpeg.so.8", "bookworm", None),
        ("libnothing.so.1", "bookworm", None),
        ("libGL.so.1", "hamm", None),
    ],
)
def test_package_of(soname: str, codename: str, package: str | None) -> None:
    assert package_of(soname, codename) == package


@pytest.mark.parametrize(
    ("codename", "name", "there"),
    [
        ("bookworm", "libglib2.0-0t64", "libglib2.0-0"),
        ("trixie", "libglib2.0-0", "libglib2.0-0t64"),
        ("noble", "libglib2.0-0t64", "libglib2.0-0t64"),
        ("trixie", "libgl1", "libgl1"),
        ("trixie", "libfoo1t64", "libfoo1t64"),
        ("", "libglib2.0-0t64", "libglib2.0-0t64"),
    ],
)
def test_names_from_before_and_after_the_64_bit_time(codename: str, name: str, there: str) -> None:
    assert in_release(name, codename) == there


def test_what_is_installed_here_agrees_with_the_table() -> None:
    """On a Debian or Ubuntu of the table: a package that is installed holds what its lines say."""
    release = Path("/etc/os-release")
    match = re.search(r"VERSION_CODENAME=(\w+)", release.read_text()) if release.exists() else None
    codename = match[1] if match else ""
    if codename not in RELEASES or shutil.which("dpkg-query") is None:
        return  # nothing here can tell; the well-formedness above still holds
    wanted: dict[str, set[str]] = {}
    for left, _ in rows():
        soname = left.split()[0]
        if package := package_of(soname, codename):
            wanted.setdefault(package, set()).add(soname)
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    installed = {line.split()[0] for line in listed if line.endswith(" installed")} & set(wanted)
    for package in sorted(installed):
        files = subprocess.run(
            ["dpkg-query", "-L", package], capture_output=True, text=True, check=True
        ).stdout
        names = {line.rsplit("/", 1)[-1] for line in files.splitlines()}
        assert wanted[package] <= names, package
