"""Debian's packages of any release, unpacked into private folders.

apt runs with a sources list, lists and cache of its own, so that the machine's own package
system neither changes nor matters; proxies and mirrors come from the machine's configuration.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from . import machine, place
from .errors import RigError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LISTS_AGE = 24 * 3600.0


class Source(NamedTuple):
    """One line of a sources list."""

    uri: str
    suite: str


def sources(release: str) -> list[Source]:
    """Give the machine's configured Debian mirrors, turned to another release."""
    own = machine.codename()
    listing = machine.run(
        ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)",
         "Created-By: Packages"]
    )  # fmt: skip
    found: list[Source] = []
    for line in listing.splitlines():
        uri, suite, component = line.split()
        if component != "main" or suite not in (own, f"{own}-updates", f"{own}-security"):
            continue
        source = Source(uri, release + suite.removeprefix(own))
        if source not in found:
            found.append(source)
    if not found:
        raise RigError(
            f"apt's configuration names no source for {own} main; add one to /etc/apt/sources.list.d"
        )
    return found


def sources_list(release: str, *, keyring: bool = False) -> str:
    """Give the text of a sources.list for a release."""
    option = f"[signed-by={KEYRING}] " if keyring else ""
    return "".join(f"deb {option}{source.uri} {source.suite} main\n" for source in sources(release))


def unpack(release: str, names: Sequence[str], into: Path) -> Path:
    """Download packages of a Debian release and unpack them, without their scripts, into a folder.

    Nothing is resolved: name what is needed. Does nothing when the same names are there already.
    """
    stamp = into.with_name(into.name + ".packages")
    wanted = "\n".join([release, *names])
    if into.is_dir() and stamp.is_file() and stamp.read_text() == wanted:
        return into
    place.say(f"unpacking {', '.join(names)} of Debian {release}")
    shutil.rmtree(into, ignore_errors=True)
    stamp.unlink(missing_ok=True)
    debs = place.folder("apt", release, f"debs-{into.name}")
    machine.run(["apt-get", *_options(release), "download", *names], cwd=debs)
    into.mkdir(parents=True)
    for deb in sorted(debs.glob("*.deb")):
        machine.run(["dpkg", "-x", deb, into])
    shutil.rmtree(debs)
    stamp.write_text(wanted)
    return into


def _options(release: str) -> list[str]:
    """Give apt's options for a private configuration, its lists fetched when there are none of today."""
    home = place.folder("apt", release)
    listed = home / "sources.list"
    options: dict[str, str | Path] = {
        "Dir::Etc::sourcelist": listed,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": home / "lists",
        "Dir::Cache": home / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
    }
    for sub in ("lists/partial", "cache/archives/partial"):
        (home / sub).mkdir(parents=True, exist_ok=True)
    arguments = [part for key, value in options.items() for part in ("-o", f"{key}={os.fspath(value)}")]
    fetched = home / "fetched"
    text = sources_list(release, keyring=True)
    fresh = fetched.is_file() and time.time() - fetched.stat().st_mtime < LISTS_AGE
    if not (fresh and listed.is_file() and listed.read_text() == text):
        listed.write_text(text)
        machine.run(["apt-get", *arguments, "update", "--error-on=any"])
        fetched.touch()
    return arguments
