"""A folder of ours takes the place of the one before it: all of it or nothing."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jupyter_dockerize.errors import OutputError
from jupyter_dockerize.image.placed import check_place, placed

from ..commandline import listing
from .faults import CALLS, fail_at, killed_at

OLD, NEW = {"plan.json": b"old"}, {"plan.json": b"new", "env/lock.txt": b"lock"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that is there."""
    with placed(tmp_path / "image.recipe", OLD):
        return tmp_path / "image.recipe"


def held(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def place(folder: Path) -> None:
    with placed(folder, NEW):
        pass


def test_the_new_one_is_there_whole_and_the_old_one_gone(folder: Path) -> None:
    place(folder)
    assert held(folder) == NEW
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("was", [True, False])
def test_what_fails_afterwards_brings_back_what_was(folder: Path, was: bool) -> None:
    target = folder if was else folder.with_name("other.recipe")
    before = listing(folder.parent)
    with pytest.raises(ZeroDivisionError), placed(target, NEW):
        assert held(target) == NEW
        raise ZeroDivisionError
    assert listing(folder.parent) == before
    assert held(folder) == OLD


@pytest.mark.parametrize("call", CALLS)
def test_at_every_fault_of_the_disk_it_is_the_old_one(
    call: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(1, 50):
        failed = fail_at(nth, call, monkeypatch, errno.ENOSPC)
        try:
            place(folder)
        except OutputError as error:
            assert os.strerror(errno.ENOSPC) in error.why
            assert held(folder) == OLD
        else:
            assert not failed, "the fault was passed over"
        finally:
            monkeypatch.undo()
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]
        if not failed:
            break
    assert nth > 1
    assert held(folder) == NEW


def test_killed_at_any_call_it_is_the_old_one_the_new_one_or_not_there(folder: Path) -> None:
    for nth in range(1, 50):
        if not killed_at(nth, lambda: place(folder)):
            break
        assert not folder.exists() or held(folder) in (OLD, NEW)
    assert nth > 5
    assert held(folder) == NEW


def test_only_what_has_our_names_is_ours(tmp_path: Path) -> None:
    ours = {"plan.json", "env"}
    check_place(tmp_path / "none", ours)
    (tmp_path / "empty").mkdir()
    check_place(tmp_path / "empty", ours)
    (tmp_path / "ours/env").mkdir(parents=True)
    check_place(tmp_path / "ours", ours)
    (tmp_path / "ours/mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("empty")
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("ours", "file", "link", "dangling"):
        with pytest.raises(OutputError, match="not ours to replace"):
            check_place(tmp_path / name, ours)
