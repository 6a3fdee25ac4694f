"""In a container of an image with a conda prefix and its user jovyan, as in Jupyter's docker stacks, the home
on a volume: conda and pip install into the prefix, upgrade what the image brought, and remove it.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize import api
from tests.rig import conda_env

from ..conftest import Rig
from .conftest import run
from .inhabited import Container, Counting, above, counted, files, inhabited, size

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(900)]

PYTHON = "/opt/conda/bin/python"
IMAGE = ("six==1.16.0", "idna==3.6", "packaging==24.0", "pyfiglet==1.0.2", "termcolor==2.4.0")
LATER = ("six==1.17.0", "idna==3.7", "attrs==23.2.0", "humanize==4.9.0", "colorama==0.4.6")
DOCKERFILE = """\
FROM mambaorg/micromamba:latest
USER root
RUN useradd --no-log-init --create-home --shell /bin/bash --uid 1000 --gid 100 jovyan \
 && chown jovyan:users /opt/conda /opt/conda/conda-meta && chmod g+rws /opt/conda
USER jovyan
COPY --chown=1000:100 image.txt *.whl /tmp/
RUN micromamba install --yes --prefix /opt/conda --file /tmp/image.txt && micromamba clean --all --yes \
 && pip install --quiet --no-deps --no-index /tmp/*.whl && rm /tmp/image.txt /tmp/*.whl \
 && chmod -R g+rwX /opt/conda && find /opt/conda -type d -exec chmod g+s {} +
ENTRYPOINT []
WORKDIR /home/jovyan
"""
# What `micromamba remove` does; the rig's stand-in has no such word. (rattler was seen to crash at exit.)
REMOVE = """\
import asyncio, os, sys
from pathlib import Path
from rattler import PrefixRecord, install
prefix, name = map(Path, sys.argv[1:])
records = map(PrefixRecord.from_path, (prefix / "conda-meta").glob("*.json"))
kept = [record for record in records if record.name.normalized != str(name)]
asyncio.run(install(kept, prefix, show_progress=False))
os._exit(0)
"""
WORK = """
micromamba install --yes --quiet --prefix /opt/conda --file /given/later.txt
/opt/rattler/bin/python3 -I /given/remove.py /opt/conda packaging
pip='pip install --quiet --no-deps --no-index --disable-pip-version-check'
$pip /given/humanize-*.whl
$pip --upgrade /given/six-*.whl
$pip --user /given/colorama-*.whl
pip uninstall --quiet --yes pyfiglet
python -c 'import attrs, colorama, humanize, idna, six, termcolor'
"""


@dataclass(frozen=True)
class Stack:
    """The image that the container runs, by both addresses of its registry, and what is given to it."""

    ref: str
    said: str
    given: Path


@pytest.fixture(scope="module")
def registry(rig: Rig) -> Iterator[Counting]:
    with counted(rig.registry) as counting:
        yield counting


@pytest.fixture(scope="module")
def stack(rig: Rig, registry: Counting, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    place = tmp_path_factory.mktemp("stack")
    image, given = place / "image", place / "given"
    for folder, names in ((image, IMAGE), (given, LATER)):
        run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *names)
    conda = [next(image.glob(f"{name}-*.whl")) for name in ("six", "idna", "packaging")]
    first = ["python", "pip", "six=1.16.0", "idna=3.6", "packaging=24.0"]
    (image / "image.txt").write_text(conda_env.explicit(conda_env.solve(first, conda)))
    for wheel in conda:
        wheel.unlink()
    second = conda_env.solve(["idna=3.7", "attrs=23.2.0"], sorted(given.glob("[ai]*.whl")))
    later = [record for record in second if record["name"] in ("idna", "attrs")]
    (given / "later.txt").write_text(conda_env.explicit(later))
    (given / "remove.py").write_text(REMOVE)
    (image / "Dockerfile").write_text(DOCKERFILE)
    name = f"push-test/{secrets.token_hex(6)}:2026"
    ref = f"{rig.registry}/{name}"
    run("docker", "build", "--quiet", "--tag", ref, image)
    run("docker", "push", "--quiet", ref)
    yield Stack(ref, f"{registry.address}/{name}", given)
    run("docker", "rmi", "--force", ref)


@pytest.fixture(scope="module")
def container(stack: Stack) -> Iterator[Container]:
    with inhabited(
        stack.ref, stack.said, "--volume", "/home/jovyan", python=PYTHON, mounts={stack.given: "/given"}
    ) as made:
        made.sh(WORK)
        yield made


@dataclass(frozen=True)
class Pushed:
    ref: str
    said: Any
    sent: int


@pytest.fixture(scope="module")
def pushed(container: Container, registry: Counting, rig: Rig) -> Iterator[Pushed]:
    place = f"push-test/{secrets.token_hex(6)}:1"
    before = registry.sent
    said = container.product(
        "build", "-t", f"{registry.address}/{place}", "--python", PYTHON, "--engine", "builtin", "--push"
    )
    sent = registry.sent - before
    ref = f"{rig.registry}/{place}"
    run("docker", "pull", "--quiet", ref)
    yield Pushed(ref, said, sent)
    run("docker", "rmi", "--force", ref)


def inside(ref: str, *argv: str) -> str:
    """As a hub runs it: with a volume over the home."""
    return run("docker", "run", "--rm", "--network", "none", "--tmpfs", "/home/jovyan", ref, *argv)


def test_only_the_additions_travel(pushed: Pushed, stack: Stack) -> None:
    assert (pushed.said["verdict"], pushed.said["method"]) == ("identical", "copy")
    [known] = [each for each in pushed.said["findings"] if each["code"] == "on-known-image"]
    assert stack.said in known["message"]
    assert size(stack.ref) > 50e6
    assert pushed.sent < 1e6
    names = {name for layer in above(pushed.ref, stack.ref) for name in files(layer)}
    assert not [name for name in names if name.startswith(("given", "product", "home", "tmp"))]
    assert not [name for name in names if "/termcolor" in name or "/lib/python3.11/encodings" in name]


def test_the_environment_is_what_it_became(pushed: Pushed) -> None:
    code = (
        "import attrs, colorama, humanize, idna, six, termcolor, importlib.util as u, os; "
        "print(idna.__version__, six.__version__, humanize.__version__, colorama.__file__, os.getuid(), "
        "u.find_spec('packaging'), u.find_spec('pyfiglet'))"
    )
    assert inside(pushed.ref, "python", "-c", code).split() == [
        "3.7", "1.17.0", "4.9.0", "/opt/user/lib/python3.11/site-packages/colorama/__init__.py", "1000",
        "None", "None",
    ]  # fmt: skip
    assert api.verify(pushed.ref, engine="docker").verdict == "identical"


def test_conda_s_own_records_agree(pushed: Pushed, container: Container) -> None:
    listing = "ls /opt/conda/conda-meta"
    assert inside(pushed.ref, "sh", "-c", listing) == container.sh(listing)
    code = (
        "import json, os, pathlib; prefix = pathlib.Path('/opt/conda'); "
        "records = [json.loads(each.read_bytes()) for each in sorted(prefix.glob('conda-meta/*.json'))]; "
        "print(json.dumps([[each['name'], each['version'], "
        "[f for f in each['files'] if not (prefix / f).exists()]] for each in records]))"
    )
    there = json.loads(inside(pushed.ref, "python", "-c", code))
    lacking = {f"{name} {version}": files for name, version, files in there}
    assert {"attrs 23.2.0", "idna 3.7", "six 1.16.0"} <= lacking.keys()
    assert "idna 3.6" not in lacking and "packaging 24.0" not in lacking
    gone = {name for name, files in lacking.items() if [each for each in files if "__pycache__" not in each]}
    assert gone <= {"six 1.16.0"}  # pip took its place


def test_one_may_go_on_installing_there(pushed: Pushed, stack: Stack) -> None:
    script = (
        "pip install --quiet --no-deps --no-index --disable-pip-version-check --upgrade --force-reinstall"
        " /given/humanize-*.whl && pip uninstall --quiet --yes termcolor idna && pip check && echo done"
    )
    said = run(
        "docker", "run", "--rm", "--network", "none", "--volume", f"{stack.given}:/given:ro", pushed.ref,
        "sh", "-c", script,
    )  # fmt: skip
    assert said.splitlines()[-1] == "done"
