"""What the image needs and the source does not have: versions for it, around the pins.

On another platform every pin is asked about again, with its dependencies: what torch needs on
Linux is not there on macOS. Where the pins contradict each other (environments that grew by hand often
do), each requirement is solved for itself, with the pins as constraints.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from packaging.utils import canonicalize_name

from ..cancel import Cancel
from ..environment.choices import Choice
from ..environment.model import Packages, PipPackage, Source, ordered
from ..environment.plan.packages import added, changed
from ..environment.plan.planning import Plan
from ..events import Finding
from ..recipe.resolution import LockedPip
from .credentials import Access
from .indexes import Indexes
from .locks import Pin
from .uv import Served, Target, Unsolved, compile_pins

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Additions:
    """``pip`` is locked beyond the pins, or in place of them; ``missing`` are names with no solution.

    ``contradiction``: the pins cannot all be had together, so their own dependencies were not asked for.
    """

    pip: tuple[LockedPip, ...] = ()
    missing: tuple[str, ...] = ()
    contradiction: bool = False


def solve(
    pins: Sequence[Pin],
    lost: Sequence[Pin],
    requirements: Sequence[str],
    target: Target,
    indexes: Indexes,
    access: Access,
    *,
    held: Sequence[str],
    again: bool,
    cancel: Cancel,
) -> Additions:
    """Wheels for ``requirements`` and for other versions of ``lost``, with ``pins`` as constraints.

    ``held`` are names that come by other means (carried wheels, sources that the build compiles): nothing
    of theirs is looked for.
    ``again``: the pins' own dependencies are asked for too. Raises `RegistryError`.
    """

    def ask(roots: Iterable[str]) -> list[Served]:
        return compile_pins(
            list(roots),
            target,
            default=indexes.default,
            extra=indexes.extra,
            constraints=[str(pin) for pin in pins],
            without=held,
            dependencies=True,
            access=access,
            cancel=cancel,
        )

    wanted = [text for text in requirements if _name(text) not in held] + [pin.name for pin in lost]
    everything = [*wanted, *(str(pin) for pin in pins)] if again else wanted
    if not everything:
        return Additions()
    missing: list[str] = []
    contradiction = False
    try:
        served = ask(everything)
    except Unsolved:
        served, contradiction = [], again
        for requirement in wanted:
            try:
                served += ask([requirement])
            except Unsolved:  # noqa: PERF203 - each stands for itself
                missing.append(_name(requirement))
    pinned = {*held, *(pin.name for pin in pins)}
    found = {
        s.name: LockedPip(name=s.name, version=s.version, hashes=s.hashes, index=indexes.other(s.index))
        for s in served
        if s.name not in pinned
    }
    return Additions(tuple(found[name] for name in sorted(found)), tuple(sorted(set(missing))), contradiction)


def with_additions(plan: Plan, additions: Additions) -> Plan:
    """The plan with what was found: packages added or in another version, each of them a choice."""
    if not additions.pip:
        return plan
    there = {package.name: package for package in plan.packages.pip}
    told = {
        choice.name: choice for choice in plan.choices if choice.kind == "added" and choice.manager == "pip"
    }
    choices: list[Choice] = []
    for locked in additions.pip:
        old = there.get(locked.name)
        if old is not None:
            reason = f"{old.version} is not to be had for {plan.platform}"
            choices.append(changed(old, old.version, locked.version, reason))
        elif locked.name in told:
            choices.append(replace(told[locked.name], planned=locked.version))
        else:
            reason = f"what is planned needs it on {plan.platform}" if plan.foreign else _needed(plan)
            choices.append(added(locked.name, reason, locked.version))
    named = {choice.name for choice in choices}
    # "nvidia-*" stood for what the resolver would find; now it has.
    kept = [c for c in plan.choices if not (c.name in told and (c.name in named or c.name.endswith("*")))]
    packages = {
        **there,
        **{
            a.name: PipPackage(name=a.name, version=a.version, source=Source(kind="index"))
            for a in additions.pip
        },
    }
    return replace(
        plan,
        packages=Packages(pip=ordered(packages.values()), conda=plan.packages.conda, apt=plan.packages.apt),
        choices=(*kept, *choices),
        requirements=(),
    )


def _needed(plan: Plan) -> str:
    roots = sorted({_name(text) for text in plan.requirements})
    return f"{' and '.join(roots)}, which the notebook needs, need{'' if roots[1:] else 's'} it"


def findings_of(additions: Additions, platform: str) -> list[Finding]:
    """One error per name that the target cannot have: said before anything is built."""
    found = [
        Finding(
            "no-wheel-for-target",
            "error",
            f"no index has a wheel of {name} for {platform} that fits the other packages",
            "uninstall it here, replace it by one that is made for that platform, or build for this platform",
        )
        for name in additions.missing
    ]
    if additions.contradiction:
        found.append(
            Finding(
                "contradicting-pins",
                "warning",
                "the packages contradict each other's requirements, so what else they need on "
                f"{platform} was not looked for",
                "pip check names them; look whether the notebook runs in the image",
            )
        )
    return found


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    return canonicalize_name(match[0]) if match else requirement[:80]


__all__ = ["Additions", "findings_of", "solve", "with_additions"]
