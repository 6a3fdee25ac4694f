"""dpkg's status, apt's manual marks, and who owns a file."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment import probe

STATUS = """\
Package: bash
Essential: yes
Status: install ok installed
Priority: required
Section: shells
Architecture: amd64
Source: bash (5.2.15-2)
Version: 5.2.15-2+b2
Depends: base-files (>= 2.1.12), debianutils (>= 5.6-0.1)
Pre-Depends: libc6 (>= 2.36), libtinfo6 (>= 6)
Conffiles:
 /etc/skel/.bashrc 1f98b8f3f3c8f8927eca945d59dcc1c6
Description: GNU Bourne Again SHell
 Package: fake
 .
 Version: 9

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Source: glibc
Version: 2.36-9

Package: held
Status: hold ok installed
Architecture: all
Version: 1
Depends: virtual-mta | exim4, gone | bash (>= 4) | libc6, perl:any
Provides: mail-agent (= 1), virtual-editor

Package: docs
Status: install ok installed
Architecture: all
Version: 1

Package: halfway
Status: install reqreinst half-installed
Architecture: amd64
Version: 1

Package: removed
Status: deinstall ok config-files
Architecture: amd64
Version: 1
Provides: perl

Package: postfix
Status: install ok installed
Architecture: amd64
Version: 3
Provides: virtual-mta
"""
STATES = """\
Package: libc6
Architecture: i386
Auto-Installed: 1

Package: held
Architecture: amd64
Auto-Installed: 0

Package: docs
Architecture: amd64
Auto-Installed: 1

Package: postfix
Architecture: amd64
Some-Field: x
Auto-Installed: 1
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "var/lib/dpkg/info").mkdir(parents=True)
    (tmp_path / "var/lib/apt").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    (tmp_path / "var/lib/apt/extended_states").write_text(STATES)
    return tmp_path


def _apt(root: Path, *options: str) -> dict[str, Any]:
    found: dict[str, Any] = probe.apt_facts(probe.Faults(), options, str(root))
    return found


def test_every_state_of_a_package_is_told(root: Path) -> None:
    found = [(p["name"], p["arch"], p["status"], p["manual"]) for p in _apt(root)["packages"]]
    assert found == [
        ("bash", "amd64", "install ok installed", True),
        ("libc6", "amd64", "install ok installed", True),
        ("libc6", "i386", "install ok installed", False),
        ("held", "all", "hold ok installed", True),
        ("docs", "all", "install ok installed", False),
        ("halfway", "amd64", "install reqreinst half-installed", True),
        ("removed", "amd64", "deinstall ok config-files", True),
        ("postfix", "amd64", "install ok installed", False),
    ]
    bash = _apt(root)["packages"][0]
    assert {key: bash[key] for key in ("version", "essential", "priority", "source", "section")} == {
        "version": "5.2.15-2+b2",
        "essential": True,
        "priority": "required",
        "source": "bash",
        "section": "shells",
    }


def test_dependencies_are_those_that_are_installed(root: Path) -> None:
    depends = _apt(root, "libraries")["depends"]
    assert depends["bash"] == ["libc6"]
    assert depends["held"] == ["bash", "postfix"]  # the provider, the first that is there; perl is gone
    assert "halfway" not in depends
    assert _apt(root)["depends"] is None


def test_without_dpkg_or_marks(root: Path) -> None:
    (root / "var/lib/apt/extended_states").unlink()
    assert all(package["manual"] for package in _apt(root)["packages"])
    shutil.rmtree(root / "var/lib/dpkg")
    assert probe.apt_facts(faults := probe.Faults(), (), str(root)) is None
    assert faults.list == []


def test_a_status_that_cannot_be_read_is_a_fault(root: Path) -> None:
    (root / "var/lib/dpkg/status").unlink()
    (root / "var/lib/dpkg/status").mkdir()
    assert probe.apt_facts(faults := probe.Faults(), (), str(root)) is None
    assert [fault["where"] for fault in faults.list] == ["apt"]


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, len(STATUS)), noise=st.binary(max_size=40))
def test_a_status_cut_anywhere_with_anything_in_it(
    tmp_path_factory: pytest.TempPathFactory, cut: int, noise: bytes
) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_bytes(STATUS.encode()[:cut] + noise)
    for package in _apt(root, "libraries")["packages"]:
        assert package["name"]


def test_owners_are_found_under_every_spelling(root: Path) -> None:
    info = root / "var/lib/dpkg/info"
    (info / "libc6:amd64.list").write_text("/.\n/lib\n/lib/x86_64-linux-gnu/libc.so.6\n")
    (info / "libpq5:amd64.list").write_text("/usr/lib/x86_64-linux-gnu/libpq.so.5.15\n")
    (info / "odd.list").write_bytes(b"/usr/lib/\xff.so\n")
    found = probe.owners(
        [
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "/usr/lib/x86_64-linux-gnu/libpq.so.5.15",
            "/usr/lib/\udcff.so",
            "/opt/own.so",
        ],
        probe.Faults(),
        str(root),
    )
    assert found == {
        "/usr/lib/x86_64-linux-gnu/libc.so.6": "libc6",
        "/usr/lib/x86_64-linux-gnu/libpq.so.5.15": "libpq5",
        "/usr/lib/\udcff.so": "odd",
    }


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="this machine is no Debian")
def test_the_machines_own_packages_are_those_of_dpkg_and_apt() -> None:
    found = probe.apt_facts(probe.Faults())["packages"]
    query = ["dpkg-query", "-W", "-f", "${Package} ${Version} ${Architecture} ${Status}\n"]
    listed = subprocess.run(query, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    assert sorted(f"{p['name']} {p['version']} {p['arch']} {p['status']}" for p in found) == sorted(listed)
    marks = subprocess.run(
        ["apt-mark", "showmanual"], capture_output=True, text=True, check=True
    ).stdout.split()
    manual = {p["name"] for p in found if p["manual"] and p["status"].endswith(" installed")}
    assert {mark.partition(":")[0] for mark in marks} == manual
