"""A notebook in a kernel of the demo's environment, cell by cell, as its author types them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

KERNEL = "demo"
LONG = 1800  # seconds that a cell may take


class Notebook(NotebookClient):
    """Runs cells; a card's steps are printed as each one ends. Use through `open_notebook`."""

    printed = 0
    last = ""

    def run_all(self) -> None:
        """The cells that are saved."""
        for index, cell in enumerate(self.nb.cells):
            self.execute_cell(cell, index)

    def type(self, source: str, *, fails: bool = False) -> str:
        """What a cell prints that is typed below them, and is not saved; where it ``fails``, its error."""
        tags = ["raises-exception"] if fails else []
        self.nb.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
        cell = self.execute_cell(self.nb.cells[-1], len(self.nb.cells) - 1)
        return "".join(_text(output) for output in cell.outputs).strip("\n")

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        content = msg.get("content", {})
        if msg.get("msg_type") == "update_display_data":
            self._progress(content["data"].get("text/plain", ""))
        return super().process_message(msg, cell, cell_index)

    def _progress(self, text: str) -> None:
        _, *steps = text.splitlines()
        if text.startswith("Building "):
            ended, self.last = steps[self.printed : -1], steps[-1] if steps else ""
            self.printed += len(ended)
        else:
            ended, self.last = [self.last] if self.last else [], ""
        for step in ended:
            print(f"  {step}", flush=True)


def _text(output: Any) -> str:
    if output["output_type"] == "stream":
        return str(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}\n"
    return str(output["data"].get("text/plain", "")) + "\n"


@contextlib.contextmanager
def open_notebook(path: Path) -> Iterator[Notebook]:
    """The notebook in a kernel that was just started, and ends with this."""
    os.environ["JPY_SESSION_NAME"] = str(path)  # as a Jupyter server tells its kernels
    where = {"metadata": {"path": str(path.parent)}}
    cells = nbformat.read(path, as_version=4)
    notebook = Notebook(cells, kernel_name=KERNEL, timeout=LONG, resources=where)
    with notebook.setup_kernel():
        yield notebook


def kernelspec(python: Path, place: Path) -> None:
    """A kernelspec for an environment, where only this process looks."""
    folder = place / "kernels" / KERNEL
    folder.mkdir(parents=True, exist_ok=True)
    spec = {
        "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"],
        "display_name": KERNEL,
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    os.environ["JUPYTER_PATH"] = str(place)
