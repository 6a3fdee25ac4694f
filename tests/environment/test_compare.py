"""Is the image what it was meant to be? Every difference has a class, and that decides the verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.compare import compare, compare_files, compare_snapshots
from jupyter_dockerize.environment.comparison import Comparison, Difference
from jupyter_dockerize.environment.model import (
    Libraries,
    Library,
    MissingLibrary,
    Packages,
    PipPackage,
    Snapshot,
    Source,
)
from jupyter_dockerize.environment.plan.planning import Plan, make_plan, redacted

from .environments import ALPINE, BOOKWORM, apt, conda, image_of, pip, snapshot, snapshots

many = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    return make_plan(draw(snapshots()), Wishes(platform=draw(st.sampled_from((None, "linux/arm64")))))


def with_pip(found: Snapshot, *packages: PipPackage) -> Snapshot:
    return replace(found, packages=replace(found.packages, pip=packages))


def only(result: Comparison, class_: str) -> list[Difference]:
    return [d for d in result.differences if d.class_ == class_]


@many
@given(plans())
def test_the_image_of_a_plan_is_identical_to_it(plan: Plan) -> None:
    result = compare(plan, image_of(plan))
    assert result.verdict == "identical", result.differences
    assert compare(redacted(plan), image_of(plan)).verdict == "identical"


@many
@given(plans())
def test_every_choice_is_listed_as_planned(plan: Plan) -> None:
    listed = {
        (d.manager, d.name, d.field)
        for d in compare(plan, image_of(plan)).differences
        if d.class_ == "planned"
    }
    assert {(c.manager, c.name, c.kind) for c in plan.choices} <= listed


@many
@given(plans())
def test_files_that_were_compared_one_by_one_are_as_good_as_a_look_inside(plan: Plan) -> None:
    same = compare_files(plan, ())
    assert same.verdict == "identical"
    planned = {(c.manager, c.name, c.kind) for c in plan.choices}
    assert planned == {(d.manager, d.name, d.field) for d in same.differences}
    other = Difference(
        manager="file", name="/x", field="mode", expected="644", found="755", class_="unexpected"
    )
    result = compare_files(plan, [other])
    assert (result.verdict, result.summary()) == ("different", "different: 1 file")
    assert only(result, "unexpected") == [other]


@many
@given(plans(), st.data())
def test_a_package_that_is_missing_is_named(plan: Plan, data: st.DataObject) -> None:
    assume(plan.packages.pip)
    lost = data.draw(st.sampled_from(plan.packages.pip))
    found = image_of(plan)
    result = compare(plan, with_pip(found, *(p for p in found.packages.pip if p.name != lost.name)))
    assert result.verdict == "different"
    assert [(d.manager, d.name, d.expected, d.found) for d in only(result, "unexpected")] == [
        ("pip", lost.name, lost.version, "")
    ]


@many
@given(plans(), st.data())
def test_another_version_is_named_with_both(plan: Plan, data: st.DataObject) -> None:
    assume(plan.packages.pip)
    lost = data.draw(st.sampled_from(plan.packages.pip))
    found = image_of(plan)
    result = compare(
        plan,
        with_pip(
            found, *(replace(p, version="99") if p.name == lost.name else p for p in found.packages.pip)
        ),
    )
    assert [(d.name, d.field, d.expected, d.found) for d in only(result, "unexpected")] == [
        (lost.name, "version", lost.version, "99")
    ]


@many
@given(plans(), st.data())
def test_a_conda_record_that_differs_is_named(plan: Plan, data: st.DataObject) -> None:
    assume(any(c.build for c in plan.packages.conda))
    lost = data.draw(st.sampled_from([c for c in plan.packages.conda if c.build]))
    found = image_of(plan)
    records = tuple(replace(c, build="other_7") if c == lost else c for c in found.packages.conda)
    result = compare(plan, replace(found, packages=replace(found.packages, conda=records)))
    assert [(d.manager, d.name, d.field) for d in only(result, "unexpected")] == [
        ("conda", lost.name, "build")
    ]
    records = tuple(c for c in found.packages.conda if c != lost)
    result = compare(plan, replace(found, packages=replace(found.packages, conda=records)))
    assert [(d.manager, d.name, d.field) for d in only(result, "unexpected")] == [
        ("conda", lost.name, "package")
    ]


@many
@given(snapshots())
def test_an_environment_equals_itself(source: Snapshot) -> None:
    assert compare_snapshots(source, source).verdict == "identical"


@many
@given(snapshots(), snapshots())
def test_the_two_sides_of_a_diff_see_the_same_differences(a: Snapshot, b: Snapshot) -> None:
    there, back = compare_snapshots(a, b), compare_snapshots(b, a)
    packages = ("pip", "conda", "apt", "python")
    assert {(d.manager, d.name) for d in there.differences if d.manager in packages} == {
        (d.manager, d.name) for d in back.differences if d.manager in packages
    }


@pytest.mark.parametrize(
    ("scope", "class_", "verdict"),
    [
        ("env", "unexpected", "different"),
        ("user", "unexpected", "different"),
        ("path", "unexpected", "different"),
        ("system", "tolerated", "equivalent"),
        ("debian", "tolerated", "equivalent"),
    ],
)
def test_one_package_too_many_counts_unless_it_is_the_bases_own(
    scope: str, class_: str, verdict: str
) -> None:
    plan = make_plan(snapshot(pip("numpy")), Wishes())
    found = image_of(plan)
    result = compare(plan, with_pip(found, *found.packages.pip, pip("extra", "3.1", scope=scope)))
    [extra] = [d for d in result.differences if d.name == "extra"]
    assert (extra.class_, extra.found, result.verdict) == (class_, f"3.1 ({scope})", verdict)


def test_what_was_left_out_and_is_there_all_the_same_is_tolerated() -> None:
    plan = make_plan(snapshot(pip("jupyter-dockerize", requires=("rich",)), pip("rich")), Wishes())
    found = image_of(plan)
    assert compare(plan, with_pip(found, *found.packages.pip, pip("rich"))).verdict == "equivalent"


@pytest.mark.parametrize(
    ("planned", "found", "class_"),
    [
        (Source(kind="index"), Source(kind="index"), None),
        (Source(kind="unknown"), Source(kind="local", url="file:///x.whl"), None),
        (Source(kind="index"), Source(kind="local", url="file:///x.whl"), "tolerated"),
        (
            Source(kind="index"),
            Source(kind="vcs", url="git+https://github.com/a/b", commit="c" * 40),
            "unexpected",
        ),
        (Source(kind="index"), Source(kind="editable"), "unexpected"),
    ],
)
def test_another_origin_under_the_same_version(planned: Source, found: Source, class_: str | None) -> None:
    plan = make_plan(snapshot(pip("x", source=planned)), Wishes())
    image = image_of(plan)
    image = with_pip(image, *(replace(p, source=found) if p.name == "x" else p for p in image.packages.pip))
    assert [d.class_ for d in compare(plan, image).differences if d.name == "x"] == (
        [class_] if class_ else []
    )


def test_an_announced_change_of_origin_is_planned() -> None:
    plan = make_plan(snapshot(pip("mine", kind="editable", location="/home/ada/mine")), Wishes())
    result = compare(plan, image_of(plan))
    [mine] = [d for d in result.differences if d.name == "mine"]
    assert (mine.field, mine.expected, mine.found, mine.class_, result.verdict) == (
        "changed",
        "editable",
        "wheel",
        "planned",
        "identical",
    )


@pytest.mark.parametrize(("field", "value"), [("version", "3.11.8"), ("implementation", "pypy")])
def test_another_python_is_unexpected(field: str, value: str) -> None:
    plan = make_plan(snapshot(), Wishes())
    found = image_of(plan)
    result = compare(plan, replace(found, python=replace(found.python, **{field: value})))
    assert [(d.manager, d.field, d.found) for d in only(result, "unexpected")] == [("python", field, value)]


def debian_plan() -> Plan:
    libraries = Libraries(files=1, needed=(Library(soname="libGL.so.1", owner="libgl1"),), roots=("libgl1",))
    return make_plan(snapshot(apt=(apt("libgl1", "1.6.0-1"),), libraries=libraries), Wishes())


def test_debian_patch_versions_are_tolerated_and_missing_roots_are_not() -> None:
    plan = debian_plan()
    found = image_of(plan)
    assert compare(plan, found).verdict == "identical"
    newer = replace(found, packages=replace(found.packages, apt=(apt("libgl1", "1.6.0-1+deb12u1"),)))
    result = compare(plan, newer)
    assert result.verdict == "equivalent"
    assert [(d.name, d.expected, d.found) for d in only(result, "tolerated")] == [
        ("libgl1", "1.6.0-1", "1.6.0-1+deb12u1")
    ]
    gone = replace(found, packages=replace(found.packages, apt=()))
    assert compare(plan, gone).summary() == "different: 1 Debian package"


def test_names_with_and_without_t64_are_one_package() -> None:
    plan = debian_plan()
    found = replace(
        image_of(plan), packages=Packages(pip=plan.packages.pip, apt=(apt("libgl1t64", "1.6.0-1"),))
    )
    assert compare(plan, found).verdict == "identical"


def test_what_the_base_brings_is_one_line_and_never_lowers_the_verdict() -> None:
    plan = debian_plan()
    found = image_of(plan)
    more = tuple(apt(f"lib{i}") for i in range(90))
    result = compare(plan, replace(found, packages=replace(found.packages, apt=(*found.packages.apt, *more))))
    assert result.verdict == "identical"
    assert [d.found for d in result.differences if d.manager == "apt"] == ["91 packages"]


def missing(*pairs: tuple[str, str]) -> Libraries:
    return Libraries(files=1, missing=tuple(MissingLibrary(file=f, soname=s) for f, s in pairs))


CV2 = ("site-packages/cv2/cv2.abi3.so", "libGL.so.1")


def test_a_library_that_resolved_here_and_not_there_is_named_with_the_package_that_has_it() -> None:
    plan = make_plan(snapshot(pip("opencv-python")), Wishes())
    result = compare(plan, replace(image_of(plan), libraries=missing(CV2)))
    [lost] = only(result, "unexpected")
    assert (lost.manager, lost.name, lost.expected) == ("library", *CV2)
    assert "libgl1" in lost.note and result.summary() == "different: 1 library"


def test_a_library_that_was_missing_in_the_source_too_is_no_difference() -> None:
    source = snapshot(
        pip("opencv-python"), libraries=missing(("dist-packages/cv2/cv2.abi3.so", "libGL.so.1"))
    )
    plan = make_plan(source, Wishes())
    assert compare(plan, replace(image_of(plan), libraries=missing(CV2))).verdict == "identical"
    other = missing(CV2, ("site-packages/cv2/cv2.abi3.so", "libX11.so.6"))
    assert [
        d.expected for d in only(compare(plan, replace(image_of(plan), libraries=other)), "unexpected")
    ] == ["libX11.so.6"]


@pytest.mark.parametrize(
    "pair",
    [
        ("site-packages/torch/lib/libtorch_cuda.so", "libcuda.so.1"),
        ("site-packages/numba/np/ufunc/tbbpool.cpython-311-x86_64-linux-gnu.so", "libtbb.so.12"),
    ],
)
def test_what_a_driver_brings_or_nothing_needs_is_tolerated(pair: tuple[str, str]) -> None:
    plan = make_plan(snapshot(), Wishes())
    assert compare(plan, replace(image_of(plan), libraries=missing(pair))).verdict == "equivalent"


def test_libraries_that_nobody_looked_at_are_not_compared() -> None:
    plan = make_plan(snapshot(), Wishes())
    assert compare(plan, replace(image_of(plan), libraries=None)).verdict == "identical"


def test_a_private_channel_is_the_same_in_the_stored_plan() -> None:
    record = replace(conda("x"), channel="https://conda.corp.local/main")
    plan = make_plan(snapshot(conda=(record,)), Wishes())
    assert compare(redacted(plan), image_of(plan)).verdict == "identical"


def test_another_release_of_debian_is_named_once_and_its_packages_count() -> None:
    a = snapshot(apt=(apt("libssl3", "3.0.11-1"),))
    b = replace(
        a,
        system=replace(BOOKWORM, version="13", codename="trixie"),
        packages=replace(a.packages, apt=(apt("libssl3", "3.5.1-1"),)),
    )
    result = compare_snapshots(a, b)
    assert {(d.manager, d.class_) for d in result.differences} == {
        ("system", "unexpected"),
        ("apt", "unexpected"),
    }
    patched = replace(a, packages=replace(a.packages, apt=(apt("libssl3", "3.0.17-1~deb12u2"),)))
    assert compare_snapshots(a, patched).verdict == "equivalent"
    assert compare_snapshots(a, replace(a, system=ALPINE)).verdict == "different"


@pytest.mark.parametrize(
    ("result", "summary"),
    [
        (Comparison(verdict="identical", packages=162), "identical: 162 packages"),
        (Comparison(verdict="identical", packages=1), "identical: 1 package"),
        (Comparison(verdict="skipped", reason="--no-verify"), "skipped: --no-verify"),
        (Comparison(verdict="impossible"), "impossible"),
    ],
)
def test_the_summary_is_one_line_for_people(result: Comparison, summary: str) -> None:
    assert result.summary() == summary


def test_the_summary_counts_each_library_that_is_listed() -> None:
    plan = make_plan(snapshot(pip("a")), Wishes())
    found = replace(image_of(plan), libraries=missing(CV2, (CV2[0], "libother.so.1")))
    assert compare(plan, found).summary() == "different: 2 libraries"


def test_the_summary_counts_names_not_lines() -> None:
    plan = make_plan(snapshot(pip("a"), pip("b")), Wishes())
    found = replace(image_of(plan), libraries=missing(CV2))
    changed = with_pip(
        found,
        *(
            replace(p, version="9", source=Source(kind="editable")) if p.name != "ipykernel" else p
            for p in found.packages.pip
        ),
    )
    assert compare(plan, changed).summary() == "different: 2 packages, 1 library"
    tolerated = with_pip(image_of(plan), *plan.packages.pip, pip("wheel", scope="system"))
    assert compare(plan, tolerated).summary() == "equivalent: 3 packages, tolerated: 1 package"


def test_the_gravest_differences_come_first() -> None:
    plan = make_plan(snapshot(pip("a"), pip("mine", kind="local")), Wishes())
    result = compare(plan, with_pip(image_of(plan), pip("z")))
    assert result.verdict == "different"
    assert [d.class_ for d in result.differences] == ["unexpected"] * 4 + ["planned"] * 2


def test_tk_is_tolerated_because_the_official_images_come_without_it_and_the_note_says_how_to_have_it() -> (
    None
):
    plan = make_plan(snapshot(), Wishes())
    file = "python/lib-dynload/_tkinter.cpython-311-x86_64-linux-gnu.so"
    found = replace(
        image_of(plan),
        libraries=Libraries(files=1, missing=(MissingLibrary(file=file, soname="libtk8.6.so"),)),
    )
    comparison = compare(plan, found)
    assert comparison.verdict == "equivalent"
    (difference,) = [d for d in comparison.differences if d.class_ == "tolerated"]
    assert "--apt libtk8.6" in difference.note


def test_an_image_whose_packages_lost_files_is_different() -> None:
    plan = make_plan(snapshot(pip("humanize"), pip("six")), Wishes())
    sound = image_of(plan)
    broken = with_pip(
        sound,
        *(replace(p, edited=("a.py",), lost=("b.py",)) if p.name == "six" else p for p in sound.packages.pip),
    )
    [difference] = only(compare(plan, broken), "unexpected")
    assert (difference.name, difference.field) == ("six", "files")
    assert difference.found == "edited or gone: a.py and 1 more"


def test_an_edited_package_is_compared_by_its_bytes() -> None:
    edited = pip("six", edited=("six.py",), content="0" * 64)
    plan = make_plan(snapshot(edited, pip("humanize", content="1" * 64)), Wishes())
    with_the_changes = image_of(plan)
    carried = compare(plan, with_the_changes)
    assert carried.verdict == "identical"
    assert ("six", "edited", "wheel") in {(d.name, d.expected, d.found) for d in carried.differences}
    as_published = (
        replace(p, content="2" * 64, source=Source(kind="index")) if p.name == "six" else p
        for p in with_the_changes.packages.pip
    )
    old = compare(plan, with_pip(with_the_changes, *as_published))
    [difference] = only(old, "unexpected")
    assert (old.verdict, difference.name, difference.field) == ("different", "six", "files")
    assert (difference.expected, difference.found) == ("edited: six.py", "without these changes")
    assert not [d for d in only(old, "planned") if d.name == "six"]  # it is not carried


def test_the_same_edit_in_source_and_image_is_no_difference() -> None:
    edited = pip("six", edited=("six.py",), content="0" * 64)
    plan = make_plan(snapshot(edited), Wishes())
    same = (replace(p, edited=("six.py",)) if p.name == "six" else p for p in image_of(plan).packages.pip)
    assert compare(plan, with_pip(image_of(plan), *same)).verdict == "identical"


def test_an_image_with_two_records_of_one_package_is_different() -> None:
    plan = make_plan(snapshot(pip("six", "2.0")), Wishes())
    sound = image_of(plan)
    doubled = with_pip(
        sound, *(replace(p, others=("1.0",)) if p.name == "six" else p for p in sound.packages.pip)
    )
    [difference] = only(compare(plan, doubled), "unexpected")
    assert (difference.name, difference.field) == ("six", "records")
    assert (difference.expected, difference.found) == ("2.0", "1.0, 2.0")


def test_two_records_of_what_the_base_brings_are_its_own() -> None:
    plan = make_plan(snapshot(pip("six")), Wishes())
    sound = image_of(plan)
    debians = pip("cryptography", kind="apt", scope="debian", others=("1.0",))
    assert compare(plan, with_pip(sound, *sound.packages.pip, debians)).verdict == "equivalent"
