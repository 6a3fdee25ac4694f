"""Several workers of pytest-xdist, each with a rig of its own: tests fill, count and kill engines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

LONGEST = "tests/main_job/"
_WORKER = "PYTEST_XDIST_WORKER"


def settle() -> None:
    """Take this worker's rig; nothing happens where pytest is one process."""
    if _WORKER not in os.environ:
        return
    # xdist puts the folder that it was started in before it, where each environment of a test would find it.
    path = os.environ.pop("PYTHONPATH", "").partition(os.pathsep)[2]
    if path:
        os.environ["PYTHONPATH"] = path
    number = int(os.environ[_WORKER].removeprefix("gw"))
    if number and _others():
        told = subprocess.check_output(["bash", "-c", '. "$0" && env -0', _others()[number - 1] / "env"])
        os.environ.update(line.split("=", 1) for line in os.fsdecode(told).split("\0") if line)


def _others() -> list[Path]:
    """The state folders of the rigs beside the first."""
    folders = os.environ.get("JUPYTER_DOCKERIZE_TEST_BESIDE", "").split(os.pathsep)
    return [Path(folder) for folder in folders if folder]


class Rooms(LoadScopeScheduling):
    """Whole folders of ``tests``, because their modules share environments, and the files beside them."""

    def _split_scope(self, nodeid: str) -> str:
        parts = nodeid.partition("::")[0].split("/")
        # A third of all the time, and little that is shared.
        return "/".join(parts if parts[1] == "layers" else parts[:2])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    config.option.loadscopereorder = False  # the number of its tests does not say how long a room takes
    return Rooms(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it in the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """``-n auto``: one for each rig. Where there is but one, pytest stays one process."""
    return len(_others()) + 1 if _others() else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: list[object]) -> None:
    rigs = len(_others()) + 1
    if "JUPYTER_DOCKERIZE_RIG" in os.environ and len(specs) > rigs:
        raise pytest.UsageError(
            f"{len(specs)} workers need a rig each and {rigs} is up: `tests/rig/up --rigs {len(specs)} …`"
        )
