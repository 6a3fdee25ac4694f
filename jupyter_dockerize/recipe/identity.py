"""An image knows what it is: labels to read without starting it, and its plan as a file.

The plan is stored in its redacted form (`environment.plan.redact`), which has the same fingerprint.
"""

from __future__ import annotations

import hashlib

from .. import __version__
from ..contents import layout
from ..environment.model import SCHEMA, dump
from ..environment.plan.planning import Plan
from .resolution import Resolution
from .steps import Label

LABEL_SCHEMA = "jupyter-dockerize.schema"
LABEL_VERSION = "jupyter-dockerize.version"
LABEL_FINGERPRINT = "jupyter-dockerize.fingerprint"
LABEL_PLAN = "jupyter-dockerize.plan"  # "sha256:…" of the stored plan's bytes
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


def run_line(image: str) -> str:
    """The one line that opens the image wherever it is."""
    return f"docker run --rm -p {layout.PORT}:{layout.PORT} {image}"


def plan_digest(data: bytes) -> str:
    """What `LABEL_PLAN` says of a stored plan: ``sha256:`` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def labels(plan: Plan, resolution: Resolution) -> list[Label]:
    """What ``docker inspect`` shows of a plan. No time: the same plan gives the same bytes."""
    base = resolution.base
    found = {
        LABEL_SCHEMA: str(SCHEMA),
        LABEL_VERSION: __version__,
        LABEL_FINGERPRINT: plan.fingerprint,
        LABEL_PLAN: plan_digest(dump(plan)),
        LABEL_METHOD: "rebuild",
        LABEL_NOTEBOOK: plan.notebook or "",
        LABEL_PYTHON: layout.interpreter(bool(plan.packages.conda)),
        LABEL_RUN: run_line("IMAGE"),
        LABEL_TITLE: plan.notebook or "environment",
        LABEL_BASE: base.ref,
    }
    if base.digest:
        found[LABEL_BASE_DIGEST] = base.digest
    return [Label(name, value) for name, value in found.items()]
