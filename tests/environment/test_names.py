"""Names, versions and texts of strangers: what is let in, and what is shown instead."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from jupyter_dockerize.environment import names


@given(st.text(max_size=30) | st.text("aZ09.-_", max_size=12))
@example("\u212a")  # the Kelvin sign: a letter only where case is ignored
@example("a\n")
def test_a_project_name_is_what_the_specification_says(text: str) -> None:
    try:
        expected: str | None = canonicalize_name(text, validate=True)
    except InvalidName:
        expected = None
    if expected is not None and not (text.isascii() and text == text.strip()):
        expected = None  # the specification is ASCII, and has no white space
    assert names.project_name(text) == expected


@given(st.text("0123456789.!+-abcdevrpost", max_size=14) | st.text(max_size=10))
@example("1.0\n")
@example("00.1")
@example("1.0.0-RC1")
def test_a_version_is_written_as_the_specification_writes_it(text: str) -> None:
    try:
        expected: str | None = str(Version(text))
    except InvalidVersion:
        expected = None
    assert names.project_version(text) == expected


def test_absurd_lengths_are_refused_before_anything_parses_them() -> None:
    assert names.project_name("a" * 201) is None
    assert names.project_version("9" * 100_000) is None
    assert names.debian_name("a" * 201) is None
    assert names.address("https://example.org/" + "a" * 3000) is None


@given(st.text(), st.integers(1, 50))
def test_what_is_printable_only_shows(text: str, limit: int) -> None:
    found = names.printable(text, limit)
    assert len(found) <= limit
    assert not {unicodedata.category(char) for char in found} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert found.encode().decode() == found


@given(st.text(max_size=400))
def test_what_is_shown_fits_in_a_message(text: str) -> None:
    assert len(names.shown(text)) <= 80
    assert names.shown("numpy") == "'numpy'"


def test_a_path_with_letters_of_any_language_stays_as_it_is() -> None:
    for path in ("/home/zoë/données", "/home/太郎/分析", "C:\\Users\\Åsa\\env"):
        assert names.printable(path) == path


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("numpy-1.26.4.dist-info", ("numpy", "1.26.4")),
        ("Foo_Bar-1.0rc1.dist-info", ("foo-bar", "1.0rc1")),
        ("oldtimer-0.9-py3.10.egg-info", ("oldtimer", "0.9")),
        ("penguins.egg-info", ("penguins", None)),
        ("legacy.egg-link", ("legacy", None)),
        ("-1.0.dist-info", (None, "1.0")),
        ("x\n-1.0.dist-info", (None, "1.0")),
        ("", (None, None)),
    ],
)
def test_metadata_name(entry: str, expected: tuple[str | None, str | None]) -> None:
    assert names.metadata_name(entry) == expected


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("https://example.org/a%20b", True),
        ("git@example.org:ada/glacier.git", True),
        ("ssh://git@example.org/ada/x.git", True),
        ("file:///C:/wheels/x.whl", True),
        ("https://example.org/a b", False),
        ("https://example.org/\n", False),
        ('https://example.org/"', False),
        ("https://example.org/\u202e", False),
        ("/srv/wheels", False),
        ("", False),
    ],
)
def test_address(text: str, good: bool) -> None:
    assert (names.address(text) == text) is good
