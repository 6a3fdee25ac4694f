"""The JupyterLab that comes along where a copied environment has none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.export import server
from jupyter_dockerize.export.server import Beside, NoServer, Server, server_for

from ..image.copy.environments import install, planned, venv
from ..main_job.conftest import address, ask

HERE = Path(sys.prefix)
KERNEL = """
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
client.execute_interactive("import sys; print(sys.prefix)", timeout=60)
manager.shutdown_kernel(now=True)
"""


@pytest.fixture(scope="module")
def found(tiny: Path) -> Server:
    """What comes along to an environment with a kernel."""
    there = server_for(*planned(tiny), cancel=Cancel())
    assert isinstance(there, Server)
    return there


def test_it_is_that_of_the_python_that_runs_this_without_what_made_the_image(found: Server) -> None:
    assert (found.prefix, found.python) == (sys.prefix, sys.executable)
    names = {path.partition("site-packages/")[2].partition("/")[0] for path in found.files.environment}
    assert {"jupyterlab", "jupyter_server", "notebook_shim"} <= names
    assert not names & {"jupyter_dockerize", "msgspec", "pytest", "mypy", "numpy"}
    assert not any("jupyter_dockerize" in name or "jupyter-dockerize" in name for name in names)


def test_its_extensions_are_known_by_what_they_say_of_their_packages(tmp_path: Path) -> None:
    folder = tmp_path / "share/jupyter/labextensions"
    for name, text in {
        "@jupyter-widgets/jupyterlab-manager": '{"packageName": "jupyterlab_widgets"}',
        "plain": '{"packageName": "One.Extension"}',
        "broken": "{",
        "another-kind": "[1]",
        "no-name": '{"packageName": "../../etc"}',
        "large": '{"packageName": "large"}' + " " * server.LARGEST,
    }.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "install.json").write_text(text)
    assert sorted(server.extensions(tmp_path)) == ["jupyterlab-widgets", "one-extension"]


def test_an_environment_that_has_its_own_gets_no_other(found: Server) -> None:
    plan, snapshot = planned(Path(sys.executable))
    assert plan.server == "environment"
    assert server_for(plan, snapshot, cancel=Cancel()) is None


def test_without_a_kernel_there_is_nothing_to_open_it_with(bare: Path) -> None:
    none = server_for(*planned(bare), cancel=Cancel())
    assert isinstance(none, NoServer)
    assert "no kernel" in none.finding.message
    assert (none.finding.code, none.finding.severity) == ("no-server", "warning")
    assert "install ipykernel" in none.finding.fix


def test_in_a_kernel_it_is_that_of_the_server_which_started_it(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's own Python has none."""
    monkeypatch.setattr(sys, "executable", str(tiny))
    monkeypatch.setattr(server, "server_files", lambda plan, snapshot: NOTHING)
    plan, snapshot = planned(tiny)
    none = server_for(plan, snapshot, cancel=Cancel())
    assert isinstance(none, NoServer)
    assert "neither has the Python that runs this" in none.finding.message
    parent = subprocess.Popen([HERE / "bin/python", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        monkeypatch.setenv(server.PARENT, str(parent.pid))
        there = server_for(plan, snapshot, cancel=Cancel())
    finally:
        parent.communicate()
    assert isinstance(there, Server)
    assert there.prefix == str(HERE)


NOTHING = server.PythonFiles("Python 3", {}, {}, {}, (), (), (), frozenset(), (), ())


@pytest.mark.parametrize("number", ["", "nonsense", "0", "1", "999999999"])
def test_a_parent_that_is_none_is_none(tiny: Path, monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setattr(sys, "executable", str(tiny))
    monkeypatch.setenv(server.PARENT, number)
    assert isinstance(server_for(*planned(tiny), cancel=Cancel()), NoServer)


def test_one_that_needs_a_checkout_stays_here_and_the_work_goes_on(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = venv(tmp_path / "tool")
    for name in ("jupyterlab", "jupyter-server"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
            f'[project]\nname = "{name}"\nversion = "1"\n'
            "[tool.hatch.build.targets.wheel]\nbypass-selection = true\n"
        )
        install(tool, "-e", str(folder))
    monkeypatch.setattr(sys, "executable", str(tool))
    none = server_for(*planned(tiny), cancel=Cancel())
    assert isinstance(none, NoServer)
    assert f"that of {tmp_path}/tool needs packages from outside of it (jupyter" in none.finding.message


def test_what_cannot_lie_beside_the_environment_is_left_here(found: Server) -> None:
    beside = Beside(replace(found, system=True), others_system=True)
    assert beside.laid(NOTHING) == NOTHING
    assert beside.taken is None
    assert "is this system's own" in beside.findings[0].message


@pytest.fixture
def ref(engine: DockerEngine) -> Iterator[str]:
    name = "jd-test-beside"
    yield name
    engine.remove(name)


@pytest.mark.engine
def test_the_image_opens_and_its_kernel_is_the_environment(
    tiny: Path, ref: str, engine: DockerEngine
) -> None:
    built = api.build(Where(python=str(tiny)), Wishes(), ref, method="copy")
    assert built.verdict == "identical"
    [said] = [each for each in built.findings if each.code in ("no-server", "server-carried")]
    assert said.severity == "info"
    assert f"that of {sys.prefix} comes along, " in said.message
    [choice] = [each for each in built.differences if each.manager == "server"]
    assert (choice.class_, choice.field, choice.name) == (
        "planned", "added", f"the Jupyter server of {sys.prefix}",
    )  # fmt: skip
    assert engine.execute(ref, [sys.executable, "-I", "-c", KERNEL]).decode().split()[-1] == str(
        tiny.parents[1]
    )
    opened = api.run(ref)
    try:
        host, token = address(str(opened.url))
        specs = ask(f"{host}/api/kernelspecs?token={token}")["kernelspecs"]
        assert [spec["spec"]["argv"][0] for spec in specs.values()] == [str(tiny)]
    finally:
        api.stop(opened.name)
    again = api.verify(ref, f"python:{tiny}")
    assert again.verdict == "identical"
    assert "server" in {difference.manager for difference in again.differences}
