"""What `engines` says of the builtin engine: whether images can be written and opened, and if not, why."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jupyter_dockerize.display import text
from jupyter_dockerize.engines import Status, Survey
from jupyter_dockerize.engines.builtin import BuiltinEngine

from ...image.faults import on_a_full_disk, small_disk
from ...image.test_store import ONE, put


def status(store: Path, **more: str) -> Status:
    environ = {"PATH": os.environ["PATH"], "JUPYTER_DOCKERIZE_STORE": str(store), **more}
    return BuiltinEngine(environ=environ).status()


def shown(one: Status) -> str:
    return text.engines(Survey(chosen=None, engines=(one,)))


def test_a_store_that_nothing_can_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    found = status(tmp_path / "file/store")
    assert not found.available
    assert found.reason == f"{tmp_path}/file/store cannot be written: Not a directory"
    assert "c.Dockerize.store" in found.fix
    assert shown(found).startswith("✗ builtin: ")


@on_a_full_disk
def test_images_that_are_there_can_be_used_where_no_more_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_dockerize.image.store.KEEP_FREE", 0)
    with small_disk(tmp_path / "disk", "1m") as folder:
        read_only = ["mount", "-o", "remount,ro", str(folder)]
        subprocess.run(read_only, check=True)
        assert not status(folder / "store").available
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
        assert status(folder / "store").available
        assert not (folder / "store").exists()
        put(BuiltinEngine(environ={"JUPYTER_DOCKERIZE_STORE": str(folder / "store")}).store, ONE, b"a")
        subprocess.run(read_only, check=True)
        found = status(folder / "store")
    assert found.available
    assert "cannot write new ones: Read-only file system" in found.reason
    assert shown(found).startswith("! builtin: ")
    assert "→ name a place that you may write to: c.Dockerize.store names another folder" in shown(found)


@pytest.mark.parametrize("more", [{"JUPYTER_DOCKERIZE_QUOTA": "much"}, {}])
def test_what_is_wrong_with_the_store_is_said_and_nothing_raised(
    tmp_path: Path, more: dict[str, str]
) -> None:
    (tmp_path / "index.json").write_text("no index")
    found = status(tmp_path, **more)
    assert not found.available
    assert ("not a size: 'much'" if more else "is no image layout") in found.reason
    assert found.fix


def test_a_bubblewrap_that_does_not_start_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    program.chmod(0o755)
    found = status(tmp_path / "store", PATH=str(tmp_path / "bin"))
    assert found.available
    assert "cannot open them: " in found.reason
    assert "→ " in shown(found)
    assert shown(found).startswith("! builtin: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="root runs the programs of images as somebody else")
def test_a_bubblewrap_that_only_root_can_start_is_named(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    program = tmp_path / "bin/bwrap"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o700)
    found = status(tmp_path / "store", PATH=str(tmp_path / "bin"))
    assert "nobody but root can start" in found.reason
    assert "for everybody" in found.fix
