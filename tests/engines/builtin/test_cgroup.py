"""Where a control group can be made. That it holds is shown by test_sandbox.py, on what this machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_dockerize.engines.base import Limits
from jupyter_dockerize.engines.builtin.cgroup import Group, places

LIMITS = Limits(memory=100, processes=7)
SECOND = {"memory.max": "100", "memory.swap.max": "0", "memory.oom.group": "1", "pids.max": "7"}
FIRST = [
    {"memory.limit_in_bytes": "100", "memory.memsw.limit_in_bytes": "100"},
    {"pids.max": "7"},
]


def mounted(folder: Path, kind: str, options: str = "rw", root: str = "/") -> str:
    return f"30 23 0:26 {root} {folder} rw,nosuid shared:4 - {kind} {kind} {options}\n"


def shared_out(folder: Path, controllers: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cgroup.subtree_control").write_text(controllers + "\n")


def test_version_two_beside_our_own(tmp_path: Path) -> None:
    """A desktop's terminal: what is below the user's own service is delegated."""
    shared_out(tmp_path / "user.slice/user@1000.service/app.slice", "memory pids")
    own = "0::/user.slice/user@1000.service/app.slice/terminal.scope\n"
    assert places(LIMITS, mounted(tmp_path, "cgroup2"), own) == [
        (tmp_path / "user.slice/user@1000.service/app.slice", SECOND)
    ]


def test_version_two_at_the_top(tmp_path: Path) -> None:
    shared_out(tmp_path, "cpu memory pids")
    assert places(LIMITS, mounted(tmp_path, "cgroup2"), "0::/\n") == [(tmp_path, SECOND)]


def test_version_one_in_our_own_of_each(tmp_path: Path) -> None:
    """Also beside a version two that has no controllers."""
    shared_out(tmp_path / "unified", "")
    mounts = (
        mounted(tmp_path / "unified", "cgroup2")
        + mounted(tmp_path / "cpu", "cgroup", "rw,cpu,cpuacct")
        + mounted(tmp_path / "memory", "cgroup", "rw,memory", root="/docker/abc")
        + mounted(tmp_path / "pids", "cgroup", "rw,pids")
    )
    own = "4:memory:/docker/abc/x\n3:pids:/y\n2:cpu,cpuacct:/\n0::/\n"
    assert places(LIMITS, mounts, own) == [
        (tmp_path / "memory/x", FIRST[0]),
        (tmp_path / "pids/y", FIRST[1]),
    ]


@pytest.mark.parametrize(
    ("kind", "own"),
    [
        ("cgroup2", "0::/system.slice/jupyter.service\n"),  # nothing is shared out there
        ("cgroup2", "0::/../elsewhere\n"),
        ("cgroup", "4:memory:/\n"),  # without processes it is half of it
        ("cgroup2", ""),
    ],
)
def test_nowhere(tmp_path: Path, kind: str, own: str) -> None:
    assert places(LIMITS, mounted(tmp_path, kind, "rw,memory"), own) == []


def test_where_one_may_not_be_made_there_is_none(tmp_path: Path) -> None:
    """The folder takes no limits, so nothing is left in it."""
    shared_out(tmp_path, "memory pids")
    assert Group.make(LIMITS, mounted(tmp_path, "cgroup2"), "0::/\n") is None
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.subtree_control"]
