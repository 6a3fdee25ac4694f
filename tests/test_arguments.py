"""What is typed becomes an environment, and wishes for the image."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.arguments import VERBS, parser, where_of, wishes_of
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.grammar import QUICK


def parsed(*words: str, magic: bool = False) -> argparse.Namespace:
    return parser("p", magic=magic).parse_args(words)


def test_each_way_to_name_an_environment() -> None:
    assert where_of(parsed("build", "n.ipynb")) == Where(notebook=Path("n.ipynb"))
    assert where_of(parsed("build", "--kernel", "k")) == Where(kernel="k")
    assert where_of(parsed("build", "--live", "5f0c")) == Where(live="5f0c")
    assert where_of(parsed("snapshot", "n.ipynb", "--python", "p")) == Where(
        notebook=Path("n.ipynb"), python="p"
    )


def test_in_a_notebook_this_kernel_is_meant_unless_another_is_named() -> None:
    assert where_of(parsed("build", magic=True)) == Where(here=True)
    assert where_of(parsed("build", "--kernel", "k", magic=True)) == Where(kernel="k")


@pytest.mark.parametrize("second", ["--live", "--python"])
def test_two_environments_are_one_too_many(second: str) -> None:
    with pytest.raises(UsageError, match=rf"--kernel and {second}"):
        where_of(parsed("build", "--kernel", "k", second, "x"))


def test_wishes_for_the_image() -> None:
    typed = ("--base", "b", "--minimal", "--include", "x", "--include", "y", "--apt", "git", "--allow", "c")
    assert wishes_of(parsed("recipe", "-o", "d", *typed, "--platform", "linux/arm64")) == Wishes(
        base="b", minimal=True, include=("x", "y"), apt=("git",), allow=("c",), platform="linux/arm64"
    )


def test_options_cannot_be_cut_short() -> None:
    """A script that says --min would mean something else when another option of that beginning comes."""
    with pytest.raises(UsageError, match="--min"):
        parsed("build", "--min")


def test_defaults_fill_in_what_is_not_typed() -> None:
    made = parser("p", defaults={"base": "b", "engine": "docker", "allow": ["a"], "unknown": 1})
    args = made.parse_args(["build", "--engine", "auto", "--allow", "c"])
    assert (args.base, args.engine, args.allow) == ("b", "auto", ["a", "c"])
    assert made.parse_args(["build"]).allow == ["a"]  # nothing stays from one line to the next
    assert not hasattr(made.parse_args(["ps"]), "base")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("magic", [False, True])
def test_every_verb_has_its_help(verb: str, magic: bool) -> None:
    said = parser("%dockerize" if magic else "p", magic=magic).verbs[verb].format_help()
    assert said.startswith(f"usage: {'%dockerize' if magic else 'p'} {verb}")
    assert "--json" in said
    assert ("--progress" in said) is (not magic and verb not in QUICK)


@given(st.lists(st.text(), max_size=4))
def test_whatever_is_typed_is_parsed_or_refused_by_name(words: list[str]) -> None:
    made = parser("p")
    try:
        args = made.parse_args(words)
    except (UsageError, SystemExit):
        return
    assert args.verb in VERBS
