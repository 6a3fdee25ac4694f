"""Which engine is used, and what is said when there is none."""

import contextlib
import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from jupyter_dockerize.engines import choose, engines, survey
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.errors import EngineError, NoEngineError, UsageError

from .listeners import DOCKER, engine, listening


def test_the_one_that_answers_is_chosen(tmp_path: Path):
    with listening(engine(DOCKER), tmp_path / "s") as host:
        environ = {"DOCKER_HOST": host, "PATH": "/nonexistent"}
        assert choose(environ=environ).name == "docker"
        assert choose("docker", environ=environ).features() == {"chown-copy"}
        found = survey(environ)
    assert found.chosen == "docker"
    assert [(one.name, one.available) for one in found.engines] == [("docker", True), ("builtin", True)]


def test_without_one_the_error_is_the_diagnosis(tmp_path: Path):
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    assert survey(environ).chosen == "builtin"
    for options in ({"name": "docker"}, {"rebuild": True}):
        with pytest.raises(NoEngineError) as caught:
            choose(**options, environ=environ)
        assert "no socket at" in caught.value.why
    assert caught.value.fix
    with pytest.raises(NoEngineError) as caught:
        engines(environ)[0].features()
    assert "no socket at" in caught.value.why


def test_where_docker_does_not_answer_the_builtin_engine_knows_why(tmp_path: Path):
    chosen = choose(environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert chosen.name == "builtin"
    assert chosen.instead is not None
    assert "no socket at" in chosen.instead.reason


def test_a_name_that_is_none():
    with pytest.raises(UsageError, match="no engine 'rocket'"):
        choose("rocket")


def test_where_files_cannot_be_locked_as_on_unix_docker_is_there_all_the_same():
    """What Windows lacks of Python's library is not asked for before it is needed."""
    code = (
        "import sys; sys.modules['fcntl'] = sys.modules['resource'] = None\n"
        "import jupyter_dockerize.engines.docker, jupyter_dockerize.api, jupyter_dockerize.cli\n"
        "from jupyter_dockerize.export import build, prepare, verify"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


WINDOWS = """
import asyncio, IPython, docker, jupyter_client, subprocess  # which are not as they are on Windows
import shutil, sys, types
shutil.sys = types.SimpleNamespace(**vars(sys))  # programs are found by the names that they have here
sys.modules["fcntl"] = sys.modules["resource"] = None
sys.platform = "win32"
import json
from jupyter_dockerize import api
from jupyter_dockerize.errors import UsageError
python, ref = sys.argv[1:]
where = api.Where(python=python)
built = api.build(where, api.Wishes(), ref)
listed = [name for image in api.images() for name in image.refs]
refused = []
for verb in (
    lambda: api.execute(where, "pip install cowsay", ref), lambda: api.keep(where, ref),
    lambda: api.history(where, ref), lambda: api.undo(where, ref), lambda: api.prune([ref]),
):
    try:
        verb()
    except UsageError as error:
        refused.append([error.what, error.fix])
from jupyter_dockerize.magics import DockerizeMagics
magics = DockerizeMagics(IPython.core.interactiveshell.InteractiveShell())
magics._watch.moved = lambda: True
magics.look_for_drift(None)  # a cell that installs ends as it would without us
print(json.dumps([built.ok, [each.code for each in built.findings], f"{ref}:latest" in listed, refused]))
"""


@pytest.mark.engine
def test_on_windows_images_are_built_and_listed_and_have_no_layers(engine: DockerEngine, bare: Path):
    ref = f"jd-test-{uuid.uuid4().hex[:8]}"
    try:
        said = subprocess.run(
            [sys.executable, "-c", WINDOWS, bare, ref], capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, said.stderr
        ok, codes, listed, refused = json.loads(said.stdout)
    finally:
        with contextlib.suppress(EngineError):
            engine.remove(ref)
    assert (ok, listed) == (True, True)
    assert "recipe-not-kept" in codes
    assert [what for what, _ in refused] == [
        *["layers need Linux or macOS"] * 4,
        "nothing is kept here that could be pruned",
    ]
    assert all(fix for _, fix in refused)
