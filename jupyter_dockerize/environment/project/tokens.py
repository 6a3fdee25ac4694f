"""Does a text hold a token? By the published shapes of tokens, never by guessing at long strings.

What is found is named by its kind and place only; the token itself goes nowhere. The shapes are those
that the issuers document (GitHub "Token formats", GitLab "Token prefixes", AWS IAM "Unique identifiers",
Slack "Token types", RFC 7468 for keys in PEM, RFC 7519 for JWT). A match needs a boundary on both
sides, so that base64 data does not fire.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_BY_ITS_WORD = "password"

# Around a token whose own characters base64 data has too, and around one with "_" or "-" in its prefix.
_PLAIN = (r"(?<![A-Za-z0-9+/_-])", r"(?![A-Za-z0-9+/=_-])")
_MARKED = (r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9_-])")


@dataclass(frozen=True, slots=True)
class _Shape:
    """``hints`` are looked for first: most texts hold none, and a plain search is a hundred times faster.

    ``words``, in lower case, are what the pattern begins with in any case: it is tried only there.
    """

    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    real: Callable[[re.Match[str]], bool] = lambda match: True
    words: tuple[str, ...] = ()

    def matches(self, text: str, lower: str) -> Iterator[re.Match[str]]:
        """``lower`` is ``text`` in lower case, of the same length."""
        if any(hint in text for hint in self.hints):
            yield from self.pattern.finditer(text)
        for word in self.words:
            at = lower.find(word)
            while at >= 0:
                if match := self.pattern.match(text, at):
                    yield match
                at = lower.find(word, at + 1)


def _entropy(text: str) -> float:
    """Shannon's entropy in bits per character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


_PLACEHOLDER = re.compile(
    r"example|your|xxx|changeme|change_me|placeholder|dummy|redacted|secret_?here|[<>{}$%]|\*\*|\.\.\.|…",
    re.I,
)


def _written_out(match: re.Match[str]) -> bool:
    """Not a placeholder such as ``<password>``, ``${TOKEN}`` or the issuer's own EXAMPLE."""
    return not _PLACEHOLDER.search(match["token"])


def _mixed(match: re.Match[str]) -> bool:
    """Digits and letters, as random tokens have: names of styles and functions are words."""
    token = match["token"]
    return (
        _written_out(match)
        and any(c.isdigit() for c in token)
        and any(c.isalpha() for c in token)
        and _entropy(token) >= 3.0
    )


def _url_password(match: re.Match[str]) -> bool:
    word = match["token"].lower()
    return _written_out(match) and word not in {"password", "pass", "passwd", "pw", "pwd", "token", "secret"}


def _token(
    kind: str, hint: str, pattern: str, real: Callable[[re.Match[str]], bool] = _written_out
) -> _Shape:
    start, end = _MARKED if hint.endswith(("_", "-")) else _PLAIN
    return _Shape(kind, (hint,), re.compile(f"{start}(?P<token>{pattern}){end}"), real)


_SHAPES: tuple[_Shape, ...] = (
    _token("AWS access key", "AKIA", r"AKIA[0-9A-Z]{16}"),
    _token("AWS access key", "ASIA", r"ASIA[0-9A-Z]{16}"),
    *(_token("GitHub token", f"gh{c}_", rf"gh{c}_[A-Za-z0-9]{{36,255}}") for c in "pousr"),
    _token("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{50,255}"),
    *(
        _token("GitLab token", f"gl{c}-", rf"gl{c}-[A-Za-z0-9_.-]{{20,300}}")
        for c in ("pat", "dt", "rt", "ptt", "ft")
    ),
    *(_token("Slack token", f"xox{c}-", rf"xox{c}-[0-9A-Za-z-]{{10,300}}", _mixed) for c in "abeoprs"),
    _token("Google API key", "AIza", r"AIza[0-9A-Za-z_-]{35}"),
    _token("Anthropic key", "sk-ant-", r"sk-ant-[a-z0-9]{3,12}-[A-Za-z0-9_-]{40,200}"),
    _token("OpenAI key", "sk-", r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{40,300}", _mixed),
    _token("OpenAI key", "sk-", r"sk-[A-Za-z0-9]{32,100}", _mixed),
    _token("Hugging Face token", "hf_", r"hf_[A-Za-z0-9]{30,50}"),
    _token("PyPI token", "pypi-", r"pypi-AgE[A-Za-z0-9_-]{50,1000}"),
    _token("npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    _token("Stripe key", "k_live_", r"[rs]k_live_[A-Za-z0-9]{16,250}"),
    _token("SendGrid key", "SG.", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    _token("Databricks token", "dapi", r"dapi[0-9a-f]{32}(?:-\d)?", _mixed),
    _token(
        "JSON Web Token",
        "eyJ",
        r"eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{16,2000}",
    ),
    _Shape(
        "AWS secret key",
        ("aws_secret", "AWS_SECRET", "SecretAccessKey"),
        re.compile(
            r"(?:aws_secret_access_key|secretaccesskey)[\"']?\]?\s{0,9}[:=]\s{0,9}[\"']?"
            r"(?P<token>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
            re.I,
        ),
        _mixed,
    ),
    _Shape(
        "Azure storage key",
        ("AccountKey=",),
        re.compile(r"AccountKey=(?P<token>[A-Za-z0-9+/]{86}==)"),
        _mixed,
    ),
    _Shape(
        "signed URL",
        ("X-Amz-Signature=", "X-Goog-Signature="),
        re.compile(r"X-(?:Amz|Goog)-Signature=(?P<token>[0-9a-f]{64,512})"),
        _mixed,
    ),
    _Shape(
        "Jupyter token",
        ("token=",),
        re.compile(r"[?&]token=(?P<token>[0-9a-f]{40,64})(?![0-9a-z])"),
        _mixed,
    ),
    _Shape(
        "private key",
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:\\n|[\s\"',]){0,9}(?P<token>[A-Za-z0-9+/:])"
        ),
    ),
    _Shape(
        "password in a URL",
        ("://",),
        re.compile(
            r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"<>\\]{0,100}:(?P<token>[^\s/:@'\"<>\\]{3,200})@[\w.-]{2,}",
            re.I,
        ),
        _url_password,
    ),
    _Shape(
        _BY_ITS_WORD,
        (),
        re.compile(
            r"(?:password|passwd|pwd|secret|(?:(?<=api)|(?<=api_)|(?<=access)|(?<=access_))key"
            r"|(?:\b|(?<=_)|(?<=auth)|(?<=access)|(?<=private))token)"
            r"\\?[\"']?\]?\s{0,9}[:=]\s{0,9}\\?[\"'](?P<token>[^\s\"'\\]{8,200})\\?[\"']",
            re.I,
        ),
        _mixed,
        words=("password", "passwd", "pwd", "secret", "key", "token"),
    ),
    _Shape(
        _BY_ITS_WORD,
        ("PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL"),
        re.compile(
            r"^(?:export )?[A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|CREDENTIALS?)"
            r"[A-Z0-9_]{0,30}=(?P<token>[^\s\"'$(){}\[\],]{8,200})$",
            re.M,
        ),
        _mixed,
    ),
)

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_ANSI = re.compile(r"\x1b\[[0-9;]{0,30}m")
_DATA_URI = re.compile(r"data:[\w.+/-]{1,100}(?:;[\w=.+-]{1,50}){0,4};base64,[A-Za-z0-9+/=%\s]*")


def kinds(text: str) -> tuple[str, ...]:
    """The kinds of token that ``text`` holds, sorted; () where it holds none."""
    return tuple(sorted({kind for kind, _ in tokens(text)}))


def tokens(text: str) -> set[tuple[str, str]]:
    """Kind and token of all that ``text`` holds, for comparing only: a token goes nowhere.

    Colours are taken out first (a traceback splits a token with them), and so are ``data:`` URIs.
    A token that is known by its own shape is not also known by the word before it.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if ";base64," in text:
        text = _DATA_URI.sub("data:", text)
    lower = text.lower()
    if len(lower) != len(text):  # a few letters become two
        lower = text.translate(_LOWER)
    found = {
        (shape.kind, match["token"])
        for shape in _SHAPES
        for match in shape.matches(text, lower)
        if shape.real(match)
    }
    known = {token for kind, token in found if kind != _BY_ITS_WORD}
    return {(kind, token) for kind, token in found if kind != _BY_ITS_WORD or token not in known}
