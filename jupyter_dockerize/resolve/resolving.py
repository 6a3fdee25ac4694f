"""Plan → plan and resolution: what only indexes, registries and the installed files can tell."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future

from packaging.requirements import InvalidRequirement, Requirement

from ..cancel import Cancel
from ..engines.registry import digest_of
from ..engines.registry.credentials import StoredLogins
from ..environment.model import PipPackage, Snapshot, System
from ..environment.plan.packages import CARRIED, EDITED
from ..environment.plan.planning import Plan
from ..environment.plan.requires import marker_environment
from ..errors import RegistryError, UsageError
from ..events import Finding, Log, Progress, Report
from ..image.reference import Reference
from ..recipe.pip import checked
from ..recipe.resolution import Base, CarriedWheel, LockedPip, Resolution
from ..recipe.steps import SecretId
from ..sizes import count
from . import additions, debian, uv
from .credentials import NONE, Access, Login, access_of
from .indexes import Indexes, finding_of, indexes_of, not_own, troubles
from .locks import Locks, Pin, lock, unlocked
from .target import target_of
from .wheels import SIZE_LIMIT, Carried, carry

BASE_SECONDS = 5.0  # a digest is worth no more waiting


def resolve(
    plan: Plan,
    snapshot: Snapshot,
    base: Base,
    *,
    offline: bool = False,
    wheel_limit: int = SIZE_LIMIT,
    logins: Mapping[str, Login] = NONE,
    report: Report,
    cancel: Cancel,
) -> tuple[Plan, Resolution]:
    """Everything that a recipe of ``plan`` needs, and the plan with what had to change for it.

    ``offline`` asks nobody; ``wheel_limit`` is in bytes; ``logins`` are those of indexes that are configured
    nowhere. What goes wrong with one package is a finding of the resolution (``not-locked``, ``not-carried``,
    ``no-wheel-for-target``, ``index-refused`` …). Raises `UsageError` where the base is no image reference
    or not for the platform, `EngineError` where uv does not work, and `CancelledError`.
    """
    work = _Work(plan, snapshot, access_of(plan, snapshot, logins), wheel_limit, report, cancel)
    asked = not offline and base.digest is None
    digest = _asked(base, plan.platform, work.access.ca) if asked else None
    work.repack()
    work.lock(target_of(plan, base), offline=offline)
    base = work.pinned(base, digest)
    return dataclasses.replace(work.plan, indexes=not_own(work.plan.indexes)), Resolution(
        base=base,
        pip=tuple(sorted(work.locked, key=lambda locked: locked.name)),
        wheels=tuple(sorted(work.wheels, key=lambda wheel: wheel.name)),
        default_index=work.indexes.default,
        secrets=work.secrets(),
        findings=tuple(dict.fromkeys(work.findings)),
    )


class _Work:
    """One resolution while it is made."""

    def __init__(
        self, plan: Plan, snapshot: Snapshot, access: Access, limit: int, report: Report, cancel: Cancel
    ) -> None:
        self.plan, self.snapshot, self.access, self.limit = plan, snapshot, access, limit
        self.report, self.cancel = report, cancel
        self.indexes: Indexes = indexes_of(plan.indexes)
        self.packages = {p.name: p for p in plan.packages.pip if p.source.kind != "conda"}
        for package in self.packages.values():
            checked(package.name, package.version)
        self.pins: list[Pin] = []
        self.locked: list[LockedPip] = []
        self.wheels: list[CarriedWheel] = []
        self.findings: list[Finding] = []

    def repack(self) -> None:
        """Wheels for what no index has; the rest becomes pins."""
        edited = {c.name for c in self.plan.choices if c.manager == "pip" and c.source == EDITED}
        for number, package in enumerate(self.packages.values()):
            self.report(Progress("packages", number, len(self.packages), "packages"))
            if package.name in edited and self._carry_edits(package):
                continue
            must = package.source.kind in CARRIED
            may = not self.plan.foreign and (package.built_locally or package.source.kind == "unknown")
            carried = self._carry(package) if must or may else None
            if carried and (carried.wheel or must):
                self._take(carried)
            else:
                self.pins.append(Pin(package.name, package.version))

    def _carry_edits(self, package: PipPackage) -> bool:
        """Whether its wheel is taken, changes and all; else the plan drops them, and a finding says so."""
        carried = self._carry(package, EDITED)
        if carried.wheel and not package.lost:
            self._take(carried)
            return True
        choices = (
            c for c in self.plan.choices if (c.manager, c.name, c.source) != ("pip", package.name, EDITED)
        )
        self.plan = dataclasses.replace(self.plan, choices=tuple(choices))
        self.findings.append(_edits_not_carried(package))
        return False

    def lock(self, target: uv.Target, *, offline: bool) -> None:
        """Hashes for the pins; what the plan wants beyond them; wheels for what indexes no longer have."""
        requirements = [_requirement(text) for text in self.plan.requirements]
        if not self.pins and not requirements:
            return
        name = self.pins[0].name if self.pins else Requirement(requirements[0]).name
        broken = [] if offline else troubles(self.indexes, name, self.access)
        if offline:
            self.findings.append(_offline(self.indexes))
        self.findings += [finding_of(trouble, self.indexes) for trouble in broken]
        if offline or broken:
            self.locked += unlocked(self.pins)
            self.findings += [_unsolved(text) for text in requirements]
            return
        pins = count(len(self.pins), "package")
        self.report(Log(f"locking {pins} for Python {target.python} on {self.plan.platform}"))
        try:
            locks = self._without_debians(lock(self.pins, target, self.indexes, self.access, self.cancel))
            self._add(locks, requirements, target)
        except RegistryError as error:
            self.locked += unlocked(self.pins)
            self.findings += [_unsolved(text) for text in requirements]
            self.findings.append(_not_locked(error, self.indexes))
            return
        if not self.plan.foreign:
            for pin in locks.lost:
                self._take(self._carry(self.packages[pin.name], "vanished"))

    def _without_debians(self, locks: Locks) -> Locks:
        """The locks without what is Debian's own and no wheel: left out where unused, else carried."""
        compiled = {p.name for p in locks.pip if p.sdist}
        odd = debian.own(self.snapshot) & (compiled | {pin.name for pin in locks.lost})
        there = System(os="debian", arch=self.plan.platform.partition("/")[2])
        markers = marker_environment(self.plan.python, there)
        gone = set(debian.unused(self.packages.values(), odd, markers))
        self.plan = debian.left_out(self.plan, gone)
        for name in sorted(compiled & odd - gone) if not self.plan.foreign else ():
            carried = self._carry(self.packages[name], "apt")
            if carried.wheel:
                self._take(carried)
                gone.add(name)
        return Locks(
            tuple(p for p in locks.pip if p.name not in gone),
            tuple(p for p in locks.lost if p.name not in gone),
        )

    def _add(self, locks: Locks, requirements: Sequence[str], target: uv.Target) -> None:
        foreign = self.plan.foreign
        added = additions.solve(
            [Pin(p.name, p.version) for p in locks.pip if not p.sdist],
            locks.lost if foreign else (),
            requirements,
            target,
            self.indexes,
            self.access,
            held=sorted({p.name for p in locks.pip if p.sdist} | self._by_other_means()),
            again=foreign,
            cancel=self.cancel,
        )
        self.locked += [*locks.pip, *added.pip]
        self.findings += additions.findings_of(added, self.plan.platform)
        self.findings += [_compiled(p) for p in locks.pip if p.sdist]
        self.findings += [_unhashed(p) for p in self.locked if not p.hashes]
        self.plan = additions.with_additions(self.plan, added)

    def _by_other_means(self) -> set[str]:
        """Names that the image has without an index: carried wheels, and what conda brings."""
        conda = {c.name for c in self.plan.packages.conda}
        conda |= {p.name for p in self.plan.packages.pip if p.source.kind == "conda"}
        return {wheel.name for wheel in self.wheels} | (conda - {pin.name for pin in self.pins})

    def pinned(self, base: Base, digest: Future[str | RegistryError | None] | None) -> Base:
        """The base with its digest, or a finding that says why it has none."""
        reference = Reference.parse(base.ref)
        if base.digest or reference.digest:
            return base
        answer = self._within(digest) if digest else None
        self.cancel.check()
        if isinstance(answer, str):
            return dataclasses.replace(base, digest=answer)
        why = (
            f"its registry could not be asked: {answer.why}"
            if answer
            else "nobody was asked"
            if digest is None
            else "its registry does not know it"
        )
        self.findings.append(
            Finding(
                "base-not-pinned",
                "info",
                f"a later build may get a newer {reference}, because {why}",
                "fine for this image; to pin it, build where its registry answers, or --base NAME@sha256:…",
            )
        )
        return base

    @staticmethod
    def _within(digest: Future[str | RegistryError | None]) -> str | RegistryError | None:
        try:
            return digest.result(timeout=2 * BASE_SECONDS)
        except futures.TimeoutError:
            return RegistryError("the registry does not answer", why="it did not answer in time")

    def secrets(self) -> tuple[SecretId, ...]:
        """What the build has to be handed."""
        wanted: list[SecretId] = []
        if self.plan.ca:
            wanted.append("ca")
            if self.access.ca is None:
                self.findings.append(_no_ca(self.snapshot))
        if self.access.logins or any(i.credentials and not i.local for i in self.plan.indexes):
            wanted.append("netrc")
        return tuple(wanted)

    def _carry(self, package: PipPackage, reason: str | None = None) -> Carried:
        return carry(
            package,
            python=self.snapshot.python.version,
            prefix=self.snapshot.python.prefix,
            foreign=self.plan.foreign,
            reason=reason,
            limit=self.limit,
            cancel=self.cancel,
        )

    def _take(self, carried: Carried) -> None:
        self.findings += carried.findings
        if carried.wheel:
            self.wheels.append(carried.wheel)


def _asked(base: Base, platform: str, ca: str | None) -> Future[str | RegistryError | None]:
    """What the base's registry will say."""
    answer: Future[str | RegistryError | None] = Future()

    def ask() -> None:
        try:
            answer.set_result(_digest(base, platform, ca))
        except BaseException as error:  # raised where the answer is wanted
            answer.set_exception(error)

    # A daemon: nobody waits for a registry at the end of the process, as for the threads of a pool.
    threading.Thread(target=ask, name="base-digest", daemon=True).start()
    return answer


def _digest(base: Base, platform: str, ca: str | None) -> str | RegistryError | None:
    try:
        logins = StoredLogins(forgiving=True)
        return digest_of(base.ref, platform, ca=ca, logins=logins, seconds=BASE_SECONDS)
    except RegistryError as error:
        return error


def _requirement(text: str) -> str:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(f"not a requirement: {text[:120]!r}", why=str(error)) from None
    if requirement.url or any(ord(char) < 0x20 for char in text):
        raise UsageError(f"a requirement may not name an address: {requirement.name}")
    return text


def _offline(indexes: Indexes) -> Finding:
    bound = "; which of your indexes serves which package is not known" if indexes.extra else ""
    return Finding(
        "not-locked",
        "error" if indexes.extra else "warning",
        f"no index was asked: versions are pinned, but without hashes{bound}",
        "make the recipe again where the package index can be reached",
    )


def _not_locked(error: RegistryError, indexes: Indexes) -> Finding:
    return Finding(
        "index-unreachable" if indexes.extra else "not-locked",
        "error" if indexes.extra else "warning",
        f"{error.brief}: versions are pinned, but without hashes",
        error.fix,
    )


def _unsolved(requirement: str) -> Finding:
    return Finding(
        "not-solved",
        "warning",
        f"the image needs {requirement}, and no index could be asked for a version",
        "make the recipe again where the package index can be reached",
    )


def _compiled(locked: LockedPip) -> Finding:
    return Finding(
        "compiled-from-source",
        "info",
        f"{locked.name} {locked.version} has no wheel for the image's platform: the build compiles it",
    )


def _edits_not_carried(package: PipPackage) -> Finding:
    return Finding(
        "edits-not-carried",
        "warning",
        f"{package.name} {package.version} was edited and its installed files do not give a wheel"
        f"{', because some are gone' if package.lost else ''}: the image gets it without the changes",
        "keep your own copy of the project and install that",
    )


def _unhashed(locked: LockedPip) -> Finding:
    return Finding(
        "not-locked",
        "warning",
        f"the index gives no hashes for {locked.name} {locked.version}: only its version is pinned",
        "use an index that follows the Simple repository API with hashes",
    )


def _no_ca(snapshot: Snapshot) -> Finding:
    return Finding(
        "ca-unreadable",
        "warning",
        f"the CA bundle that this environment is configured with is not there: {snapshot.ca}",
        "correct PIP_CERT, SSL_CERT_FILE or REQUESTS_CA_BUNDLE",
    )


__all__ = ["BASE_SECONDS", "resolve"]
