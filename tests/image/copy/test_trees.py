"""Files as they come into a layer: what they are, not how or when they came to this machine."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.trees import DATE, ROOT, Collected, Owner, collect, with_parents
from jupyter_dockerize.image.tar import Member, archive

from .environments import open_to_all


def taken(folder: Path, **more: object) -> dict[str, Member]:
    """Members by their path below the folder."""
    found = collect([str(folder)], owner=Owner(7, 8), **more)  # type: ignore[arg-type]
    return {os.path.relpath("/" + path, folder): member for path, member in found.members.items()}


def test_modes_owner_and_date_say_nothing_of_this_machine(tmp_path: Path) -> None:
    for name, mode in {"script": 0o750, "data": 0o600, "setuid": 0o4755}.items():
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o2770)
    members = taken(tmp_path)
    modes = {name: oct(member.mode) for name, member in members.items()}
    assert modes == {
        ".": "0o755", "script": "0o755", "data": "0o644", "setuid": "0o755", "shared": "0o755",
    }  # fmt: skip
    assert {(m.uid, m.gid, m.mtime) for m in members.values()} == {(7, 8, DATE)}


def test_links_are_kept_and_sockets_and_pipes_are_not(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("../nowhere")
    (tmp_path / "folder").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.fspath(tmp_path / "socket"))
        members = taken(tmp_path)
    assert {name: member.target for name, member in members.items() if name != "."} == {
        "dangling": "../nowhere",
        "folder": "/etc",
    }


def test_a_prefix_that_is_a_link_is_taken_where_it_is_known(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("text")
    (tmp_path / "link").symlink_to("real")
    assert taken(tmp_path / "link")["."].kind == "symlink"
    followed = taken(tmp_path / "link", follow=True)
    assert {name: member.kind for name, member in followed.items()} == {".": "folder", "file": "file"}


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "env" / "data"
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_no_other_file_system_is_entered_and_that_is_said(mounted: Path) -> None:
    (mounted / "file").write_text("text")
    found = collect([str(mounted.parent)], owner=ROOT)
    assert list(found.members) == [str(mounted.parent).lstrip("/")]
    assert found.unreadable == {str(mounted): "another file system is mounted there"}


def test_a_file_that_is_mounted_there_is_not_the_environments(tmp_path: Path) -> None:
    """Also of the same file system, as a hub mounts secrets into a prefix."""
    for name in ("own", "mounted"):
        (tmp_path / name).touch()
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "file").touch()
    mounts = frozenset({str(tmp_path), f"{tmp_path}/mounted", f"{tmp_path}/volume"})
    found = collect([str(tmp_path)], owner=ROOT, into=Collected({}, {}, mounts))
    place = str(tmp_path).lstrip("/")
    assert set(found.members) == {place, f"{place}/own"}
    assert set(found.unreadable) == {f"{tmp_path}/mounted", f"{tmp_path}/volume"}


def test_names_with_a_line_break_or_of_no_encoding_are_kept(tmp_path: Path) -> None:
    odd = [b"line\nbreak", b"latin-\xe4", "n\u0303 and ñ".encode(), b"-rf *", b"\\"]
    for name in odd:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(name)
    unpacked(collect([str(tmp_path)], owner=ROOT).members, tmp_path / "image")
    there = os.fsencode(tmp_path / "image" / str(tmp_path).lstrip("/"))
    assert sorted(os.listdir(there)) == sorted(odd)
    assert all(Path(os.fsdecode(there + b"/" + name)).read_bytes() == name for name in odd)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Asked as an ordinary user: root reads everything."""
    (tmp_path / "file").write_text("text")
    (tmp_path / "file").chmod(0)
    (tmp_path / "folder").mkdir(mode=0)
    open_to_all(tmp_path)
    code = (
        "import os, sys\nfrom jupyter_dockerize.image.copy.trees import ROOT, collect\n"
        "os.getuid() or os.setuid(1000)\n"
        "print(*sorted(map(os.path.basename, collect([sys.argv[1]], owner=ROOT).unreadable)))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["file", "folder"], done.stderr


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert collect([str(tmp_path / "gone")], owner=ROOT).unreadable == {
        str(tmp_path / "gone"): "No such file or directory"
    }


def unpacked(members: dict[str, Member], to: Path) -> None:
    to.mkdir()
    tar = b"".join(archive(with_parents(members.values(), lambda path: ROOT)))
    subprocess.run(["tar", "-x", "-C", to, "--no-same-owner"], input=tar, check=True)


def test_bytecode_stays_valid_where_it_was_and_stale_bytecode_stays_here(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    for name in ("valid", "stale", "hashed", "lost"):
        (folder / f"{name}.py").write_text(f"name = {name!r}\n")
        mode = py_compile.PycInvalidationMode.TIMESTAMP
        if name == "hashed":
            mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(folder / f"{name}.py"), invalidation_mode=mode)
    os.utime(folder / "stale.py", (1, 1))
    (folder / "lost.py").unlink()
    members = taken(folder)
    kept = {Path(name).name.partition(".")[0] for name in members if name.endswith(".pyc")}
    assert kept == {"valid", "hashed"}
    unpacked(members, tmp_path / "image")
    image = tmp_path / "image" / str(folder).lstrip("/")
    code = "import valid, hashed, stale"
    done = subprocess.run(
        [sys.executable, "-v", "-B", "-c", code],
        cwd=image,
        capture_output=True,
        text=True,
        check=True,
    )
    for name, matches in {"valid": True, "hashed": True, "stale": False}.items():
        cached = importlib.util.cache_from_source(str(image / f"{name}.py"))
        assert (f"{cached} matches {image / name}.py" in done.stderr) is matches, name


def test_bytecode_without_sources_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "module.pyc").write_bytes(b"closed")
    assert taken(tmp_path)["module.pyc"].head == b""


def test_the_order_and_the_folders_above_do_not_depend_on_how_they_came() -> None:
    members = [Member(path=path) for path in ("a-b", "a/c", "opt/env/bin/python", "a/b")]
    one = list(with_parents(members, lambda path: Owner(1000, 1000) if path == "opt/env" else ROOT))
    assert one == list(
        with_parents(reversed(members), lambda path: Owner(1000, 1000) if path == "opt/env" else ROOT)
    )
    assert [(m.path, m.uid) for m in one if m.kind == "folder"] == [
        ("a", 0), ("opt", 0), ("opt/env", 1000), ("opt/env/bin", 0),
    ]  # fmt: skip
