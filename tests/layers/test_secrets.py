"""A login that a command names is handed on, and is nowhere afterwards."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import DockerizeError, UsageError

from ..commandline import notebook
from ..image.copy.environments import venv
from ..resolve.index import PrivateIndex, private_index
from .conftest import Own

USER, PASSWORD, TOKEN = "canary-user", "canary-Pa55-91cd", "canary-token-4be1"
LOGIN = base64.b64encode(f"{USER}:{PASSWORD}".encode())


FORMS = (
    "--index-url http://{login}@{host}/simple {name}",
    "--extra-index-url=http://{login}@{host}/simple {name}",
    "'{name} @ http://{login}@{host}/files/{name}-1.0-py3-none-any.whl'",
    "'http://{login}@{host}/files/{name}-1.0-py3-none-any.whl?token={token}'",
)
NAMES = ("jdanchor", "jdbuoy", "jdcleat", "jddinghy")


@pytest.fixture
def index() -> Iterator[PrivateIndex]:
    with private_index((USER, PASSWORD)) as found:
        for name in NAMES:
            found.add(name, "1.0")
        found.files |= {f"{name}?token={TOKEN}": data for name, data in found.files.items()}
        yield found


def test_layers_of_a_copy_hold_no_login(
    index: PrivateIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    (tmp_path / "project").mkdir()
    path = notebook(tmp_path / "project/survey.ipynb", "1")
    where = Where(notebook=path, python=str(venv(tmp_path / "env", "pip")))
    said: list[object] = []
    host = index.url.split("/")[2]
    for name, form in zip(NAMES, FORMS, strict=True):
        words = form.format(login=f"{USER}:{PASSWORD}", host=host, name=name, token=TOKEN)
        done = api.execute(where, f"pip install {words}", "survey", engine="builtin", report=said.append)
        assert done.layer is not None
        assert [str(each) for each in done.layer.changes] == [f"{name} 1.0"]
        said.append(done)
    places = [tmp_path / "store", path.parent / "dockerize"]
    written = [file for place in places for file in place.rglob("*") if file.is_file()]
    searched = {"said": repr(said).encode()} | {str(file): _unpacked(file.read_bytes()) for file in written}
    assert sum(b"jddinghy-1.0.dist-info/RECORD" in data for data in searched.values())
    for place, data in searched.items():
        for canary in (PASSWORD.encode(), LOGIN, TOKEN.encode()):
            assert canary not in data, place


@pytest.mark.engine
def test_a_layer_that_is_made_later_says_which_login_is_missing(
    index: PrivateIndex, own: Own, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The build of the first try does not reach this machine's loopback."""
    own.exec("true")
    host = index.url.split("/")[2]
    with pytest.raises(DockerizeError, match="was not built"):
        own.exec(f"pip install --no-deps --extra-index-url http://{USER}:{PASSWORD}@{host}/simple jdanchor")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(UsageError, match="login of the command is kept nowhere") as refused:
        api.keep(own.where, own.ref, retry=True, engine="docker")
    assert "127.0.0.1" in refused.value.why
    assert "machine 127.0.0.1 login USER password PASSWORD" in refused.value.fix
    assert f"exec --image {own.ref} --retry" in refused.value.fix
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    with pytest.raises(DockerizeError, match="was not built"):  # it is handed the login, and goes on
        api.keep(own.where, own.ref, retry=True, engine="docker")


def _unpacked(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def test_a_command_with_a_login_is_not_run_in_the_image_only(tmp_path: Path) -> None:
    """It would be kept, and run again, without it."""
    path = notebook(tmp_path / "survey.ipynb", "1")
    for words in ("--index-url https://{login}@a.example/simple x", "'x @ https://{login}@a.example/x.whl'"):
        command = f"pip install {words}".format(login=f"{USER}:{PASSWORD}")
        with pytest.raises(UsageError, match="holds a secret") as refused:
            api.execute(Where(notebook=path), command, "survey", image_only=True)
        assert PASSWORD not in f"{refused.value} {refused.value.why} {refused.value.fix}"
