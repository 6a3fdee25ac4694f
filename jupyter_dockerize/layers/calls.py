"""Which programs a command starts, and whether each of them is an install and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .words import Item, Word, split

Manager = Literal["pip", "uv", "conda", "apt"]
_DEEP = 4  # shells within shells

_PROGRAMS: dict[str, Manager] = {
    "pip": "pip", "pip3": "pip", "uv": "uv", "conda": "conda", "mamba": "conda", "micromamba": "conda",
    "apt": "apt", "apt-get": "apt", "aptitude": "apt", "dpkg": "apt",
}  # fmt: skip
_VERSIONED = re.compile(r"(pip|python)\d*(?:\.\d+)?")
_VERBS: dict[Manager, frozenset[str]] = {
    "pip": frozenset(("install", "uninstall")),
    "uv": frozenset(("install", "uninstall", "sync")),
    "conda": frozenset(("install", "remove", "uninstall", "update", "upgrade", "clean")),
    "apt": frozenset(
        (
            "install",
            "reinstall",
            "remove",
            "purge",
            "update",
            "upgrade",
            "dist-upgrade",
            "full-upgrade",
            "autoremove",
            "autopurge",
            "clean",
            "autoclean",
            "satisfy",
            "build-dep",
        )
    ),
}
# Somewhere else than in this environment: what it changes there is seen by nobody.
_ELSEWHERE: dict[Manager, frozenset[str]] = {
    "pip": frozenset(("-t", "--target", "--prefix", "--root", "--python")),
    "uv": frozenset(("-t", "--target", "--prefix", "-p", "--python", "--system", "--project", "--directory")),
    "conda": frozenset(("-n", "--name", "-p", "--prefix", "-r", "--root-prefix")),
    "apt": frozenset(),
}
_VALUED: dict[Manager, frozenset[str]] = {  # options with a value, where they may stand before the verb
    "pip": frozenset(
        ("--proxy", "--cert", "--timeout", "--retries", "--trusted-host", "--cache-dir", "--log")
    ),
    "uv": frozenset(("--cache-dir", "--color", "--config-file")),
    "conda": frozenset(),
    "apt": frozenset(
        ("-o", "--option", "-t", "--target-release", "--default-release", "-c", "--config-file")
    ),
}
_ANYBODY = frozenset(
    (
        "list",
        "search",
        "show",
        "policy",
        "download",
        "changelog",
        "source",
        "depends",
        "rdepends",
        "moo",
        "help",
    )
)
_DPKG = frozenset(
    (
        "-i",
        "--install",
        "--unpack",
        "--configure",
        "-r",
        "--remove",
        "-P",
        "--purge",
    )
)
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=.*", re.DOTALL)
_WRAPPERS = frozenset(
    (
        "!",
        "{",
        "if",
        "then",
        "elif",
        "else",
        "do",
        "while",
        "until",
        "time",
        "exec",
        "command",
        "builtin",
        "nohup",
        "nice",
        "ionice",
        "env",
        "xargs",
        "timeout",
        "stdbuf",
        "setsid",
        "su",
    )
)
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ash", "eval", "su"))
_AMOUNT = re.compile(r"[\d.]+[smhd]?|\{\}")
_SUDO = frozenset(("sudo", "/usr/bin/sudo", "doas", "/usr/bin/doas"))
_OF_SUDO = frozenset(
    ("-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "-D", "-R", "-T")
)
_JOINTS = frozenset(("&&", ";", "\n"))


@dataclass(frozen=True, slots=True)
class Call:
    """One program that a command starts; ``rest`` is what follows its name.

    ``rootless`` is its name where it wants to be root's, and nobody lends it that; "" otherwise.
    """

    manager: Manager | None
    install: bool  # it installs, uninstalls or upgrades here, and does nothing else
    rootless: str = ""
    rest: tuple[Word, ...] = ()


def joined(items: Sequence[Item]) -> bool:
    """Whether its parts simply follow each other."""
    return all(isinstance(item, Word) or item in _JOINTS for item in items)


def calls(items: Sequence[Item], deep: int = 0, *, sudo: bool = False) -> Iterator[Call]:
    """The programs that are started, those within the words of shells too (``sh -c '…'``)."""
    command: list[Word] = []
    for item in [*items, "\n"]:
        if isinstance(item, Word):
            command.append(item)
        elif command:
            yield from _call(command, deep, sudo=sudo)
            command = []


def _call(words: Sequence[Word], deep: int, *, sudo: bool) -> Iterator[Call]:
    at, sudo, wrapped, shell = 0, sudo, deep > 0 or not all(word.plain for word in words), False
    while at < len(words):
        value = words[at].value
        if assigned := _ASSIGNED.fullmatch(value):
            wrapped = wrapped or assigned[1] != "DEBIAN_FRONTEND"
        elif value in _SUDO:
            sudo = True
            while at + 1 < len(words) and words[at + 1].value.startswith("-"):
                at += 1
                if words[at].value in _OF_SUDO:
                    at += 1
                    wrapped = wrapped or at >= len(words) or words[at].value != "root"
        elif value in _WRAPPERS or (wrapped and (value.startswith("-") or _AMOUNT.fullmatch(value))):
            wrapped, shell = True, shell or value in _SHELLS
        else:
            break
        at += 1
    name = words[at].value if at < len(words) else ""
    yield _named(name, tuple(words[at + 1 :]), wrapped=wrapped, sudo=sudo)
    shell = shell or name.rpartition("/")[2] in _SHELLS
    for word in words if deep < _DEEP else ():
        if re.search(r"\s", word.value) and (shell or word.live):
            yield from calls(split(word.value), deep + 1, sudo=sudo)


def _named(name: str, rest: tuple[Word, ...], *, wrapped: bool, sudo: bool) -> Call:
    """The call of the program ``name``, which may be a path."""
    folder, _, program = name.rpartition("/")
    if (match := _VERSIONED.fullmatch(program)) and program not in ("pip", "pip3", "python", "python3"):
        wrapped, program = True, match[1]  # which may be another Python's
    if program in ("python", "python3"):
        values = [word.value for word in rest]
        at = values.index("-m") if "-m" in values else len(values)
        wrapped = wrapped or at > 0
        program = values[at + 1] if at + 1 < len(values) else ""
        rest = rest[at + 2 :]
        if program not in ("pip", "uv"):
            return Call(None, install=False)
    manager = _PROGRAMS.get(program)
    values = [word.value for word in rest]
    if program == "dpkg":
        changes = bool(_DPKG.intersection(values))
        return Call(
            "apt" if changes else None, install=False, rootless=program if changes and not sudo else ""
        )
    if manager is None:
        return Call(None, install=False)
    wrapped = wrapped or program == "aptitude"
    verb, others = _verb(manager, values)
    if manager == "uv":
        wrapped = wrapped or verb != "pip"
        verb, others = _verb(manager, others)
    apt = manager == "apt"
    here = not any(_elsewhere(manager, value) for value in others)
    alike = folder in ("", "/usr/bin", "/bin") if apt else not folder and not sudo
    return Call(
        manager,
        install=not wrapped and alike and here and verb in _VERBS[manager],
        rootless=program if apt and not sudo and verb not in _ANYBODY else "",
        rest=rest,
    )


def _verb(manager: Manager, values: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The first word that is no option, and all the others."""
    at = 0
    while at < len(values) and values[at].startswith("-"):
        at += 2 if values[at] in _VALUED[manager] else 1
    return (values[at] if at < len(values) else ""), [*values[:at], *values[at + 1 :]]


def arguments(call: Call) -> tuple[tuple[str, ...], dict[str, str]]:
    """Its words that are no options, the verb first, and its options that have a value, with that."""
    valued = _VALUED[call.manager] if call.manager else frozenset()
    words: list[str] = []
    options: dict[str, str] = {}
    values = iter([word.value for word in call.rest])
    for value in values:
        name, equals, given = value.partition("=")
        if not value.startswith("-"):
            words.append(value)
        elif value in valued:
            options[value] = next(values, "")
        elif value.startswith("--") and equals:
            options[name] = given
        elif value[:2] in valued:
            options[value[:2]] = value[2:].removeprefix("=")
    return tuple(words), options


def _elsewhere(manager: Manager, value: str) -> bool:
    """Whether an argument leads out of the environment; for apt, to a file that no index has."""
    if manager == "apt":
        return value.endswith(".deb") and not value.startswith("-")
    known = _ELSEWHERE[manager]
    return value.partition("=")[0] in known or (value[:2] in known and not value.startswith("--"))


__all__ = ["Call", "Manager", "arguments", "calls", "joined"]
