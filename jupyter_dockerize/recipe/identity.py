"""An image knows what it is: labels to read without starting it, and its plan as a file.

The stored plan is for strangers' eyes: places on the source's disk and private hosts are gone.
What takes a private address's place is a digest of it, so that equal origins stay equal, and the
label's fingerprint is that of the stored plan.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from urllib.parse import urlsplit

from .. import __version__
from ..environment.model import SCHEMA, CondaPackage, PipPackage, Python, Source, dump
from ..environment.plan import Plan
from . import layout
from .resolution import Resolution
from .steps import Label

LABEL_SCHEMA = "jupyter-dockerize.schema"
LABEL_VERSION = "jupyter-dockerize.version"
LABEL_FINGERPRINT = "jupyter-dockerize.fingerprint"
LABEL_METHOD = "jupyter-dockerize.method"
LABEL_NOTEBOOK = "jupyter-dockerize.notebook"  # "" where there is none
LABEL_PYTHON = "jupyter-dockerize.python"  # the interpreter that the notebook's kernel runs
LABEL_RUN = "jupyter-dockerize.run"  # IMAGE stands for the image's name
# Open Container Initiative, image-spec, annotations.md, "Pre-Defined Annotation Keys".
LABEL_TITLE = "org.opencontainers.image.title"
LABEL_BASE = "org.opencontainers.image.base.name"
LABEL_BASE_DIGEST = "org.opencontainers.image.base.digest"

PLAN = "plan.json"  # in the bundle
PLAN_PATH = f"{layout.IDENTITY}/{PLAN}"  # in the image
RUN = f"docker run --rm -p {layout.PORT}:{layout.PORT} IMAGE"

# Hosts that anybody may know of. Everything else may be somebody's own.
_PUBLIC = frozenset(
    {
        "bitbucket.org", "codeberg.org", "conda.anaconda.org", "download.pytorch.org",
        "files.pythonhosted.org", "git.sr.ht", "github.com", "gitlab.com", "pypi.nvidia.com",
        "pypi.org", "repo.anaconda.com",
    }
)  # fmt: skip
_HOME = re.compile(
    rb'(?<![A-Za-z0-9._~-])(?:/(?:home|Users)/[^/"\\ ]+|/root(?=[/" ])|[A-Za-z]:\\\\Users\\\\[^\\"]+)'
)


def labels(plan: Plan, resolution: Resolution) -> list[Label]:
    """What ``docker inspect`` shows. No time: the same plan gives the same bytes."""
    base = resolution.base
    found = {
        LABEL_SCHEMA: str(SCHEMA),
        LABEL_VERSION: __version__,
        LABEL_FINGERPRINT: stored(plan).fingerprint,
        LABEL_METHOD: "rebuild",
        LABEL_NOTEBOOK: plan.notebook or "",
        LABEL_PYTHON: layout.interpreter(bool(plan.packages.conda)),
        LABEL_RUN: RUN,
        LABEL_TITLE: plan.notebook or "environment",
        LABEL_BASE: base.ref,
    }
    if base.digest:
        found[LABEL_BASE_DIGEST] = base.digest
    return [Label(name, value) for name, value in found.items()]


def stored(plan: Plan) -> Plan:
    """The plan as the image may carry it: the same packages, nothing about whose machine it was."""
    packages = replace(
        plan.packages,
        pip=tuple(_pip(package) for package in plan.packages.pip),
        conda=tuple(_conda(package) for package in plan.packages.conda),
    )
    python = Python(
        implementation=plan.python.implementation, version=plan.python.version, soabi=plan.python.soabi
    )
    system = replace(plan.system, image=None, container=None, cpu=None, cpus=0, gpus=(), driver=None)
    return replace(
        plan,
        packages=packages,
        python=python,
        system=system,
        files=tuple(replace(file, source=None) for file in plan.files),
        indexes=(),
        findings=(),
    )


def stored_bytes(plan: Plan) -> bytes:
    """The file form of `stored`; home folders that stand in sentences are cut there, too."""
    return _HOME.sub(b"~", dump(stored(plan)))


def redact(url: str | None) -> str | None:
    """A public address as it is; of any other a digest, by which equal ones can be told."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        public = parts.scheme in ("https", "http", "git+https") and parts.hostname in _PUBLIC
    except ValueError:
        public = False
    if public and not parts.username and not parts.password and not parts.query:
        return url
    return "private:" + hashlib.sha256(url.encode(errors="surrogateescape")).hexdigest()[:16]


def _pip(package: PipPackage) -> PipPackage:
    source = package.source
    if source.url or source.index:
        source = Source(
            kind=source.kind,
            url=redact(source.url),
            commit=source.commit,
            index=redact(source.index),
            subdirectory=source.subdirectory,
            hash=source.hash,
        )
    if source is package.source and package.dist_info is None and package.location is None:
        return package
    return replace(package, source=source, dist_info=None, location=None)


def _conda(package: CondaPackage) -> CondaPackage:
    return replace(package, url=redact(package.url) or "", channel=_channel(package.channel))


def _channel(channel: str) -> str:
    """A channel's name says nothing ("conda-forge"), its address may."""
    return channel if "/" not in channel else redact(channel) or ""
