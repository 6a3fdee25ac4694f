"""Which system and which Python: what os-release, uname and sys say, in our words.

Formats: os-release(5); architectures as images name them (OCI image specification, "platform").
"""

from __future__ import annotations

import platform
import sys
from typing import Any

from ...errors import UsageError
from ...events import Finding
from .. import probe as untyped
from ..facts import PythonFacts, SystemFacts
from ..model import Python, System
from ..names import clean, printable, project_version, shown, word

probe: Any = untyped  # one file for every Python, without types

ARCHITECTURES = {  # of uname, in the words of images
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "i686": "386",
    "i386": "386",
    "armv7l": "arm",
}


def system_name() -> str:
    """This system as its users call it."""
    return {"darwin": "macOS", "win32": "Windows", "linux": "Linux"}.get(sys.platform, sys.platform)


def own_machine() -> str:
    """This machine as uname calls it, and as this interpreter is compiled for it: "x86_64"."""
    return str(probe.native(platform.machine()))


def own_architecture() -> str:
    """The same in the images' words: "amd64"."""
    machine = own_machine().lower()
    return ARCHITECTURES.get(machine, machine)


def python(facts: PythonFacts) -> Python:
    """The interpreter. Raises `UsageError` where its version is none: nothing can be rebuilt then."""
    implementation = word(facts["implementation"].lower(), 40)
    version = project_version(facts["version"].removesuffix("+"))  # "+": built from a checkout
    if implementation is None or version is None:
        said = shown(f"{facts['implementation'][:60]} {facts['version'][:60]}")
        raise UsageError(f"these are not facts about an environment: {said} is no version of Python")
    return Python(
        implementation=implementation,
        version=version,
        executable=printable(facts["executable"]),
        prefix=printable(facts["prefix"]),
        base_prefix=printable(facts["base_prefix"]),
        soabi=clean(facts["soabi"]),
        venv=facts["venv"],
    )


def system(facts: SystemFacts) -> System:
    """The machine and its system; ``arch`` in the images' words (amd64, arm64)."""
    release = facts["os_release"]
    default = {"darwin": "macos", "win32": "windows"}.get(facts["os"], facts["os"])
    machine = facts["machine"].lower()
    gpus = sorted(facts["gpus"], key=lambda gpu: (gpu["model"], gpu["driver"] or ""))
    return System(
        os=word(release.get("ID", "").lower(), 60) or word(default, 60) or "linux",
        version=printable(release.get("VERSION_ID", ""), 60),
        codename=word(release.get("VERSION_CODENAME") or release.get("UBUNTU_CODENAME") or "", 60) or "",
        arch=ARCHITECTURES.get(machine) or word(machine, 40) or "unknown",
        libc=clean(" ".join(facts["libc"][:2]), 60) if facts["libc"] else None,
        locale=clean(facts["locale"]),
        timezone=clean(facts["timezone"]),
        cpus=max(0, facts["cpus"]),
        cpu=clean(facts["cpu_model"]),
        gpus=tuple(printable(gpu["model"], 200) for gpu in gpus[:64]),
        driver=next((clean(gpu["driver"], 60) for gpu in gpus if gpu["driver"]), None),
        cuda=clean(facts["cuda"], 60),
        container=clean(facts["container"], 60),
        image=clean(facts["image"], 500),
    )


def unknown_machine(system: System) -> list[Finding]:
    """A finding where no image can be made for an architecture like this one's."""
    if system.arch in ("amd64", "arm64"):
        return []
    return [
        Finding(
            "machine-unknown",
            "warning",
            f"this machine is {system.arch}; images are made for amd64 and arm64",
            "name the platform with --platform linux/amd64 or linux/arm64",
        )
    ]
