"""Our recipe against the Dockerfile that people write, both built cold by the same engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_dockerize import api

from .environment import NOTEBOOK, PLACE, python
from .timing import in_turn, ratio, table

RUNS = 2
PLAIN = """FROM {base}
COPY requirements.txt .
RUN {ca}pip install --no-cache-dir -r requirements.txt
CMD ["jupyter", "lab", "--ip=0.0.0.0"]
"""
SECRET = "--mount=type=secret,id=ca,target=/run/secrets/ca,mode=0444 PIP_CERT=/run/secrets/ca "


def run() -> str:
    """The section of the report."""
    interpreter = python("notebook", NOTEBOOK)
    with _folders(interpreter) as (ours, plain, base, packages):
        theirs, mine = in_turn(
            {"the plain Dockerfile": lambda: _build(plain), "our recipe": lambda: _build(ours)}, runs=RUNS, warm=0
        )
    return "\n".join(
        [
            "## Recipe build",
            "",
            f"{packages} packages on {base}, cold: build cache emptied before each build, the base already there.",
            "The target is twice as fast as `pip install -r` of the same freeze.",
            "",
            table([[f.name, str(f)] for f in (mine, theirs)], ("what", "median")),
            "",
            f"**{ratio(theirs, mine):.1f} times faster.**",
        ]
    )


@contextmanager
def _folders(interpreter: Path) -> Iterator[tuple[Path, Path, str, int]]:
    place = Path(tempfile.mkdtemp(dir=PLACE))
    try:
        made = api.recipe(api.Where(python=str(interpreter)), api.Wishes(), place / "ours")
        base = made.base
        plain = place / "plain"
        plain.mkdir()
        freeze = subprocess.run(
            [interpreter, "-m", "pip", "freeze", "--all"], check=True, capture_output=True, text=True
        ).stdout
        (plain / "requirements.txt").write_text(freeze)
        (plain / "Dockerfile").write_text(PLAIN.format(base=base, ca=SECRET if _ca() else ""))
        subprocess.run(["docker", "pull", "--quiet", base], check=True, stdout=subprocess.DEVNULL)
        yield place / "ours", plain, base, len(made.plan.packages.pip)
    finally:
        shutil.rmtree(place)


def _ca() -> str | None:
    return os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")


def _build(folder: Path) -> None:
    # Cold: --no-cache says so for the layers, and what earlier builds downloaded is thrown away.
    prune = ["docker", "builder", "prune", "--all", "--force", "--filter", "type=exec.cachemount"]
    subprocess.run(prune, check=True, stdout=subprocess.DEVNULL)
    secret = ["--secret", f"id=ca,src={_ca()}"] if _ca() else []
    subprocess.run(
        ["docker", "build", "--quiet", "--no-cache", "--provenance=false", *secret, "-t", "jd-bench", str(folder)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(["docker", "rmi", "--force", "jd-bench"], check=True, stdout=subprocess.DEVNULL)
