"""A builder's names for its steps, in the words of our Dockerfile."""

from __future__ import annotations

from jupyter_dockerize.recipe.captions import captions

from .test_recipe import bundle


def test_a_step_is_called_by_the_comment_above_it_however_the_builder_spaces_it() -> None:
    called = captions(bundle("venv").dockerfile)
    install = (
        "RUN --mount=type=bind,source=env/requirements.txt,target=/build/env/requirements.txt     "
        "--mount=type=cache,target=/var/cache/uv     "
        "uv pip install --python=/opt/env/bin/python --no-deps --require-hashes --no-build       "
        "-r /build/env/requirements.txt"
    )
    assert called(install) == "Python packages, each file by its hash"
    assert called("WORKDIR /home/jovyan/work") == called("COPY plan.json /opt/jupyter-dockerize/plan.json")


def test_every_instruction_of_every_section_has_words() -> None:
    text = bundle("own-server").dockerfile
    called = captions(text)
    for line in text.replace("\\\n", "").splitlines()[3:]:
        if line and not line.startswith("#"):
            assert called(line) != line


def test_what_the_file_does_not_say_keeps_the_builders_name() -> None:
    called = captions(bundle("venv").dockerfile)
    for name in ("FROM docker.io/library/python:3.11.7-slim-bookworm", "[internal] load build context", ""):
        assert called(name) == name
