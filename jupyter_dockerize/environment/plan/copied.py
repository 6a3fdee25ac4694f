"""What a plan becomes where the environment's own files are copied: nothing is installed anew.

Each package stays what it is and where it is: no wheel is carried, nothing is added, Debian's are those of
the source's own release.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from ...errors import UsageError
from ...sizes import count
from ..choices import Choice
from ..model import Packages, Snapshot, ordered
from .packages import AS_IT_IS, EDITED, as_imported, changed
from .planning import Plan, sorted_choices

_OF_A_BUILD = frozenset({
    "compiled-from-source", "cuda-differs", "library-not-in-base", "library-unowned", "libraries-unknown",
})  # fmt: skip


def as_copied(plan: Plan, snapshot: Snapshot) -> Plan:
    """The plan of the copy, before it is known which Debian packages come along (`settled`).

    Raises `UsageError` for another platform than the source's, and for a Debian package that was asked
    for and is not installed.
    """
    if plan.foreign:
        system = snapshot.system
        own = "leave --platform out; or " if plan.wishes.platform else ""
        raise UsageError(
            f"files of {system.os} on {system.arch} cannot be copied to {plan.platform}",
            why="what is compiled runs on its own platform only",
            fix=f"{own}have it built by Docker, without --method copy and -o: rebuilt, each package is taken "
            "for the other platform",
        )
    here, _ = as_imported(snapshot.packages.pip)
    names = {package.name for package in plan.packages.pip}
    pip = ordered(package for package in here if package.name in names)
    wanted = {_plain(package.name) for package in plan.packages.apt}
    wanted |= {_plain(name) for name in (snapshot.libraries.roots if snapshot.libraries else ())}
    apt = tuple(package for package in snapshot.packages.apt if _plain(package.name) in wanted)
    installed = {_plain(package.name) for package in apt}
    missing = [name for name in plan.wishes.apt if _plain(name) not in installed]
    if missing:
        raise UsageError(
            f"{missing[0]} is not installed here, and a copy takes along what there is",
            fix=f"apt-get install {missing[0]}, or leave --method copy out",
        )
    choices = [choice for choice in plan.choices if choice.manager != "apt" and not _of_an_install(choice)]
    choices += [
        changed(package, EDITED, AS_IT_IS, "copied with the changes that were made here")
        for package in pip
        if package.edited or package.lost
    ]
    choices += [
        changed(package, "checkout", "files", "git's history stays here: the image does not know the commit")
        for package in pip
        if package.source.kind == "editable" and package.source.commit
    ]
    return replace(
        plan,
        packages=Packages(pip=pip, conda=plan.packages.conda, apt=apt),
        requirements=(),
        choices=sorted_choices(choices),
        findings=tuple(f for f in plan.findings if f.code not in _OF_A_BUILD),
    )


def with_server(plan: Plan, prefix: str, version: str) -> Plan:
    """The plan of a copy that a JupyterLab beside the environment opens: that of ``prefix`` here."""
    choice = Choice(
        kind="added",
        manager="server",
        name=f"the Jupyter server of {prefix}",
        reason="the environment has no JupyterLab, and stays without: this one opens the image",
        planned=f"jupyterlab {version}",
    )
    return replace(plan, choices=sorted_choices((*plan.choices, choice)))


def settled(plan: Plan, snapshot: Snapshot, apt: Collection[str], there: Callable[[str], bool]) -> Plan:
    """The plan with what is really left out of Debian's, and with its Python packages that came along.

    ``apt`` are names of Debian packages, ``there`` says whether an absolute path is in the image.
    """
    names = {package.name for package in plan.packages.pip}
    here, _ = as_imported(snapshot.packages.pip)
    came = [
        package
        for package in here
        if package.source.kind == "apt"
        and package.name not in names
        and package.dist_info
        and there(package.dist_info)
    ]
    known = {package.name for package in came}
    choices = [choice for choice in plan.choices if choice.manager != "pip" or choice.name not in known]
    choices += [
        Choice(
            kind="left-out",
            manager="apt",
            name=package.name,
            reason="nothing in the image links to it or depends on it; --apt NAME takes it along",
            source=package.version,
        )
        for package in snapshot.packages.apt
        if package.name not in apt
    ]
    packages = replace(plan.packages, pip=ordered((*plan.packages.pip, *came)))
    return replace(plan, packages=packages, choices=sorted_choices(choices))


def settled_onto(plan: Plan, snapshot: Snapshot, base: Mapping[str, str], carried: Collection[str]) -> Plan:
    """The plan of a copy that lies on a base: the system's packages are those that the base has.

    ``base`` are its Debian packages with their versions, ``carried`` those of this machine of which
    libraries come along as files. Raises `UsageError` for a package that was asked for and is not in it.
    """
    there = {_plain(name): version for name, version in base.items()}
    for name in plan.wishes.apt:
        if _plain(name) not in there:
            raise UsageError(
                f"the base {plan.wishes.base} does not have the package {name}",
                why="a copy installs nothing",
                fix="name a base that has it, or take --method rebuild",
            )
    apt, choices = [], list(plan.choices)
    planned = {_plain(package.name): package for package in plan.packages.apt}
    for name, package in planned.items():
        version = there.get(name)
        if version is not None:
            apt.append(replace(package, version=version))
        if version != package.version:
            gone = "its libraries come along as files" if package.name in carried else "the base lacks it"
            choices.append(
                Choice(
                    kind="left-out" if version is None else "changed",
                    manager="apt",
                    name=package.name,
                    reason=gone if version is None else "brought by the base",
                    source=package.version,
                    planned=version or "",
                )
            )
    rest = [package for package in snapshot.packages.apt if _plain(package.name) not in planned]
    if rest:
        number = count(len(rest), "package")
        choices.append(
            Choice(kind="left-out", manager="apt", name="*", reason="the base brings its own", source=number)
        )
    packages = replace(plan.packages, apt=tuple(apt))
    return replace(plan, packages=packages, choices=sorted_choices(choices))


def on_its_base(plan: Plan, stored: Plan) -> Plan:
    """The plan of a copy whose image is there, and carries ``stored``: Debian's packages are its base's."""
    choices = (
        *(choice for choice in plan.choices if choice.manager != "apt"),
        *(choice for choice in stored.choices if choice.manager == "apt"),
    )
    packages = replace(plan.packages, apt=stored.packages.apt)
    return replace(plan, packages=packages, choices=sorted_choices(choices))


def _of_an_install(choice: Choice) -> bool:
    """A kernel that is added, a package that travels as a wheel or moves into the one environment."""
    return choice.manager == "pip" and choice.kind in ("added", "changed")


def _plain(name: str) -> str:
    return name.removesuffix("t64")


__all__ = ["as_copied", "on_its_base", "settled", "settled_onto", "with_server"]
