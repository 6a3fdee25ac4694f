"""Where one Python package came from, and whether it was compiled on this machine.

Format: direct_url.json, PyPA specification "Direct URL origin of installed distributions"
(PEP 610); INSTALLER; platform compatibility tags (PEP 425, 600, 656).
"""

from __future__ import annotations

import re

from ..facts import DistributionFacts
from ..model import Scope, Source
from ..names import URL_LENGTH, address, clean, word

_HASH = re.compile(r"[a-z0-9]{1,16}=[0-9a-f]{32,128}")
_INDEX_LABEL = re.compile(r"(cpu|cu|rocm|xpu|musa|pt|computecanada)[0-9._a-z]*")
_INSTALLERS = frozenset({"pip", "uv", "poetry", "pdm", "pipenv", "hatch", "rye", "pixi", "rip", "distlib"})


def source(facts: DistributionFacts, scope: Scope, *, owned_by_conda: bool) -> Source:
    """The origin: who owns it (apt, conda), else what direct_url.json says, else who installed it.

    A package that conda built carries the direct_url.json of its build farm, and Debian's carry
    anything: ownership comes first.
    """
    installer = (facts["installer"] or "").strip().lower()
    if owned_by_conda and not _from_an_index(facts, installer):
        return Source(kind="conda")
    if scope == "debian" or installer == "debian":
        return Source(kind="apt")
    if installer == "conda":
        return Source(kind="unknown")
    if facts["form"] == "egg-link" or is_source_folder(facts, scope):
        return _editable(facts, None)
    if facts["direct_url"] is not None:
        return _direct(facts)
    if installer in _INSTALLERS or (facts["form"] == "egg-info" and facts["record"]):
        return Source(kind="index")
    return Source(kind="unknown")


def is_source_folder(facts: DistributionFacts, scope: Scope) -> bool:
    """Whether this is a project's own folder on sys.path, where a build left its egg-info."""
    return facts["form"] == "develop" or (facts["form"] == "egg-info" and scope == "path")


def built_locally(tags: tuple[str, ...], version: str, origin: Source) -> bool:
    """Whether a compiler ran here: ``linux_x86_64`` is a tag that package indexes refuse.

    Except in wheels of indexes of their own, whose local label says so ("2.3.0+cu121").
    """
    if origin.kind in ("conda", "apt") or not any("-linux_" in tag for tag in tags):
        return False
    label = version.partition("+")[2]
    return not (origin.kind == "index" and label and _INDEX_LABEL.fullmatch(label))


def _from_an_index(facts: DistributionFacts, installer: str) -> bool:
    """Whether pip put the same version over conda's: conda builds no manylinux or musllinux wheels."""
    tags = facts["wheel"]["tags"] if facts["wheel"] else []
    return installer in _INSTALLERS and any("-manylinux" in tag or "-musllinux" in tag for tag in tags)


def _direct(facts: DistributionFacts) -> Source:
    direct = facts["direct_url"]
    assert direct is not None
    url = address(direct["url"])
    if direct["kind"] == "dir" and direct["editable"]:
        return _editable(facts, url)
    if url is None:
        return Source(kind="unknown")
    subdirectory = clean(direct["subdirectory"], URL_LENGTH)
    if direct["kind"] == "vcs":
        return Source(kind="vcs", url=url, commit=_commit(direct["commit"]), subdirectory=subdirectory)
    if direct["kind"] == "dir" or url.lower().startswith("file:"):
        return Source(kind="local", url=url, subdirectory=subdirectory, hash=_hash(direct["hash"]))
    return Source(kind="archive", url=url, subdirectory=subdirectory, hash=_hash(direct["hash"]))


def _editable(facts: DistributionFacts, url: str | None) -> Source:
    """An editable project: its git remote and commit where it is a checkout, else its folder."""
    checkout = facts["checkout"]
    if checkout is not None:
        remote = address(checkout["remote"]) if checkout["remote"] else None
        return Source(kind="editable", url=remote or url, commit=_commit(checkout["commit"]))
    return Source(kind="editable", url=url)


def _commit(text: str | None) -> str | None:
    return word(text, 128) if text else None


def _hash(text: str | None) -> str | None:
    return text if text and _HASH.fullmatch(text) else None
