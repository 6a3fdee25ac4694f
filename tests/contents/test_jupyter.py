"""How the image opens."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import unquote

from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.contents import jupyter

from ..recipe.test_recipe import load


def test_the_environments_own_server_opens_the_notebook() -> None:
    argv = jupyter.command(load("venv")[0], "/opt/env")
    assert argv[:2] == ("/opt/env/bin/jupyter", "lab")
    assert argv[-1] == "--LabApp.default_url=/lab/tree/penguins.ipynb"


@settings(deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1))
def test_a_notebook_of_any_name_is_one_path_of_an_address(name: str) -> None:
    plan = replace(load("venv")[0], notebook=name)
    path = jupyter.command(plan, "/opt/env")[-1].removeprefix("--LabApp.default_url=/lab/tree/")
    assert unquote(path) == name
    assert path.isascii()
    assert not set(path) & set(" ?#\"'<>")


def test_the_kernel_that_the_notebook_names_is_there() -> None:
    specs = jupyter.kernelspecs(load("venv")[0], "/opt/env/bin/python")
    assert list(specs) == ["/usr/local/share/jupyter/kernels/my-env/kernel.json"]
    assert json.loads(next(iter(specs.values())))["argv"][0] == "/opt/env/bin/python"


def test_python3_of_the_environment_is_left_to_ipykernel() -> None:
    assert jupyter.kernelspecs(load("opencv")[0], "/opt/env/bin/python") == {}


def test_a_server_of_its_own_is_told_of_the_environment() -> None:
    specs = jupyter.kernelspecs(load("old-python")[0], "/opt/env/bin/python")
    assert [path.split("/")[-2] for path in specs] == ["py38", "python3"]
