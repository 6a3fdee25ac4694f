"""What packages are resolved for: the plan's Python on the base image's platform, in uv's words."""

from __future__ import annotations

import re

from ..environment.plan.planning import Plan
from ..environment.releases import GLIBC, glibc_of
from ..recipe.resolution import Base
from .uv import Target

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_KNOWN = (17, 28, *range(31, 41))  # minor versions of glibc 2 that uv has a word for (PEP 600)
_SAFE = (2, 28)  # where nothing is known of the base: Debian 10 and later, RHEL 8 and later


def target_of(plan: Plan, base: Base) -> Target:
    """The target; its platform is None for a machine that uv has no word for: then this one's own."""
    python = re.match(r"[0-9]+\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?", plan.python.version)
    machine = _MACHINES.get(plan.platform.partition("/")[2])
    version = python[0] if python else plan.python.version
    if machine is None:
        return Target(version, None)
    glibc = GLIBC.get(base.codename) or (None if plan.foreign else glibc_of(plan.system)) or _SAFE
    minor = max(known for known in _KNOWN if known <= max(glibc[1], _KNOWN[0]))
    return Target(version, f"{machine}-manylinux_2_{minor}")


__all__ = ["target_of"]
