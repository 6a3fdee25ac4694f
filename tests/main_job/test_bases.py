"""Bases that users name and that are none of ours: without Python, with another one, with ways of their own.

Stand-ins are made here on the engine. Where uv has to bring Python, the stand-in holds the archive that uv
would fetch from the internet (the interpreter that runs the tests) and says so in uv's own variables.
"""

from __future__ import annotations

import json
import platform
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.environment.releases import BaseKind
from jupyter_dockerize.events import ignore
from jupyter_dockerize.export.build import build
from jupyter_dockerize.export.prepare import prepare

from ..commandline import notebook, run

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(900)]

VERSION = platform.python_version()
OFFICIAL = f"python:{VERSION}-slim-bookworm"
OWN_WAYS = f"""FROM {OFFICIAL}
RUN useradd --create-home --uid 1000 worker && install -d -o worker /srv/app /opt/jupyter /opt/env
ENV PIP_NO_CACHE_DIR=1
ONBUILD RUN id -u > /srv/app/onbuild
ONBUILD ENV ONBUILT=yes
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
HEALTHCHECK CMD exit 1
VOLUME /data
WORKDIR /srv/app
USER worker
ENTRYPOINT ["/bin/echo", "the base says"]
CMD ["hello"]
"""
# No Python but the one that uv would fetch, and a file that says CUDA where NVIDIA's images have it.
WITHOUT_PYTHON = f"""FROM {OFFICIAL}
RUN mkdir -p /srv/uv && tar -C /usr -czf /srv/uv/python.tar.gz --transform s,^local,python, local \\
 && rm -rf /usr/local && mkdir -p /usr/local/bin /usr/local/cuda \\
 && echo '{{"cuda": {{"name": "CUDA SDK", "version": "12.4.1"}}}}' > /usr/local/cuda/version.json
COPY downloads.json /srv/uv/
ENV UV_PYTHON_DOWNLOADS_JSON_URL=/srv/uv/downloads.json PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ENV LD_LIBRARY_PATH=/opt/python/cpython-{VERSION}-linux-x86_64-gnu/lib
"""


def downloads() -> str:
    """uv's list of the interpreters that it can fetch, with one."""
    major, minor, patch = sys.version_info[:3]
    entry = {
        "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu",
        "major": major, "minor": minor, "patch": patch, "prerelease": "", "variant": None,
        "url": "file:///srv/uv/python.tar.gz", "sha256": None, "build": "20240101",
    }  # fmt: skip
    return json.dumps({f"cpython-{VERSION}-linux-x86_64-gnu": entry})


@pytest.fixture
def name(engine: DockerEngine) -> Iterator[str]:
    """A name for the base, and with ``-image`` behind it for what is built on it."""
    found = f"jd-test/base-{secrets.token_hex(4)}"
    yield found
    for ref in (f"{found}-image", found):
        engine.remove(ref)


def make(folder: Path, name: str, dockerfile: str) -> None:
    folder.mkdir()
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "downloads.json").write_text(downloads())
    subprocess.run(["docker", "build", "--quiet", "--tag", name, folder], check=True, capture_output=True)


def test_a_base_with_ways_of_its_own(tiny: Path, name: str, tmp_path: Path, engine: DockerEngine) -> None:
    """A user who is not root, an entry point, a shell, a health check, a volume, and ONBUILD lines."""
    make(tmp_path / "base", name, OWN_WAYS)
    typed = ["--python", tiny, "--base", name, "-t", f"{name}-image", "--json"]
    built = run("build", notebook(tmp_path / "n.ipynb", "1"), *typed)
    assert built.status == 0, built.stderr
    assert built.json["verdict"] in ("identical", "equivalent")
    configuration = engine._connected().client().inspect_image(f"{name}-image")["Config"]
    assert configuration["User"] == "1000"
    assert configuration["Entrypoint"] == ["/usr/bin/tini", "--"]
    assert configuration["Healthcheck"]["Test"] == ["NONE"]
    assert "ONBUILT=yes" in configuration["Env"]
    assert engine.execute(f"{name}-image", ["cat", "/srv/app/onbuild"]).strip() == b"1000"
    opened = run("run", f"{name}-image", "--json")
    assert opened.status == 0, opened.stderr
    assert run("stop", opened.json["containers"][0]["name"]).status == 0


@pytest.mark.parametrize("kind", ["own", "cuda", "debian"])
def test_a_base_without_python_is_brought_one(
    kind: BaseKind, tiny: Path, name: str, tmp_path: Path, engine: DockerEngine
) -> None:
    """The user's, NVIDIA's and Debian's, in the place of which stands the same image."""
    make(tmp_path / "base", name, WITHOUT_PYTHON)
    where = Where(python=str(tiny), notebook=notebook(tmp_path / "n.ipynb", "1"))
    prepared = prepare(where, Wishes(base=name), report=ignore, cancel=Cancel())
    base = replace(prepared.resolution.base, kind=kind, codename="bookworm")
    prepared = replace(prepared, resolution=replace(prepared.resolution, base=base))
    built = build(prepared, engine, f"{name}-image", report=ignore, cancel=Cancel())
    assert built.verdict in ("identical", "equivalent"), built.differences


@pytest.mark.parametrize("tag", ["3.99-slim-bookworm", "3.99.1-slim-bookworm"])
def test_an_official_python_of_another_version_keeps_the_environments(
    tag: str, tiny: Path, name: str, tmp_path: Path
) -> None:
    """Whatever the base has by now, the image has the environment's Python, or there is none."""
    done = run("recipe", notebook(tmp_path / "n.ipynb", "1"), "--python", tiny, "--base", f"python:{tag}",
               "-o", tmp_path / "out")  # fmt: skip
    assert done.status == 0, done.stderr
    assert (
        f"uv venv --python={VERSION} --python-preference=system" in (tmp_path / "out/Dockerfile").read_text()
    )


def test_a_base_that_is_no_debian_is_refused_by_name(tiny: Path, name: str, tmp_path: Path) -> None:
    make(tmp_path / "base", name, f"FROM {OFFICIAL}\nRUN rm /usr/bin/apt-get\n")
    typed = ["--python", tiny, "--base", name, "-t", f"{name}-image"]
    done = run("build", notebook(tmp_path / "n.ipynb", "1"), *typed)
    assert done.status == 4
    assert "the base image is no Debian or Ubuntu: it has no apt" in done.stderr
