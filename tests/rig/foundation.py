"""What every engine here stands on: runc, iptables and their libraries, of Debian 12.

Debian 12's because a newer Debian's runc needs a newer libc than Debian 12 has, while the
reverse works; private because nothing may be installed on a contributor's machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from . import apt, machine, place
from .errors import RigError

PACKAGES = (
    "runc", "libseccomp2", "libdevmapper1.02.1", "iptables", "libxtables12", "libip4tc2", "libip6tc2",
    "libnftnl11", "libmnl0", "libnfnetlink0", "libnetfilter-conntrack3", "tini",
)  # fmt: skip
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def unpacked() -> bool:
    """Tell whether the packages are there."""
    return _home().is_dir()


def unpack() -> Path:
    """Give the folder of the unpacked packages, with `iptables` choosing what this kernel has."""
    home = apt.unpack("bookworm", PACKAGES, _home())
    links = home / "links"
    if not links.is_dir():
        machine.run([home / "usr/sbin/runc", "--version"], env=_environment(home))
        backend = "nft" if _works(home, "iptables-nft") else "legacy"
        links.mkdir()
        for command in ("iptables", "ip6tables"):
            for suffix in ("", "-save", "-restore"):
                (links / f"{command}{suffix}").symlink_to(home / f"usr/sbin/{command}-{backend}{suffix}")
    return home


def program(name: str) -> Path:
    """Give the path of one of our programs."""
    home = unpack()
    linked = home / "links" / name
    return linked if linked.exists() else home / "usr/sbin" / name


def environment(*homes: Path) -> dict[str, str]:
    """Give the environment for an engine's processes, which find its own packages first and then ours."""
    return _environment(unpack(), homes)


def _home() -> Path:
    return place.state() / "packages" / "foundation"


def _environment(home: Path, others: Sequence[Path] = ()) -> dict[str, str]:
    homes = [*others, home]
    programs = [home / "links", *(each / sub for each in homes for sub in ("usr/sbin", "usr/bin"))]
    libraries = [each / sub for each in homes for sub in (LIBRARIES, LIBRARIES.removeprefix("usr/"))]
    proxies = {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    return {
        "PATH": ":".join([*map(os.fspath, programs), machine.PATH]),
        "LD_LIBRARY_PATH": ":".join(map(os.fspath, libraries)),
        "XTABLES_LIBDIR": os.fspath(home / LIBRARIES / "xtables"),
        "HOME": os.fspath(Path.home()),
        "LANG": "C.UTF-8",
        **proxies,
    }


def _works(home: Path, command: str) -> bool:
    try:
        machine.run([home / "usr/sbin" / command, "-t", "nat", "-S"], env=_environment(home))
    except RigError:
        return False
    return True
