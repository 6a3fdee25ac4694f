"""A command without its secrets, as it may stand in a journal, a label, a history or a log.

Looked for where secrets stand: in URLs, behind options and names that say so (``--password``, ``HF_TOKEN=``,
``Authorization:``), and what is a token by its shape. Looked at as text and as the shell reads it, so that
quotes hide nothing. What is a variable there (``$TOKEN``) holds no secret and stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from ..environment import probe as untyped
from ..environment.project.tokens import tokens
from .words import Word, split

probe: Any = untyped
HIDDEN: str = probe.HIDDEN
LEAST = 4  # characters: a shorter secret is cut where it stands, and nowhere else
_DEEP = 6  # commands within words of commands
_ROUNDS = 4

_REFERENCE = re.compile(r"\$(?:\w+|\{\w+\}|\(.*\)|\([^)]*)?|`.*`", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\w+|\{\w+\})")
_LOGIN = re.compile(rf"(?:{_VARIABLE.pattern})(?::(?:{_VARIABLE.pattern})?)?@")
_PUBLIC = re.compile(r"(?i).*_(?:FILE|PATH|DIR|STDIN|ID|NAME|TYPE|PROVIDER|HELPER|STORE)S?")  # not the secret
_SECRET = re.compile(r"(?:\w*_)?(?:AUTHORIZATION|COOKIES?|SIGNATURE|SIG|PAT|JWT|BEARER)")
_OPTION = re.compile(r"(?:.*\s)?--?(?!no-)(?P<name>[A-Za-z][\w.-]+)", re.DOTALL)
_GIVEN = re.compile(
    r"(?<![\w-])--?(?!no-)(?P<name>[A-Za-z][\w.-]+)[ \t]+[\"']?(?=(?P<value>[^\s\"'-][^\s\"']*))"
)
_SET = re.compile(r"(?:-e|-D|--?)?(?P<name>[A-Za-z_][\w.-]*)=(?!=)(?P<value>.+)", re.DOTALL)
_HEADER = re.compile(r"\s*(?P<name>[A-Za-z][\w-]*):\s+(?P<value>\S.*)", re.DOTALL)
_PAIR = re.compile(
    r"(?<![\w.-])-{0,2}(?P<name>[A-Za-z_][\w.-]*)"
    r"(?P<joint>\\?[\"']?[ \t]{0,9}(?::|=(?!=))[ \t]{0,9}\\?[\"']?)"
    r"(?=(?:(?:Bearer|Basic|Token|Digest|ApiKey|Negotiate)\s{1,9})?(?P<value>[^\s\"'&;,}\\]{1,1000}))",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\d[\w.*+!]*")
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<value>.*?)(?:-----END|\Z)", re.DOTALL
)
_SHAPED = re.compile(rf"(?<![A-Za-z0-9])(?:{probe.TOKENS.pattern})")
_BARE_LOGIN = re.compile(r"[^\s/@:=]+:(?P<value>[^\s/@]+)@(?!sha\d+:)[\w.-]+(?:[:/].*)?")
_SCHEME = re.compile(r"[A-Za-z0-9+.-]{0,30}\Z")
_ADDRESS = re.compile(r"[^\s\"'<>|;&()`]+(?:&[^\s\"'<>|;&()`]+)*")
_PARTS = re.compile(r"[/:@;?&=#\\]+")

# Programs and their options before a password; "docker run -p 80:80" is none, and hidden all the same.
_PASSWORDS = frozenset((("sshpass", "-p"), ("docker", "-p"), ("podman", "-p"), ("twine", "-p")))
_MANAGERS = frozenset(("pip", "pip3", "uv", "conda", "mamba", "micromamba"))
_OPEN_QUERY = frozenset((
    "arch", "archive", "branch", "dl", "download", "egg", "export", "ext", "filename", "format",
    "inline", "lang", "name", "os", "page", "path", "plain", "platform", "q", "raw", "ref", "rev",
    "subdirectory", "tag", "v", "version",
))  # fmt: skip
_OPEN_FRAGMENT = frozenset(
    (
        "egg",
        "extras",
        "md5",
        "sha1",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "subdirectory",
    )
)
_NAMELESS = frozenset(("", "x-oauth-basic"))  # passwords of those whose user name is the token


@dataclass(frozen=True, slots=True)
class _Cut:
    """``start`` to ``end`` becomes ``instead``; ``secrets`` are the values that are gone by that."""

    start: int
    end: int
    instead: str
    secrets: tuple[str, ...]


def redact(text: str) -> tuple[str, tuple[str, ...]]:
    """``text`` without its secrets, and those that were cut, the longest first.

    A text that holds none is returned as it is.
    """
    secrets: set[str] = set()
    safe = text
    for _ in range(_ROUNDS):  # what was cut may have stood before something else
        cuts = list(_cuts(safe))
        secrets.update(secret for cut in cuts for secret in cut.secrets)
        before, safe = safe, without(_apply(safe, cuts), secrets)
        if safe == before:
            break
    return safe, tuple(sorted(secrets, key=lambda secret: (-len(secret), secret)))


def without(text: str, secrets: Iterable[str]) -> str:
    """``text`` with each of the secrets hidden that is long enough to be told from other text."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= LEAST:
            text = text.replace(secret, HIDDEN)
    return text


def _apply(text: str, cuts: Iterable[_Cut]) -> str:
    """Cuts that overlap become one."""
    parts: list[str] = []
    end = 0
    for cut in sorted(cuts, key=lambda cut: (cut.start, -cut.end)):
        if cut.start >= end:
            parts += [text[end : cut.start], cut.instead]
        elif cut.end > end:
            parts.append(HIDDEN)
        end = max(end, cut.end)
    return "".join([*parts, text[end:]])


def _cuts(text: str) -> Iterator[_Cut]:
    yield from _as_text(text)
    yield from _as_command(text, range(len(text)), 0)


def _as_command(text: str, at: Sequence[int], deep: int) -> Iterator[_Cut]:
    """``at``: where each character of ``text`` stands in the whole; ``deep``: in how many words it stands."""
    command: list[Word] = []
    items = split(text)
    for item in [*items, "\n"]:
        if isinstance(item, Word):
            command.append(item)
            continue
        yield from _placed(_of_command(command), at)
        command = []
    for item in items:
        if not isinstance(item, Word):
            continue
        inner = [at[place] for place in item.at]
        yield from _moved(_as_text(item.value, item), inner)
        if (
            deep < _DEEP
            and len(item.value) > 1
            and item.value != text
            and re.search(r"[\s'\"\\;&|()<>]", item.value)
        ):
            yield from _as_command(item.value, inner, deep + 1)


def _moved(cuts: Iterable[_Cut], at: Sequence[int]) -> Iterator[_Cut]:
    for cut in cuts:
        if cut.start < cut.end:
            yield _Cut(at[cut.start], at[cut.end - 1] + 1, cut.instead, cut.secrets)


def _placed(found: Iterable[tuple[Word, int, int]], at: Sequence[int]) -> Iterator[_Cut]:
    for word, start, end in found:
        secret = word.value[start:end]
        if secret and not _harmless(secret, word.live, start):
            place = [at[each] for each in word.at]
            yield from _moved([_Cut(start, end, HIDDEN, _values(secret))], place)


def _of_command(words: Sequence[Word]) -> Iterator[tuple[Word, int, int]]:
    """The words that hold a secret by what stands before it, and from where to where."""
    program = next((w.value.rpartition("/")[2] for w in words if not _SET.fullmatch(w.value)), "")
    managed = program in _MANAGERS
    for number, word in enumerate(words):
        value, end, start = word.value, len(word.value), 0
        for _ in range(_DEEP):  # "--build-arg=NAME=value"
            if not (match := _SET.fullmatch(value, start)):
                break
            start = match.start("value")
            # "google-auth=2.3" is a package of conda's.
            if is_secret(match["name"]) and (not managed or value[0] == "-" or match["name"].isupper()):
                yield word, start, end
        if (header := _HEADER.fullmatch(value)) and is_secret(header["name"]):
            yield word, header.start("value"), end
        if login := _BARE_LOGIN.fullmatch(value):
            yield word, *login.span("value")
        following = words[number + 1] if number + 1 < len(words) else None
        if following is None or following.value.startswith("-"):
            continue
        option = _OPTION.fullmatch(value)
        if (program, value) in _PASSWORDS or (option and is_secret(option["name"])):
            yield following, 0, len(following.value)
        elif program in ("curl", "wget", "http", "https") and value in ("-u", "--user", "-a"):
            yield following, following.value.find(":") + 1, len(following.value)


def is_secret(name: str) -> bool:
    """Whether what stands behind a name is a secret: "HF_TOKEN", "--api-key", "Authorization"."""
    upper = re.sub(r"[.-]", "_", name[-100:]).upper().strip("_")
    if _PUBLIC.fullmatch(upper):
        return False
    return bool(probe.SECRET.fullmatch(upper) or _SECRET.fullmatch(upper))


def _as_text(text: str, word: Word | None = None) -> Iterator[_Cut]:
    """What is found without knowing the words; in ``word``, where it is one, with what the shell expands."""
    live = word.live if word else None
    yield from _addresses(text, word)
    for match in _PAIR.finditer(text):
        spelled = "=" in match["joint"] or match["joint"] != ":"
        version = "=" in match["joint"] and match["name"].islower() and _VERSION.fullmatch(match["value"])
        if spelled and not version and is_secret(match["name"]):
            secret, start = match["value"], match.start("value")
            if not _harmless(secret, live, start):
                yield _Cut(start, match.end("value"), HIDDEN, _values(secret))
    for match in _GIVEN.finditer(text):
        if is_secret(match["name"]) and not _harmless(match["value"], live, match.start("value")):
            yield _Cut(*match.span("value"), HIDDEN, _values(match["value"]))
    for match in _PEM.finditer(text):
        if match["value"].strip():
            yield _Cut(match.start("value"), match.end("value"), HIDDEN, _values(match["value"]))
    for match in _SHAPED.finditer(text):
        yield _Cut(match.start(), match.end(), HIDDEN, (match[0],))
    for kind, token in tokens(text):
        if kind != "private key" and len(token) >= LEAST:
            start = text.find(token)
            while start >= 0:
                if not _harmless(token, live, start):
                    yield _Cut(start, start + len(token), HIDDEN, (token,))
                start = text.find(token, start + len(token))


def _harmless(value: str, live: frozenset[int] | None, start: int) -> bool:
    """Nothing that is not hidden yet, or a variable by the shell's reading (unknown: by its looks)."""
    if not value.strip("*"):
        return True
    return bool(_REFERENCE.fullmatch(value)) and (live is None or start in live)


def _values(secret: str) -> tuple[str, ...]:
    """The secret, and each of its lines: output is told by lines."""
    lines = secret.split("\n")
    return (secret, *(line.strip() for line in lines if len(line.strip()) >= 8)) if lines[1:] else (secret,)


def _addresses(text: str, word: Word | None) -> Iterator[_Cut]:
    place = text.find("://")
    while place >= 0:
        scheme = _SCHEME.search(text, max(0, place - 30), place)
        start = scheme.start() if scheme else place
        end = place + 3
        if match := re.compile(r"\S+").match(text, end) if word else _ADDRESS.match(text, end):
            end = match.end()
            yield from _address(text, start, end, word.live if word else None)
        place = text.find("://", end)


def _address(text: str, start: int, end: int, live: frozenset[int] | None) -> Iterator[_Cut]:
    """The cuts in one URL. A login that is made of variables only stays."""
    url = text[start:end]
    # A variable is looked at as digits, which may stand anywhere in a host, a port or a path.
    seen = _VARIABLE.sub(
        lambda m: "0" * len(m[0]) if live is None or start + m.start() in live else m[0], url
    )
    scheme, _, _ = seen.partition("://")
    after = len(scheme) + 3
    login = _LOGIN.match(url, after)
    if login and re.fullmatch("[0:]+@", seen[after : login.end()]):
        seen = seen[:after] + seen[login.end() :]
        skipped = login.end() - after
    else:
        skipped = 0
    bare = re.split("[?#]", seen, maxsplit=1)[0]
    clean: str = probe.redact_url(seen)
    if clean != bare:
        hidden = clean.endswith(f"://{HIDDEN}")  # nobody can tell where the secret ends
        stop = end if hidden else start + skipped + len(bare)
        yield _Cut(start, stop, clean, _of_address(text[start:stop], clean))
        if hidden:
            return
    tail = start + skipped + len(bare)
    while tail < end:
        known = _OPEN_QUERY if text[tail] == "?" else _OPEN_FRAGMENT
        stop = text.find("#", tail + 1, end) if text[tail] == "?" else end
        stop = end if stop < 0 else stop
        for field in re.finditer(r"[^?&;#]+", text[tail + 1 : stop]):
            name, equals, value = field[0].partition("=")
            value = value if equals else name
            anchor = not equals and known is _OPEN_FRAGMENT and re.fullmatch("[a-z-]{1,40}", name)
            short = len(value) < LEAST and not is_secret(name)
            place = tail + 1 + field.end() - len(value)
            if value and not (name.lower() in known or anchor or short or _harmless(value, live, place)):
                yield _Cut(place, place + len(value), HIDDEN, tuple({value, unquote(value)}))
        tail = stop


def _of_address(url: str, clean: str) -> tuple[str, ...]:
    """What a URL has lost. The name of a user who has a password besides is none."""
    rest = url.partition("://")[2]
    login = re.sub("(?i)%40", "@", rest).rpartition("@")[0].rpartition("/")[2] or rest.rpartition("@")[0]
    user, _, password = re.sub("(?i)%3a", ":", login).partition(":")
    lost = {password, rest.rpartition("@")[0].partition(":")[2]}
    if clean.endswith(f"://{HIDDEN}"):
        lost |= {rest, rest.rpartition("@")[0]}
    else:
        lost |= {part for part in _PARTS.split(rest) if part} - set(_PARTS.split(clean))
    if password not in _NAMELESS and len(user) < 16:
        lost.discard(user)
    lost -= _NAMELESS
    return tuple(lost | {unquote(part) for part in lost})


__all__ = ["HIDDEN", "LEAST", "is_secret", "redact", "without"]
