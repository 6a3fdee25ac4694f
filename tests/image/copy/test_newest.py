"""The newest input of a copy: files alone, by their own time."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_dockerize.image.copy.grouping import Group
from jupyter_dockerize.image.copy.newest import newest_input
from jupyter_dockerize.image.copy.trees import ROOT, collect
from jupyter_dockerize.image.tar import Member

MADE = 1_600_000_000


def of(folder: Path) -> int:
    return newest_input([Group("all", tuple(collect([str(folder)], owner=ROOT).members.values()))])


def test_folders_links_bytecode_and_what_we_write_ourselves_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    (tmp_path / "link").symlink_to("a.py")
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    source = (tmp_path / "a.py").stat()
    head = b"\0" * 8 + MADE.to_bytes(4, "little") + source.st_size.to_bytes(4, "little")
    (cache / "a.cpython-311.pyc").write_bytes(head)
    os.utime(tmp_path / "a.py", (MADE, MADE))
    assert of(tmp_path) == MADE
    ours = Member(path="etc/ours", data=b"ours", size=4)
    assert newest_input([Group("ours", (ours,))]) == 0


def test_a_file_that_comes_and_goes_leaves_no_trace_and_one_of_the_future_none_at_all(tmp_path: Path) -> None:
    for name, at in (("old.py", MADE), ("older.py", -5), ("future.py", 4_000_000_000)):
        (tmp_path / name).write_text("")
        os.utime(tmp_path / name, (at, at))
    assert of(tmp_path) == MADE
    (tmp_path / "new.py").write_text("")
    os.utime(tmp_path / "new.py", (MADE + 9, MADE + 9))
    assert of(tmp_path) == MADE + 9
    (tmp_path / "new.py").unlink()
    assert of(tmp_path) == MADE
