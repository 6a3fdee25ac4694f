"""Where unpacked images lie: far from what was just removed, on file systems that can do that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jupyter_dockerize.engines.builtin import stranger
from jupyter_dockerize.engines.builtin.spread import spread


def flags(folder: Path) -> str:
    try:
        done = subprocess.run(["lsattr", "-d", str(folder)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no lsattr, or a file system without such flags")
    return done.stdout.split()[0]


def test_the_room_of_unpacked_images_is_the_top_of_a_hierarchy_and_keeps_its_other_flags(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = flags(tmp_path)
    with stranger.room(None) as name:
        found = flags(Path(name))
        if "T" not in found and "e" not in found:
            pytest.skip("no ext4")
        assert set(found) == set(before) | {"T"}


def test_where_it_cannot_be_nothing_happens(tmp_path: Path) -> None:
    spread(tmp_path / "nowhere")
    spread(Path("/proc"))
