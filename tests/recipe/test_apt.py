"""Debian packages: one step that names them, and nothing else."""

from __future__ import annotations

import pytest

from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.recipe import apt


@pytest.mark.parametrize("name", ["x", "libGL1", "libgl1:amd64", "libgl1=1.0", "-y", "libgl1\nRUN evil", ""])
def test_what_is_no_package_of_debian_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a Debian package"):
        apt.install([name])


def test_each_package_once_sorted_and_the_lists_removed() -> None:
    step = apt.install(["tini", "libgl1", "tini"])
    assert step.lines[1].split()[-2:] == ["libgl1", "tini"]
    assert step.lines[-1] == "rm -rf /var/lib/apt/lists/*"


def test_a_compiler_and_the_headers_that_are_known() -> None:
    assert apt.compilers(["psycopg2", "somewhat"]) == ("build-essential", "libpq-dev")
