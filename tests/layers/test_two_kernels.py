"""Two notebooks in two folders, and one image: both get their layer, and the image has one journal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.layers import journal

from ..commandline import notebook
from .conftest import Own
from .test_faults import agree

pytestmark = pytest.mark.engine

EXECUTE = """
import sys
from pathlib import Path
from jupyter_dockerize import api
python, path, command, ref = sys.argv[1:]
done = api.execute(api.Where(notebook=Path(path), python=python), command, ref, engine="docker")
assert done.layer is not None, done
"""


def test_of_two_kernels_with_one_image_each_gets_its_layer(own: Own, tmp_path: Path) -> None:
    assert own.where.notebook
    (tmp_path / "other").mkdir()
    notebooks = [own.where.notebook, notebook(tmp_path / "other/other.ipynb", "1")]
    commands = ["pip install humanize==4.8.0", "pip install cowsay==6.0"]
    both = [
        subprocess.Popen([sys.executable, "-c", EXECUTE, own.python, path, command, own.ref])
        for path, command in zip(notebooks, commands, strict=True)
    ]
    assert [each.wait(timeout=300) for each in both] == [0, 0]
    assert agree(own, 3) == 3
    rows = api.history(own.where, own.ref).rows
    assert sorted(row.layer.command for row in rows[1:]) == sorted(commands)
    assert own.imports("humanize", "cowsay") == own.here("humanize", "cowsay") == [True, True]
    written = [path.parent / "dockerize" / own.ref for path in notebooks]
    (folder,) = [path for path in written if path.exists()]
    assert len(journal.read(folder).entries) == 2
