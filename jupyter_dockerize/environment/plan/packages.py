"""Which Python and conda packages of an environment go into its image, and how each travels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ..choices import Choice
from ..model import CondaPackage, PipPackage, Source, ordered
from .requires import only_for

OWN = "jupyter-dockerize"
ONLY_OURS = f"only {OWN} needs it"
SERVER = frozenset({"jupyterlab", "jupyter-server"})  # who has both opens by itself
STAND_IN = Choice(
    kind="added",
    manager="file",
    name="jupyter_dockerize.py",
    reason=f"cells type the magics of {OWN}: here they do nothing, so that all cells run",
)
EDITED = "edited"  # what the choice says of an index's package whose files were changed here
AS_IT_IS = "as it is"  # what it says of one that is copied with these changes
CARRIED = frozenset({"editable", "local", "vcs", "archive"})

# Distributions that Debian and Ubuntu write for their own tools; no index has them.
_DEBIAN_TOOLS = frozenset(
    {
        "apt-clone",
        "apturl",
        "command-not-found",
        "cupshelpers",
        "defer",
        "distro-info",
        "fail2ban",
        "gufw",
        "language-selector",
        "python-apt",
        "python-debianbts",
        "reportbug",
        "screen-resolution-extra",
        "softwareproperties",
        "ubuntu-advantage-tools",
        "ubuntu-drivers-common",
        "ubuntu-pro-client",
        "ufw",
        "unattended-upgrades",
        "usb-creator",
        "xkit",
    }
)

# Import names of what we need ourselves and of what Debian brings, where they are not the package's name.
_IMPORTED_AS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cairo": "pycairo",
    "cups": "pycups",
    "dateutil": "python-dateutil",
    "dbus": "dbus-python",
    "gi": "pygobject",
    "markdown-it": "markdown-it-py",
    "smbc": "pysmbc",
    "win32api": "pywin32",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}


def as_imported(packages: Iterable[PipPackage]) -> tuple[tuple[PipPackage, ...], list[Choice]]:
    """One package per name, the one that Python imports, by name; what those hide is left out."""
    chosen: dict[str, PipPackage] = {}
    choices = []
    for package in ordered(packages):
        winner = chosen.setdefault(package.name, package)
        if winner is not package:
            choices.append(
                Choice(
                    kind="left-out",
                    manager="pip",
                    name=package.name,
                    reason=f"Python imports {winner.version} ({winner.scope}) and never sees this one",
                    source=f"{package.version} ({package.scope})",
                )
            )
    return tuple(chosen.values()), choices


def without(
    packages: Sequence[PipPackage], names: Collection[str], reason: str
) -> tuple[tuple[PipPackage, ...], list[Choice]]:
    """The packages that ``names`` does not have, and a choice for each that it has."""
    return tuple(p for p in packages if p.name not in names), [
        left_out(p, reason) for p in packages if p.name in names
    ]


def left_out(package: PipPackage, reason: str) -> Choice:
    return Choice(kind="left-out", manager="pip", name=package.name, reason=reason, source=package.version)


def without_own(
    packages: Sequence[PipPackage], imports: Iterable[str], environment: Mapping[str, str]
) -> tuple[tuple[PipPackage, ...], list[Choice]]:
    """All but jupyter-dockerize and what only it needs.

    What else needs a package is known where Requires-Dist was read; ``environment`` is that of its
    markers. What the installer was asked for by name stays, and so does what the notebook imports.
    What belongs to conda stays with its record.
    """
    own = next((p for p in packages if p.name == OWN), None)
    if own is None:
        return tuple(packages), []
    wanted = distributions(imports)
    kept = [p.name for p in packages if p.name in wanted or p.requested or p.source.kind in ("conda", "apt")]
    only = only_for(OWN, packages, kept, environment)
    rest, choices = without(packages, only, ONLY_OURS)
    rest, itself = without(rest, {OWN}, "the image does not need what made it")
    return rest, [*choices, *itself]


def distributions(imports: Iterable[str]) -> frozenset[str]:
    """Likely names of packages for imported names: "yaml.nodes" → pyyaml. For keeping only."""
    tops = {name.partition(".")[0].lower().replace("_", "-") for name in imports}
    return frozenset(tops | {_IMPORTED_AS[top] for top in tops if top in _IMPORTED_AS})


def settled(
    packages: Sequence[PipPackage], *, used: Collection[str] = (), foreign: bool = False
) -> tuple[tuple[PipPackage, ...], list[Choice]]:
    """The packages as the image has them: in one environment, from an index or as a wheel that is carried.

    ``used`` are those that were imported: a tool of Debian's own is left out unless it is one. On a
    ``foreign`` platform what was compiled here is `platform.adapt`'s to settle.
    """
    found = []
    choices = []
    for package in packages:
        kind = package.source.kind
        planned = replace(package, scope="env", shadows=None)
        if kind == "apt":
            if package.name in _DEBIAN_TOOLS and package.name not in used:
                choices.append(left_out(package, "a tool of Debian's own, which no index has"))
                continue
            planned = replace(planned, source=Source(kind="index"), used=package.name in used)
            was = f"apt ({package.scope})"
            choices.append(changed(package, was, "pip", "the image has one environment"))
        elif kind in CARRIED or (package.built_locally and kind != "conda"):
            if not foreign or (kind in CARRIED and package.pure):
                was = kind if kind in CARRIED else "built here"
                reason = "carried as a wheel, because no index gives it back"
                choices.append(changed(package, was, "wheel", reason))
        elif package.edited and not foreign and kind != "conda":
            choices.append(changed(package, EDITED, "wheel", "carried with the changes that were made here"))
        elif package.scope != "env" and kind != "conda":
            choices.append(changed(package, package.scope, "env", "the image has one environment"))
        found.append(planned)
    return tuple(found), choices


def added(name: str, reason: str, planned: str = "") -> Choice:
    return Choice(kind="added", manager="pip", name=name, reason=reason, planned=planned)


def changed(package: PipPackage, source: str, planned: str, reason: str) -> Choice:
    return Choice(
        kind="changed", manager="pip", name=package.name, reason=reason, source=source, planned=planned
    )


def server(pip: Iterable[PipPackage], conda: Iterable[CondaPackage]) -> bool:
    """Whether the environment brings JupyterLab and its server itself."""
    names = {p.name for p in pip} | {c.name.replace("_", "-") for c in conda}
    return names >= SERVER
