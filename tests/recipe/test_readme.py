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


@pytest.mark.parametrize(
    "hostile", ["`</code><script>", "a\n# title", "| cell |", "\x1b]8;;javascript:x\x07", "", "\u202e"]
)
def test_no_text_ends_its_code_span(hostile: str) -> None:
    span = readme.code(hostile)
    assert span[0] == span[-1] == "`"
    assert not set(span[1:-1]) & set("\n\x1b|\u202e") or not hostile
    assert "`" not in span[1:-1] or not hostile
