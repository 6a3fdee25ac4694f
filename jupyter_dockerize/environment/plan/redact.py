"""A plan as strangers may read it: it is stored in the image that it made.

Absolute paths lose their folders, home folders and user names with them; private hosts become a
placeholder. Fingerprints are made of this view, so that the stored plan and the one in memory have the same.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from ...events import Finding
from ..choices import Choice, Wishes
from ..model import CondaPackage, Index, Packages, PipPackage, Snapshot, Source, System

PRIVATE = "private.invalid"  # RFC 2606: never a real host

_PUBLIC = (
    "python.org", "pytorch.org", "anaconda.org", "anaconda.com",
    "prefix.dev", "nvidia.com", "githubusercontent.com", "github.com", "github.io", "gitlab.com",
    "bitbucket.org", "codeberg.org", "huggingface.co", "storage.googleapis.com", "debian.org",
    "ubuntu.com", "docker.io", "quay.io", "ghcr.io", "example.org", "example.com",
)  # fmt: skip
_PATH = re.compile(r"(?<![\w.:/])/(?:[^\s/:'\",;]+/)+([^\s/:'\",;]*)")
_WINDOWS = re.compile(r"\b[A-Za-z]:\\(?:[^\\:*?\"<>|'\n]+\\)*([^\\\s:*?\"<>|']*)")
_HOME = re.compile(r"(?:(?<![\w.])~\w+|(?<![\w.:/])/(?:home|Users)/[^\s/:'\",;]+|(?<![\w.:/])/root\b)")
_URL = re.compile(r"\b(?:[a-z][a-z0-9+.-]*)://[^\s'\"<>,;]+", re.I)
_SCP = re.compile(r"\b[\w.-]+@[\w.-]+:[\w./~-]+")


def packages(found: Packages) -> Packages:
    """Names, versions and origins, without where they lay on this machine."""
    return Packages(
        pip=tuple(_pip(p) for p in found.pip), conda=tuple(_conda(c) for c in found.conda), apt=found.apt
    )


def snapshot(found: Snapshot) -> Snapshot:
    """An environment as it is given away beside its image; compared with the environment it is the same."""
    libraries = found.libraries
    return replace(
        found,
        system=system(found.system),
        python=replace(found.python, executable="", prefix="", base_prefix=""),
        packages=packages(found.packages),
        kernel=replace(found.kernel, display_name=text(found.kernel.display_name)) if found.kernel else None,
        withheld=(),
        indexes=tuple(index(each) for each in found.indexes),
        ca=None,
        conda_prefix=text(found.conda_prefix) if found.conda_prefix else None,
        libraries=replace(libraries, needed=tuple(replace(each, by=()) for each in libraries.needed))
        if libraries
        else None,
        modules=(),
        findings=findings(found.findings),
    )


def index(found: Index) -> Index:
    return replace(found, url=url(found.url))


def system(found: System) -> System:
    named = image(found.image) if found.image else None
    return replace(found, image=named, container=None, cpu=None, cpus=0, gpus=(), driver=None)


def wishes(found: Wishes) -> Wishes:
    return replace(found, base=image(found.base) if found.base else None)


def choice(found: Choice) -> Choice:
    return replace(
        found,
        name=text(found.name),
        reason=text(found.reason),
        source=text(found.source),
        planned=text(found.planned),
    )


def findings(found: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(replace(f, message=text(f.message), fix=text(f.fix)) for f in found)


def url(address: str) -> str:
    """A public address as it is; a private one as its placeholder; of a file or folder its name only."""
    if not _URL.fullmatch(address):
        scp = re.match(
            r"(?:[\w.-]+@)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+):(?!//)", address
        )  # git's user@host:path
        if scp:
            public = is_public(scp[1])
            return f"ssh://{scp[1]}/{address[scp.end() :]}" if public else _private("ssh", address)
        return text(address)
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return _private("https", address)
    if parts.scheme.endswith("file") or not host:
        return f"{parts.scheme}:{parts.path.rstrip('/').rpartition('/')[2]}"
    if (is_public(host) or host == PRIVATE) and not parts.username:
        return address
    if is_public(host):
        return address.replace(f"{parts.netloc}", parts.netloc.rpartition("@")[2], 1)
    return _private(parts.scheme, address)


def channel(name: str) -> str:
    """A conda channel: a name as it is, a URL as `url`."""
    return url(name) if "://" in name else name


def _private(scheme: str, address: str) -> str:
    """A placeholder that is the same for the same address, so that another origin is still another."""
    digest = hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()[:16]
    return f"{scheme}://{PRIVATE}/{digest}"


def is_public(host: str) -> bool:
    """Whether everybody knows the host: an index, a registry or a forge that is open to all."""
    host = host.lower().rstrip(".")
    return any(host == known or host.endswith(f".{known}") for known in _PUBLIC)


def image(ref: str) -> str:
    """An image reference without a private registry's host and folders.

    The first component is a host where it has a dot or a colon or is "localhost" (distribution/reference).
    """
    host, slash, rest = ref.partition("/")
    if (
        slash
        and ("." in host or ":" in host or host == "localhost")
        and not is_public(host.partition(":")[0])
    ):
        return f"{PRIVATE}/{rest.rpartition('/')[2]}"
    return ref


def text(value: str) -> str:
    """Free text with its URLs, absolute paths and home folders redacted."""
    value = _URL.sub(lambda match: url(match[0]), value)
    value = _SCP.sub(f"{PRIVATE}:…", value)
    value = _WINDOWS.sub(lambda match: f"…/{match[1]}", value)
    value = _PATH.sub(lambda match: "…" if _HOME.fullmatch(match[0]) else f"…/{match[1]}", value)
    return _HOME.sub("…", value)


def _pip(package: PipPackage) -> PipPackage:
    return replace(
        package,
        source=_source(package.source),
        dist_info=None,
        location=None,
        requires=(),
        edited=(),
        lost=(),
        content=None,
        others=(),
        used=None,
    )


def _source(source: Source) -> Source:
    if source.url is None and source.index is None:
        return source
    return replace(
        source,
        url=url(source.url) if source.url else None,
        index=url(source.index) if source.index else None,
    )


def _conda(package: CondaPackage) -> CondaPackage:
    return replace(package, url=url(package.url), channel=channel(package.channel))
