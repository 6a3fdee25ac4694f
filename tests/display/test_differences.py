"""Differences in words, and many of them as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_dockerize.display import text
from jupyter_dockerize.display.differences import PLAN, Sides, in_words, lines, meant, of_planned, sides_of
from jupyter_dockerize.environment.comparison import Comparison, Difference

from .samples import LIBRARY, PATCH, PLANNED


def pip(**values: str) -> Difference:
    base = {
        "manager": "pip",
        "name": "numpy",
        "field": "version",
        "expected": "1",
        "found": "2",
        "class_": "unexpected",
    }
    return Difference(**{**base, **values})  # type: ignore[arg-type]


SOURCE = sides_of(Comparison(verdict="different", expected="live:5f0c", found="penguins"))
DIFF = sides_of(Comparison(verdict="different", expected="image:a", found="image:b", image=False))
GONE = pip(field="package", expected="1", found="")
MORE = pip(field="package", expected="", found="2 (env)")


@pytest.mark.parametrize(
    ("value", "sides", "words"),
    [
        (GONE, PLAN, "numpy 1: planned, not in the image"),
        (MORE, PLAN, "numpy 2: in the image, not planned"),
        (pip(), PLAN, "numpy: 1 planned, 2 in the image"),
        (GONE, SOURCE, "numpy 1: in live:5f0c, not in the image"),
        (MORE, SOURCE, "numpy 2: in the image, not in live:5f0c"),
        (pip(), SOURCE, "numpy: live:5f0c has 1, the image has 2"),
        (GONE, DIFF, "numpy 1: only in image:a"),
        (MORE, DIFF, "numpy 2: only in image:b"),
        (pip(), DIFF, "numpy: image:a has 1, image:b has 2"),
        (
            pip(field="source", expected="index", found=""),
            PLAN,
            "numpy: source index planned, nothing in the image",
        ),
        (
            pip(field="files", expected="as installed", found="edited or gone: a.py"),
            PLAN,
            "numpy: edited or gone: a.py",
        ),
        (LIBRARY, PLAN, "libGL.so.1 is missing in the image, cv2/cv2.abi3.so needs it"),
        (
            replace(LIBRARY, expected="", found="libGL.so.1"),
            DIFF,
            "libGL.so.1 is missing in image:a, cv2/cv2.abi3.so needs it",
        ),
        (PATCH, PLAN, "libssl3: 3.0.19 planned, 3.0.22 in the image"),
    ],
)
def test_each_difference_says_where_what_is(value: Difference, sides: Sides, words: str) -> None:
    assert in_words(value, sides) == words


def test_many_of_a_kind_are_cut_short_and_counted() -> None:
    packages = [pip(manager="apt", name=f"lib{n}", field="package", found="") for n in range(822)]
    first, *shown, last = lines([*packages, MORE], DIFF)
    assert first.text == in_words(MORE, DIFF)
    assert len(shown) == 10
    assert last.text == "and 812 more Debian packages only in image:a: `--json` lists all"


def test_tolerated_ones_of_one_reason_are_one_line() -> None:
    tolerated = replace(LIBRARY, class_="tolerated", note="no window is drawn")
    line, other = lines([tolerated, replace(tolerated, expected="libX.so.6"), PATCH])
    assert line.text == "2 libraries missing in the image: libGL.so.1, libX.so.6"
    assert line.note == "no window is drawn"
    assert other.text == in_words(PATCH)


def test_what_was_meant_is_a_sentence() -> None:
    assert meant(of_planned(PLANNED)) == (
        "added to the image: 1 package; left out of the image on purpose: 695 Debian packages"
    )
    folders = [
        pip(manager="index", name=f"/wheels/{n}", field="left-out", class_="planned") for n in range(3)
    ]
    assert meant(of_planned(folders)) == "left out of the image on purpose: 3 package folders of this machine"


def test_one_group_for_each_reason_the_rarest_kind_first() -> None:
    added, whole, left = of_planned((LIBRARY, *PLANNED))
    assert (added.kind, added.counted, added.shown) == ("added", "1 package", "ipykernel")
    assert (whole.kind, whole.counted, whole.shown) == ("left out", "515 Debian packages", "")
    assert (left.counted, left.reason) == (
        "180 Debian packages",
        "no package here links to it; --apt NAME takes it along",
    )
    assert left.shown == "lib0, lib1, lib2, lib3, lib4, lib5, lib6, lib7 and 172 more"


def test_a_name_inside_another_word_is_not_its_place() -> None:
    r = replace(PLANNED[0], name="a", note="a package that is unused; --apt a takes it along")
    assert of_planned([r])[0].reason == "NAME package that is unused; --apt NAME takes it along"


def test_other_versions_come_before_what_is_missing_and_what_is_one_too_many() -> None:
    found = lines([replace(MORE, name="a"), replace(GONE, name="b"), pip(name="c")])
    assert [line.text.partition(":")[0] for line in found] == ["c", "b 1", "a 2"]


def test_long_names_of_sides_are_told_once() -> None:
    a, b = "file:" + "x" * 40, "python:.venv/bin/python"
    two = Comparison(verdict="different", differences=(pip(),), expected=a, found=b, image=False)
    said = text.comparison(two)
    lined = ["✗ A and B: different: 1 package", "", f"A: {a}", f"B: {b}", "", "✗ numpy: A has 1, B has 2"]
    assert said.splitlines() == lined
    assert said.count(a) == said.count(b) == 1
    image = replace(two, image=True, found="penguins")
    assert text.comparison(image).count(a) == 1
    assert in_words(pip(), sides_of(image)) == "numpy: the source has 1, the image has 2"


def test_data_that_a_finding_asks_about_was_not_left_out_on_purpose() -> None:
    assert of_planned([pip(manager="file", name="x.csv", field="offered", class_="planned")]) == []
