"""Debian packages by need: what is linked, called or asked for goes in, the rest is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.model import Libraries, Library, Snapshot, System
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.environment.releases import start_of
from jupyter_dockerize.errors import UsageError

from ..environments import BOOKWORM, FEDORA, MACOS, NOBLE, apt, pip, snapshot


def debian(plan: Plan) -> list[str]:
    return [p.name for p in plan.packages.apt]


def linked(*owned: tuple[str, str | None], system: System = BOOKWORM, **more: object) -> Snapshot:
    """An environment that needs the libraries ``(soname, owner)``."""
    needed = tuple(Library(soname=soname, owner=owner, by=("site-packages/x.so",)) for soname, owner in owned)
    roots = tuple(sorted({owner for _, owner in owned if owner}))
    debs = tuple(apt(root, manual=False) for root in roots)
    more.setdefault("apt", debs)
    return snapshot(system=system, libraries=Libraries(files=1, needed=needed, roots=roots), **more)  # type: ignore[arg-type]


def test_what_is_linked_is_installed_by_the_name_and_with_the_version_of_the_source() -> None:
    plan = make_plan(linked(("libGL.so.1", "libgl1"), ("libpq.so.5", "libpq5")), Wishes())
    assert [(p.name, p.version) for p in plan.packages.apt] == [("libgl1", "1.0-1"), ("libpq5", "1.0-1")]
    assert plan.choices == ()


@pytest.mark.parametrize(
    ("package", "installed", "planned"),
    [
        ("graphviz", "graphviz", ["graphviz"]),
        ("pydub", "ffmpeg", ["ffmpeg"]),
        ("gitpython", "git", ["git"]),
        ("pyspark", "openjdk-17-jre-headless", ["openjdk-17-jre-headless"]),
        ("pytesseract", "tesseract-ocr-deu", ["tesseract-ocr-deu"]),
        ("weasyprint", "libpangoft2-1.0-0", ["libpangoft2-1.0-0"]),
        ("graphviz", "texlive", []),
        ("numpy", "graphviz", []),
    ],
)
def test_programs_that_python_packages_call_come_along_where_the_source_has_them(
    package: str, installed: str, planned: list[str]
) -> None:
    plan = make_plan(snapshot(pip(package), apt=(apt(installed),)), Wishes())
    assert debian(plan) == planned
    assert [c.name for c in plan.choices if c.kind == "left-out"] == ([] if planned else [installed])


def test_the_same_library_has_another_name_after_the_transition_to_64_bit_time() -> None:
    source = linked(("libglib-2.0.so.0", "libglib2.0-0t64"), system=NOBLE, apt=(apt("libglib2.0-0t64"),))
    assert debian(make_plan(source, Wishes(base="python:3.11-slim-trixie"))) == ["libglib2.0-0t64"]
    plan = make_plan(source, Wishes(base="python:3.11-slim-bookworm"))
    assert debian(plan) == ["libglib2.0-0"]
    [renamed] = [c for c in plan.choices if c.kind == "changed"]
    assert (renamed.source, renamed.planned) == ("libglib2.0-0t64", "libglib2.0-0")


def test_what_is_asked_for_has_its_name_of_the_images_release() -> None:
    wishes = Wishes(apt=("libglib2.0-0t64",), base="python:3.11-slim-bookworm")
    assert debian(make_plan(snapshot(), wishes)) == ["libglib2.0-0"]


def test_names_follow_the_soname_into_another_release() -> None:
    source = linked(("libportaudio.so.2", "libportaudio2"), ("libasound.so.2", "libasound2"))
    assert debian(make_plan(source, Wishes(base="python:3.11-slim-trixie"))) == [
        "libasound2t64",
        "libportaudio2",
    ]


def test_a_library_that_another_release_has_in_another_version_is_named() -> None:
    source = linked(("libavcodec.so.59", "libavcodec59"))
    plan = make_plan(source, Wishes(base="python:3.11-slim-trixie"))
    assert debian(plan) == []
    assert [(c.kind, c.name) for c in plan.choices] == [("left-out", "libavcodec59")]
    assert [f.code for f in plan.findings] == ["library-not-in-base"]


def test_a_linux_that_is_not_debian_gets_debians_names_from_its_sonames() -> None:
    found = Libraries(files=1, needed=(Library(soname="libpq.so.5"),), roots=("libpq5",))
    plan = make_plan(snapshot(system=FEDORA, libraries=found), Wishes())
    assert debian(plan) == ["libpq5"]
    assert plan.findings == ()


def test_a_library_that_no_package_holds_is_a_finding() -> None:
    plan = make_plan(linked(("libta_lib.so.0", None)), Wishes())
    [finding] = plan.findings
    assert finding.code == "library-unowned" and "libta_lib.so.0" in finding.message


@pytest.mark.parametrize(
    "soname",
    [
        "libc.so.6",
        "libm.so.6",
        "ld-linux-x86-64.so.2",
        "libcuda.so.1",
        "libpython3.11.so.1.0",
        "libstdc++.so.6",
    ],
)
def test_what_every_base_or_the_driver_brings_is_no_finding(soname: str) -> None:
    assert make_plan(linked((soname, None)), Wishes()).findings == ()


def test_on_macos_the_table_says_what_linux_wheels_need() -> None:
    plan = make_plan(snapshot(pip("weasyprint"), pip("pyspark"), system=MACOS, libraries=None), Wishes())
    assert debian(plan) == [
        "default-jre-headless",
        "libharfbuzz-subset0",
        "libpango-1.0-0",
        "libpangoft2-1.0-0",
    ]
    assert plan.findings == ()


def test_manual_packages_that_nothing_needs_are_left_out_by_name() -> None:
    source = snapshot(apt=(apt("vim"), apt("tzdata", priority="required"), apt("libx11-6", manual=False)))
    plan = make_plan(source, Wishes())
    assert {(c.name, c.source) for c in plan.choices} == {("vim", "1.0-1"), ("*", "2 packages")}
    assert "--apt NAME" in next(c.reason for c in plan.choices if c.name == "vim")


def test_what_was_asked_for_is_no_deviation_where_the_source_has_it() -> None:
    plan = make_plan(snapshot(apt=(apt("vim"),)), Wishes(apt=("vim", "curl")))
    assert debian(plan) == ["curl", "vim"]
    assert [(c.kind, c.name, c.reason) for c in plan.choices] == [("added", "curl", "asked for")]


@pytest.mark.parametrize(
    "name", ["-y", "lib gl1", "libgl1; evil", "LibGL1", "", "libgl1:amd64", "x\nRUN evil"]
)
def test_what_is_no_debian_package_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a Debian package"):
        make_plan(snapshot(), Wishes(apt=(name,)))


@pytest.mark.parametrize(
    ("system", "python", "base", "release"),
    [
        (BOOKWORM, "3.11.7", None, "bookworm"),
        (BOOKWORM, "3.11.7", "python:3.12-slim-trixie", "trixie"),
        (BOOKWORM, "3.11.7", "registry.corp.local:5000/team/base:1", "bookworm"),
        (replace(BOOKWORM, codename="trixie"), "3.13.7", None, "trixie"),
        (replace(BOOKWORM, codename="trixie"), "3.11.7", None, "bookworm"),
        (NOBLE, "3.12.11", None, "trixie"),
        (NOBLE, "3.12.3", None, "bookworm"),
        (replace(NOBLE, codename="jammy"), "3.10.12", None, "bookworm"),
        (FEDORA, "3.13.7", None, "trixie"),
        (System(os="rocky", libc="glibc 2.34"), "3.11.7", None, "bookworm"),
        (MACOS, "3.12.4", None, "bookworm"),
        (MACOS, "3.13.7", None, "trixie"),
    ],
)
def test_the_release_whose_names_are_planned(
    system: System, python: str, base: str | None, release: str
) -> None:
    assert start_of(python, system, (), base=base).codename == release


def test_where_debians_own_python_is_taken_its_parts_come_along() -> None:
    parts = (apt("python3"), apt("python3-tk"), apt("python3-venv"), apt("python3-numpy"))
    source = snapshot(apt=parts)
    assert debian(make_plan(source, Wishes())) == []
    source = replace(source, python=replace(source.python, version="3.11.2"))
    assert debian(make_plan(source, Wishes())) == ["python3", "python3-tk"]
    assert debian(make_plan(source, Wishes(base="python:3.11-slim-bookworm"))) == []
