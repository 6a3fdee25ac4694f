"""The tar writer: what `tarfile` reads back is what was given, and the bytes are the same each time."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.image import tar
from jupyter_dockerize.image.layer import Compression, write_layer
from jupyter_dockerize.image.tar import ChangedError, Member, SourceError, archive, header

KINDS = {
    "file": tarfile.REGTYPE,
    "folder": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
}


def written(*members: Member) -> bytes:
    return b"".join(archive(members))


def read(data: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as opened:
        return opened.getmembers()


names = (
    st.lists(
        st.binary(min_size=1, max_size=255).map(lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_")),
        min_size=1,
        max_size=6,
    )
    .map(lambda parts: os.fsdecode(b"/".join(parts)))
    .filter(lambda name: not {".", ".."} & set(name.split("/")))
)
numbers = st.integers(0, 2**33)


@given(
    path=names,
    target=names,
    kind=st.sampled_from(sorted(KINDS)),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 2**31),
    gid=st.integers(0, 2**31),
    mtime=st.integers(-(2**33), 2**40),
    xattrs=st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz.", min_size=1, max_size=20).map("user.".__add__),
        st.binary(max_size=300),
        max_size=2,
    ),
)
def test_whatever_a_member_is_it_comes_back(
    path: str,
    target: str,
    kind: tar.Kind,
    mode: int,
    uid: int,
    gid: int,
    mtime: int,
    xattrs: dict[str, bytes],
) -> None:
    link = target if kind in ("symlink", "hardlink") else ""
    member = Member(
        path=path, kind=kind, mode=mode, uid=uid, gid=gid, mtime=mtime, target=link, xattrs=xattrs
    )
    [found] = read(written(member))
    assert (found.type, found.mode, found.uid, found.gid) == (KINDS[kind], mode, uid, gid)
    assert found.mtime == mtime
    assert os.fsencode(found.name) == os.fsencode(path)
    assert os.fsencode(found.linkname) == os.fsencode(link)
    assert found.size == 0
    got = {key: value for key, value in found.pax_headers.items() if key.startswith("SCHILY.xattr.")}
    assert {key[13:]: os.fsencode(value) for key, value in got.items()} == xattrs


@given(st.lists(st.binary(max_size=3000), max_size=8))
def test_contents_come_back(contents: list[bytes]) -> None:
    members = [Member(path=f"f{n}", data=data, size=len(data)) for n, data in enumerate(contents)]
    with tarfile.open(fileobj=io.BytesIO(written(*members))) as opened:
        found = [opened.extractfile(member) for member in opened.getmembers()]
        assert [file.read() for file in found if file] == contents


def test_files_small_and_large_are_read_from_the_disk(tmp_path: Path) -> None:
    sizes = [0, 1, 511, 512, 513, tar.CHUNK, tar.CHUNK + 1, 3 * tar.CHUNK + 7]
    members = []
    for size in sizes:
        path = tmp_path / str(size)
        path.write_bytes(os.urandom(size))
        members.append(Member(path=str(size), source=str(path), size=size))
    with tarfile.open(fileobj=io.BytesIO(written(*members))) as opened:
        for member in opened.getmembers():
            file = opened.extractfile(member)
            assert file and file.read() == (tmp_path / member.name).read_bytes()


def test_more_than_eight_gigabytes_are_said_in_a_pax_record() -> None:
    size = (8 << 30) + 5
    [found] = tarfile.TarFile.open(fileobj=_Sparse(header(Member(path="big", size=size)), size)).getmembers()
    assert found.size == size


class _Sparse(io.RawIOBase):
    """A header, and zeros up to the size that it names."""

    def __init__(self, head: bytes, size: int) -> None:
        self._head, self._end, self._at = head, len(head) + size + 2048, 0

    def read(self, size: int = -1) -> bytes:
        size = min(size, self._end - self._at)
        piece = self._head[self._at : self._at + size].ljust(size, b"\0")
        self._at += size
        return piece

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset
        return offset

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def test_a_sparse_file_is_its_zeros(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(5 * tar.CHUNK)
    total = hashlib.sha256(written(Member(path="s", source=str(path), size=5 * tar.CHUNK))).hexdigest()
    assert (
        total
        == hashlib.sha256(
            written(Member(path="s", data=bytes(5 * tar.CHUNK), size=5 * tar.CHUNK))
        ).hexdigest()
    )


@pytest.mark.parametrize("size", [100, 2 * tar.CHUNK])
@pytest.mark.parametrize("change", ["grown", "shrunk", "gone", "link", "pipe"])
def test_a_file_that_changes_is_named(change: str, size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    member = Member(path="file", source=str(path), size=size)
    if change == "grown":
        path.write_bytes(b"x" * (size + 1))
    elif change == "shrunk":
        path.write_bytes(b"x" * (size - 1))
    else:
        path.unlink()
    if change == "link":
        path.symlink_to("/etc/hostname")
    elif change == "pipe":
        os.mkfifo(path)
    with pytest.raises(ChangedError, match=str(path)):
        written(member)


def test_a_small_file_that_is_written_meanwhile_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    real, calls = os.read, []

    def slow(descriptor: int, size: int) -> bytes:
        data = real(descriptor, size)
        if not calls:
            path.write_bytes(b"new")
            os.utime(path, ns=(1, 1))
        calls.append(size)
        return data

    monkeypatch.setattr(os, "read", slow)
    assert b"new" in written(Member(path="file", source=str(path), size=3))


@pytest.mark.parametrize("size", [100, 2 * tar.CHUNK])
def test_a_file_that_is_written_all_the_time_is_named(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size stays, and so does its time, which anybody can set."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    os.utime(path, (1, 1))
    real = os.read

    def meanwhile(descriptor: int, size: int) -> bytes:
        time.sleep(0.01)  # a tick of the file system's clock
        with path.open("r+b") as file:
            file.write(os.urandom(8))
        os.utime(path, (1, 1))
        return real(descriptor, size)

    monkeypatch.setattr(os, "read", meanwhile)
    with pytest.raises(ChangedError, match="changed while it was copied"):
        written(Member(path="file", source=str(path), size=size))


@pytest.mark.parametrize("size", [100, 2 * tar.CHUNK])
def test_a_disk_that_fails_while_reading_is_named(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)

    def failing(descriptor: int, size: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", failing)
    with pytest.raises(SourceError, match=f"{path} cannot be read\nwhy: Input/output error"):
        written(Member(path="file", source=str(path), size=size))


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_a_layer_is_the_same_however_its_files_were_read(
    compression: Compression, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read may give less than it was asked for: what isal makes of bytes depends on where they were cut."""
    path = tmp_path / "file"
    path.write_bytes(b"".join(bytes([n % 7]) * (n % 300) + os.urandom(n % 50) for n in range(20_000)))
    members = [
        Member(path="small", data=b"abc", size=3),
        Member(path="large", source=str(path), size=path.stat().st_size),
    ]
    pieces: list[bytes] = []
    whole = write_layer(members, pieces.append, "copy", compression=compression)
    assert whole.descriptor.digest == "sha256:" + hashlib.sha256(b"".join(pieces)).hexdigest()
    real = os.read
    for most in (1000, 65_537, 1 << 20):
        monkeypatch.setattr(os, "read", lambda fd, size, most=most: real(fd, min(size, most)))
        assert write_layer(members, lambda piece: None, "copy", compression=compression) == whole


def test_a_file_that_gets_another_link_meanwhile_has_not_changed(tmp_path: Path) -> None:
    """uv links files of environments and of its cache, also while others read them."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * (3 << 20))
    os.link(path, tmp_path / "cache")
    pieces = archive([Member(path="file", source=str(path), size=3 << 20)])
    data = [next(pieces), next(pieces)]
    os.link(path, tmp_path / "another")
    assert len(b"".join([*data, *pieces])) > 3 << 20
