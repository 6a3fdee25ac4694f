"""What a comparison says: the verdict, the differences, and one line for people."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Verdict = Literal["identical", "equivalent", "different", "skipped", "impossible"]
Class = Literal["planned", "tolerated", "unexpected"]
DifferenceManager = Literal[
    "python", "pip", "conda", "apt", "library", "file", "variable", "index", "server", "system"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """``expected`` and ``found`` are texts, "" where there is nothing; ``class_`` is ``class`` in JSON.

    ``field`` says what differs: "package" (it is missing, or one too many), "version", "source",
    "build", "channel", "subdir", "md5", "sha256", "soname", "records", "files", of a file also "content",
    "kind", "mode", "owner", "date", "target", "attributes", or for what the plan chose "left-out", "offered",
    "added", "changed".
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
    """The verdict and what led to it, gravest first. ``packages``: how many were compared.

    ``expected`` and ``found`` are what the two sides are called: a source and an image's name for
    `verify` ("" for the image's own plan), two sources for `diff`.
    """

    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    packages: int = 0
    reason: str = ""  # why it was skipped or impossible; or that nothing of the image was run, and why
    expected: str = ""
    found: str = ""
    image: bool = True  # an image was held against what it is meant to be; else two sources

    def summary(self) -> str:
        """One line for people: "identical: 162 packages", "different: 2 packages, 1 library"."""
        if self.verdict in ("skipped", "impossible"):
            return f"{self.verdict}: {self.reason}" if self.reason else self.verdict
        return f"{self._counted()}; {self.reason}" if self.reason else self._counted()

    def _counted(self) -> str:
        if self.verdict == "identical":
            return f"identical: {counted('pip', self.packages)}"
        graver: Class = "unexpected" if self.verdict == "different" else "tolerated"
        names: dict[str, set[str]] = {}
        for d in self.differences:
            if d.class_ == graver:
                # A file may lack several libraries; of a package several things may differ.
                what = d.expected or d.found if d.manager == "library" else ""
                manager = "pip" if d.manager == "conda" else d.manager
                names.setdefault(manager, set()).add(f"{d.manager} {d.name} {what}")
        parts = ", ".join(counted(manager, len(names[manager])) for manager in MANAGERS if manager in names)
        if self.verdict == "different":
            return f"different: {parts}"
        return f"equivalent: {counted('pip', self.packages)}, tolerated: {parts}"


def seen_from_the_other_side(value: Comparison) -> Comparison:
    """The same comparison with the sides exchanged."""
    return replace(
        value,
        differences=tuple(replace(d, expected=d.found, found=d.expected) for d in value.differences),
    )


# In the order in which people are told of them.
MANAGERS: dict[str, tuple[str, str]] = {
    "python": ("Python version", "Python versions"),
    "system": ("system", "systems"),
    "pip": ("package", "packages"),
    "conda": ("conda package", "conda packages"),
    "library": ("library", "libraries"),
    "server": ("JupyterLab", "JupyterLabs"),
    "file": ("file", "files"),
    "variable": ("variable", "variables"),
    "index": ("package folder of this machine", "package folders of this machine"),  # the other ones stay
    "apt": ("Debian package", "Debian packages"),
}


def counted(manager: str, count: int) -> str:
    """ "1 package", "3 Debian packages", "2 libraries"."""
    one, many = MANAGERS.get(manager, (manager, manager))
    return f"1 {one}" if count == 1 else f"{count} {many}"
