"""Stands in for jupyter-dockerize inside its images: the magics are there, so that every cell runs.

Standard library only, Python 3.8 and newer. It is not in the environment, which stays as it was planned;
where the real jupyter-dockerize is installed, Python finds that one.
"""

import json
from pathlib import Path

PLAN = "/opt/jupyter-dockerize/plan.json"
LINE = ("dockerize", "docker_history", "docker_undo", "docker_rollback")
BOTH = ("docker_exec",)  # also as %%docker_exec


def load_ipython_extension(shell):  # type: ignore[no-untyped-def]
    """Registers magics that print one line and do nothing."""
    for name in LINE:
        shell.register_magic_function(_nothing, "line", name)
    for name in BOTH:
        shell.register_magic_function(_nothing, "line_cell", name)


def _nothing(line: str, cell: object = None) -> None:
    """This is an image of jupyter-dockerize already: nothing is done."""
    print(f"this is already {_image()}; nothing to do")


def _image() -> str:
    try:
        notebook = json.loads(Path(PLAN).read_text(encoding="utf-8")).get("notebook")
    except (OSError, ValueError, AttributeError):
        notebook = None
    return f"the image of {notebook}" if notebook else "an image of jupyter-dockerize"
