"""An image knows what it is: labels to read without starting it, and its plan as a file.

The plan is stored in its redacted form (`environment.plan.redact`), which has the same fingerprint.
"""

from __future__ import annotations

import hashlib
from typing import Literal

from .. import __version__
from ..environment.model import SCHEMA, dump
from ..environment.plan.planning import Plan
from . import layout

Method = Literal["rebuild", "copy"]

LABEL_SCHEMA = "jupyter-dockerize.schema"
LABEL_VERSION = "jupyter-dockerize.version"
LABEL_FINGERPRINT = "jupyter-dockerize.fingerprint"
LABEL_PLAN = "jupyter-dockerize.plan"  # "sha256:…" of the stored plan's bytes
LABEL_METHOD = "jupyter-dockerize.method"
LABEL_NOTEBOOK = "jupyter-dockerize.notebook"  # "" where there is none
LABEL_PYTHON = "jupyter-dockerize.python"  # the interpreter that the notebook's kernel runs
LABEL_LAYERS = "jupyter-dockerize.layers"  # their blobs, which no engine tells of
LABEL_DEBIAN = "jupyter-dockerize.debian"  # packages that layers of a copied image brought along
LABEL_RUN = "jupyter-dockerize.run"  # IMAGE stands for the image's name
# Open Container Initiative, image-spec, annotations.md, "Pre-Defined Annotation Keys".
LABEL_TITLE = "org.opencontainers.image.title"
LABEL_BASE = "org.opencontainers.image.base.name"
LABEL_BASE_DIGEST = "org.opencontainers.image.base.digest"

PLAN = "plan.json"  # in the bundle
PLAN_PATH = f"{layout.IDENTITY}/{PLAN}"  # in the image


def run_line(image: str, *, lab: bool = True) -> str:
    """The one line that opens the image wherever it is; without ``lab`` it starts Python at the terminal."""
    how = f"-p {layout.PORT}:{layout.PORT}" if lab else "-it"
    return f"docker run --rm {how} {image}"


def plan_digest(data: bytes) -> str:
    """What `LABEL_PLAN` says of a stored plan: ``sha256:`` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def labels(
    plan: Plan,
    method: Literal["rebuild", "copy"],
    *,
    python: str,
    base: str = "scratch",
    digest: str | None = None,
    lab: bool = True,
) -> dict[str, str]:
    """What ``docker inspect`` shows of a stored plan. No time: the same plan gives the same bytes.

    ``python`` is the interpreter in the image, ``base`` the image below with its ``digest``, ``lab``
    whether JupyterLab opens it.
    """
    found = {
        LABEL_SCHEMA: str(SCHEMA),
        LABEL_VERSION: __version__,
        LABEL_FINGERPRINT: plan.fingerprint,
        LABEL_PLAN: plan_digest(dump(plan)),
        LABEL_METHOD: method,
        LABEL_NOTEBOOK: plan.notebook or "",
        LABEL_PYTHON: python,
        LABEL_RUN: run_line("IMAGE", lab=lab),
        LABEL_TITLE: plan.notebook or "environment",
        LABEL_BASE: base,
    }
    if digest:
        found[LABEL_BASE_DIGEST] = digest
    return found
