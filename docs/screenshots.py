"""docs/images/card.png: `%dockerize` as a notebook shows it, from a real build (`make screenshots`).

The example notebook is run by the demo's own steps, rendered with JupyterLab's light theme, and its last
cells are photographed by chromium. Needs an engine, chromium on PATH, and the package playwright.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import sync_playwright

from jupyter_dockerize.engines import choose

PROJECT = Path(__file__).resolve().parent.parent
IMAGES = PROJECT / "docs" / "images"
WIDTH = 900  # pixels
LARGEST = 200_000  # bytes
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
TYPED = "%dockerize --include penguins.csv"
# A plain user's environment: the picture shows no variables of the machine that it was taken on.
KEPT = re.compile(r"PATH|HOME|LANG|DOCKER_.*|BUILDKIT_.*|.*_(CERT|CERT_FILE|CA_BUNDLE)|(?i:.*_proxy)")


def executed() -> nbformat.NotebookNode:
    """The last cells of the penguins notebook, with %dockerize typed below them."""
    sys.path.insert(0, str(PROJECT / "examples"))
    import demo

    for name in [name for name in os.environ if not KEPT.fullmatch(name)]:
        del os.environ[name]
    demo.grow_environment()
    demo.kernel()
    folder = demo.work_folder()
    shutil.copy(PROJECT / "examples" / "penguins.ipynb", folder)  # without what the demo types below it
    choose().remove(demo.NAME)  # else a note says that it was replaced
    notebook = demo.run(folder, ("%load_ext jupyter_dockerize", TYPED))
    ours = notebook.cells[-1]
    assert "Same environment" in ours.outputs[-1]["data"]["text/html"], ours.outputs
    notebook.cells = notebook.cells[-2:]
    return notebook


def page(notebook: nbformat.NotebookNode) -> str:
    html, _ = HTMLExporter(template_name="lab", theme="light").from_notebook_node(notebook)
    # The template fetches scripts for equations and the like: there are none here.
    return re.sub(r"<script[^>]*\ssrc=[^>]*>\s*</script>", "", html)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    target = IMAGES / "card.png"
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser_path, "chromium is not on PATH: apt-get install chromium"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "card.html"
        file.write_text(page(executed()))
        browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
        view = browser.new_page(viewport={"width": WIDTH, "height": 700}, device_scale_factor=1.5)
        view.goto(file.as_uri(), wait_until="domcontentloaded")
        view.locator("main, body").first.screenshot(path=target)
        browser.close()
    assert target.stat().st_size < LARGEST, f"{target.stat().st_size} bytes"
    print(target.relative_to(PROJECT), f"{target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
