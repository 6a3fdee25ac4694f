"""What a notebook uses of its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_dockerize.environment.project.beside import data_files, data_outside, modules
from jupyter_dockerize.environment.project.notebook import CodeCell, Notebook

HELPERS = ["deep/beside_inner.py", "deep/inner.py", "helpers.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "helpers.py": "import deep.inner\nimport numpy",
        "run_me.py": "",
        "unused.py": "",
        "deep/inner.py": "from . import beside_inner",
        "deep/beside_inner.py": "",
        "package/__init__.py": "",
        "package/lazy.py": "",
        "package/sub/__init__.py": "from ..lazy import x\nfrom ...secret import y",
        "package/__pycache__/lazy.py": "",
        "broken.py": "import helpers\nthis is not Python",
        "data/penguins.csv": "a",
        "data/.hidden.csv": "a",
        "plot.png": "a",
        ".env": "TOKEN=1",
        "x.ipynb": "{}",
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "secret.py").write_text("")
    (tmp_path / "secret.csv").write_text("")
    return tmp_path / "project"


def of(folder: Path, *sources: str) -> Notebook:
    return Notebook(folder / "x.ipynb", None, "python", tuple(map(CodeCell, range(len(sources)), sources)))


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("import helpers", HELPERS),
        ("from helpers import f", HELPERS),
        ("%matplotlib inline\nx = !ls\nprint?\nimport broken", ["broken.py", *HELPERS]),
        ("%%time\nfrom deep import beside_inner", ["deep/beside_inner.py"]),
        ("def f(:\nimport deep.beside_inner", ["deep/beside_inner.py"]),
        ("from package.sub import x", ["package/__init__.py", "package/lazy.py", "package/sub/__init__.py"]),
        ("%run -i run_me.py --option", ["run_me.py"]),
        ("import numpy, sys, os.path", []),
        ("%run ../secret.py", []),
        ("%%bash\nimport helpers", []),
        ("import deep", []),
        ("from ... import secret", []),
    ],
)
def test_modules_that_it_imports(folder: Path, cell: str, found: list[str]) -> None:
    assert modules(of(folder, cell)) == found


def test_links_that_lead_outside_are_not_followed(folder: Path) -> None:
    (folder / "linked.py").symlink_to("../secret.py")
    (folder / "linked.csv").symlink_to("../secret.csv")
    (folder / "outside").symlink_to("..")
    (folder / "circle.py").symlink_to("circle.py")
    (folder / "inside.py").symlink_to("run_me.py")
    imports = "import linked, circle, outside.secret, inside"
    notebook = of(folder, imports, "open('linked.csv'); open('outside/secret.csv')")
    assert modules(notebook) == ["inside.py"]
    assert data_files(notebook) == []


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("pd.read_csv('data/penguins.csv')", ["data/penguins.csv"]),
        ("pd.read_csv(Path('data') / 'penguins.csv')", ["data/penguins.csv"]),
        ("D = 'data'\nopen(join(D, 'penguins.csv')); 'plot.png'", ["data/penguins.csv", "plot.png"]),
        ("open('helpers.py'); open('x.ipynb'); open('missing.csv'); open('data')", []),
        ("open('.env'); open('data/.hidden.csv'); open('../secret.csv'); open('/etc/passwd')", []),
        ("'' + 'a\\0b' + '\\n' + 'x' * 9 + '" + "x" * 300 + "'", []),
    ],
)
def test_files_that_it_names(folder: Path, cell: str, found: list[str]) -> None:
    assert data_files(of(folder, cell)) == found


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("pd.read_csv('../secret.csv')", ["../secret.csv"]),
        ("pd.read_csv(Path('..') / 'secret.csv')", ["../secret.csv"]),
        ("pd.read_csv('{outside}/secret.csv')", ["{outside}/secret.csv"]),
        ("open('linked.csv')", ["linked.csv"]),
        ("open('../missing.csv'); open('data/penguins.csv'); open('{outside}/project/plot.png')", []),
        ("sys.path.append('..'); open('plot.png'); open('../secret.py')", []),
        ("open('/dev/null'); open('/etc/hostname'); open('/proc/self/maps'); run('/usr/bin/env')", []),
        ("df.to_csv('../secret.csv'); open('../secret.csv')", []),
        ("open('../secret.csv', 'w'); plt.savefig(fname='../secret.csv')", []),
        ("Path('../secret.csv').write_text('')", []),
        ("open('../secret.csv', 'r')", ["../secret.csv"]),
        ("'~nobody/x' + '~' + '/' + 'a\\0b' + '" + "x" * 300 + "'", []),
    ],
)
def test_files_outside_that_it_reads(folder: Path, cell: str, found: list[str]) -> None:
    (folder / "linked.csv").symlink_to("../secret.csv")
    (folder.parent / "plot.png").write_text("")
    outside = str(folder.parent)
    assert data_outside(of(folder, cell.replace("{outside}", outside))) == [
        name.replace("{outside}", outside) for name in found
    ]
