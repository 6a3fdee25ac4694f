"""Environment A where there is no Docker and no root: captured, proven equal, and opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.image.validate.layout import validate

from .conftest import Environment, address, ask, run
from .test_virtual_environment import IMPORTS

pytestmark = [pytest.mark.engine, pytest.mark.rig, pytest.mark.timeout(1800)]

REPOSITORY = Path(__file__).parents[2]
USER = 1000


@dataclass(frozen=True)
class Ordinary:
    """Somebody with an account, the product, bubblewrap, and nothing else."""

    environment: Environment
    home: Path
    program: Path
    environ: dict[str, str] = field(repr=False)

    def run(self, *words: str | Path, status: int = 0) -> Any:
        done = subprocess.run(
            [str(self.program), *map(str, words), "--json"],
            env=self.environ, cwd=self.environment.notebook.parent, user=USER, group=USER, extra_groups=[],
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        said = json.loads(done.stdout or "{}")
        wrong = [d for d in said.get("differences", ()) if d["class"] != "planned"][:20]
        assert done.returncode == status, (
            f"{done.returncode} {said.get('summary')}\n{wrong}\n{done.stderr[-6000:]}"
        )
        return said

    def inside(self, *argv: str) -> str:
        """What a program prints in the image, unpacked by the product."""
        code = (
            "import sys; from jupyter_dockerize.engines.builtin import BuiltinEngine\n"
            "sys.stdout.buffer.write(BuiltinEngine().execute('survey-of-birds', sys.argv[1:]))"
        )
        done = subprocess.run(
            [self.program.with_name("python"), "-c", code, *argv],
            env=self.environ, cwd="/", user=USER, group=USER, extra_groups=[],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def ordinary(environment_a: Environment) -> Iterator[Ordinary]:
    place = Path(tempfile.mkdtemp(prefix="jupyter-dockerize-test-", dir="/var/tmp"))
    python = environment_a.python.parents[2] / "python" / "bin" / "python{}.{}".format(*sys.version_info[:2])
    uv = [sys.executable, "-m", "uv"]
    run(*uv, "venv", "--quiet", "--python", python, place / "tool")
    run(
        *uv,
        "pip",
        "install",
        "--quiet",
        "--link-mode",
        "copy",
        "--python",
        place / "tool/bin/python",
        REPOSITORY,
    )
    home = Path(environment_a.environ["HOME"])
    bwrap = shutil.which("bwrap")
    assert bwrap, "bubblewrap is not there (tests/rig/up bubblewrap)"
    (place / "bin").mkdir()
    shutil.copy(bwrap, place / "bin/bwrap")
    for folder in (home, place):
        run("chown", "-R", f"{USER}:{USER}", folder)
    environ = {
        "HOME": str(home),
        "PATH": f"{place}/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TZ": "Europe/Berlin",
        "TMPDIR": str(place),
        "DOCKER_HOST": f"unix://{place}/none.sock",
        "JUPYTER_DOCKERIZE_STORE": str(place / "store"),
    }
    yield Ordinary(environment_a, home, place / "tool/bin/jupyter-dockerize", environ)
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def built(ordinary: Ordinary) -> Any:
    notebook, python = ordinary.environment.notebook, ordinary.environment.python
    return ordinary.run(
        "build", notebook.name, "--python", python, "--include", "data", "--progress", "plain"
    )


def test_the_builtin_engine_is_taken_and_the_image_is_identical(ordinary: Ordinary, built: Any) -> None:
    engines = ordinary.run("engines")
    assert engines["chosen"] == "builtin"
    assert (built["engine"], built["method"], built["verdict"]) == ("builtin", "copy", "identical")
    assert built["packages"] >= 150
    assert validate(Path(ordinary.environ["JUPYTER_DOCKERIZE_STORE"])) == []


def test_it_imports_everything_and_is_a_system_of_its_own(ordinary: Ordinary, built: Any) -> None:
    program = (
        f"import os, subprocess\nfor name in {IMPORTS!r}: __import__(name)\n"
        "import ssl, pwd, locale, zoneinfo, datetime\n"
        "assert len(ssl.create_default_context().get_ca_certs()) > 50\n"
        "assert pwd.getpwuid(1000).pw_name == 'jovyan'\n"
        "locale.setlocale(locale.LC_ALL, 'C.UTF-8')\n"
        "assert b'libc6' in subprocess.run(['dpkg', '-l'], capture_output=True, check=True).stdout\n"
        "summer = datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))\n"
        "print(os.getuid(), summer.utcoffset())"
    )
    assert ordinary.inside(str(ordinary.environment.python), "-c", program).split()[-2:] == [
        str(USER), "2:00:00",
    ]  # fmt: skip


def test_it_opens_and_is_closed(ordinary: Ordinary, built: Any) -> None:
    (opened,) = ordinary.run("run", "survey-of-birds")["containers"]
    try:
        host, token = address(opened["url"])
        listed = ask(f"{host}/api/contents/?token={token}")["content"]
        assert "survey of birds.ipynb" in {entry["name"] for entry in listed}
        (again,) = ordinary.run("run", "survey-of-birds")["containers"]
        assert again["url"] == opened["url"]
        assert [one["name"] for one in ordinary.run("ps")["containers"]] == [opened["name"]]
        assert ordinary.run("logs", opened["name"])["lines"]
    finally:
        ordinary.run("stop", opened["name"])
    assert ordinary.run("ps")["containers"] == []
    assert list(Path(ordinary.environ["JUPYTER_DOCKERIZE_STORE"], "open").iterdir()) == []
