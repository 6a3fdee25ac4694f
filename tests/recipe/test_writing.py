"""A folder is there with all its files, or everything is as it was."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from jupyter_dockerize.errors import OutputError
from jupyter_dockerize.recipe.bundle import Bundle
from jupyter_dockerize.recipe.writing import check_folder, write_folder

FILES = {"Dockerfile": b"FROM x\n", "env/requirements.txt": b"six==1\n", "wheels/a.whl": b"\0" * 4096}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("place", ["new", "deep/er/new", "empty"])
def test_all_files_are_there(tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir(mode=0o750)
    Bundle(FILES).write(tmp_path / place)
    assert tree(tmp_path / place) == FILES
    assert [p.name for p in (tmp_path / place).parent.iterdir() if p.name.startswith(".")] == []


def test_an_empty_folder_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o700)
    write_folder(tmp_path / "out", FILES)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_not_empty_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="is not empty"):
        write_folder(tmp_path, FILES)
    assert tree(tmp_path) == {"thesis.tex": b"years of work"}


@pytest.mark.parametrize("place", ["file", "file/below", "dangling/below"])
def test_what_is_no_folder_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to(tmp_path / "file")
    for refuse in (check_folder, lambda folder: write_folder(folder, FILES)):
        with pytest.raises(OutputError):
            refuse(tmp_path / place)
    assert tree(tmp_path)["file"] == b"x"


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_and_ctrl_c_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: BaseException
) -> None:
    """The fault comes at the second write, at the first sync, and at the rename."""
    calls = 0

    def fail(*_: object) -> None:
        raise error

    if call == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    elif call == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        real = Path.open

        def open_once(self: Path, *args: object, **kwargs: object) -> object:
            nonlocal calls
            calls += 1
            if calls > 1:
                raise error
            return real(self, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(Path, "open", open_once)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as raised:
        write_folder(tmp_path / "deep" / "out", FILES)
    monkeypatch.undo()
    if isinstance(raised.value, OutputError):
        assert raised.value.fix.startswith("make room there, or name a folder in another place")
    assert list(tmp_path.iterdir()) == []


def test_a_name_outside_the_bundle_is_no_bundle() -> None:
    for name in ("../x", "/etc/passwd", "a/../../x", "./x", "a//b"):
        with pytest.raises(ValueError, match="not a path inside the bundle"):
            Bundle({name: b""})
