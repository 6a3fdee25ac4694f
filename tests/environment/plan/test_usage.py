"""What a notebook really uses, and what its image keeps with ``--minimal``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.interpret.snapshot import interpret
from jupyter_dockerize.environment.model import Snapshot
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.errors import UsageError

from ..environments import conda, pip, snapshot

FACTS = Path(__file__).parents[1] / "facts"
LAB = (
    pip("jupyterlab", requires=("jupyter-server>=2", "tornado")),
    pip("jupyter-server", requires=("tornado", "nbformat")),
    pip("nbformat"),
    pip("tornado"),
)


def recorded(case: str) -> Snapshot:
    source = interpret(json.loads((FACTS / f"{case}.json").read_text()))
    return replace(source, executed=source.executed or 1)


def minimal(source: Snapshot) -> Plan:
    return make_plan(source, Wishes(minimal=True))


def names(plan: Plan) -> list[str]:
    return [p.name for p in plan.packages.pip]


def line(plan: Plan) -> str:
    [finding] = [f for f in plan.findings if f.code == "minimal-kept"]
    return finding.message


def test_what_was_imported_with_all_that_it_requires_and_the_kernel() -> None:
    used = set(names(minimal(recorded("linux-venv"))))
    assert {"pandas", "numpy", "python-dateutil", "six", "pytz", "tzdata"} <= used
    assert {"ipykernel", "ipython", "traitlets", "decorator", "pyzmq", "tornado"} <= used
    assert {"penguins", "requests", "urllib3"} <= used
    assert not {"black", "click", "torch", "opencv-python", "matplotlib", "contourpy"} & used


def test_an_extra_that_somebody_asks_for_counts_and_one_that_nobody_asks_for_does_not() -> None:
    source = recorded("linux-venv")
    assert "pysocks" in names(minimal(source))  # penguins requires requests[socks]
    assert "pysocks" not in names(minimal(replace(source, imported=("requests",))))


def test_what_the_notebook_does_not_use_is_left_out_by_name() -> None:
    source = snapshot(
        pip("pandas", requires=("numpy", "tzdata; sys_platform == 'win32'")),
        pip("numpy"),
        pip("tzdata"),
        pip("torch"),
        pip("ipykernel", requires=("comm",)),
        pip("comm"),
        imported=("pandas",),
        executed=3,
    )
    plan = minimal(source)
    assert names(plan) == ["comm", "ipykernel", "numpy", "pandas"]
    assert {c.reason for c in plan.choices} == {"the notebook does not use it (--minimal)"}
    assert line(plan) == (
        "--minimal keeps what the notebook uses; of your environment it leaves out torch, tzdata"
    )


def test_pip_stays_so_that_the_notebook_can_install() -> None:
    source = snapshot(pip("pip"), pip("torch"), imported=("ipykernel",), executed=1)
    assert names(minimal(source)) == ["ipykernel", "pip"]


def test_the_environments_jupyterlab_stays_so_that_the_image_opens() -> None:
    source = snapshot(pip("pandas"), pip("torch"), *LAB, imported=("pandas", "tornado"), executed=1)
    plan = minimal(source)
    assert names(plan) == ["ipykernel", "jupyter-server", "jupyterlab", "nbformat", "pandas", "tornado"]
    assert plan.server == "environment"
    assert line(plan) == (
        "--minimal keeps what the notebook uses and the environment's JupyterLab (3 packages), "
        "so that the image opens; of your environment it leaves out torch"
    )


def test_a_server_without_jupyterlab_opens_nothing_and_goes() -> None:
    plan = minimal(snapshot(pip("pandas"), *LAB[1:], imported=("pandas",), executed=1))
    assert names(plan) == ["ipykernel", "pandas"]
    assert plan.server == "own"


def test_what_only_jupyter_dockerize_needs_goes_though_its_magic_has_imported_it() -> None:
    own = pip("jupyter-dockerize", requires=("jupyter-server", "rich"))
    source = snapshot(
        own, pip("rich"), pip("pandas"), *LAB, imported=("jupyter-dockerize", "pandas", "rich"), executed=1
    )
    assert "rich" not in names(minimal(source)) and "jupyterlab" in names(minimal(source))
    assert names(minimal(replace(source, packages=replace(source.packages, pip=(own, *LAB[1:]))))) == []


def test_what_only_jupyter_dockerize_needs_is_not_told_as_of_the_notebooks_environment() -> None:
    own = pip("jupyter-dockerize", requires=("rich",))
    plan = minimal(snapshot(own, pip("rich"), pip("torch"), pip("pandas"), imported=("pandas",), executed=1))
    assert line(plan).endswith("of your environment it leaves out torch")
    assert {c.name: c.reason for c in plan.choices}["rich"] == "only jupyter-dockerize needs it"


def test_conda_is_kept_whole() -> None:
    source = snapshot(
        pip("numpy", kind="conda"), pip("torch"), conda=(conda("numpy"),), imported=("ipykernel",), executed=1
    )
    plan = minimal(source)
    assert names(plan) == ["ipykernel", "numpy"]
    assert "the notebook uses and 1 conda package;" in line(plan)


@pytest.mark.parametrize(("imported", "executed"), [(None, 0), ((), 3), (("numpy",), 0)])
def test_a_kernel_that_has_not_run_the_notebook_is_refused(
    imported: tuple[str, ...] | None, executed: int
) -> None:
    with pytest.raises(UsageError, match="run all cells"):
        minimal(snapshot(pip("numpy"), imported=imported, executed=executed))
