"""Debian packages from apt, without root: which ones an image needs, and their files.

apt works on a database of its own then, made of the image's status (apt.conf(5), "THE DIR SECTION"), and asks
where this machine's sources.list says. Its signatures are checked as ever.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..cancel import Cancel
from ..errors import EngineError, UsageError
from ..events import Log, Report

LISTS = Path("/var/lib/apt/lists")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?(?:[=/][A-Za-z0-9.+:~-]+)?")
_SECONDS = 600.0  # that apt may take
_TICK = 0.05  # seconds


def available() -> bool:
    """Whether this machine has apt."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None


def fetch(
    names: Sequence[str], status: bytes, folder: Path, *, report: Report, cancel: Cancel
) -> tuple[Path, ...]:
    """The .deb files, in ``folder``, of the packages ``names`` (with "=VERSION", if need be) and of what they
    depend on that is not installed by ``status``. What is only recommended is not among them.

    Raises `UsageError` where apt knows no such package, `EngineError` where it cannot be asked, and
    `CancelledError`.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a Debian package")
    if not available():
        raise EngineError("apt is not on this machine", fix="install it where there is a Docker engine")
    archives = folder / "cache" / "archives"
    for each in (folder / "state" / "lists" / "partial", archives / "partial", folder / "log"):
        each.mkdir(parents=True)
    (folder / "status").write_bytes(status)
    configuration = folder / "apt.conf"
    configuration.write_text(_configuration(folder), "utf-8")
    environ = {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C.UTF-8"}
    environ["DEBIAN_FRONTEND"] = "noninteractive"
    if not _fresh(folder / "state" / "lists"):
        _run(["apt-get", "update", "-q"], environ, report, cancel)
    _run(["apt-get", "install", "-q", "-y", "--download-only", "--", *names], environ, report, cancel)
    return tuple(sorted(archives.glob("*.deb")))


def _configuration(folder: Path) -> str:
    settings = {
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Log": folder / "log",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "APT::Get::Allow-Downgrades": "false",
        "Acquire::Languages": "none",
        "DPkg::Post-Invoke": "",
    }
    return "".join(f'{name} "{value}";\n' for name, value in settings.items())


def _fresh(lists: Path) -> bool:
    """Whether this machine has lists of less than a day, which are taken then."""
    try:
        there = [each for each in LISTS.iterdir() if each.is_file() and each.name != "lock"]
        if not any(time.time() - each.stat().st_mtime < 86400 for each in there):
            return False
        for each in there:
            (lists / each.name).symlink_to(each)
    except OSError:
        return False
    return bool(there)


def _run(argv: Sequence[str], environ: Mapping[str, str], report: Report, cancel: Cancel) -> None:
    """Tells each line of what it says. Raises `UsageError` and `EngineError` in apt's own words."""
    said: list[str] = []
    until = time.monotonic() + _SECONDS
    with subprocess.Popen(
        argv, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        try:
            while True:
                for line in process.stdout.readlines():
                    said.append(line.decode(errors="replace").rstrip())
                    report(Log(said[-1]))
                if process.poll() is not None:
                    break
                cancel.check()
                if time.monotonic() > until:
                    raise EngineError("apt does not answer", why=f"it took more than {_SECONDS:.0f} s")
                time.sleep(_TICK)
        finally:
            if process.poll() is None:
                process.kill()
    if process.returncode:
        errors = [line.removeprefix("E: ") for line in said if line.startswith("E: ")] or said[-1:]
        unknown = any("Unable to locate" in line or "no installation candidate" in line for line in errors)
        raise (UsageError if unknown else EngineError)(
            f"{argv[0]} {argv[1]} failed", why="; ".join(errors[:3])
        )


__all__ = ["available", "fetch"]
