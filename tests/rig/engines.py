"""All engines by name: Docker's and Podman."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from .docker import Docker
from .podman import Podman


class Engine(Protocol):
    """What every engine here can do."""

    @property
    def name(self) -> str: ...
    @property
    def socket(self) -> Path: ...
    @property
    def config(self) -> Path: ...

    def up(self, registry: str) -> None: ...
    def down(self) -> None: ...


_TRIXIE = ("docker.io", "docker-cli", "docker-buildx", "docker-compose", "containerd")
_BOOKWORM = ("docker.io", "containerd")

#: The one that makes the base images, and that is meant when no name is given.
DEFAULT = Docker("docker26", "trixie", _TRIXIE, number=1)

ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        DEFAULT,
        Docker("docker26-containerd", "trixie", _TRIXIE, number=2, containerd_store=True),
        Docker("docker20", "bookworm", _BOOKWORM, number=3),
        Podman(),
    )
}
