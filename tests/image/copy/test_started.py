"""When a container was started, as proc says it: rather too early than too late."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.started import started

TICKS = os.sysconf("SC_CLK_TCK")
BOOT = 4_000_000_000  # in 2096: later than any file of the test


def proc(root: Path, stat: str, boot: str = f"btime {BOOT}") -> Path:
    (root / "proc/1").mkdir(parents=True)
    (root / "proc/1/stat").write_text(stat)
    (root / "proc/stat").write_text(f"cpu 1 2 3\n{boot}\nprocesses 9\n")
    return root


def of(command: str, seconds: int) -> str:
    return f"1 ({command}) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {seconds * TICKS} 1000 20"


@pytest.mark.parametrize("command", ["tini", "start it", ") S 0 1 (", "a) b"])
def test_process_1_says_it_whatever_it_is_called(tmp_path: Path, command: str) -> None:
    at = started(proc(tmp_path, of(command, 3600)))
    assert BOOT + 3590 < at / 1e9 < BOOT + 3600


@pytest.mark.parametrize("mark", [".dockerenv", "run/.containerenv"])
def test_a_container_that_was_started_again_began_when_it_was_made(tmp_path: Path, mark: str) -> None:
    path = tmp_path / mark
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert started(proc(tmp_path, of("tini", 9))) < path.stat().st_ctime_ns


@pytest.mark.parametrize(
    ("stat", "boot"),
    [("", "btime 4"), ("1 (tini) S 0", "btime 4"), (of("tini", 1), "btime x"), (of("t", 1), "")],
)
def test_where_nobody_knows_everything_counts_as_touched(tmp_path: Path, stat: str, boot: str) -> None:
    assert started(proc(tmp_path, stat, boot)) == 0
    assert started(tmp_path / "nowhere") == 0


def test_here_it_is_in_the_past() -> None:
    assert started() < Path("/proc/self").stat().st_ctime_ns
