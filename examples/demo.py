"""The main job, end to end, as `make demo` runs it: a notebook's environment becomes an image, with layers.

A virtual environment grows by hand, the penguins notebook runs in it, and `%dockerize` is typed in its
last cell. What is installed after that becomes layers, one is taken from under the notebook and is still in
the image, and is undone there; at the end all cells run once more inside the image. Each step is asserted and
printed with its real figures. The container is removed at the end; the image stays, to be played with.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from textwrap import indent
from typing import Any
from urllib.parse import urlsplit

import demo_layers
import nbformat
from demo_notebook import Notebook, kernelspec, open_notebook

from jupyter_dockerize import api
from jupyter_dockerize.engines import Limits, choose
from jupyter_dockerize.errors import DockerizeError

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
PLACE = PROJECT / ".demo"
PYTHON = PLACE / "venv" / "bin" / "python"
PACKAGES = ("jupyterlab", "pandas", "matplotlib", "scikit-learn")
FILES = ("penguins.ipynb", "penguins.csv", "penguin_style.py")
TYPED = "built = %dockerize --include penguins.csv --json"
NAME = "penguins"  # what %dockerize calls the image: like its notebook
CODE_CELLS = 16  # of the notebook when it is saved, with the two that are typed below it
RERUN = ("jupyter", "nbconvert", "--to", "notebook", "--execute", "--stdout", "--log-level=ERROR")
NO_ENGINE = 3


def say(number: int, text: str) -> None:
    print(f"\n{number}  {text}", flush=True)


def tell(*lines: str) -> None:
    print(indent("\n".join(lines), "   "), flush=True)


def uv(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *words, "--quiet"], check=True)


def grow_environment() -> int:
    """What a data scientist has after a week: some packages, and this one. Returns how many that makes."""
    if not PYTHON.exists():
        uv("venv", "--seed", str(PYTHON.parent.parent))
    uv("pip", "install", "--python", str(PYTHON), *PACKAGES, "--editable", str(PROJECT))
    # What an earlier demo has left.
    uv("pip", "uninstall", "--python", str(PYTHON), demo_layers.PAST_US, demo_layers.PACKAGE)
    return len(list(PYTHON.parents[1].glob("lib/python*/site-packages/*.dist-info")))


def work_folder() -> Path:
    """A copy of the example with what is typed below it, so that the repository stays as it is."""
    folder = PLACE / "work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(HERE / name, folder)
    path = folder / FILES[0]
    notebook = nbformat.read(path, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(line) for line in ("%load_ext jupyter_dockerize", TYPED)]
    nbformat.write(notebook, path)
    return folder


def typed_in_a_notebook(notebook: Notebook) -> dict[str, Any]:
    """What %dockerize is worth in the last cell of the notebook; its card is printed."""
    notebook.run_all()
    (card,) = (o["data"] for o in notebook.nb.cells[-1].outputs if o["output_type"] == "display_data")
    assert "Same environment" in card["text/html"], card["text/plain"]
    print()
    tell(card["text/plain"])
    return json.loads(notebook.type("import json; print(json.dumps(built))"))


def left_out(built: dict[str, Any]) -> dict[str, str]:
    """The packages that the image was planned to lack, with the reason. (Index folders stand there too.)"""
    kind = ("pip", "left-out", "planned")
    planned = [d for d in built["differences"] if (d["manager"], d["field"], d["class"]) == kind]
    return {d["name"]: d["note"] for d in planned if re.fullmatch(r"[a-z0-9.-]+", d["name"])}


def tell_left_out(built: dict[str, Any], count: int) -> None:
    """All of them, by reason; with those in the image it is everything."""
    reasons = left_out(built)
    assert "jupyter-dockerize" in reasons, reasons
    assert built["packages"] + len(reasons) == count, (built["packages"], len(reasons), count)
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        tell(f"{', '.join(names)}", f"    {reason}")


def served(url: str, name: str) -> dict[str, Any]:
    """A file as the JupyterLab at ``url`` serves it."""
    parts = urlsplit(url)
    query = parts._replace(path=f"/api/contents/{name}").geturl()
    with urllib.request.urlopen(query, timeout=20) as answer:
        return json.load(answer)


def opened(notebook: Notebook) -> None:
    """The image answers as a JupyterLab that has the notebook, its data and its module."""
    demo_layers.typed(notebook, f"%dockerize run {NAME}")
    container = next(one for one in api.ps() if one.ref == NAME)
    try:
        saved = served(str(container.url), "penguins.ipynb")
        code = [cell for cell in saved["content"]["cells"] if cell["cell_type"] == "code"]
        assert len(code) == CODE_CELLS, len(code)
        for name in FILES[1:]:
            assert served(str(container.url), name)["size"] > 0, name
        tell(f"JupyterLab answers: the notebook ({len(code)} code cells), its data and its module are there")
    finally:
        api.stop(container.name)


def rerun() -> None:
    """Every cell runs inside the image: no network, nothing of this machine, nothing written."""
    began = time.monotonic()
    engine = choose()
    image = engine.inspect(NAME)
    assert image is not None
    where = ["env", "--chdir=/home/jovyan/work", "HOME=/tmp"]
    slow = Limits(seconds=600)
    notebook = json.loads(engine.execute(image.id, [*where, *RERUN, FILES[0]], limits=slow))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    ran = [
        c for c in code if c["execution_count"] and not any(o["output_type"] == "error" for o in c["outputs"])
    ]
    assert len(ran) == len(code) == CODE_CELLS, (len(ran), len(code))
    tell(f"{len(ran)} of {len(code)} cells run in the image, network off, {time.monotonic() - began:.0f} s;")
    tell("the last one says: " + "".join(code[-1]["outputs"][0]["text"]).strip())


def main() -> int:
    began = time.monotonic()
    engine = api.engines()
    if engine.chosen is None:
        for status in engine.engines:
            print(f"no engine here: {status.reason}\n  → {status.fix}", file=sys.stderr)
        print("then `make demo` again; everything else is in place", file=sys.stderr)
        return NO_ENGINE
    print("jupyter-dockerize: the environment that is running now, as an image that is proven to equal it")
    print("engine:", next(s.reason for s in engine.engines if s.name == engine.chosen).split(" at ")[0])

    say(1, f"An environment that grew by hand: {', '.join(PACKAGES)}, and this checkout (editable)")
    if not PYTHON.exists():
        tell("installing them into .demo/venv: half a minute to a minute, 0.6 GB, once")
    count = grow_environment()
    tell(f"{count} packages in .demo/venv")
    assert count > 90, count
    kernelspec(PYTHON, PLACE / "jupyter")
    path = work_folder() / FILES[0]

    with open_notebook(path) as notebook:
        say(2, f"The penguins notebook is run; then its author types: {TYPED}")
        tell("its cells run first; then each step of %dockerize is told when it has ended")
        built = typed_in_a_notebook(notebook)
        assert built["verdict"] in ("identical", "equivalent"), built["summary"]

        say(3, "Nothing is dropped silently. Left out of the image, by name:")
        tell_left_out(built, count)

        say(4, "Something is installed past us; a note is below its cell, and it becomes a layer")
        demo_layers.kept(notebook, NAME)

        say(5, "Something is installed here and in the image at once")
        demo_layers.executed(notebook, NAME)

        say(6, "The rug is pulled: it is gone here, the kernel is restarted, and the import fails")
        demo_layers.rug_pulled(notebook)
    with open_notebook(path) as notebook:
        notebook.type("%load_ext jupyter_dockerize")
        demo_layers.missed(notebook, NAME)
        opened(notebook)

        say(7, "A step back")
        demo_layers.undone(notebook, NAME)

    say(8, "Run all, inside the image: up to a minute")
    rerun()

    say(9, "The figures, and the one line that opens it")
    tell(
        f"{count} packages seen, {built['packages']} in the image of {built['size'] / 1e9:.2f} GB: {built['verdict']}",
        f"{built['seconds']:.0f} s from %dockerize to the verdict, {time.monotonic() - began:.0f} s for the demo",
    )
    opens = (
        f"jupyter dockerize run {NAME}"
        if engine.chosen == "builtin"
        else f"docker run --rm -p 8888:8888 {NAME}"
    )
    print(f"\n   {opens}\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DockerizeError as error:
        print(f"\n{error}", file=sys.stderr)
        sys.exit(error.exit_status)
