"""Registries for the tests of the room: fakes, one that keeps to the specification, and real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .real import RealRegistry
from .servers import Fake


@pytest.fixture
def fake() -> Iterator[Fake]:
    server = Fake()
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Fake]:
    server = Fake()
    yield server
    server.close()


BCRYPT = "$2b$04$Qyc4Bf4exPs2c4imdVxQuucCkKhheyf/8AkPyUoD1HmQJ.G32Ri6u"  # of "secret"


@pytest.fixture
def basic(real_registry: Callable[[str], RealRegistry], tmp_path: Path) -> RealRegistry:
    """A registry that knows the user ada, whose password is "secret"."""
    file = tmp_path / "htpasswd"
    file.write_text(f"ada:{BCRYPT}\n")
    return real_registry(f"auth: {{htpasswd: {{realm: test, path: {file}}}}}\n")
