"""Snapshot + choices → plan: the snapshot that the image is *meant* to hold.

Every deviation from the source is a `Choice`, so nothing is dropped silently and `verify` can
tell what was meant from what went wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from ...errors import FindingsError
from ...events import Finding
from ..choices import Choice, ProjectFile, Wishes
from ..model import (
    SCHEMA,
    CondaPackage,
    Index,
    MissingLibrary,
    Packages,
    Python,
    Snapshot,
    System,
    fingerprint,
    ordered,
)
from ..project.files import Project
from ..releases import start_of
from . import needs, packages, platform, redact
from .requires import marker_environment
from .usage import minimal
from .variables import missed, variables

Server = Literal["environment", "own"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the image is meant to hold, and every deviation from the source.

    ``packages.pip`` has one package per name, as Python imports it; those of ``source.kind`` conda are
    installed by their conda record, all others by pip. ``packages.apt`` are the roots to install.

    ``requirements`` (PEP 508) are what the image needs and the source does not have: `resolve` finds
    versions for them with ``packages.pip`` as constraints. Where ``foreign`` is true it asks for
    all names of ``packages.pip`` too, because another platform may not have the same versions.
    """

    source: str  # the snapshot's fingerprint
    platform: str  # "linux/amd64"
    foreign: bool  # another platform than the source's: pins are constraints, to be resolved again
    system: System  # the source's
    python: Python
    packages: Packages
    server: Server  # JupyterLab of the environment, or a small one of its own
    notebook: str | None = None  # its path in the project folder
    kernel: str = "python3"
    files: tuple[ProjectFile, ...] = ()
    magics: Literal["stand-in"] | None = None  # what lets cells run that type %dockerize
    environ: tuple[tuple[str, str], ...] = ()
    indexes: tuple[Index, ...] = ()
    ca: bool = False  # downloads need a CA bundle of this network: handed in as a secret
    requirements: tuple[str, ...] = ()
    missing: tuple[MissingLibrary, ...] = ()  # what did not resolve in the source either
    wishes: Wishes = Wishes()  # noqa: RUF009 - frozen
    choices: tuple[Choice, ...] = ()
    findings: tuple[Finding, ...] = ()  # the plan's own; the snapshot has its own
    schema: int = SCHEMA

    @property
    def build_platform(self) -> str | None:
        """What a builder has to be told; None where its own platform is the one."""
        return self.platform if self.foreign or self.wishes.platform else None

    @property
    def fingerprint(self) -> str:
        """Of the redacted packages, so that a plan and its stored form have the same."""
        return fingerprint(self.python, redact.packages(self.packages))


def make_plan(snapshot: Snapshot, wishes: Wishes, project: Project | None = None) -> Plan:
    """The image that ``snapshot`` is to become; the same input gives the same plan.

    Raises `UsageError` for a platform that no image is made for, for what is no Debian package, and for
    ``minimal`` where no kernel has run the notebook.
    """
    target = platform.target_of(snapshot.system, wishes.platform)
    foreign = platform.is_foreign(snapshot.system, target)
    imports = project.imports if project else ()

    pip, choices = packages.as_imported(snapshot.packages.pip)
    conda, findings = snapshot.packages.conda, list(project.findings if project else ())
    markers = marker_environment(snapshot.python, snapshot.system)
    if wishes.minimal:
        pip, more, notes = minimal(snapshot, pip, markers)
        choices += more
        findings += notes
    pip, more = packages.without_own(pip, imports, markers)
    choices += more
    used = {p.name for p in pip if p.used} | packages.distributions(imports)
    pip, more = packages.settled(pip, used=used, foreign=foreign)
    choices += more
    requirements: tuple[str, ...] = ()
    if foreign:
        adapted = platform.adapt(snapshot, pip, conda, target, packages.distributions(imports))
        pip, conda, requirements = adapted.pip, adapted.conda, adapted.requirements
        choices += adapted.choices
    if not any(p.name == "ipykernel" for p in pip):
        requirements = tuple(sorted({*requirements, "ipykernel"}))
        choices.append(
            packages.added("ipykernel", "the notebook needs a kernel, and the environment has none")
        )

    start = start_of(
        snapshot.python.version, snapshot.system, pip, base=wishes.base, conda=bool(conda), foreign=foreign
    )
    apt, more, notes = needs.debian_packages(
        snapshot, pip, wishes, target, release=start.codename, python=start.kind == "debian-python"
    )
    choices += more
    findings += (*notes, *start.findings)
    environ, more = variables(snapshot.environ)
    choices += more
    findings += missed(snapshot.withheld, project.variables if project else ())
    indexes, more, notes = _indexes(snapshot.indexes)
    choices += more
    findings += notes
    choices += project.choices if project else ()
    magics: Literal["stand-in"] | None = None
    if project and project.magics:
        magics = "stand-in"
        choices.append(packages.STAND_IN)
    libraries = snapshot.libraries
    return Plan(
        source=snapshot.fingerprint,
        platform=str(target),
        foreign=foreign,
        system=snapshot.system,
        python=snapshot.python,
        packages=Packages(pip=ordered(pip), conda=_by_name(conda), apt=apt),
        server="environment" if packages.server(pip, conda) else "own",
        notebook=project.notebook if project else None,
        kernel=snapshot.kernel.name if snapshot.kernel else "python3",
        files=project.files if project else (),
        magics=magics,
        environ=environ,
        indexes=indexes,
        ca=snapshot.ca is not None,
        requirements=requirements,
        missing=libraries.missing if libraries and not foreign else (),
        wishes=wishes,
        choices=sorted_choices(choices),
        findings=tuple(dict.fromkeys(findings)),
    )


def redacted(plan: Plan) -> Plan:
    """The plan as it is stored in the image: no absolute path, home folder, user name or private host.

    Its fingerprint is the plan's.
    """
    return replace(
        plan,
        system=redact.system(plan.system),
        python=replace(plan.python, executable="", prefix="", base_prefix=""),
        packages=redact.packages(plan.packages),
        files=tuple(replace(f, source=None) for f in plan.files),
        indexes=tuple(redact.index(i) for i in plan.indexes),
        wishes=redact.wishes(plan.wishes),
        choices=_apart(redact.choice(c) for c in plan.choices),
        findings=redact.findings(plan.findings),
    )


def refuse(findings: Iterable[Finding], allow: Iterable[str]) -> None:
    """Raises `FindingsError` for the findings of severity error whose code ``allow`` does not name."""
    allowed = set(allow)
    stopping = [f for f in dict.fromkeys(findings) if f.severity == "error" and f.code not in allowed]
    if stopping:
        raise FindingsError(stopping)


def sorted_choices(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Each once, by manager and name."""
    return tuple(
        sorted(set(choices), key=lambda c: (c.manager, c.name, c.kind, c.source, c.planned, c.reason))
    )


def _apart(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """Those that became the same text stay several: two folders of one name are two that were left out."""
    seen: Counter[Choice] = Counter()
    found = []
    for choice in choices:
        seen[choice] += 1
        number = seen[choice]
        found.append(replace(choice, name=f"{choice.name} ({number})") if number > 1 else choice)
    return tuple(found)


def _indexes(indexes: Iterable[Index]) -> tuple[tuple[Index, ...], list[Choice], list[Finding]]:
    """The ones that the build can reach. Folders of this machine stay here."""
    kept, choices, findings = [], [], []
    for index in indexes:
        if index.local or index.url.lower().startswith("file:"):
            reason = "a folder of this machine; what only it has is carried as a wheel"
            choices.append(
                Choice(
                    kind="left-out",
                    manager="index",
                    name=f"{index.kind} {index.url}",
                    reason=reason,
                    source=index.url,
                )
            )
            continue
        kept.append(index)
        if index.credentials:
            findings.append(
                Finding(
                    "index-credentials",
                    "info",
                    f"the package index {index.url} needs credentials: the build is handed them as a secret",
                )
            )
    return tuple(kept), choices, findings


def _by_name(conda: Iterable[CondaPackage]) -> tuple[CondaPackage, ...]:
    return tuple(sorted(conda, key=lambda c: (c.name, c.version, c.build)))
