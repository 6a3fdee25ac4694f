"""The README of a bundle: commands to copy, and texts of others that stay texts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_dockerize.environment.choices import Choice
from jupyter_dockerize.recipe import readme, render
from jupyter_dockerize.recipe.steps import BUILDKIT

from .test_recipe import bundle, load


def text_of(case: str) -> str:
    return bundle(case).files[readme.README].decode()


def test_that_of_a_journal_says_the_layers_and_one_more_is_a_small_change() -> None:
    first = text_of("secrets").replace(" --secret id=netrc,src=netrc", "")
    rows = [(2, "pip install a|b `x`\nmore", "humanize 4.9.0"), (3, "touch said", "")]
    one, two = (
        readme.of_layers(first, "survey", rows[:number], f"fp{number}", ("netrc",)).splitlines()
        for number in (1, 2)
    )
    assert readme.of_layers(first, "survey", [], "fp0", ()) == first
    assert "docker build --secret id=netrc,src=netrc --secret id=ca,src=ca.pem -t analysis ." in one
    assert "| 2 | `pip install a\N{BROKEN BAR}b 'x' …` | `humanize 4.9.0` |" in one
    assert [line for line in two if line not in one] == [
        "| fingerprint | `fp2` |",
        "| 3 | `touch said` | no package |",
    ]
    without = readme.of_layers("", "survey", rows, "fp", ())
    assert without.startswith("# The image `survey`\n")
    assert "| 3 | `touch said` | no package |" in without


def test_secrets_are_explained_and_in_the_command() -> None:
    text = text_of("secrets")
    assert "docker build --secret id=ca,src=ca.pem --secret id=netrc,src=netrc -t analysis ." in text


def test_another_platform_is_in_the_command() -> None:
    assert "--platform linux/arm64" in text_of("foreign")


def test_the_image_that_this_ran_in_is_offered() -> None:
    assert "`registry.example.org/ml/notebook:3`" in text_of("cuda")


def test_no_folder_of_this_machine_is_in_it() -> None:
    plan, resolution = load("minimal")
    folder = Choice(
        kind="left-out",
        manager="index",
        name="find-links file:///srv/wheels",
        reason="a folder",
        source="file:///srv/wheels",
    )
    made = render(replace(plan, choices=(folder,)), resolution, BUILDKIT)
    assert "/srv/" not in made.files[readme.README].decode()


def test_what_was_left_out_for_one_reason_is_one_item() -> None:
    plan, resolution = load("minimal")
    choices = [
        Choice(kind="left-out", manager="apt", name=name, reason=f"--apt {name} takes it along", source="1")
        for name in ("curl", "git")
    ]
    choices.append(Choice(kind="left-out", manager="pip", name="a", reason="unused a", source="2"))
    made = render(replace(plan, choices=tuple(choices)), resolution, BUILDKIT)
    text = made.files[readme.README].decode().partition("## Left out\n\n")[2]
    assert text == (
        "- 2 Debian packages, `--apt NAME takes it along`: `curl` `1`, `git` `1`\n- `a` `2`: `unused a`\n"
    )


@pytest.mark.parametrize(
    "hostile", ["`</code><script>", "a\n# title", "| cell |", "\x1b]8;;javascript:x\x07", "", "\u202e"]
)
def test_no_text_ends_its_code_span(hostile: str) -> None:
    span = readme.code(hostile)
    assert span[0] == span[-1] == "`"
    assert not set(span[1:-1]) & set("\n\x1b|\u202e") or not hostile
    assert "`" not in span[1:-1] or not hostile
