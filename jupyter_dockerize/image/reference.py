"""Image references: `python:3.11`, `registry.example.org:5000/team/analysis@sha256:…`.

The grammar is the one of the distribution project (github.com/distribution/reference,
reference.go): an optional domain, a lower-case path, a tag, a digest. A first component counts
as a domain where it holds a dot, a colon or an upper-case letter, or is `localhost`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import ReferenceError  # noqa: A004 - the field's word

DOCKER_HUB = "docker.io"
OFFICIAL = "library/"
REPOSITORY = "jupyter-dockerize-layers"  # of the names that the images of layers keep, in every engine
LONGEST_NAME = 255  # reference.go, RepositoryNameTotalLengthMax

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]{{1,5}})?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """An image reference in full: Docker Hub's short names are written out.

    ``tag`` is "latest" where neither tag nor digest was given, None where there is only a digest.
    ``str()`` gives what people write (`python:3.11`), `full` all of it; both parse to the same.
    """

    domain: str
    path: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The reference that ``text`` writes. Raises `ReferenceError` with why, and an example."""
        if not text:
            raise _refusal(text, "it is empty")
        if text.startswith("-"):
            raise _refusal(text, "it begins with a dash, like an option")
        if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in text) or not text.isascii():
            raise _refusal(text, "it holds a space, a control character or a letter outside ASCII")
        name, at, digest = text.partition("@")
        if at and not DIGEST.fullmatch(digest):
            raise _refusal(text, "after @ there must be sha256: and 64 lower-case hexadecimal digits")
        name, tag = _split_tag(name)
        if tag is not None and not _TAG.fullmatch(tag):
            raise _refusal(text, "a tag has at most 128 letters, digits, dots, dashes and underscores")
        domain, path = _split_domain(name)
        if not _DOMAIN.fullmatch(domain):
            raise _refusal(text, f"{domain!r} is not a registry's host name")
        if not _PATH.fullmatch(path):
            plain = f"{path!r} is not an image's name"
            raise _refusal(text, "the name must be lower case" if path != path.lower() else plain)
        if _IMAGE_ID.fullmatch(name):
            raise _refusal(text, "64 hexadecimal digits are an image's id, not a name")
        if len(domain) + 1 + len(path) > LONGEST_NAME:
            raise _refusal(text, f"the name is longer than {LONGEST_NAME} characters")
        if tag is None and not digest:
            tag = "latest"
        return cls(domain, path, tag, digest or None)

    def __str__(self) -> str:
        if self.domain != DOCKER_HUB:
            return self.full
        short = self.path.removeprefix(OFFICIAL)
        short = self.path if "/" in short else short
        # A path whose beginning would be read as a host, or as an image's id, keeps its full form.
        if _split_domain(short) != (self.domain, self.path) or _IMAGE_ID.fullmatch(short):
            return self.full
        return short + self._end

    @property
    def full(self) -> str:
        """With domain and path written out: `docker.io/library/python:3.11`."""
        return self.repository + self._end

    @property
    def repository(self) -> str:
        """Domain and path without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def _end(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def _split_tag(name: str) -> tuple[str, str | None]:
    head, slash, last = name.rpartition("/")
    stem, colon, tag = last.partition(":")
    # "localhost:5000" alone has no path: the colon is then a tag's, as docker reads it.
    return head + slash + stem, tag if colon else None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or any(char in first for char in ".:") or first != first.lower()):
        if first in ("index.docker.io", DOCKER_HUB):
            return DOCKER_HUB, rest if "/" in rest else OFFICIAL + rest
        return first, rest
    return DOCKER_HUB, name if slash else OFFICIAL + name


def _refusal(text: str, why: str) -> ReferenceError:
    return ReferenceError(
        f"not an image reference: {text[:120]!r}",
        why=why,
        fix="write it like analysis, analysis:v2 or registry.example.org/team/analysis:v2",
    )


__all__ = ["DIGEST", "DOCKER_HUB", "Reference"]
