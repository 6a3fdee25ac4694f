"""Which engine is used, and what is said when there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_dockerize.engines import choose, engines, survey
from jupyter_dockerize.errors import NoEngineError, UsageError

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
