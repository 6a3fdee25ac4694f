"""What was typed behind ``%docker_exec``: what it asks of which package manager, and what of it is secret.

It is looked at and never rewritten: what runs is what was typed. Where it cannot be told whether a line is an
install and nothing else, it is taken for something else, which is kept and run again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from ..environment import probe as untyped
from ..environment.model import Index
from ..errors import UsageError
from .redact import redact
from .words import Item, Word, split

Manager = Literal["pip", "uv", "conda", "apt"]
IndexKind = Literal["index", "extra", "find-links"]

probe: Any = untyped
LONGEST = 1 << 20  # characters
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
    "apt": frozenset(("-o", "--option", "-t", "--target-release", "-c", "--config-file")),
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
        "doas",
        "su",
    )
)
_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ash", "eval", "su"))
_AMOUNT = re.compile(r"[\d.]+[smhd]?|\{\}")
_OF_SUDO = frozenset(
    ("-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-C", "-D", "-R", "-T")
)
_JOINTS = frozenset(("&&", ";", "\n"))
_INDEXES: dict[str, IndexKind] = {
    "-i": "index", "--index-url": "index", "--pypi-url": "index", "--default-index": "index",
    "--extra-index-url": "extra", "--index": "extra", "-f": "find-links", "--find-links": "find-links",
}  # fmt: skip
_WEB = re.compile(r"(?<![+\w])https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A line or several, for the shell. Its ``repr`` has no secrets."""

    text: str = field(repr=False)  # as it was typed; this is what runs, and it is written nowhere
    safe: str  # without secrets
    secrets: tuple[str, ...] = field(default=(), repr=False)  # the values that ``safe`` lost
    literal: bool  # not (only) installs, uninstalls, upgrades: kept as typed, and run again on rebuild
    managers: frozenset[Manager]  # whom its lines call
    indexes: tuple[Index, ...] = ()  # named in it
    logins: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)  # host, user, password
    needs_root: bool = False  # it calls apt, we are not root, and there is no sudo

    @property
    def secret(self) -> bool:
        """Whether something was cut."""
        return self.safe != self.text

    @classmethod
    def parse(cls, text: str) -> Command:
        """What can be told of ``text`` without running it.

        Raises `UsageError` where there is nothing to run, or what is there is no text.
        """
        _check(text)
        items = split(text)
        if not any(isinstance(item, Word) for item in items):
            raise UsageError("there is no command", fix="type one behind it: pip install humanize")
        calls = list(_calls(items))
        safe, secrets = redact(text)
        named = [entry for call in calls for entry in _indexes(call)]
        logins = [login for call in calls for login in _logins(call)]
        return cls(
            text=text,
            safe=safe,
            secrets=secrets,
            literal=not _joined(items) or not all(call.install for call in calls),
            managers=frozenset(call.manager for call in calls if call.manager),
            indexes=tuple(dict.fromkeys(named)),
            logins=tuple(dict.fromkeys(logins)),
            needs_root=any(call.root for call in calls) and not _root(),
        )


def _check(text: str) -> None:
    if "\0" in text:
        raise UsageError("a command holds no NUL characters", fix="take it out")
    if len(text) > LONGEST:
        raise UsageError(
            f"the command has more than {LONGEST:,} characters", fix="put it into a script, and run that"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the command is not text", why=str(error), fix="type it as UTF-8") from None


def _root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


@dataclass(frozen=True, slots=True)
class _Call:
    """One program that a command starts; ``rest`` is what follows its name."""

    manager: Manager | None
    install: bool  # it installs, uninstalls or upgrades here, and does nothing else
    root: bool
    rest: tuple[Word, ...] = ()


def _joined(items: Sequence[Item]) -> bool:
    """Whether its parts simply follow each other."""
    return all(isinstance(item, Word) or item in _JOINTS for item in items)


def _calls(items: Sequence[Item], deep: int = 0, *, sudo: bool = False) -> Iterator[_Call]:
    command: list[Word] = []
    for item in [*items, "\n"]:
        if isinstance(item, Word):
            command.append(item)
        elif command:
            yield from _call(command, deep, sudo=sudo)
            command = []


def _call(words: Sequence[Word], deep: int, *, sudo: bool) -> Iterator[_Call]:
    at, sudo, wrapped, shell = 0, sudo, deep > 0 or not all(word.plain for word in words), False
    while at < len(words):
        value = words[at].value
        if assigned := _ASSIGNED.fullmatch(value):
            wrapped = wrapped or assigned[1] != "DEBIAN_FRONTEND"
        elif value in ("sudo", "/usr/bin/sudo"):
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
            yield from _calls(split(word.value), deep + 1, sudo=sudo)


def _named(name: str, rest: tuple[Word, ...], *, wrapped: bool, sudo: bool) -> _Call:
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
            return _Call(None, install=False, root=False)
    manager = _PROGRAMS.get(program)
    values = [word.value for word in rest]
    if program == "dpkg":
        changes = bool(_DPKG.intersection(values))
        return _Call("apt" if changes else None, install=False, root=changes and not sudo)
    if manager is None:
        return _Call(None, install=False, root=False)
    wrapped = wrapped or program == "aptitude"
    verb, arguments = _verb(manager, values)
    if manager == "uv":
        wrapped = wrapped or verb != "pip"
        verb, arguments = _verb(manager, arguments)
    apt = manager == "apt"
    here = not any(_elsewhere(manager, value) for value in arguments)
    alike = folder in ("", "/usr/bin", "/bin") if apt else not folder and not sudo
    return _Call(
        manager,
        install=not wrapped and alike and here and verb in _VERBS[manager],
        root=apt and not sudo and verb not in _ANYBODY,
        rest=rest,
    )


def _verb(manager: Manager, values: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The first word that is no option, and all the others."""
    at = 0
    while at < len(values) and values[at].startswith("-"):
        at += 2 if values[at] in _VALUED[manager] else 1
    return (values[at] if at < len(values) else ""), [*values[:at], *values[at + 1 :]]


def _elsewhere(manager: Manager, value: str) -> bool:
    """Whether an argument leads out of the environment; for apt, to a file that no index has."""
    if manager == "apt":
        return value.endswith(".deb") and not value.startswith("-")
    known = _ELSEWHERE[manager]
    return value.partition("=")[0] in known or (value[:2] in known and not value.startswith("--"))


def _indexes(call: _Call) -> Iterator[Index]:
    """Those that pip or uv are given; one that is (partly) a variable is not known."""
    if call.manager not in ("pip", "uv"):
        return
    words = [*call.rest]
    for place, word in enumerate(words):
        name, equals, value = word.value.partition("=")
        long = name.startswith("--")
        kind = _INDEXES.get(name if long else word.value[:2])
        if kind is None or word.live:
            continue
        if call.manager == "pip" and name == "--index":
            kind = "index"  # shortened
        if not long:
            equals = value = word.value[2:]
        if not equals:
            if place + 1 == len(words) or words[place + 1].live:
                continue
            value = words[place + 1].value
        if "=" in value.partition("://")[0]:  # uv's "name=url"
            value = value.partition("=")[2]
        url = probe.redact_url(value)
        if value and probe.HIDDEN not in url.partition("://")[2].partition("/")[0]:
            local = "://" not in value or value.startswith("file:")
            yield Index(url=url, kind=kind, local=local, credentials=probe.has_credentials(value))


def _logins(call: _Call) -> Iterator[tuple[str, str, str]]:
    for word in call.rest:
        for match in () if word.live else _WEB.finditer(word.value):
            if probe.HIDDEN in probe.redact_url(match[0]).split("/")[2]:
                continue  # nobody can tell where its host begins
            try:
                parts = urlsplit(match[0])
                host = parts.hostname or ""
            except ValueError:
                continue
            user, _, password = parts.netloc.rpartition("@")[0].partition(":")
            if host and (user or password):
                yield host, unquote(user), unquote(password)


__all__ = ["Command", "Manager"]
