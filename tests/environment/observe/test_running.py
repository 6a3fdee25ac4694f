"""``live`` alone: the kernel that runs here, where there is only one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.environment.observe.running import the_one
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
    file.write_text(json.dumps({"ip": "127.0.0.1", "shell_port": port, "transport": "tcp", **more}))
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
