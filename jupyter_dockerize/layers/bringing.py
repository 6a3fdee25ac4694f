"""The environment follows its image: what a layer added is uninstalled, what it replaced comes back.

By uv, with the exact versions that the image has, and nothing beyond them. What only root, conda or a
checkout could bring back is named and stays as it is.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from ..cancel import Cancel
from ..environment.model import PipPackage
from ..environment.plan.planning import Plan
from ..errors import CommandError
from ..events import Log, Report
from ..recipe.pip import checked
from ..resolve.uv import binary
from .model import Change

_INDEX = frozenset({"index", "unknown"})  # kinds of sources that an index gives back


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What is to be done to the environment; ``left`` are changes that it cannot follow, each with why."""

    install: tuple[str, ...] = ()  # "humanize==4.9.0"
    uninstall: tuple[str, ...] = ()
    left: tuple[tuple[Change, str], ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.install or self.uninstall)


def way(plan: Plan, here: Plan, drift: Iterable[Change]) -> Way:
    """From the environment, which ``here`` is the plan of, to ``plan``; ``drift`` is what differs (``before``
    is the plan's)."""
    packages = {each.name: each for each in plan.packages.pip}
    own = {each.name: each.source.kind for each in here.packages.pip}
    install, uninstall, left = [], [], []
    for change in drift:
        why = _not(change, packages.get(change.name), own.get(change.name, ""))
        if why:
            left.append((change, why))
        elif change.before:
            install.append(checked(change.name, change.before))
        else:
            uninstall.append(checked(change.name, change.after).partition("==")[0])
    return Way(install=tuple(install), uninstall=tuple(uninstall), left=tuple(left))


def bring(found: Way, python: str, *, report: Report, cancel: Cancel) -> None:
    """Does it, in the environment of the interpreter ``python``. Raises `CommandError` where uv cannot."""
    for verb, names in (("uninstall", found.uninstall), ("install", found.install)):
        if names:
            options = ["--no-deps"] if verb == "install" else []
            _uv([verb, f"--python={python}", *options, *names], report, cancel)


def others(python: str) -> int:
    """How many other kernels of this environment run here: they see packages change below them."""
    found = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        same = words and os.fsdecode(words[0]) == python
        if same and b"ipykernel_launcher" in words and int(entry.name) != os.getpid():
            found += 1
    return found


def _not(change: Change, package: PipPackage | None, own: str) -> str:
    """Why the environment cannot follow; "" where it can."""
    if change.manager == "apt":
        return "only root changes Debian packages"
    if change.manager != "pip" or own == "conda":
        return "conda's own solver has to do that"
    if own == "apt":
        return "only root changes Debian packages"
    if canonicalize_name(change.name) == "ipykernel":
        return "this kernel runs on it"
    if change.before and (package is None or package.source.kind not in _INDEX):
        return f"it came from {'a checkout or a file' if package else 'elsewhere'}, not from an index"
    return ""


def _uv(words: Sequence[str], report: Report, cancel: Cancel) -> None:
    cancel.check()
    argv = [binary(), "pip", *words, "--break-system-packages", "--color=never", "--no-progress"]
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    forget = cancel.on_cancel(process.terminate)
    try:
        said, _ = process.communicate()
    finally:
        forget()
        if process.poll() is None:
            process.kill()
            process.wait()
    cancel.check()
    lines = said.decode("utf-8", "replace").splitlines()
    for line in lines:
        report(Log(line))
    if process.returncode:
        raise CommandError(
            "the environment could not follow the image",
            4,
            why="; ".join(lines[-3:]),
            fix="the image is where it should be; `jupyter dockerize keep` takes the environment as it is",
        )


__all__ = ["Way", "bring", "others", "way"]
