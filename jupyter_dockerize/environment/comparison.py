"""What a comparison says: the verdict, the differences, and one line for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["identical", "equivalent", "different", "skipped", "impossible"]
Class = Literal["planned", "tolerated", "unexpected"]
DifferenceManager = Literal["python", "pip", "conda", "apt", "library", "file", "variable", "index", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``expected`` and ``found`` are texts, "" where there is nothing; ``class_`` is ``class`` in JSON.

    ``field`` says what differs: "package" (it is missing, or one too many), "version", "source",
    "build", "channel", "subdir", "md5", "sha256", "soname", "records", "files", or for what
    the plan chose "left-out", "added", "changed".
    """

    manager: DifferenceManager
    name: str
    field: str
    expected: str
    found: str
    class_: Class
    note: str = ""  # why, or what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The verdict and what led to it, gravest first. ``packages``: how many were compared."""

    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    packages: int = 0
    reason: str = ""  # why it was skipped or impossible

    def summary(self) -> str:
        """One line for people: "identical: 162 packages", "different: 2 packages, 1 library"."""
        if self.verdict in ("skipped", "impossible"):
            return f"{self.verdict}: {self.reason}" if self.reason else self.verdict
        if self.verdict == "identical":
            return f"identical: {counted(self.packages, 'package')}"
        graver: Class = "unexpected" if self.verdict == "different" else "tolerated"
        names: dict[str, set[str]] = {}
        for d in self.differences:
            if d.class_ == graver:
                # A file may lack several libraries; of a package several things may differ.
                what = d.expected if d.manager == "library" else ""
                names.setdefault(_WORDS[d.manager], set()).add(f"{d.manager} {d.name} {what}")
        parts = [counted(len(names[word]), word) for word in dict.fromkeys(_WORDS.values()) if word in names]
        if self.verdict == "different":
            return f"different: {', '.join(parts)}"
        return f"equivalent: {counted(self.packages, 'package')}, tolerated: {', '.join(parts)}"


_WORDS: dict[str, str] = {
    "python": "Python version",
    "pip": "package",
    "conda": "package",
    "apt": "Debian package",
    "library": "library",
    "file": "file",
    "variable": "variable",
    "index": "index",
    "system": "system",
}


def counted(count: int, word: str) -> str:
    """``1 package``, ``2 packages``, ``3 libraries``."""
    if count == 1:
        return f"1 {word}"
    return f"{count} {word[:-1]}ies" if word.endswith("y") else f"{count} {word}s"
