"""What programs link to, as the loader of this machine finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.elf import Links, soname
from jupyter_dockerize.image.copy.trees import ROOT, collect
from jupyter_dockerize.image.tar import Member

from ...conftest import missing

ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]


def members(*paths: Path | str) -> list[Member]:
    return list(collect(map(str, paths), owner=ROOT).members.values())


def names(paths: set[str]) -> set[str]:
    return {os.path.basename(path) for path in paths}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A program that links to libtop.so, which links to libbase.so; both lie beside it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        missing("no compiler here")
    (tmp_path / "base.c").write_text("int base(void) { return 1; }\n")
    (tmp_path / "top.c").write_text("int base(void); int top(void) { return base(); }\n")
    (tmp_path / "main.c").write_text("int top(void); int main(void) { return top(); }\n")
    beside = ["-L.", "-Wl,-rpath,$ORIGIN", "-Wl,--no-as-needed"]
    for argv in (
        ["-shared", "-fPIC", "-Wl,-soname,libbase.so.7", "-o", "libbase.so.7", "base.c"],
        ["-shared", "-fPIC", "-Wl,-soname,libtop.so", "-o", "libtop.so", "top.c", *beside, "-l:libbase.so.7"],
        ["-o", "program", "main.c", *beside, "-ltop"],
    ):
        subprocess.run([compiler, *argv], cwd=tmp_path, check=True)
    return tmp_path


def test_libraries_of_libraries_are_found_by_their_search_paths(library: Path) -> None:
    found = Links(ARCH, {}).wanted(members(library / "program"))
    assert {f"{library}/libtop.so", f"{library}/libbase.so.7"} <= found
    assert "libc.so.6" in names(found)


def test_what_stays_is_not_followed(library: Path) -> None:
    links = Links(ARCH, {}, lambda path: path.endswith("libtop.so"))
    assert not {"libtop.so", "libbase.so.7"} & names(links.wanted(members(library / "program")))
    assert links.left == {f"{library}/libtop.so"}


def test_the_name_that_others_link_by(library: Path) -> None:
    assert soname(f"{library}/libbase.so.7") == "libbase.so.7"
    assert soname(f"{library}/base.c") is None
    assert soname(f"{library}/gone") is None


def test_this_interpreter_needs_the_c_library() -> None:
    found = Links(ARCH, os.environ).wanted(members(os.path.realpath(sys.executable)))
    assert "libc.so.6" in names(found)
    assert all(os.path.isabs(path) and os.path.exists(path) for path in found)


def test_scripts_and_broken_files_link_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "broken.so").write_bytes(b"\x7fELF" + b"\xff" * 60)
    (tmp_path / "short.so").write_bytes(b"\x7fEL")
    found = members(tmp_path)
    (tmp_path / "short.so").unlink()  # gone since
    assert Links(ARCH, {}).wanted(found) == set()


def test_of_an_architecture_that_is_not_known_nothing_is_wrong() -> None:
    assert Links("riscv64", {}).wanted([]) == set()
