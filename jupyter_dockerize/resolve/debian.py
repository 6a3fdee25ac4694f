"""Python packages that Debian installed, and that no index has a wheel for.

Debian's desktop tools bring compiled ones (pycups, pycairo, …) that every Python of the system sees. To
build them takes headers that nobody planned, so they go in only where something here uses them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from ..environment.model import PipPackage, Snapshot
from ..environment.plan import packages
from ..environment.plan.planning import Plan
from ..environment.plan.requires import closure

REASON = "Debian's own: no index has a wheel of it, and nothing here is known to use it"


def own(snapshot: Snapshot) -> frozenset[str]:
    """Names of the packages that Python imports and Debian installed."""
    imported, _ = packages.as_imported(snapshot.packages.pip)
    return frozenset(p.name for p in imported if p.source.kind == "apt")


def unused(
    planned: Iterable[PipPackage], candidates: Collection[str], environment: Mapping[str, str]
) -> frozenset[str]:
    """Those of ``candidates`` that nobody has imported and that no other package needs in ``environment``."""
    planned = tuple(planned)
    start = (p.name for p in planned if p.used or p.name not in candidates)
    return frozenset(set(candidates) - closure(planned, start, environment).keys())


def left_out(plan: Plan, names: Collection[str]) -> Plan:
    """The plan without them; each is a choice."""
    if not names:
        return plan
    rest, choices = packages.without(plan.packages.pip, names, REASON)
    kept = [c for c in plan.choices if c.manager != "pip" or c.name not in names]
    return replace(plan, packages=replace(plan.packages, pip=rest), choices=(*kept, *choices))


__all__ = ["REASON", "left_out", "own", "unused"]
