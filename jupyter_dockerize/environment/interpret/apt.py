"""What dpkg's records mean: which Debian packages are installed.

Format: /var/lib/dpkg/status, dpkg-query(1) "Status"; apt's extended_states for what was asked for.
"""

from __future__ import annotations

from ...events import Finding
from ..facts import AptFacts
from ..model import AptPackage
from ..names import debian_name, debian_version, shown, word

_INSTALLED = frozenset({"installed", "triggers-awaited", "triggers-pending"})
_GONE = frozenset({"config-files", "not-installed"})
_PRIORITIES = frozenset({"required", "important", "standard", "optional", "extra"})


def packages(facts: AptFacts) -> tuple[tuple[AptPackage, ...], list[Finding]]:
    """What is installed, by name and architecture, and what is not as it should be.

    Whatever is wanted (install, hold, even deinstall), the third word of the status says what is
    there; "reinstreq" in the middle says that it is broken.
    """
    found: dict[tuple[str, str], AptPackage] = {}
    findings: list[Finding] = []
    good: dict[str, bool] = {}
    for package in facts["packages"]:
        status = package["status"]
        if status not in good:
            words = status.split()[-2:]
            state = words[-1] if words else ""
            if state in _GONE:
                continue
            good[status] = state in _INSTALLED and words[0] == "ok"
        name, version = debian_name(package["name"]), debian_version(package["version"])
        if not good[status]:
            findings.append(_broken(name or shown(package["name"]), status))
            continue
        arch = word(package["arch"], 40)
        if name is None or version is None or arch is None:
            findings.append(_invalid(f"{package['name'][:60]} {package['version'][:60]}"))
            continue
        priority = package["priority"]
        found[name, arch] = AptPackage(
            name=name,
            version=version,
            arch=arch,
            manual=package["manual"],
            essential=package["essential"],
            priority=priority if priority in _PRIORITIES else "optional",
        )
    return tuple(found[key] for key in sorted(found)), findings


def _broken(name: str, status: str) -> Finding:
    return Finding(
        "apt-half-installed",
        "warning",
        f"the Debian package {name} is not completely installed: its status is {shown(status)}",
        "dpkg --configure -a, then apt-get -f install",
    )


def _invalid(text: str) -> Finding:
    return Finding(
        "apt-invalid",
        "warning",
        f"dpkg lists something that is not a Debian package and was passed over: {shown(text)}",
        "look at it in /var/lib/dpkg/status",
    )
