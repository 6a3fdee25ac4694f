"""What was typed behind ``%docker_exec``: what it asks of which package manager, and what of it is secret.

It is looked at and never rewritten: what runs is what was typed. Where it cannot be told whether a line is an
install and nothing else, it is taken for something else, which is kept and run again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from ..environment import probe as untyped
from ..environment.model import Index
from ..errors import UsageError
from .calls import Call, calls, joined
from .redact import redact
from .words import Word, split

IndexKind = Literal["index", "extra", "find-links"]

probe: Any = untyped
LONGEST = 100_000  # characters
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
    indexes: tuple[Index, ...] = ()  # named in it
    logins: tuple[tuple[str, str, str], ...] = field(default=(), repr=False)  # host, user, password
    needs_root: str = ""  # the program of apt's that it calls, where we are not root, and there is no sudo

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
        found = list(calls(items))
        safe, secrets = redact(text)
        named = [entry for call in found for entry in _indexes(call)]
        logins = [login for call in found for login in _logins(call)]
        return cls(
            text=text,
            safe=safe,
            secrets=secrets,
            literal=not joined(items) or not all(call.install for call in found),
            indexes=tuple(dict.fromkeys(named)),
            logins=tuple(dict.fromkeys(logins)),
            needs_root="" if _root() else next((call.rootless for call in found if call.rootless), ""),
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


def _indexes(call: Call) -> Iterator[Index]:
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


def _logins(call: Call) -> Iterator[tuple[str, str, str]]:
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


__all__ = ["Command"]
