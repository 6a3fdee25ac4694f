"""Plan → bundle for 400 packages whose locks are resolved."""

from __future__ import annotations

import hashlib

from jupyter_dockerize.environment.model import AptPackage, Packages, PipPackage, Python, Source, System
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.recipe import render
from jupyter_dockerize.recipe.resolution import Base, LockedPip, Resolution
from jupyter_dockerize.recipe.steps import BUILDKIT

from .timing import in_turn, met, show

COUNT, HASHES, RUNS = 400, 30, 20
SECONDS = 0.050


def run() -> str:
    """The section of the report."""
    plan, resolution = _large()
    (figure,) = in_turn({"render": lambda: render(plan, resolution, BUILDKIT)}, runs=RUNS, warm=3)
    return "\n".join(
        [
            "## Plan → bundle",
            "",
            f"{COUNT} packages with {HASHES} hashes each, locks resolved; the target is {show(SECONDS)}.",
            "",
            f"**{show(figure.median)}** ({figure.spread}). {met(figure.median <= SECONDS)}",
        ]
    )


def _large() -> tuple[Plan, Resolution]:
    names = [f"package-{number:03}" for number in range(COUNT - 3)] + ["ipykernel", "jupyterlab", "pip"]
    pip = tuple(PipPackage(name=n, version="1.2.3", source=Source(kind="index")) for n in sorted(names))
    plan = Plan(
        source="sha256:" + "0" * 64,
        platform="linux/amd64",
        foreign=False,
        system=System(os="debian", version="12", codename="bookworm"),
        python=Python(implementation="cpython", version="3.11.7"),
        packages=Packages(pip=pip, apt=(AptPackage(name="libgl1", version="1.6.0-1", arch="amd64"),)),
        server="environment",
    )
    locked = tuple(
        LockedPip(
            name=p.name,
            version=p.version,
            hashes=tuple(
                sorted("sha256:" + hashlib.sha256(f"{p.name}{n}".encode()).hexdigest() for n in range(HASHES))
            ),
        )
        for p in pip
    )
    base = Base(
        ref="python:3.11.7-slim-bookworm", kind="python", reason="the same Python", codename="bookworm"
    )
    return plan, Resolution(base=base, pip=locked)
