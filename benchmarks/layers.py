"""One layer more: how much longer than pip alone it takes, at layer 2 and at 30, with Docker and without."""

from __future__ import annotations

import contextlib
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat

from jupyter_dockerize import api
from jupyter_dockerize.engines import choose
from jupyter_dockerize.layers.state import REPOSITORY

from .environment import PLACE, python
from .recipe_build import built, ca_bundle, plain_dockerfile, plain_install
from .timing import Figure, in_turn, met, ratio, show, table

RUNS, SLOW_RUNS = 5, 1
SHALLOW, DEEP = 2, 30
OVER = {"docker": 3.0, "builtin": 1.0}  # seconds over pip alone
ALIKE = 1.2  # times: the most that a layer may take at 30 of what it takes at 2
NAME = "jd-bench-layers"
PACKAGE = "humanize"
VERSIONS = tuple(f"{PACKAGE}==4.{minor}.0" for minor in range(4, 10))  # one for each run: nothing is cached
OTHERS = ("cowsay==6.0", "cowsay==6.1")  # in turn: the layers below
NETWORK = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
HEAD = ("engine", "median", "pip alone", "over pip (median of the pairs)", "target")


class Own:
    """An environment, and the image of it that gets layers."""

    def __init__(self, interpreter: Path, engine: str, folder: Path) -> None:
        self.interpreter, self.engine = interpreter, engine
        notebook = folder / f"{NAME}-{engine}.ipynb"
        # Another one each time: the builder has nothing of what stands on its image.
        cell = nbformat.v4.new_code_cell(secrets.token_hex())
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)
        self.ref = notebook.stem
        self.where = api.Where(notebook=notebook, python=str(interpreter))

    @contextmanager
    def built(self) -> Iterator[None]:
        """Its first layer is there; at the end there is nothing of it any more."""
        api.build(self.where, api.Wishes(), self.ref, engine=self.engine)
        try:
            yield
        finally:
            self.uninstall(PACKAGE, OTHERS[0].partition("==")[0])
            engine = choose(self.engine)
            for ref in [ref for image in engine.images() for ref in image.refs]:
                if ref.partition(":")[0] in (self.ref, f"{REPOSITORY}/{self.ref}"):
                    engine.remove(ref)

    def layer(self, package: str) -> None:
        done = api.execute(self.where, f"pip install {package}", self.ref, engine=self.engine)
        assert done.layer is not None, done

    def up_to(self, number: int) -> None:
        """There are so many layers."""
        for each in range(api.history(self.where, self.ref).head, number):
            self.layer(OTHERS[each % 2])

    def pip(self) -> None:
        """The same without an image."""
        path = f"{self.interpreter.parent}:{os.environ['PATH']}"
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "PATH": path}}
        subprocess.run(["pip", "install", VERSIONS[-1]], check=True, **quiet)

    def back(self, number: int) -> None:
        """Environment and image are as before the package."""
        self.uninstall(PACKAGE)
        if api.history(self.where, self.ref).head > number:
            api.rollback(self.where, number, self.ref)

    def uninstall(self, *packages: str) -> None:
        uv = [sys.executable, "-m", "uv", "pip", "uninstall", "--quiet"]
        subprocess.run([*uv, "--python", str(self.interpreter), *packages], check=True)


class ByHand:
    """A container of an image, into which people install, and which they commit."""

    def __init__(self, image: str) -> None:
        ca = ca_bundle()
        secret = ["--volume", f"{ca}:/ca.pem:ro", "--env", "PIP_CERT=/ca.pem"] if ca else []
        network = [f"--env={name}" for name in NETWORK if name in os.environ]
        run = ["docker", "run", "--detach", "--rm", *secret, *network, "--entrypoint", "sleep", image, "3600"]
        self.name = subprocess.check_output(run, text=True).strip()

    def install(self) -> None:
        self._docker("exec", self.name, "pip", "install", VERSIONS[-1])
        self._docker("commit", self.name, f"{NAME}-by-hand")

    def back(self) -> None:
        self._docker("exec", self.name, "pip", "uninstall", "--yes", PACKAGE)

    def close(self) -> None:
        self._docker("rm", "--force", self.name)
        self._docker("rmi", "--force", f"{NAME}-by-hand")

    @staticmethod
    def _docker(*words: str) -> None:
        subprocess.run(["docker", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run() -> str:
    """The section of the report."""
    interpreter = python("notebook")
    with _folder() as folder:
        measured = {name: _measured(Own(interpreter, name, folder)) for name in OVER}
    rows, conditions = [], []
    for name, depths in measured.items():
        for depth, (ours, alone, *_) in depths.items():
            over = statistics.median(a - b for a, b in zip(ours.seconds, alone.seconds, strict=True))
            rows.append([f"{name}, layer {depth}", str(ours), str(alone), show(over), show(OVER[name])])
            conditions.append(over <= OVER[name])
    alike = {name: ratio(depths[DEEP][0], depths[SHALLOW][0]) for name, depths in measured.items()}
    deep = " and ".join(f"{times:.2f} times ({name})" for name, times in alike.items())
    return "\n".join(
        [
            "## Layers",
            "",
            f"`%docker_exec pip install {PACKAGE}` in an environment of 130 packages, from the command to "
            f"the compared image; the target is {show(OVER['docker'])} over pip alone with Docker, "
            f"{show(OVER['builtin'])} without, and at layer {DEEP} the same as at layer {SHALLOW}.",
            "",
            table(rows, HEAD),
            "",
            f"Layer {DEEP} takes {deep} what layer {SHALLOW} takes. "
            f"{met(*conditions, *(times <= ALIKE for times in alike.values()))}",
            "",
            f"Beside it, with Docker (at layer {DEEP}):",
            "",
            _beside(interpreter, *(measured["docker"][DEEP][at] for at in (0, 2))),
        ]
    )


def _measured(own: Own) -> dict[int, list[Figure]]:
    """At each depth: ours, pip alone, and with Docker what people do by hand."""
    found = {}
    with own.built():
        for depth in (SHALLOW, DEEP):
            own.up_to(depth - 1)
            found[depth] = _at(own, depth)
    return found


def _at(own: Own, depth: int) -> list[Figure]:
    versions = iter(VERSIONS)
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: own.layer(next(versions)),
        "pip alone": own.pip,
    }
    with contextlib.ExitStack() as stack:
        hand = None
        if own.engine == "docker":
            hand = stack.enter_context(contextlib.closing(ByHand(own.ref)))
            works["by hand"] = hand.install

        def back() -> None:
            own.back(depth - 1)
            if hand:
                hand.back()

        return in_turn(works, runs=RUNS, after=back)


def _beside(interpreter: Path, ours: Figure, by_hand: Figure) -> str:
    with plain_dockerfile(interpreter) as plain:
        built(plain, NAME)
        with (plain / "Dockerfile").open("a") as file:
            file.write(plain_install(PACKAGE))
        (line,) = in_turn({"line": lambda: built(plain, NAME)}, runs=SLOW_RUNS, warm=0)
        with (plain / "requirements.txt").open("a") as file:
            file.write(f"{PACKAGE}\n")
        (whole,) = in_turn({"whole": lambda: built(plain, NAME)}, runs=SLOW_RUNS, warm=0)
    subprocess.run(["docker", "rmi", "--force", NAME], check=True, stdout=subprocess.DEVNULL)
    rows = [
        [f"`%docker_exec pip install {PACKAGE}`: here and in the image, pinned, compared", ours],
        ["`docker exec … pip install` in a container that runs, and `docker commit`", by_hand],
        ["a `RUN pip install` more at the end of a plain Dockerfile, and `docker build`", line],
        ["a line more in its `requirements.txt`, and `docker build`", whole],
    ]
    return table(
        [[what, str(figure), f"{figure.median / ours.median:.1f}"] for what, figure in rows],
        ("what", "median", "times ours"),
    )


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder with a store of its own: nobody's own images are touched."""
    before = os.environ.get("JUPYTER_DOCKERIZE_STORE")
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        os.environ["JUPYTER_DOCKERIZE_STORE"] = f"{folder}/store"
        try:
            yield Path(folder)
        finally:
            os.environ.pop("JUPYTER_DOCKERIZE_STORE")
            if before is not None:
                os.environ["JUPYTER_DOCKERIZE_STORE"] = before
