"""Root file systems of Debian releases, made by debootstrap: for base images and for probes."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
from pathlib import Path

from . import apt, machine, mounts, place

# Each release and the Python that it brings: 3.9, 3.11, 3.13.
RELEASES = ("bullseye", "bookworm", "trixie")

# As in the official slim images: what dpkg leaves out, of these packages and of later ones.
SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
"""
# As in the official images: an install leaves neither packages nor lists behind unless asked to.
CLEAN = 'APT::Keep-Downloaded-Packages "false";\nAcquire::Languages "none";\n'
NO_SERVICES = "#!/bin/sh\nexit 101\n"


def minimal(release: str) -> Path:
    """Give a release's smallest root file system, made in about half a minute and kept."""
    root = place.folder("debian") / release
    if not root.is_dir():
        place.say(f"making Debian {release}, about half a minute")
        home = _debootstrap()
        with _being_made(root) as making:
            machine.run(
                [
                    home / "usr/sbin/debootstrap", "--variant=minbase", f"--keyring={apt.KEYRING}",
                    release, making, apt.sources(release)[0].uri, _script(home, release),
                ],
                env={**os.environ, "DEBOOTSTRAP_DIR": os.fspath(home / "usr/share/debootstrap")},
                log=place.folder("log") / f"debootstrap-{release}.log",
            )  # fmt: skip
            _slim(making, release)
    return root


def minimal_all() -> None:
    """Make the root file systems of all releases, two at a time: much of it is waiting."""
    _debootstrap()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for _ in pool.map(minimal, RELEASES):
            pass


def with_python(release: str) -> Path:
    """Give a release's root file system with its own python3, to run a probe in by chroot."""
    root = place.folder("roots") / release
    if not root.is_dir():
        source = minimal(release)
        place.say(f"adding python3 to Debian {release}")
        with _being_made(root) as making:
            machine.run(["cp", "--archive", "--reflink=auto", source, making])
            install(making, ["python3"])
    return root


def install(root: Path, names: list[str]) -> None:
    """Install packages inside a root file system."""
    resolv = root / "etc/resolv.conf"
    kept = resolv.read_bytes() if resolv.is_file() else None
    shutil.copyfile("/etc/resolv.conf", resolv)
    machine.run(["mount", "-t", "proc", "proc", root / "proc"])
    chroot: list[str | Path] = ["chroot", root]
    env = {"PATH": machine.PATH, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        machine.run([*chroot, "apt-get", "update"], env=env)
        machine.run([*chroot, "apt-get", "install", "--yes", "--no-install-recommends", *names], env=env)
        machine.run([*chroot, "apt-get", "clean"], env=env)
    finally:
        mounts.clear(root / "proc")
        resolv.write_bytes(kept or b"")
    for entry in (root / "var/lib/apt/lists").iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


class _being_made:
    """A folder that takes its final name only once it is complete."""

    def __init__(self, final: Path) -> None:
        self._final = final
        self._making = final.with_name(final.name + ".making")

    def __enter__(self) -> Path:
        mounts.clear(self._making)
        shutil.rmtree(self._making, ignore_errors=True)
        return self._making

    def __exit__(self, kind: object, *rest: object) -> None:
        mounts.clear(self._making)
        if kind is None:
            self._making.rename(self._final)


def _debootstrap() -> Path:
    return apt.unpack("bookworm", ["debootstrap"], place.state() / "packages" / "debootstrap")


def _script(home: Path, release: str) -> Path:
    """Give debootstrap's script for a release; one newer than debootstrap is made as sid is."""
    scripts = home / "usr/share/debootstrap/scripts"
    return scripts / release if (scripts / release).exists() else scripts / "sid"


def _slim(root: Path, release: str) -> None:
    (root / "etc/apt/sources.list").write_text(apt.sources_list(release))
    (root / "etc/dpkg/dpkg.cfg.d/docker").write_text(SLIM)
    (root / "etc/apt/apt.conf.d/docker-clean").write_text(CLEAN)
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text(NO_SERVICES)
    policy.chmod(0o755)
    for name in ("info", "locale", "man"):
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != "copyright":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for folder in ("var/cache/apt/archives", "var/lib/apt/lists", "var/log"):
        for path in sorted((root / folder).rglob("*"), reverse=True):
            if path.is_file():
                path.unlink()
    (root / "etc/resolv.conf").write_bytes(b"")
    (root / "etc/hostname").unlink(missing_ok=True)
    (root / "etc/machine-id").write_bytes(b"")
