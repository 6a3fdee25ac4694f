"""What the user asked for, and each way in which the image is meant to differ from the source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChoiceKind = Literal["left-out", "offered", "added", "changed"]
ChoiceManager = Literal["python", "pip", "conda", "apt", "file", "variable", "index", "server"]

SCRATCH = "scratch"  # as a base: nothing, as in Dockerfiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user asked the image to be; stored in it, so that drift is planned alike."""

    base: str | None = None
    minimal: bool = False
    include: tuple[str, ...] = ()  # files and folders, relative to the notebook's folder
    apt: tuple[str, ...] = ()  # Debian packages beyond those that are needed
    platform: str | None = None  # "linux/amd64"
    allow: tuple[str, ...] = ()  # codes of findings that may not stop the work


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way in which the image is meant to differ from the source, and why.

    "offered" is data that the notebook names: nobody decided on it, and a finding asks.
    ``source`` is what the environment has, ``planned`` what the image is to have ("" for nothing).
    """

    kind: ChoiceKind
    manager: ChoiceManager
    name: str
    reason: str
    source: str = ""
    planned: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """A file that goes in: ``path`` in the image's project folder, ``source`` here (None once stored).

    ``size`` in bytes, ``sha256`` 64 hex digits of the contents when the plan was made.
    """

    path: str
    size: int
    sha256: str
    source: str | None = None
