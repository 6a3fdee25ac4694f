"""Who needs whom, by what Requires-Dist says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import default_environment

from jupyter_dockerize.environment.model import Python, System
from jupyter_dockerize.environment.plan.requires import (
    Need,
    closure,
    marker_environment,
    needs,
    only_for,
)

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
        ("python_version < '3.8'", False, False),
        ("this is no marker", True, True),
    ],
)
def test_markers_are_asked_for_each_platform(marker: str, linux: bool, macos: bool) -> None:
    need = Need("a", "b", f"b; {marker}" if marker else "b")
    assert need.holds(MACOS) == macos
    assert need.holds(LINUX) == linux


@pytest.mark.parametrize(
    ("marker", "plain", "asked"),
    [
        ("extra == 'x'", False, True),
        ("(extra=='X')", False, True),
        ("extra == 'y'", False, False),
        ("extra == 'x' and os_name == 'nt'", False, False),
        ("extra == 'x' or os_name == 'posix'", True, True),
        ("os_name == 'posix'", True, True),
    ],
)
def test_a_requirement_behind_an_extra_holds_where_the_extra_is_asked_for(
    marker: str, plain: bool, asked: bool
) -> None:
    need = Need("a", "b", f"b; {marker}")
    assert need.holds(LINUX) == plain
    assert need.holds(LINUX, "x") == asked


def test_extras_travel_with_whoever_asks_for_them() -> None:
    packages = [
        pip("a", requires=("b[All]",)),
        pip("b", requires=("b[one,two]; extra == 'all'", "c; extra == 'one'", "d[x] ; extra == 'two'")),
        pip("c"),
        pip("d", requires=("e; extra == 'x'", "f; extra == 'y'")),
        pip("e"),
        pip("f"),
    ]
    assert closure(packages, ["a"], LINUX).keys() == set("abcde")
    assert closure(packages, ["b"], LINUX).keys() == {"b"}
    assert closure(packages, ["a"], LINUX)["b"] == {"", "all", "one", "two"}


def test_requirements_that_cannot_be_read_leave_nothing_out_and_circles_end() -> None:
    packages = [
        pip("a", requires=("b", "x\x00y", "]]]", "b[extra]; nonsense")),
        pip("b", requires=("a", "a[all]", 'c; extra == "extra"', 'd; extra == "other"')),
        pip("c"),
        pip("d"),
    ]
    assert closure(packages, ["a"], LINUX).keys() == {"a", "b", "c"}


def test_only_for_finds_what_nobody_else_needs_at_any_depth() -> None:
    packages = [
        pip("root", requires=("a", "b")),
        pip("a", requires=("deep", "shared")),
        pip("b"),
        pip("deep", requires=("a",)),
        pip("shared"),
        pip("user", requires=("shared",)),
    ]
    assert only_for("root", packages, (), LINUX) == {"a", "b", "deep"}
    assert only_for("root", packages, ["a"], LINUX) == {"b"}
    assert only_for("nobody", packages, (), LINUX) == frozenset()


def test_an_extra_counts_only_where_somebody_asks_for_it() -> None:
    packages = [
        pip("root", requires=("a[http]", "jupyterlab; extra == 'lab'")),
        pip("a", requires=("b; extra == 'http'", "pandas; extra == 'frames'")),
        pip("b"),
        pip("pandas"),
        pip("jupyterlab"),
    ]
    assert only_for("root", packages, (), LINUX) == {"a", "b"}
    unasked = pip("user", requires=("a; extra == 'http'",))
    assert only_for("root", [*packages, unasked], (), LINUX) == {"a", "b"}
    asking = pip("other", requires=("user[http]",))
    assert only_for("root", [*packages, unasked, asking], (), LINUX) == {"b"}
    elsewhere = pip("user", requires=("a; sys_platform == 'win32'",))
    assert only_for("root", [*packages, elsewhere], (), LINUX) == {"a", "b"}


NAMES = st.sampled_from(["root", "a", "b", "c", "d", "e"])
ASKED = st.sampled_from(["", "[x]", "[x,y]"])
BEHIND = st.sampled_from(["", "; extra == 'x'", "; extra == 'y' and os_name == 'posix'", "; os_name == 'nt'"])
NEEDS = st.lists(st.tuples(NAMES, ASKED, BEHIND), max_size=4)


@given(st.dictionaries(NAMES, NEEDS), st.sets(NAMES))
def test_nothing_that_stays_needs_what_goes_and_all_that_goes_was_ours(
    graph: dict[str, list[tuple[str, str, str]]], kept: set[str]
) -> None:
    packages = [pip(name, requires=tuple(map("".join, needed))) for name, needed in graph.items()]
    gone = only_for("root", packages, kept, LINUX)
    assert gone <= closure(packages, ["root"], LINUX).keys() - {"root"} - kept
    others = [p for p in packages if p.name != "root"]
    assert not gone & closure(others, graph.keys() - gone - {"root"}, LINUX).keys()


@given(st.text(max_size=200))
def test_any_text_can_stand_as_a_requirement(text: str) -> None:
    for need in needs([pip("a", requires=(text,))]):
        assert need.name and isinstance(need.holds(LINUX), bool) and need.requirement


@pytest.mark.parametrize(
    ("python", "system", "expected"),
    [
        (PYTHON, System(os="macos", arch="arm64"), ("darwin", "Darwin", "arm64", "posix", "3.11")),
        (PYTHON, System(os="debian", arch="amd64"), ("linux", "Linux", "x86_64", "posix", "3.11")),
        (PYTHON, System(os="windows", arch="amd64"), ("win32", "Windows", "AMD64", "nt", "3.11")),
    ],
)
def test_marker_environment(python: Python, system: System, expected: tuple[str, ...]) -> None:
    found = marker_environment(python, system)
    assert set(found) == set(default_environment())
    keys = ("sys_platform", "platform_system", "platform_machine", "os_name", "python_version")
    assert tuple(found[key] for key in keys) == expected
