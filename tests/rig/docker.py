"""Docker Engines of Debian's packages, each with folders, socket and bridge of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from . import apt, bridge, daemon, foundation, machine, mounts, place, unixhttp


@dataclass(frozen=True)
class Docker:
    """One engine: which packages it is made of and how it is configured."""

    name: str
    release: str
    packages: tuple[str, ...]
    number: int
    containerd_store: bool = False

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return place.runtime() / f"{self.name}.sock"

    @property
    def data(self) -> Path:
        """Its images and build cache, kept between runs."""
        return place.state() / "engines" / self.name

    @property
    def config(self) -> Path:
        """The DOCKER_CONFIG folder with this engine's CLI plugins."""
        return place.folder("config", self.name)

    @property
    def cli(self) -> Path:
        """The folder for PATH that holds `docker` and nothing else that could shadow the machine's own."""
        return place.folder("bin", self.name)

    def unpack(self) -> Path:
        """Give the folder of its unpacked packages, checked to start, with CLI and plugins linked."""
        home = apt.unpack(self.release, self.packages, self._home)
        environment = foundation.environment(home)
        for program in ("usr/sbin/dockerd", "usr/bin/containerd", "usr/bin/docker"):
            machine.run([home / program, "--version"], env=environment)
        _link(self.cli / "docker", home / "usr/bin/docker")
        plugins = home / "usr/libexec/docker/cli-plugins"
        for plugin in sorted(plugins.glob("docker-*")) if plugins.is_dir() else []:
            _link(self.config / "cli-plugins" / plugin.name, plugin)
            if plugin.name == "docker-compose":
                _link(self.cli / "docker-compose", plugin)
        return home

    def answers(self) -> bool:
        """Tell whether an engine answers at the socket."""
        return unixhttp.status(self.socket, "/_ping") == 200

    def up(self, registry: str) -> None:
        """Start it, over the remains of one that was killed if need be; nothing to do when it runs."""
        home = self._home
        argv = self._argv(home, registry)
        if daemon.running(self.name, argv) and self.answers():
            return
        self.unpack()
        place.say(f"starting {self.name}")
        daemon.stop(self.name)
        self._clear()
        bridge.up(self._bridge)
        self.data.mkdir(parents=True, exist_ok=True)
        # The machine's own /etc/docker/daemon.json is not for this engine.
        # Without a limit of its own the build cache of a day of tests grows to tens of gigabytes.
        settings: dict[str, object] = {"builder": {"gc": {"enabled": True, "defaultKeepStorage": "8GB"}}}
        if self.containerd_store:
            settings["features"] = {"containerd-snapshotter": True}
        self._settings.write_text(json.dumps(settings))
        daemon.start(self.name, argv, env=foundation.environment(home), answers=self.answers)

    def down(self) -> None:
        """Stop it and its containers; images and caches stay."""
        daemon.stop(self.name)
        self._clear()
        bridge.down(self._bridge)

    @property
    def _bridge(self) -> str:
        return place.bridge(str(self.number))

    @property
    def _home(self) -> Path:
        # Engines of the same packages share one folder.
        return place.state() / "packages" / self.name.partition("-")[0]

    @property
    def _exec_root(self) -> Path:
        return place.runtime() / self.name

    @property
    def _pidfile(self) -> Path:
        return place.runtime() / f"{self.name}.pid"

    @property
    def _settings(self) -> Path:
        return place.folder("config", self.name) / "daemon.json"

    def _argv(self, home: Path, registry: str) -> list[str]:
        options = {
            "host": f"unix://{self.socket}",
            "group": "root",
            "data-root": self.data,
            "exec-root": self._exec_root,
            "pidfile": self._pidfile,
            "config-file": self._settings,
            "bridge": self._bridge,
            "iptables": "false",
            "default-address-pool": f"base={bridge.pool(self.number)},size=24",
            "mtu": bridge.mtu(),
            "registry-mirror": f"http://{registry}",
            "userland-proxy-path": home / "usr/sbin/docker-proxy",
            "init-path": foundation.unpack() / "usr/bin/tini-static",
        }
        if not self.containerd_store:
            options["storage-driver"] = "overlay2"
        return [os.fspath(home / "usr/sbin/dockerd"), *(f"--{key}={value}" for key, value in options.items())]

    def _clear(self) -> None:
        """Remove what a killed engine leaves: its containerd, pid files and mounts."""
        pidfile = self._exec_root / "containerd" / "containerd.pid"
        for pid in _processes_of(self._exec_root):
            os.kill(pid, signal.SIGKILL)
        for path in (pidfile, self._pidfile, self.socket):
            path.unlink(missing_ok=True)
        mounts.clear(self._exec_root)
        mounts.clear(self.data)
        shutil.rmtree(self._exec_root, ignore_errors=True)


def _processes_of(exec_root: Path) -> list[int]:
    """Give an engine's containerd and shims and all below them, known by the folder in their command."""
    commands: dict[int, str] = {}
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                commands[int(entry.name)] = (entry / "cmdline").read_text(errors="replace")
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = {
        pid
        for pid, command in commands.items()
        if f"{exec_root}/" in command and Path(command.split("\0")[0]).name.startswith("containerd")
    }
    while True:
        children = {pid for pid, parent in parents.items() if parent in found} - found
        if not children:
            return sorted(found)
        found |= children


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if not (link.is_symlink() and link.readlink() == target):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
