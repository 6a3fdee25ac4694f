"""Copy and push, against the rebuild by uv and `docker push`: into a registry that has nothing yet."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_dockerize import api
from tests.engines.registry.real import RealRegistry

from .environment import PLACE, python
from .recipe_build import build_cold, our_recipe
from .timing import in_turn, met, ratio, table

RUNS = 2
TIMES = 3.0
PROGRAM = "packages/registry/usr/bin/docker-registry"  # in the rig's folder


def run() -> str:
    """The section of the report."""
    interpreter = python("stack")
    sizes: list[tuple[int, int]] = []

    def copied() -> None:
        with _registry() as host, _store():
            where = api.Where(python=str(interpreter))
            built = api.build(
                where, api.Wishes(), f"{host}/bench/stack:1", engine="builtin", verify=False, push=True
            )
            assert built.pushed is not None
            sizes.append((built.size, built.pushed.uploaded))

    with our_recipe(interpreter) as recipe:

        def rebuilt() -> None:
            with _registry() as host:
                build_cold(recipe, f"{host}/bench/stack:1", push=True)

        theirs, mine = in_turn({"rebuilt": rebuilt, "copied": copied}, runs=RUNS, warm=0)
    faster = ratio(theirs, mine)
    size, layers = sizes[-1]
    rows = [
        ["`build --engine builtin --push`, from the first look on", str(mine)],
        ["our recipe, which installs by uv, built cold, and `docker push`", str(theirs)],
    ]
    return "\n".join(
        [
            "## Copy and push",
            "",
            f"{size / 1e9:.1f} GB in {layers} layers, into an empty registry on this machine; neither is "
            f"compared with the environment. The target is {TIMES:g} times faster.",
            "",
            table(rows, ("what", "median")),
            "",
            f"**{faster:.1f} times faster** (median of the pairs). {met(faster >= TIMES)}",
        ]
    )


@contextmanager
def _registry() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(dir=PLACE))
    registry = RealRegistry(Path(os.environ["JUPYTER_DOCKERIZE_RIG"], PROGRAM), folder)
    registry.start()
    try:
        yield registry.host
    finally:
        registry.kill()
        shutil.rmtree(folder)


@contextmanager
def _store() -> Iterator[None]:
    """An empty store, and no layers that are known from before."""
    before = os.environ.get("JUPYTER_DOCKERIZE_STORE")
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        os.environ["JUPYTER_DOCKERIZE_STORE"] = f"{folder}/store"
        try:
            yield
        finally:
            if before is None:
                del os.environ["JUPYTER_DOCKERIZE_STORE"]
            else:
                os.environ["JUPYTER_DOCKERIZE_STORE"] = before
