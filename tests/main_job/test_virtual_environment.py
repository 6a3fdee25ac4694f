"""Environment A: exported, built from an official-named slim base, proven equal, and it opens."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import Environment, address, ask, in_image, run

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(1800)]

REF = "jd-test/survey:a"
IMPORTS = (
    "numpy", "pandas", "scipy", "sklearn", "matplotlib", "statsmodels.api", "cv2", "psycopg2", "docopt",
    "pelagic", "moult", "krill", "pyfiglet", "jupyterlab", "lxml.etree", "sqlalchemy",
)  # fmt: skip


@pytest.fixture(scope="module")
def built(environment_a: Environment) -> Iterator[Any]:
    yield environment_a.cli(
        "build",
        environment_a.notebook.name,
        "--python",
        str(environment_a.python),
        "-t",
        REF,
        "--include",
        "data",
    )
    run("docker", "rmi", "--force", REF)


def test_the_snapshot_names_every_origin(environment_a: Environment) -> None:
    snapshot = environment_a.cli("snapshot", "--python", str(environment_a.python))
    pip = {p["name"]: p for p in snapshot["packages"]["pip"]}
    assert len(pip) >= 150
    kinds = {name: pip[name]["source"]["kind"] for name in ("numpy", "pelagic", "moult", "krill", "docopt")}
    assert kinds == {
        "numpy": "index",
        "pelagic": "editable",
        "moult": "vcs",
        "krill": "local",
        "docopt": "index",
    }
    assert re.fullmatch("[0-9a-f]{40}", pip["moult"]["source"]["commit"])
    assert pip["pyfiglet"]["scope"] == "user"
    assert pip["psycopg2"]["built_locally"]
    assert any(library["owner"] == "libpq5" for library in snapshot["libraries"]["needed"])


def test_the_image_is_the_same_environment(built: Any) -> None:
    assert built["verdict"] in ("identical", "equivalent"), built["differences"]
    assert built["packages"] >= 150
    assert [d for d in built["differences"] if d["class"] == "unexpected"] == []


def test_everything_imports_inside_as_user_1000(built: Any) -> None:
    program = f"import os\nfor name in {IMPORTS!r}: __import__(name)\nprint(os.getuid())"
    assert in_image(REF, "python", "-c", program).split()[-1] == "1000"


def test_opencv_finds_its_library(built: Any) -> None:
    assert in_image(REF, "python", "-c", "import cv2; print(cv2.__version__)").strip()


def test_the_notebook_runs_inside_with_its_module_and_data(built: Any) -> None:
    out = in_image(
        REF, "jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", "survey of birds.ipynb",
    )  # fmt: skip
    assert "276" in json.dumps(json.loads(out)["cells"][0]["outputs"])


def test_jupyterlab_answers_on_the_published_port_with_the_notebook(
    built: Any, environment_a: Environment
) -> None:
    opened = environment_a.cli("run", REF)["containers"][0]
    try:
        assert [c["name"] for c in environment_a.cli("ps")["containers"]].count(opened["name"]) == 1
        host, token = address(opened["url"])
        served = ask(f"{host}/api/contents?token={token}")
        assert {"survey of birds.ipynb", "survey.py", "data"} <= {
            entry["name"] for entry in served["content"]
        }
    finally:
        environment_a.cli("stop", opened["name"])
    assert opened["name"] not in [c["name"] for c in environment_a.cli("ps")["containers"]]


def test_more_can_be_installed_in_the_image_by_its_user(built: Any) -> None:
    ca = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
    options = ["-v", f"{ca}:/ca.pem:ro", "-e", "PIP_CERT=/ca.pem"] if ca else []
    program = "%pip install -q humanize\nimport humanize; print('came', humanize.naturalsize(10**6))"
    assert "came 1.0 MB" in in_image(REF, "ipython", "-c", program, options=options)


def test_verify_and_diff_need_nothing_but_the_image(built: Any, environment_a: Environment) -> None:
    assert environment_a.cli("verify", REF)["verdict"] == built["verdict"]
    python = f"python:{environment_a.python}"
    assert environment_a.cli("verify", REF, python)["verdict"] in ("identical", "equivalent")


@pytest.fixture
def derived(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes an image of the built one, as somebody else would; the name goes afterwards."""
    name = f"{REF}-changed"

    def make(instructions: str) -> str:
        (tmp_path / "Dockerfile").write_text(f"FROM {REF}\n{instructions}\n")
        run("docker", "build", "-q", "-t", name, tmp_path)
        return name

    yield make
    run("docker", "rmi", "--force", name)


def test_an_image_that_lost_a_file_is_noticed(
    built: Any, environment_a: Environment, derived: Callable[[str], str]
) -> None:
    changed = derived("RUN rm /opt/env/lib/python3*/site-packages/docopt.py")
    found = environment_a.cli("verify", changed, status=1)
    unexpected = {(d["name"], d["field"]) for d in found["differences"] if d["class"] == "unexpected"}
    assert unexpected == {("docopt", "files")}


def test_an_image_whose_plan_somebody_changed_is_noticed(
    built: Any, environment_a: Environment, derived: Callable[[str], str]
) -> None:
    forged = derived("USER 0\nRUN sed -i 's/no package here/nothing/' /opt/jupyter-dockerize/plan.json")
    found = environment_a.cli("verify", forged, status=1)
    assert found["verdict"] == "impossible"
    assert "not the one that its labels name" in found["summary"]
