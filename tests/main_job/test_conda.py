"""Environment B: a genuine conda prefix with pip over it, one pip package in the place of a conda package."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.rig import conda_env

from .conftest import CLI, Environment, address, ask, in_image, notebook_folder, run

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(1200)]

REF = "jd-test/survey:b"
CONDA = ("six==1.16.0", "idna==3.6", "packaging==24.0", "attrs==23.2.0")
NAMES = tuple(spec.replace("==", "=") for spec in CONDA)
PIP = ("idna==3.7", "ipykernel", "humanize")


@dataclass(frozen=True)
class Conda(Environment):
    records: tuple[dict[str, Any], ...] = ()


@pytest.fixture(scope="module")
def environment_b(tmp_path_factory: pytest.TempPathFactory) -> Conda:
    place = tmp_path_factory.mktemp("b")
    run(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", place / "wheels", *CONDA)
    wheels = sorted((place / "wheels").glob("*.whl"))
    records = conda_env.create_prefix(place / "prefix", ["python", "pip", *NAMES], wheels)
    python = place / "prefix" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", *PIP)
    project = notebook_folder(place / "project")
    project.write_text(project.read_text().replace("numpy, pandas as pd, cv2", "csv").replace(
        "frame = pd.read_csv('data/birds.csv')\\nsurvey.total(frame)", "print('278')"
    ))  # fmt: skip
    (project.parent / "survey.py").write_text("import idna, six\n")
    return Conda(python=python, notebook=project, environ=dict(os.environ), records=tuple(records))


@pytest.fixture(scope="module")
def built(environment_b: Conda) -> Iterator[Any]:
    yield environment_b.cli(
        "build", environment_b.notebook.name, "--python", str(environment_b.python), "-t", REF
    )
    run("docker", "rmi", "--force", REF)


def test_the_snapshot_names_the_overwrite(environment_b: Conda) -> None:
    snapshot = environment_b.cli("snapshot", "--python", str(environment_b.python))
    conda = {c["name"]: c for c in snapshot["packages"]["conda"]}
    pip = {p["name"]: p for p in snapshot["packages"]["pip"]}
    assert conda["idna"]["version"] == "3.6"
    assert conda["idna"]["overwritten"] == "idna 3.7"
    assert pip["idna"]["version"] == "3.7"
    assert pip["six"]["source"]["kind"] == "conda"
    assert pip["humanize"]["source"]["kind"] == "index"
    (finding,) = [f for f in snapshot["findings"] if f["code"] == "pip-over-conda"]
    assert "idna" in finding["message"] and "3.7" in finding["message"]


def test_the_lock_is_the_records_of_the_source(environment_b: Conda, tmp_path: Path) -> None:
    environment_b.cli(
        "recipe",
        environment_b.notebook.name,
        "--python",
        str(environment_b.python),
        "-o",
        str(tmp_path / "recipe"),
    )
    (lock,) = [p for p in (tmp_path / "recipe").rglob("*.txt") if "@EXPLICIT" in p.read_text()]
    lines = {line for line in lock.read_text().splitlines() if line.startswith("https://")}
    assert lines == {f"{r['url']}#sha256:{r['sha256']}" for r in environment_b.records} or lines == {
        f"{r['url']}#{r['sha256']}" for r in environment_b.records
    }


def test_the_image_is_the_same_environment(built: Any) -> None:
    assert built["verdict"] in ("identical", "equivalent"), built["differences"]


def test_it_imports_what_pip_put_over_conda(built: Any) -> None:
    program = (
        "import idna, six, humanize, os, sys\n"
        "print(idna.__version__, six.__version__, os.getuid(), sys.prefix)"
    )
    assert in_image(REF, "python", "-c", program).split() == ["3.7", "1.16.0", "1000", "/opt/conda"]


def test_its_own_small_server_opens_the_notebook_in_the_environment(built: Any, environment_b: Conda) -> None:
    opened = environment_b.cli("run", REF)["containers"][0]
    try:
        host, token = address(opened["url"])
        names = {entry["name"] for entry in ask(f"{host}/api/contents?token={token}")["content"]}
        assert {"survey of birds.ipynb", "survey.py"} <= names
        (spec,) = ask(f"{host}/api/kernelspecs?token={token}")["kernelspecs"].values()
        assert spec["spec"]["argv"][0] == "/opt/conda/bin/python"
        command = run("docker", "inspect", "--format", "{{index .Config.Cmd 0}}", REF)
        assert command.startswith("/opt/jupyter/")
    finally:
        environment_b.cli("stop", opened["name"])


@pytest.fixture
def tools(environment_b: Conda, tmp_path: Path) -> Environment:
    """The environment with `conda` and `mamba` on PATH, which install into it from the rig's channel."""
    wheels = tmp_path / "wheels"
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels)
    for version in ("0.11.2", "0.12.1"):
        run(*pip, f"toolz=={version}")
    prefix = environment_b.python.parents[1]
    program = tmp_path / "bin" / "conda"
    program.parent.mkdir()
    program.write_text(f"""\
#!{sys.executable}
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.rig import conda_env
names = {["python", "pip", *NAMES]!r}
if sys.argv[1] == "install":
    names += [word for word in sys.argv[2:] if word != "-y"]
conda_env.create_prefix(Path({str(prefix)!r}), names, sorted(Path({str(wheels)!r}).glob("*.whl")))
""")
    program.chmod(0o755)
    (program.parent / "mamba").symlink_to(program)
    path = f"{program.parent}:{environment_b.environ['PATH']}"
    return Environment(environment_b.python, environment_b.notebook, {**environment_b.environ, "PATH": path})


def test_what_conda_and_mamba_install_are_layers(built: Any, tools: Environment) -> None:
    def layer(command: str) -> tuple[int, dict[str, Any]]:
        typed = ("exec", "--json", "--image", REF, "--python", tools.python, "--", *command.split())
        told = json.loads(run(*CLI, *typed, environ=tools.environ, cwd=tools.notebook.parent))
        assert not told["layer"]["literal"]
        return told["number"], told["layer"]

    def version() -> str:
        program = (
            "import importlib.metadata as m, glob\n"
            "print(m.version('toolz'), *glob.glob('/opt/conda/conda-meta/*'))"
        )
        said, *records = in_image(REF, "python", "-c", program).split()
        (record,) = (Path(each).name for each in records if "toolz" in each)
        assert record.startswith(f"toolz-{said}-")
        return said

    toolz = {"manager": "conda", "name": "toolz"}
    number, added = layer("conda install -y toolz=0.12.1")
    assert (number, added["added"]) == (2, [{**toolz, "before": "", "after": "0.12.1"}])
    assert version() == "0.12.1"
    number, changed = layer("mamba install -y toolz=0.11.2")
    assert (number, changed["changed"]) == (3, [{**toolz, "before": "0.12.1", "after": "0.11.2"}])
    assert version() == "0.11.2"
    tools.cli("undo", REF)
    assert version() == "0.12.1"
    assert tools.cli("verify", REF)["verdict"] in ("identical", "equivalent")
