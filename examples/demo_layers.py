"""The demo's layers: installs that stay, one that went past us, the rug pulled away, and a step back."""

from __future__ import annotations

import re
from textwrap import indent

from demo_notebook import Notebook

from jupyter_dockerize.engines import that_has
from jupyter_dockerize.errors import EngineError

PAST_US = "opencv-python"
PACKAGE = "humanize"


def typed(notebook: Notebook, line: str, *, fails: bool = False) -> str:
    """Types a line, and shows it with what is printed below it."""
    print(f"   >>> {line}", flush=True)
    said = notebook.type(line, fails=fails)
    print(indent(said, "   ") if said else "", flush=True)
    return said


def kept(notebook: Notebook, ref: str) -> None:
    """An install that went past us is noted under its cell, and becomes a layer."""
    said = typed(notebook, f"%pip install -q {PAST_US}")
    assert re.search(rf"not in the image {ref}, layer 1: .*{PAST_US}", said), said
    said = typed(notebook, "%dockerize keep")
    assert f"layer 2 of {ref}: " in said, said
    # Added where Debian's package is here, named as missing where it is not.
    assert "libGL.so.1" in said, said


def executed(notebook: Notebook, ref: str) -> None:
    """An install that stays."""
    said = typed(notebook, f"%docker_exec pip install {PACKAGE}")
    assert re.search(rf"layer 3 of {ref}: {PACKAGE} .* same environment", said), said
    assert imports(ref)


def rug_pulled(notebook: Notebook) -> None:
    """The package is gone from the environment, as a container's packages are with it."""
    typed(notebook, f"%pip uninstall -q -y {PACKAGE}")


def missed(notebook: Notebook, ref: str) -> None:
    """After a restart of the kernel it cannot be imported here; in the image it can."""
    said = typed(notebook, f"import {PACKAGE}", fails=True)
    assert said.startswith("ModuleNotFoundError"), said
    assert imports(ref)
    print(f"   in a fresh container of {ref}: import {PACKAGE} works\n", flush=True)


def undone(notebook: Notebook, ref: str) -> None:
    """The timeline steps back."""
    said = typed(notebook, "%docker_undo")
    assert f"{ref} is at layer 2: %dockerize keep" in said, said
    said = typed(notebook, "%docker_history")
    assert re.search(r"(?m)^→ +2 ", said), said
    assert not imports(ref)


def imports(ref: str) -> bool:
    """Whether a fresh container of the image has the package."""
    try:
        that_has(ref, "auto").execute(ref, ["python", "-c", f"import {PACKAGE}"])
    except EngineError:
        return False
    return True
