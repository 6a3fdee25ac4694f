"""Volumes and files of the host: known by the kernel's own list."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.mounts import hidden_by_home, mount_points

HUB = {"HOME": "/home/jovyan", "JUPYTERHUB_USER": "ada"}


def test_mount_points_as_the_kernel_writes_them(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_bytes(
        b"22 1 0:20 / / rw,relatime - overlay overlay rw\n"
        b"23 22 8:1 /a /home/a\\040b\\134c rw shared:1 - ext4 /dev/sda1 rw\n"
        b"24 22 0:5 /libcuda.so.1 /usr/lib/libcuda.so.1 ro - tmpfs tmpfs ro\n\ncut off\n"
    )
    assert mount_points(tmp_path / "mountinfo") == {"/", "/home/a b\\c", "/usr/lib/libcuda.so.1"}
    assert mount_points(tmp_path / "none") == frozenset()
    assert "/" in mount_points()


@pytest.mark.parametrize(
    ("place", "points", "environ", "container", "hidden"),
    [
        ("/home/jovyan/env", {"/", "/home/jovyan"}, HUB, None, True),
        ("/home/jovyan/work/env", {"/", "/home/jovyan/work"}, {}, "docker", True),
        ("/home/ada/env", {"/", "/home/ada"}, {**HUB, "HOME": "/home/ada"}, "kubernetes", True),
        ("/opt/env", {"/", "/home/jovyan"}, HUB, None, False),
        ("/home/jovyanne/env", {"/", "/home/jovyan"}, HUB, None, False),
        ("/home/jovyan/env", {"/", "/home"}, HUB, None, False),  # the machine's own homes
        ("/home/ada/env", {"/", "/home/ada"}, {"HOME": "/home/ada"}, None, False),  # no hub, no container
        ("/opt/env", {"/"}, {"HOME": "/"}, "docker", False),
    ],
)  # fmt: skip
def test_what_a_home_volume_would_hide(
    place: str, points: set[str], environ: dict[str, str], container: str | None, hidden: bool
) -> None:
    found = hidden_by_home([place], points, environ, container)
    assert [(f.code, f.severity) for f in found] == [("hidden-by-home", "error")] * hidden
    assert all(place in finding.message for finding in found)
