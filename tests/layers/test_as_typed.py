"""What was typed is done in the image as it was here, and again where the journal's Dockerfile is built."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize import api

from ..kernels import Session
from .conftest import Own

pytestmark = pytest.mark.engine

SCRIPT = r"""%%docker_exec
mkdir "$VIRTUAL_ENV/zwei Füße"; cd "$VIRTUAL_ENV/zwei Füße"
printf '%s\n' "it's $((6 * 7)); $(echo Füße)" 'a  b' "\"\$HOME\"" > said; for n in 1 2; do
  echo "$n" >> said
done
cat >> said <<'END'
$HOME `date` \n {HOME} "'
END
"""
SAID = 'it\'s 42; Füße\na  b\n"$HOME"\n1\n2\n$HOME `date` \\n {HOME} "\'\n'


@pytest.fixture
def built(own: Own) -> Iterator[str]:
    """A name for the image that somebody else builds."""
    name = f"{own.ref}-again"
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], check=False, capture_output=True)


def test_the_dockerfile_of_all_layers_makes_what_the_head_has(
    kernel: Session, own: Own, built: str, tmp_path: Path
) -> None:
    for cell in (
        "%docker_exec pip install humanize==4.8.0",
        SCRIPT,
        "%docker_exec pip install -U humanize==4.9.0",
    ):
        out = kernel.run(cell)
        assert out.error is None, out.error
    assert (own.python.parents[1] / "zwei Füße/said").read_text() == SAID

    handed = api.recipe(own.where, api.NO_WISHES, tmp_path / "recipe").secret_files
    secrets = [word for name, file in handed.items() for word in ("--secret", f"id={name},src={file}")]
    subprocess.run(
        ["docker", "build", "--quiet", "--tag", built, *secrets, own.journal],
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        capture_output=True,
        check=True,
    )
    for ref in (own.ref, built):
        assert own.engine.execute(ref, ["cat", "/opt/env/zwei Füße/said"]).decode() == SAID
        assert api.verify(ref, engine="docker").verdict == "equivalent"
    assert api.diff(f"image:{own.ref}", f"image:{built}", engine="docker").differences == ()
    rows = [row.layer.command for row in api.history(own.where, own.ref).rows]
    assert [row.layer.command for row in api.history(own.where, built, engine="docker").rows] == rows
