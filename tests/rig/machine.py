"""The machine that the rig runs on: whether it is fit, and running its commands."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import RigError, UnsuitableMachine

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMMANDS = ("apt-get", "dpkg", "dpkg-query", "tar", "mount", "umount", "chroot", "ldd", "wget")


def check() -> None:
    """Stop unless this is a Debian on which we are root and that has what the rig calls."""
    use_own = "start a Docker Engine of your own and set DOCKER_HOST"
    if sys.platform != "linux":
        raise UnsuitableMachine(f"the rig starts Linux containers and this is {sys.platform}; {use_own}")
    system = os_release().get("ID", "another Linux")
    if system != "debian":
        raise UnsuitableMachine(f"the rig unpacks Debian's packages and this is {system}; {use_own}")
    if platform.machine() != "x86_64":
        raise UnsuitableMachine(f"the rig was made for x86_64 and this is {platform.machine()}; {use_own}")
    if os.geteuid() != 0:
        raise UnsuitableMachine(
            f"a container engine of its own needs root and you are not root; use sudo, or {use_own}"
        )
    missing = [name for name in COMMANDS if not shutil.which(name)]
    if missing:
        raise UnsuitableMachine(
            f"the rig calls {', '.join(missing)}, not found on PATH; install it with apt-get"
        )


def os_release() -> dict[str, str]:
    """Give /etc/os-release as a dictionary."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {key: value.strip("\"'") for key, value in pairs}


def codename() -> str:
    """Give this Debian's codename, such as bookworm."""
    return os_release()["VERSION_CODENAME"]


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> str:
    """Run a command to its end and give its stdout; RigError with its last lines when it fails.

    With `log`, what it prints goes to that file and nothing comes back.
    """
    command = [os.fspath(part) for part in argv]
    if log is None:
        done = subprocess.run(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        printed = done.stderr or done.stdout
    else:
        with open(log, "w") as handle:
            done = subprocess.run(
                command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=handle, stderr=handle, text=True
            )
        printed = log.read_text(errors="replace") if done.returncode else ""
    if done.returncode:
        tail = "\n    ".join(printed.strip().splitlines()[-15:])
        where = f" (all of it: {log})" if log else ""
        raise RigError(f"`{' '.join(command)}` ended with {done.returncode}{where}:\n    {tail}")
    return done.stdout or ""
