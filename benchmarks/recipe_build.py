"""Our recipe against the Dockerfile that people write, both built cold by the same engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_dockerize import api

from .environment import PLACE, python
from .timing import in_turn, met, ratio, table

RUNS = 3
TIMES = 2
OUR_NAME, PLAIN_NAME = "our recipe", "the plain Dockerfile"
WHY = """What both do alike sets the limit: writing the environment, compiling it to bytecode, exporting the
layer. The nearer the index and the busier the cores, the less does installing side by side gain. Ours also
installs Debian packages and an init, and copies the environment from one stage to the next."""
HEAD = ("of", "step", "seconds")
STEP = re.compile(r"(?m)^#(\d+) (?:\[[^\]]*\] )?((?:RUN|COPY|exporting to image).*)$")
DONE = re.compile(r"(?m)^#(\d+) DONE ([\d.]+)s$")
PLAIN = """FROM {base}
COPY requirements.txt .
{install}CMD ["jupyter", "lab", "--ip=0.0.0.0"]
"""
SECRET = "--mount=type=secret,id=ca,target=/run/secrets/ca,mode=0444 PIP_CERT=/run/secrets/ca "


def run() -> str:
    """The section of the report."""
    interpreter = python("notebook")
    logs: dict[str, str] = {}

    def build(name: str, folder: Path) -> None:
        logs[name] = build_cold(folder)

    with _folders(interpreter) as (ours, plain, base, packages):
        theirs, mine = in_turn(
            {PLAIN_NAME: lambda: build(PLAIN_NAME, plain), OUR_NAME: lambda: build(OUR_NAME, ours)},
            runs=RUNS,
            warm=0,
        )
    faster = ratio(theirs, mine)
    pairs = [f"{slow / fast:.1f}" for slow, fast in zip(theirs.seconds, mine.seconds, strict=True)]
    return "\n".join(
        [
            "## Recipe build",
            "",
            f"{packages} packages on {base}, cold: no layer and no download from earlier builds, the base "
            "image already there.",
            "The target is twice as fast as `pip install -r` of the same freeze.",
            "",
            table([[f.name, str(f)] for f in (mine, theirs)], ("what", "median")),
            "",
            f"**{faster:.2f} times faster** (median; each pair: {', '.join(pairs)}). {met(faster >= TIMES)}",
            *(("", WHY) if faster < TIMES else ()),
            "",
            "The longest steps of the last build of each (those of ours partly run side by side):",
            "",
            table([row for f in (mine, theirs) for row in _longest(f.name, logs[f.name])], HEAD),
        ]
    )


@contextmanager
def _folders(interpreter: Path) -> Iterator[tuple[Path, Path, str, int]]:
    place = Path(tempfile.mkdtemp(dir=PLACE))
    try:
        made = api.recipe(api.Where(python=str(interpreter)), api.Wishes(), place / "ours")
        base = made.base
        yield place / "ours", _plain(interpreter, base, place / "plain"), base, len(made.plan.packages.pip)
    finally:
        shutil.rmtree(place)


@contextmanager
def our_recipe(interpreter: Path) -> Iterator[Path]:
    """The folder of our recipe for the environment of ``interpreter``."""
    with _folders(interpreter) as (ours, _, _, _):
        yield ours


@contextmanager
def plain_dockerfile(interpreter: Path) -> Iterator[Path]:
    """The folder of what people write for the environment of ``interpreter``."""
    with _folders(interpreter) as (_, plain, _, _):
        yield plain


def _plain(interpreter: Path, base: str, folder: Path) -> Path:
    freeze = subprocess.run(
        [interpreter, "-m", "pip", "freeze", "--all"], check=True, capture_output=True, text=True
    ).stdout
    folder.mkdir()
    (folder / "requirements.txt").write_text(freeze)
    (folder / "Dockerfile").write_text(PLAIN.format(base=base, install=plain_install("-r requirements.txt")))
    subprocess.run(["docker", "pull", "--quiet", base], check=True, stdout=subprocess.DEVNULL)
    return folder


def plain_install(what: str) -> str:
    """The line of a plain Dockerfile that installs."""
    return f"RUN {SECRET if ca_bundle() else ''}pip install --no-cache-dir {what}\n"


def ca_bundle() -> str | None:
    """The certificates that pip is to trust here, where there are some of its own."""
    return os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")


def _longest(name: str, log: str, count: int = 5) -> list[list[str]]:
    """The longest steps of a build by BuildKit's plain progress: whose, what, seconds."""
    steps = dict(STEP.findall(log))
    took = [(float(seconds), steps[number]) for number, seconds in DONE.findall(log) if number in steps]
    return [[name, f"`{_brief(step)}`", f"{s:.0f}"] for s, step in sorted(took, reverse=True)[:count]]


def _brief(step: str) -> str:
    """The command of a step, without its mounts and what a shell line does before it."""
    command = re.sub(r"--mount=\S+ +|if \[.*?; fi +&& +|PIP_CERT=\S+ ", "", step)
    return re.sub(r"\s+", " ", command)[:70]


def build_cold(folder: Path, name: str = "jd-bench", *, push: bool = False) -> str:
    """Builds, may push, and forgets an image; what the builder said."""
    # Cold: --no-cache says so for the layers, and what earlier builds downloaded is thrown away.
    prune = ["docker", "builder", "prune", "--all", "--force", "--filter", "type=exec.cachemount"]
    subprocess.run(prune, check=True, stdout=subprocess.DEVNULL)
    said = built(folder, name, "--no-cache")
    if push:
        subprocess.run(["docker", "push", "--quiet", name], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["docker", "rmi", "--force", name], check=True, stdout=subprocess.DEVNULL)
    return said


def built(folder: Path, name: str, *options: str) -> str:
    """Builds an image; what the builder said."""
    ca = ca_bundle()
    secret = ["--secret", f"id=ca,src={ca}"] if ca else []
    always = ["--progress=plain", "--provenance=false", *secret, "-t", name]
    done = subprocess.run(
        ["docker", "build", *always, *options, str(folder)], check=True, stderr=subprocess.PIPE, text=True
    )
    return done.stderr
