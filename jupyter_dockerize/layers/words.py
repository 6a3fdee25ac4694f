"""A command as the shell reads it: words and operators, and where each character of a word stands.

For looking only (POSIX.1-2017, Shell Command Language, 2.2 "Quoting" and 2.3 "Token Recognition"): nothing is
expanded, and nothing that is run is ever put together from this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPERATOR = re.compile(r"&&|\|\||;;|[;&|()<>\n]")
_RUN = re.compile(
    r"[\w./:=@%+,-]+", re.ASCII
)  # of these none means anything to the shell, where "=" is no matter
# "uvicorn[standard]", "numpy==1.*": by the letter a pattern of file names, and in earnest never one.
_REQUIREMENT = re.compile(r"[\w.-]+(?:\[[\w.,-]+\])?(?:[=!~]?=[\w.*+!]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Word:
    """``value`` is the word without its quotes, not expanded; ``at`` where each of its characters stands.

    ``live`` are the places in ``value`` of each ``$`` and backtick that the shell expands. ``plain``: the
    program gets exactly ``value``.
    """

    value: str
    at: tuple[int, ...]
    live: frozenset[int]
    plain: bool


Item = Word | str  # a word, or an operator; "\n" is one


def split(text: str) -> list[Item]:
    """The words and operators of ``text``, comments left out. Never raises: an open quote goes to the end."""
    items: list[Item] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t":
            at += 1
        elif text.startswith("\\\n", at):
            at += 2
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif operator := _OPERATOR.match(text, at):
            items.append(operator[0])
            at = operator.end()
        else:
            word, at = _Reader(text, at).word()
            items.append(word)
    return items


class _Reader:
    """One word, from its first character on."""

    def __init__(self, text: str, at: int) -> None:
        self.text, self.next = text, at
        self.value: list[str] = []
        self.at: list[int] = []
        self.live: set[int] = set()
        self.plain = text[at] != "~"
        self.pattern = self.quoted = False

    def word(self) -> tuple[Word, int]:
        """The word, and where the text goes on behind it."""
        text = self.text
        while self.next < len(text):
            at, char = self.next, text[self.next]
            if run := _RUN.match(text, at):
                self._take(at, run.end())
            elif char in " \t" or _OPERATOR.match(text, at):
                break
            elif char == "'":
                self.quoted = True
                end = text.find("'", at + 1)
                self.plain = self.plain and end >= 0
                self._take(at + 1, end if end >= 0 else len(text))
                self.next += 1
            elif char == '"':
                self._double()
            elif char == "\\":
                self._escaped(at)
            else:
                self._special(char)
                self._take(at, at + 1)
        value = "".join(self.value)
        plain = self.plain and not self.live
        if self.pattern:
            plain = plain and not self.quoted and bool(_REQUIREMENT.fullmatch(value))
        return Word(value, tuple(self.at), frozenset(self.live), plain), min(self.next, len(text))

    def _take(self, start: int, end: int) -> None:
        self.value.extend(self.text[start:end])
        self.at.extend(range(start, end))
        self.next = end

    def _special(self, char: str) -> None:
        if char in "$`":
            self.live.add(len(self.value))
        elif char in "*?[]":
            self.pattern = True
        elif char in "{}" or not char.isprintable():
            self.plain = False

    def _escaped(self, at: int) -> None:
        self.quoted = True
        if self.text.startswith("\\\n", at):
            self.next = at + 2
        elif at + 1 == len(self.text):
            self.plain = False
            self._take(at, at + 1)
        else:
            self._take(at + 1, at + 2)

    def _double(self) -> None:
        text = self.text
        self.quoted = True
        self.next += 1
        while self.next < len(text):
            at, char = self.next, text[self.next]
            if char == '"':
                self.next += 1
                return
            if char == "\\" and at + 1 < len(text) and text[at + 1] in '$`"\\\n':
                self._escaped(at)
            else:
                if char in "$`":
                    self.live.add(len(self.value))
                self._take(at, at + 1)
        self.plain = False  # it is not closed


__all__ = ["Item", "Word", "split"]
