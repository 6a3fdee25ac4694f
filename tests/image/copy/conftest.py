"""An environment to copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from .environments import venv


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment with two packages."""
    return venv(tmp_path / "env", "humanize", "toolz")
