"""The plan of a copy: each package as it is and where it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.compare import compare
from jupyter_dockerize.environment.interpret.snapshot import interpret
from jupyter_dockerize.environment.model import Libraries, Snapshot, Source
from jupyter_dockerize.environment.plan.copied import as_copied, settled, settled_onto
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.errors import UsageError

from ..environments import NOBLE, apt, image_of, pip, snapshot

FACTS = Path(__file__).parents[1] / "facts"


def copied(source: Snapshot, **wishes: object) -> Plan:
    return as_copied(make_plan(source, Wishes(**wishes)), source)  # type: ignore[arg-type]


def image(plan: Plan, source: Snapshot) -> Snapshot:
    """What is found in a copy: the same packages, and of Debian's what came along."""
    return replace(source, packages=replace(source.packages, pip=plan.packages.pip, apt=plan.packages.apt))


def test_nothing_becomes_a_wheel_or_moves_into_one_environment() -> None:
    source = snapshot(
        pip("mine", kind="editable", location="/home/ada/mine"), pip("user", scope="user"),
        pip("built", built_locally=True, tags=("cp311-cp311-linux_x86_64",)), pip("numpy", "1.26.4"),
        pip("yaml", kind="apt", scope="debian"),
    )  # fmt: skip
    plan = copied(source)
    assert plan.packages.pip == source.packages.pip
    assert plan.choices == ()
    assert compare(plan, image(plan, source)).verdict == "identical"


def test_a_checkout_comes_without_its_repository_and_that_is_planned() -> None:
    checkout = Source(kind="editable", url="https://github.com/ada/mine", commit="a" * 40)
    source = snapshot(pip("mine", source=checkout, location="/home/ada/mine"))
    plan = copied(source)
    assert [(c.name, c.source, c.planned) for c in plan.choices] == [("mine", "checkout", "files")]
    found = snapshot(pip("mine", source=Source(kind="editable", url="file:///home/ada/mine")))
    assert compare(plan, image(copied(found), found)).verdict == "identical"


def test_no_kernel_is_added_where_nobody_installs_one() -> None:
    source = snapshot(pip("numpy"))
    source = replace(source, packages=replace(source.packages, pip=(pip("numpy"),)))
    assert make_plan(source, Wishes()).requirements == ("ipykernel",)
    plan = copied(source)
    assert (plan.requirements, plan.choices) == ((), ())


def test_what_was_edited_is_planned_and_no_difference() -> None:
    """Also for the plan that the image carries, which has lost the names of the files."""
    source = snapshot(pip("numpy", edited=("numpy/core.py",)), pip("scipy", lost=("scipy/tests.py",)))
    plan = copied(source)
    assert {(c.name, c.source, c.planned) for c in plan.choices} == {
        ("numpy", "edited", "as it is"),
        ("scipy", "edited", "as it is"),
    }
    assert compare(plan, image(plan, source)).verdict == "identical"
    other = snapshot(pip("numpy"), pip("scipy"))
    assert compare(copied(other), image(plan, source)).verdict == "different"


def test_debian_packages_are_those_of_the_source_by_its_own_names() -> None:
    source = snapshot(
        system=NOBLE, apt=(apt("libssl3t64"), apt("stray"), apt("wanted")),
        libraries=Libraries(files=1, roots=("libssl3t64",)),
    )  # fmt: skip
    plan = copied(source, apt=("wanted",))
    assert [package.name for package in plan.packages.apt] == ["libssl3t64", "wanted"]
    final = settled(plan, source, {"libssl3t64", "wanted", "libc6"}, lambda path: False)
    assert [(c.kind, c.manager, c.name) for c in final.choices] == [("left-out", "apt", "stray")]


def test_a_debian_package_that_is_asked_for_has_to_be_here() -> None:
    with pytest.raises(UsageError, match="cowsay is not installed here"):
        copied(snapshot(apt=(apt("bash"),)), apt=("cowsay",))


def test_a_tool_of_debians_own_is_planned_where_its_package_came_along() -> None:
    place = "/usr/lib/python3/dist-packages/python_apt.egg-info"
    tool = pip("python-apt", kind="apt", scope="debian", dist_info=place)
    source = snapshot(tool)
    plan = copied(source)
    assert "python-apt" not in {package.name for package in plan.packages.pip}
    assert plan == settled(plan, source, (), lambda path: False)
    came = settled(plan, source, (), lambda path: path == place)
    assert "python-apt" in {package.name for package in came.packages.pip}
    assert came.choices == ()


@pytest.mark.parametrize("facts", ["macos-arm64", "linux-venv"])
def test_files_of_another_platform_cannot_be_copied(facts: str) -> None:
    source = interpret(json.loads((FACTS / f"{facts}.json").read_text()))
    other = "linux/arm64" if source.system.arch == "amd64" else None
    with pytest.raises(UsageError, match="cannot be copied to linux/arm64") as caught:
        copied(source, platform=other)
    assert "--method copy" in caught.value.fix


def test_of_an_unknown_machine_nothing_is_copied() -> None:
    facts = json.loads((FACTS / "linux-venv.json").read_text())
    facts["system"]["machine"] = "riscv64"
    source = interpret(facts)
    with pytest.raises(UsageError, match="no image can be planned for riscv64"):
        copied(source)
    with pytest.raises(UsageError, match="on riscv64 cannot be copied"):
        copied(source, platform="linux/amd64")


def test_an_image_of_a_build_is_not_what_is_meant_here() -> None:
    """A copy and a rebuild of one environment have the same fingerprint."""
    source = snapshot(pip("numpy"), pip("mine", kind="local"))
    plan = make_plan(source, Wishes())
    assert copied(source).fingerprint == plan.fingerprint
    assert compare(plan, image_of(plan)).verdict == "identical"


def test_on_a_base_debians_packages_are_those_of_the_base() -> None:
    source = snapshot(
        pip("numpy"), apt=(apt("libpq5", "15.1"), apt("libssl3", "3.0"), apt("curl", "7"), apt("vim", "9"))
    )
    source = replace(source, libraries=Libraries(files=1, roots=("libpq5", "libssl3", "curl")))
    plan = settled_onto(copied(source), source, {"libssl3t64": "3.5", "curl": "7", "bash": "5"}, {"libpq5"})
    assert {(p.name, p.version) for p in plan.packages.apt} == {("curl", "7"), ("libssl3", "3.5")}
    assert {(c.kind, c.name, c.source, c.planned) for c in plan.choices} == {
        ("left-out", "libpq5", "15.1", ""),
        ("changed", "libssl3", "3.0", "3.5"),
        ("left-out", "*", "1 package", ""),
    }
    found = replace(
        source, packages=replace(source.packages, apt=(apt("libssl3t64", "3.5"), apt("curl", "7")))
    )
    assert compare(plan, found).verdict == "identical"


def test_a_package_that_was_asked_for_and_that_the_base_lacks_is_refused() -> None:
    source = snapshot(pip("numpy"), apt=(apt("curl", "7"),))
    with pytest.raises(UsageError, match="does not have the package curl"):
        settled_onto(copied(source, apt=("curl",), base="debian:13"), source, {"bash": "5"}, ())
