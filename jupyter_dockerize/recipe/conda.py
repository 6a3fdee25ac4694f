"""conda packages: the explicit list, which names every archive and its hash.

Format: conda's explicit specification files (CEP 23, "Text spec input files"): ``@EXPLICIT``, then
one URL per line, with ``#`` and the MD5 or SHA-256 of the archive. SHA-256 needs conda 24.9 or
micromamba 2.1; old records have only the MD5. Nothing is solved: the list is the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..contents import layout
from ..environment.model import CondaPackage
from ..errors import UsageError
from . import secrets
from .base import MICROMAMBA
from .pip import FOLDER, bind
from .resolution import Resolution
from .steps import Cache, Comment, Copy, From, Run, Step, User

EXPLICIT = "conda.txt"  # in the bundle's folder of locks

# RFC 3986 without userinfo and query; the archive's name as in CEP 26.
_URL = re.compile(
    r"https?://[A-Za-z0-9.-]+(?::\d{1,5})?/(?:[A-Za-z0-9._~!+=@%-]+/)*[A-Za-z0-9._+!=-]+\.(?:conda|tar\.bz2)"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")


def explicit(packages: Iterable[CondaPackage], platform: str) -> bytes:
    """The list, in the order of names; also what pip has overwritten, because pip follows.

    Raises `UsageError` for a package without an address that others can reach, or a hash that is none.
    """
    lines = [f"# platform: {platform}", "@EXPLICIT"]
    for package in sorted(packages, key=lambda p: (p.name, p.version, p.build)):
        if not _URL.fullmatch(package.url):
            raise UsageError(
                f"the conda package {package.name!r} has no address that a build can use",
                why="its record names no archive on http or https",
                fix="install it from a channel, or leave it out",
            )
        lines.append(package.url + _hash(package))
    return ("\n".join(lines) + "\n").encode()


def _hash(package: CondaPackage) -> str:
    for value, grammar in ((package.sha256, _SHA256), (package.md5, _MD5)):
        if value is None:
            continue
        if not grammar.fullmatch(value):
            raise UsageError(f"the conda package {package.name!r} has a hash that is none", why=repr(value))
        return f"#{value}"
    return ""


def files(packages: Iterable[CondaPackage], platform: str) -> dict[str, bytes]:
    """The explicit list as a file of the bundle."""
    return {f"{FOLDER}/{EXPLICIT}": explicit(packages, platform)}


def environment(resolution: Resolution, stage: str) -> list[Step]:
    """The prefix, made by micromamba in ``stage``, or in one of its own where the base has none."""
    handed = secrets.for_conda(resolution)
    create = Run(
        (
            *secrets.trust(handed, conda=True),
            # A root prefix of its own: the environment's prefix is the base image's root prefix.
            f"export MAMBA_ROOT_PREFIX={layout.MAMBA_CACHE}",
            f"rm -rf {layout.CONDA}",
            f"micromamba create -y -p {layout.CONDA} -f {layout.BUILD}/{FOLDER}/{EXPLICIT}",
        ),
        secrets=handed,
        caches=(Cache(layout.MAMBA_CACHE),),
        binds=(bind(EXPLICIT),),
    )
    what = Comment("The conda packages: every archive by its address and hash, nothing is solved.")
    if resolution.base.kind == "conda":
        return [what, From(stage, stage="build"), create]
    return [
        what,
        From(MICROMAMBA, stage="conda"),
        User("0"),
        create,
        Comment("The same prefix on the base that was asked for."),
        From(stage, stage="build"),
        Copy(layout.CONDA, layout.CONDA, stage="conda"),
    ]
