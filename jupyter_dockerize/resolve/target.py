"""What packages are resolved for: the plan's Python on the base image's platform, in uv's words."""

from __future__ import annotations

import re

from ..environment.plan import Plan
from ..recipe.resolution import Base
from .uv import Target

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
#: The newest manylinux (PEP 600) that each release's C library runs; uv knows them up to 2.40.
_MANYLINUX = {
    "bullseye": (2, 31),
    "bookworm": (2, 36),
    "trixie": (2, 40),
    "focal": (2, 31),
    "jammy": (2, 35),
    "noble": (2, 39),
    "plucky": (2, 40),
    "questing": (2, 40),
}
_KNOWN = (17, 28, *range(31, 41))  # minor versions of glibc 2 that uv has a word for
_SAFE = (2, 28)  # where nothing is known of the base: Debian 10 and later, RHEL 8 and later


def target_of(plan: Plan, base: Base) -> Target:
    """The target; its platform is None for a machine that uv has no word for: then this one's own."""
    python = re.match(r"[0-9]+\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?", plan.python.version)
    machine = _MACHINES.get(plan.platform.partition("/")[2])
    version = python[0] if python else plan.python.version
    if machine is None:
        return Target(version, None)
    glibc = _MANYLINUX.get(base.codename) or (None if plan.foreign else _own(plan)) or _SAFE
    minor = max(known for known in _KNOWN if known <= max(glibc[1], _KNOWN[0]))
    return Target(version, f"{machine}-manylinux_2_{minor}")


def _own(plan: Plan) -> tuple[int, int] | None:
    match = re.fullmatch(r"glibc 2\.([0-9]{1,3})(?:\.[0-9]+)?", plan.system.libc or "")
    return (2, int(match[1])) if match else None


__all__ = ["target_of"]
