"""The main job, end to end, as `make demo` runs it: a notebook's environment becomes an image.

A fresh virtual environment grows by hand, the penguins notebook runs in it, `%dockerize` is typed
in a cell, and every line of what happens is asserted and printed with its real figures.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from jupyter_dockerize import api

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
PLACE = PROJECT / ".demo"
PYTHON = PLACE / "venv" / "bin" / "python"
PACKAGES = ("jupyterlab", "pandas", "matplotlib", "scikit-learn")
NAME = "penguins-demo"


def say(text: str) -> None:
    print(f"\n▸ {text}", flush=True)


def uv(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *words, "--quiet"], check=True)


def grow_environment() -> None:
    """What a data scientist has after a week: some packages, and this one."""
    if not PYTHON.exists():
        uv("venv", "--seed", str(PYTHON.parent.parent))
    uv("pip", "install", "--python", str(PYTHON), *PACKAGES, "--editable", str(PROJECT))


def kernel() -> None:
    """A kernelspec for that environment, where only this process looks."""
    folder = PLACE / "jupyter" / "kernels" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [str(PYTHON), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "demo",
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    os.environ["JUPYTER_PATH"] = str(PLACE / "jupyter")


def work_folder() -> Path:
    """A copy of the example, so that the repository stays as it is."""
    folder = PLACE / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("penguins.ipynb", "penguins.csv", "penguin_style.py"):
        shutil.copy(HERE / name, folder)
    return folder


def typed_in_a_notebook(folder: Path) -> dict:
    """Runs the notebook, then types %dockerize below it; returns what the magic returned."""
    notebook = nbformat.read(folder / "penguins.ipynb", as_version=4)
    cells = len(notebook.cells)
    for source in (
        "%load_ext jupyter_dockerize",
        f"result = %dockerize penguins.ipynb -t {NAME} --include penguins.csv --json",
        "import json; print(json.dumps(result))",
    ):
        notebook.cells.append(nbformat.v4.new_code_cell(source))
    client = NotebookClient(notebook, kernel_name="demo", timeout=1200, resources={"metadata": {"path": str(folder)}})
    client.execute()
    card = notebook.cells[cells + 1].outputs[-1]["data"]
    assert "Same environment" in card["text/html"], card["text/plain"]
    print(card["text/plain"])
    return json.loads(notebook.cells[cells + 2].outputs[0]["text"])


def answers(url: str) -> dict:
    """The notebook as the JupyterLab at ``url`` serves it."""
    host, token = re.fullmatch(r"(http://[^/]+)/.*[?&]token=(\w[\w-]*)", url).groups()
    request = urllib.request.Request(f"{host}/api/contents/penguins.ipynb?token={token}")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def main() -> None:
    began = time.monotonic()
    say("an environment that grew by hand: " + ", ".join(PACKAGES))
    grow_environment()
    kernel()
    folder = work_folder()

    say("%dockerize, typed under the penguins notebook")
    built = typed_in_a_notebook(folder)
    assert built["verdict"] in ("identical", "equivalent"), built
    assert built["packages"] > 90, built["packages"]

    say(f"jupyter dockerize run {NAME}")
    container = api.run(NAME)
    try:
        print(container.url)
        served = answers(container.url)
        code = [cell for cell in served["content"]["cells"] if cell["cell_type"] == "code"]
        assert len(code) == 14, len(code)
        print(f"JupyterLab answers, with the notebook in it: {len(code)} code cells")
    finally:
        api.stop(container.name)

    say(
        f"{built['packages']} packages, {built['size'] / 1e9:.2f} GB, {built['verdict']}, "
        f"built and verified in {built['seconds']:.0f} s; the whole demo {time.monotonic() - began:.0f} s"
    )
    print(f"\n  docker run --rm -p 8888:8888 {NAME}\n")


if __name__ == "__main__":
    main()
