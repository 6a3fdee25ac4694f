"""What a notebook really uses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.environment.interpret.snapshot import interpret
from jupyter_dockerize.environment.model import PipPackage, Snapshot
from jupyter_dockerize.environment.plan.usage import closure, marker_environment, used_by
from jupyter_dockerize.errors import UsageError

FACTS = Path(__file__).parents[1] / "facts"


def snapshot_of(case: str) -> Snapshot:
    return interpret(json.loads((FACTS / f"{case}.json").read_text()))


def test_what_was_imported_with_all_that_it_requires_and_the_kernel() -> None:
    used = used_by(snapshot_of("linux-venv"))
    assert {"pandas", "numpy", "python-dateutil", "six", "pytz", "tzdata"} <= used
    assert {"ipykernel", "ipython", "traitlets", "decorator", "pyzmq", "tornado"} <= used
    assert {"penguins", "requests", "urllib3"} <= used
    assert not {"black", "click", "torch", "opencv-python", "matplotlib", "contourpy"} & used


def test_an_extra_that_somebody_asks_for_counts_and_one_that_nobody_asks_for_does_not() -> None:
    snapshot = snapshot_of("linux-venv")
    assert "pysocks" in used_by(snapshot)  # penguins requires requests[socks]
    without = replace(snapshot, imported=("requests",))
    assert "pysocks" not in used_by(without)


def test_markers_are_those_of_the_target() -> None:
    snapshot = snapshot_of("macos-arm64")
    assert "appnope" in used_by(snapshot)
    linux = marker_environment(snapshot.python, replace(snapshot.system, os="debian", arch="arm64"))
    assert linux["platform_machine"] == "aarch64"
    assert linux["sys_platform"] == "linux"
    assert "appnope" not in used_by(snapshot, markers=linux)
    assert "sympy" in used_by(snapshot, markers=linux)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("macos-arm64", ("darwin", "Darwin", "arm64", "posix", "3.12")),
        ("linux-venv", ("linux", "Linux", "x86_64", "posix", "3.11")),
    ],
)
def test_marker_environment(case: str, expected: tuple[str, ...]) -> None:
    from packaging.markers import default_environment

    snapshot = snapshot_of(case)
    found = marker_environment(snapshot.python, snapshot.system)
    assert set(found) == set(default_environment())
    keys = ("sys_platform", "platform_system", "platform_machine", "os_name", "python_version")
    assert tuple(found[key] for key in keys) == expected


def test_a_kernel_that_nobody_looked_at_is_refused() -> None:
    snapshot = replace(snapshot_of("linux-venv"), imported=None)
    with pytest.raises(UsageError, match="run the notebook first"):
        used_by(snapshot)


def test_hostile_requirements_are_no_requirements_and_circles_end() -> None:
    packages = [
        PipPackage(name="a", version="1", requires=("b", "x\x00y", "]]]", "b[extra]; nonsense")),
        PipPackage(name="b", version="1", requires=("a", "a[all]", 'c; extra == "extra"')),
        PipPackage(name="c", version="1"),
    ]
    assert closure(packages, ["a"], {"python_version": "3.11"}) == {"a", "b"}
