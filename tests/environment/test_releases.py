"""Which releases there are, and which of them suits an environment."""

from __future__ import annotations

import pytest
from packaging.version import Version

from jupyter_dockerize.environment.releases import official


@pytest.mark.parametrize(
    ("version", "releases"),
    [
        ("3.7.17", ()),
        ("3.8.11", ("bullseye",)),
        ("3.11.3", ("bullseye",)),
        ("3.11.4", ("bullseye", "bookworm")),
        ("3.11.13", ("bullseye", "bookworm", "trixie")),
        ("3.13.7", ("bookworm", "trixie")),
        ("3.14.0", ("bookworm", "trixie")),
    ],
)
def test_official_images_by_version(version: str, releases: tuple[str, ...]) -> None:
    assert official(Version(version)) == releases
