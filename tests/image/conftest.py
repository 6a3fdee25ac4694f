"""What the tests of images share."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_dockerize.image.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.create(tmp_path / "layout")
