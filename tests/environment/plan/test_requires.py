"""Who needs whom, by what Requires-Dist says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.model import Python, System
from jupyter_dockerize.environment.plan.requires import Need, needs, only_for
from jupyter_dockerize.environment.plan.usage import marker_environment

from ..environments import pip

PYTHON = Python(implementation="cpython", version="3.11.7")
LINUX = marker_environment(PYTHON, System(os="debian", arch="amd64"))
MACOS = marker_environment(PYTHON, System(os="macos", arch="arm64"))


@pytest.mark.parametrize(
    ("text", "name", "requirement"),
    [
        ("numpy>=1.2,<3", "numpy", "numpy<3,>=1.2"),
        ("Jinja2 (>=2.0) ; python_version < '4'", "jinja2", "jinja2>=2.0"),
        ("uvicorn[standard]~=0.1", "uvicorn", "uvicorn[standard]~=0.1"),
        ("zope.interface", "zope-interface", "zope-interface"),
        ("pip @ https://pypi.corp.local/pip.whl", "pip", "pip"),
        ("odd !! requirement", "odd", "odd"),
    ],
)
def test_a_requirement_is_read_as_far_as_it_goes(text: str, name: str, requirement: str) -> None:
    [need] = needs([pip("a", requires=(text,))])
    assert (need.by, need.name, need.requirement) == ("a", name, requirement)


@pytest.mark.parametrize(
    ("marker", "linux", "macos"),
    [
        ("", True, True),
        ("sys_platform == 'darwin'", False, True),
        ("platform_system == 'Linux' and platform_machine == 'x86_64'", True, False),
        ("extra == 'x' and os_name == 'posix'", True, True),
        ("python_version < '3.8'", False, False),
        ("this is no marker", True, True),
    ],
)
def test_markers_are_asked_for_each_platform(marker: str, linux: bool, macos: bool) -> None:
    need = Need("a", "b", f"b; {marker}" if marker else "b")
    assert need.holds(MACOS) == macos
    assert need.holds(LINUX) == linux


def test_without_its_extras_an_optional_requirement_does_not_hold() -> None:
    assert not Need("a", "b", "b; extra == 'x'").holds(LINUX, extras=False)


@pytest.mark.parametrize(
    ("extra", "developers"),
    [
        ("test", True),
        ("tests", True),
        ("docs", True),
        ("dev", True),
        ("typing", True),
        ("http", False),
        ("all", False),
        ("s3", False),
        ("torch", False),
    ],
)
def test_extras_for_a_packages_own_development_are_told_by_their_names(extra: str, developers: bool) -> None:
    assert Need("a", "b", f"b; extra == '{extra}'").for_developers == developers


def test_only_for_finds_what_nobody_else_needs_at_any_depth() -> None:
    packages = [
        pip("root", requires=("a", "b")),
        pip("a", requires=("deep", "shared")),
        pip("b"),
        pip("deep", requires=("a",)),
        pip("shared"),
        pip("user", requires=("shared",)),
    ]
    assert only_for("root", packages) == {"a", "b", "deep"}
    assert only_for("root", packages, kept=["a"]) == {"b"}
    assert only_for("nobody", packages) == frozenset()


def test_an_extra_never_makes_a_package_ours_and_may_make_it_somebody_elses() -> None:
    packages = [
        pip("root", requires=("a", "jupyterlab; extra == 'lab'")),
        pip("a", requires=("pandas; extra == 'frames'",)),
        pip("pandas"),
        pip("jupyterlab"),
    ]
    assert only_for("root", packages) == {"a"}
    assert only_for("root", [*packages, pip("user", requires=("a; extra == 'http'",))]) == frozenset()
    assert only_for("root", [*packages, pip("user", requires=("a; extra == 'test'",))]) == {"a"}


NAMES = st.sampled_from(["root", "a", "b", "c", "d", "e"])


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4)))
def test_nothing_that_stays_needs_what_goes(graph: dict[str, list[str]]) -> None:
    packages = [pip(name, requires=tuple(needed)) for name, needed in graph.items()]
    gone = only_for("root", packages)
    assert "root" not in gone and gone <= graph.keys()
    for name, needed in graph.items():
        if name not in gone | {"root"}:
            assert not gone & set(needed)


@given(st.text(max_size=200))
def test_any_text_can_stand_as_a_requirement(text: str) -> None:
    for need in needs([pip("a", requires=(text,))]):
        assert need.name and isinstance(need.holds(LINUX), bool) and need.requirement
