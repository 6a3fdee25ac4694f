"""Podman's Docker-compatible service, of Debian 12's packages, with folders and configuration of its own."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

from . import apt, daemon, foundation, machine, mounts, place, unixhttp

PACKAGES = (
    "podman", "conmon", "netavark", "aardvark-dns", "catatonit", "golang-github-containers-common",
    "libgpgme11", "libassuan0", "libsubid4", "libglib2.0-0", "libsystemd0",
)  # fmt: skip
# Podman asks for more than a machine may allow, and lowers its own limit of processes to pid_max;
# a container whose limits are above its parent's does not start.
LIMITS = {
    "nofile": (resource.RLIMIT_NOFILE, "fs/nr_open"),
    "nproc": (resource.RLIMIT_NPROC, "kernel/pid_max"),
}
# Root's commits read /etc/containers/policy.json and nothing else; no other process sees this one.
_WITH_POLICY = 'mount -t overlay overlay -o "lowerdir=$0:/etc" /etc && exec "$@"'


class Podman:
    """The service on a socket; the shape of a `docker.Docker`."""

    name = "podman"

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return place.runtime() / "podman.sock"

    @property
    def config(self) -> Path:
        """A DOCKER_CONFIG folder without plugins: this service has no BuildKit for them."""
        return place.folder("config", "podman", "docker")

    @property
    def data(self) -> Path:
        """Its images, kept between runs."""
        return place.state() / "engines" / "podman"

    def answers(self) -> bool:
        """Tell whether the service answers at the socket."""
        return unixhttp.status(self.socket, "/_ping") == 200

    def up(self, registry: str) -> None:
        """Start it; nothing to do when it runs."""
        home = apt.unpack("bookworm", PACKAGES, place.state() / "packages" / "podman")
        environment = self._environment(home)
        service = [*self._command(home), "system", "service", "--time=0", f"unix://{self.socket}"]
        argv = ["unshare", "--mount", "sh", "-c", _WITH_POLICY, os.fspath(self._etc), *service]
        if daemon.running(self.name, argv) and self.answers():
            return
        place.say("starting podman")
        daemon.stop(self.name)
        self.socket.unlink(missing_ok=True)
        self._configure(home, registry)
        machine.run([home / "usr/bin/podman", "--version"], env=environment)
        daemon.start(self.name, argv, env=environment, answers=self.answers)

    def down(self) -> None:
        """Stop it and its containers, which would go on without it; images stay."""
        home = place.state() / "packages" / "podman"
        if self._runtime.is_dir() and home.is_dir():
            remove = [*self._command(home), "rm", "--all", "--force", "--time=1"]
            subprocess.run(remove, env=self._environment(home), capture_output=True, check=False)
        daemon.stop(self.name)
        self.socket.unlink(missing_ok=True)
        mounts.clear(self._runtime)
        mounts.clear(self.data)
        shutil.rmtree(self._runtime, ignore_errors=True)

    @property
    def _runtime(self) -> Path:
        return place.runtime() / "podman"

    @property
    def _home(self) -> Path:
        return place.folder("config", "podman")

    @property
    def _etc(self) -> Path:
        """What it sees in /etc beside what the machine has there."""
        return place.folder("config", "podman", "etc")

    def _command(self, home: Path) -> list[str]:
        return [os.fspath(home / "usr/bin/podman"), "--cgroup-manager=cgroupfs", "--runtime=runc"]

    def _environment(self, home: Path) -> dict[str, str]:
        return {
            **foundation.environment(home),
            # Its policy for signatures is looked up in the home folder, but for commits.
            "HOME": os.fspath(self._home),
            "CONTAINERS_CONF": os.fspath(self._home / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": os.fspath(self._home / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": os.fspath(self._home / "registries.conf"),
        }

    def _configure(self, home: Path, registry: str) -> None:
        limits = []
        for name, (kind, sysctl) in LIMITS.items():
            hard = resource.getrlimit(kind)[1]
            most = int(Path("/proc/sys", sysctl).read_text())
            limit = most if hard == resource.RLIM_INFINITY else min(hard, most)
            limits.append(f"{name}={limit}:{limit}")
        for folder in (self._home / ".config/containers", self._etc / "containers"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}\n')
        runc = foundation.unpack() / "usr/sbin/runc"
        # JSON's strings and lists of strings are TOML's as well.
        (self._home / "containers.conf").write_text(f"""\
[containers]
default_ulimits = {json.dumps(limits)}
log_driver = "k8s-file"
seccomp_profile = "{home}/usr/share/containers/seccomp.json"
init_path = "{home}/usr/bin/catatonit"
[network]
network_backend = "netavark"
network_config_dir = "{self.data}/networks"
default_network = "{self._network}"
[engine]
events_logger = "file"
conmon_path = ["{home}/usr/bin/conmon"]
helper_binaries_dir = ["{home}/usr/lib/podman"]
tmp_dir = "{self._runtime}/libpod"
[engine.runtimes]
runc = ["{runc}"]
""")
        (self._home / "storage.conf").write_text(f"""\
[storage]
driver = "overlay"
graphroot = "{self.data}/storage"
runroot = "{self._runtime}/storage"
""")
        (self._home / "registries.conf").write_text(f"""\
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "{registry}"
insecure = true
[[registry]]
location = "{registry}"
insecure = true
""")
        self._write_network(registry)

    @property
    def _network(self) -> str:
        return place.bridge("podman")

    def _write_network(self, registry: str) -> None:
        """Write a default network of its own: Podman's has one bridge and one chain of iptables for all."""
        networks = self.data / "networks"
        networks.mkdir(parents=True, exist_ok=True)
        # No two rigs that are up have one port.
        part = int(registry.rpartition(":")[2]) % 256
        network = {
            "name": self._network,
            "id": hashlib.sha256(self._network.encode()).hexdigest(),
            "driver": "bridge",
            "network_interface": self._network,
            "created": "2024-01-01T00:00:00Z",
            "subnets": [{"subnet": f"10.220.{part}.0/24", "gateway": f"10.220.{part}.1"}],
            "ipv6_enabled": False,
            "internal": False,
            "dns_enabled": False,
            "ipam_options": {"driver": "host-local"},
        }
        (networks / f"{self._network}.json").write_text(json.dumps(network))
