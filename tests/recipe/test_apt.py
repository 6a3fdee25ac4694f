"""Debian packages by the names that the base's release has for them."""

from __future__ import annotations

import pytest

from jupyter_dockerize.recipe import apt


@pytest.mark.parametrize(
    ("codename", "name"),
    [("bookworm", "libglib2.0-0"), ("trixie", "libglib2.0-0t64"), ("", "libglib2.0-0t64")],
)
def test_names_from_before_the_64_bit_time(codename: str, name: str) -> None:
    assert apt.install(["libglib2.0-0t64"], codename).lines[1].split()[-1] == name


def test_each_package_once_sorted_and_the_lists_removed() -> None:
    step = apt.install(["tini", "libgl1", "tini"])
    assert step.lines[1].split()[-2:] == ["libgl1", "tini"]
    assert step.lines[-1] == "rm -rf /var/lib/apt/lists/*"


def test_a_compiler_and_the_headers_that_are_known() -> None:
    assert apt.compilers(["psycopg2", "somewhat"]) == ("build-essential", "libpq-dev")
