"""Versions of symbols, of this machine's own libraries and of files that are none."""

from __future__ import annotations

import ctypes.util
import platform
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.image.copy.symbols import NONE, glibc, of_bytes, of_file

LIBC = next(
    (path for path in Path("/").glob("lib/*-linux-gnu/libc.so.6")), Path(ctypes.util.find_library("c") or "/")
)
needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="this machine has another C library"
)


@needs_glibc
def test_the_c_library_has_all_versions_up_to_its_own() -> None:
    numbers = {glibc(version) for version in of_file(str(LIBC)).has} - {()}
    here = tuple(map(int, platform.libc_ver()[1].split(".")))
    assert {(2, 2, 5), (2, 17)} <= numbers or {(2, 17)} <= numbers
    assert max(numbers) <= here


@needs_glibc
def test_an_interpreter_needs_versions_of_the_c_library() -> None:
    found = of_file(str(Path(sys.executable).resolve())).needs
    assert any(glibc(version) for version in found["libc.so.6"])


def test_only_numbers_of_glibc_are_its_numbers() -> None:
    assert glibc("GLIBC_2.34") > glibc("GLIBC_2.4") > glibc("GLIBC_2.2.5")
    assert [glibc(each) for each in ("GLIBC_PRIVATE", "GLIBCXX_3.4", "GLIBC_2.x", "")] == [()] * 4


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh", b"\x7fELF", b"\x7fELF\x02\x01" + bytes(58), b"\x7fELF\x01\x01"]
)
def test_what_is_no_such_file_has_none(data: bytes) -> None:
    assert of_bytes(data) == NONE


@needs_glibc
@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), max_size=20),
    st.integers(0),
)
def test_a_file_that_is_broken_anywhere_breaks_nothing(changes: list[tuple[int, bytes]], cut: int) -> None:
    data = bytearray(LIBC.read_bytes())
    for at, piece in changes:
        data[at : at + len(piece)] = piece
    of_bytes(bytes(data[: cut % (1 << 22) or None]))
