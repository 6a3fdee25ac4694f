"""The loader's cache as the loader's own tools read and sort it."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.image.copy import loadercache

LDCONFIG = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
CACHE = Path("/etc/ld.so.cache")
needs_ldconfig = pytest.mark.skipif(not LDCONFIG or not CACHE.exists(), reason="no glibc's ldconfig here")


def names_in(data: bytes) -> list[str]:
    """The names of a cache in its own order."""
    start = data.index(loadercache.MAGIC)
    data = data[start:]
    (count,) = struct.unpack_from("<I", data, 20)
    keys = [struct.unpack_from("<iII", data, 48 + 24 * number)[1] for number in range(count)]
    return [data[key : data.index(b"\0", key)].decode() for key in keys]


def listed(cache: Path) -> list[tuple[str, str]]:
    assert LDCONFIG is not None
    said = subprocess.run([LDCONFIG, "-p", "-C", cache], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(?m)^\t(\S+) \([^)]*\) => (.+)$", said)


def libcmp(first: str, second: str) -> int:
    """elf/dl-cache.c, `_dl_cache_libcmp`, word for word."""
    one, two = first + "\0", second + "\0"
    at = to = 0
    digits = "0123456789"
    while one[at] != "\0":
        if one[at] in digits:
            if two[to] not in digits:
                return 1
            left, right = re.match(r"[0-9]+", one[at:]), re.match(r"[0-9]+", two[to:])
            assert left and right
            if int(left[0]) != int(right[0]):
                return int(left[0]) - int(right[0])
            at, to = at + left.end(), to + right.end()
        elif two[to] in digits:
            return -1
        elif one[at] != two[to]:
            return ord(one[at]) - ord(two[to])
        else:
            at, to = at + 1, to + 1
    return ord(one[at]) - ord(two[to])


@needs_ldconfig
def test_the_order_is_the_one_that_this_machine_has() -> None:
    theirs = list(dict.fromkeys(names_in(CACHE.read_bytes())))
    ours = names_in(loadercache.write([(name, f"/lib/{name}") for name in sorted(theirs)], "amd64"))
    assert len(ours) > 10
    assert ours == theirs


@needs_ldconfig
def test_ldconfig_reads_what_we_write(tmp_path: Path) -> None:
    libraries = [
        ("libz.so.1", "/usr/lib/libz.so.1"),
        ("libm.so.6", "/lib/libm.so.6"),
        ("libé.so", "/opt/é.so"),
    ]
    (tmp_path / "cache").write_bytes(loadercache.write(libraries, "amd64"))
    assert sorted(listed(tmp_path / "cache")) == sorted(libraries)


def test_the_first_path_of_a_name_wins() -> None:
    data = loadercache.write([("liba.so", "/first"), ("liba.so", "/second")], "amd64")
    assert b"/first\0" in data
    assert b"/second" not in data


def test_a_name_that_is_no_text_is_taken_as_it_is() -> None:
    assert b"lib\xff.so\0/lib/lib\xff.so\0" in loadercache.write(
        [("lib\udcff.so", "/lib/lib\udcff.so")], "amd64"
    )


def test_an_empty_cache_is_one() -> None:
    assert names_in(loadercache.write([], "arm64")) == []


NAMES = st.text(alphabet="ab0129.-_+", min_size=1, max_size=12)


@given(st.lists(NAMES, unique=True))
def test_names_are_sorted_as_the_loader_searches(names: list[str]) -> None:
    """By its own comparison no name is greater than the one before it, so a search by halves finds each."""
    ours = names_in(loadercache.write([(name, "/x") for name in names], "amd64"))
    assert all(libcmp(first, second) >= 0 for first, second in pairwise(ours))
