"""What may follow in a line that is being typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_dockerize import api, completers
from jupyter_dockerize.arguments import VERBS
from jupyter_dockerize.completion import completions
from jupyter_dockerize.engines.base import Container, Image
from jupyter_dockerize.errors import NoEngineError


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    image = Image(
        id="sha256:1", refs=("penguins:latest", "r.example.org/a:1"), size=1, created="", platform=""
    )
    container = Container(name="penguins-2", id="1", ref="penguins", status="running", url=None)
    monkeypatch.setattr(api, "images", lambda: [image])
    monkeypatch.setattr(api, "ps", lambda: [container])
    monkeypatch.setattr(completers, "kernels", lambda **_: ["python3"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("a.ipynb", "b.csv", ".hidden", "data/c.csv"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    ("words", "start", "found"),
    [
        ([], "ver", ["verify"]),
        ([], "", [*VERBS, "a.ipynb", "data/"]),
        (["build"], "", ["a.ipynb", "data/"]),
        (["build", "a.ipynb"], "", []),
        (["build", "--include"], "", ["b.csv", "data/", "a.ipynb"]),
        (["build", "--include"], "data/", ["data/c.csv"]),
        (["build"], "--include=b", ["--include=b.csv"]),
        (["build", "--include"], ".h", [".hidden"]),
        (["--kernel"], "", ["python3"]),
        (["--engine"], "", ["auto", "builtin", "docker"]),
        (["run"], "pen", ["penguins:latest"]),
        (["run", "penguins"], "", []),
        (["run", "--port", "8888"], "pen", ["penguins:latest"]),
        (["stop"], "", ["penguins-2"]),
        (["push"], "r.", ["r.example.org/a:1"]),
        (["login"], "", ["docker.io", "r.example.org"]),
        (["verify", "x"], "k", ["kernel:", "kernel:python3"]),
        (["diff", "live"], "image:", ["image:", "image:penguins:latest", "image:r.example.org/a:1"]),
        (["ps"], "--j", ["--json"]),
        (["exec", "--allow"], "secret-in-", ["secret-in-file", "secret-in-notebook"]),
        (["keep"], "--al", ["--allow"]),
        (["recipe", "-o"], "d", ["data/"]),
        (["run", "--mount"], "/nonexistent/", []),
    ],
)
def test_what_follows(words: list[str], start: str, found: list[str]) -> None:
    assert sorted(completions(words, start)) == sorted(found)


def test_without_an_engine_there_are_no_names_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> list[Image]:
        raise NoEngineError("no engine can be used")

    monkeypatch.setattr(api, "images", none)
    assert completions(["run"], "") == []
