"""What this process runs on, as far as it explains why there is no engine."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What this process runs on, as far as it explains a missing engine."""

    platform: str = sys.platform  # linux, darwin, win32
    docker: bool = False  # there is a docker CLI
    podman: bool = False
    service: bool = False  # systemd manages services here
    wsl: bool = False
    container: str = ""  # "Kubernetes", "a container", ""

    @classmethod
    def here(cls, environ: Mapping[str, str]) -> Place:
        path = environ.get("PATH")
        container = ""
        if "KUBERNETES_SERVICE_HOST" in environ:
            container = "Kubernetes"
        elif Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
            container = "a container"
        version = ""
        with contextlib.suppress(OSError):
            version = Path("/proc/version").read_text(errors="replace")
        return cls(
            docker=shutil.which("docker", path=path) is not None,
            podman=shutil.which("podman", path=path) is not None,
            service=Path("/run/systemd/system").is_dir(),
            wsl="microsoft" in version.lower(),
            container=container,
        )

    @property
    def docker_start(self) -> str:
        """How to start the Docker Engine here."""
        if self.platform in ("darwin", "win32"):
            return "start Docker Desktop and wait until it says that it runs"
        start = "sudo systemctl start docker" if self.service else "sudo service docker start"
        return f"start it: `{start}`; or set DOCKER_HOST to an engine elsewhere"

    @property
    def podman_start(self) -> str:
        """How to start Podman's service here."""
        if self.service:
            return "start it: `systemctl --user enable --now podman.socket`"
        return "start it: `podman system service --time=0 &`"

    def missing(self) -> tuple[str, str]:
        """For machines on which no socket of any engine exists."""
        if self.platform in ("darwin", "win32"):
            if self.docker:
                return "Docker Desktop is not running", self.docker_start
            return (
                "Docker is not installed",
                "install Docker Desktop (docs.docker.com/get-docker), Colima or Podman",
            )
        if self.container == "Kubernetes":
            return (
                "no engine: this runs inside Kubernetes, and its pods have no Docker socket",
                "set DOCKER_HOST to an engine that you may use, or use `jupyter dockerize recipe`",
            )
        if self.container:
            return (
                "no engine: this runs inside a container without the Docker socket",
                "start the container with -v /var/run/docker.sock:/var/run/docker.sock, or set DOCKER_HOST",
            )
        if self.wsl:
            return (
                "no engine: this Linux runs in WSL, and Docker Desktop does not serve it",
                "Docker Desktop → Settings → Resources → WSL integration: switch this distribution on",
            )
        if self.podman and not self.docker:
            return "Podman is installed, but its service is not running", self.podman_start
        if self.docker:
            return "the docker CLI is here, but no Docker Engine is running", self.docker_start
        return (
            "no engine: neither Docker nor Podman is installed",
            "install Docker Engine (docs.docker.com/engine/install) or Podman (podman.io)",
        )
