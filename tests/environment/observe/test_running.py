"""``live`` alone: the kernel that runs here, where there is only one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.environment.observe.running import connection_file, the_one
from jupyter_dockerize.errors import KernelError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    """Somebody listens there, as a kernel does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def written(folder: Path, name: str, port: int, **more: str) -> Path:
    file = folder / f"kernel-{name}.json"
    info = {"ip": "127.0.0.1", "shell_port": port, "control_port": 2, "key": "", "transport": "tcp"}
    file.write_text(json.dumps(info | more))
    return file


def test_the_only_kernel_that_runs_is_meant(folder: Path, port: int) -> None:
    alive = written(folder, "a1", port)
    written(folder, "killed", 1)
    written(folder, "gone", 0, transport="ipc", ip=str(folder / "nothing"))
    (folder / "kernel-torn.json").write_text("{")
    assert the_one() == str(alive)


def test_a_kernel_that_listens_on_a_file_is_found_too(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "k-1"))
        server.listen()
        alive = written(folder, "a1", 1, transport="ipc", ip=str(folder / "k"))
        assert the_one() == str(alive)


def test_of_several_each_is_named_with_its_notebook_and_what_to_type(folder: Path, port: int) -> None:
    written(folder, "a1", port, jupyter_session="/home/ada/penguins.ipynb")
    written(folder, "b2", port)
    with pytest.raises(KernelError) as error:
        the_one()
    assert "live:a1 (penguins.ipynb), live:b2" in error.value.why
    assert error.value.instead == ("live", "live:a1")


def test_where_none_runs_other_ways_are_named(folder: Path) -> None:
    written(folder, "killed", 1)
    with pytest.raises(KernelError) as error:
        the_one()
    assert "kernel:NAME or python:PATH" in error.value.fix


def test_a_kernel_is_named_by_file_id_beginning_or_notebook(folder: Path) -> None:
    notebook = folder / "sales.ipynb"
    notebook.touch()
    first = written(folder, "abc1", 1, jupyter_session=str(notebook))
    written(folder, "abc2", 1, jupyter_session="")
    whole = written(folder, "abc", 1, jupyter_session="/gone.ipynb")
    assert connection_file("abc1") == first
    assert connection_file(str(first)) == first
    assert connection_file(str(notebook)) == first
    assert connection_file("abc") == whole, "a whole id is no beginning"
    with pytest.raises(KernelError, match="more than one"):
        connection_file("ab")
    for nobody in ("xyz", "../kernel-abc1", "/no/such.json", str(folder / "other.ipynb"), "\0", ""):
        with pytest.raises(KernelError):
            connection_file(nobody)
