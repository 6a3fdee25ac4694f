"""The configuration: one file on Jupyter's path, read by every face."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_dockerize.arguments import parser
from jupyter_dockerize.config import Dockerize, load
from jupyter_dockerize.errors import UsageError


def write(folder: Path, text: str, name: str = "jupyter_dockerize_config.py") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return str(folder)


def test_without_a_file_nothing_is_changed() -> None:
    assert load([]).options() == Dockerize().options()
    assert parser("p", defaults=load([]).options()).parse_args(["build"]) == parser("p").parse_args(["build"])


def test_the_first_folder_has_the_last_word(tmp_path: Path) -> None:
    site = write(tmp_path / "site", 'c.Dockerize.base = "site"\nc.Dockerize.engine = "docker"\n')
    user = write(tmp_path / "user", 'c = get_config()\nc.Dockerize.base = "user"\n')
    found = load([user, site])
    assert (found.base, found.engine) == ("user", "docker")


def test_json_will_do(tmp_path: Path) -> None:
    folder = write(tmp_path, json.dumps({"Dockerize": {"verify": False}}), "jupyter_dockerize_config.json")
    assert load([folder]).options()["no_verify"] is True


def test_jupyters_own_path_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", write(tmp_path, 'c.Dockerize.apt = ["git"]\n'))
    assert load().apt == ["git"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("c.Dockerize.progress = 'loud'\n", "loud"),
        ("c.Dockerize.allow = 3\n", "allow"),
        ("this is no Python\n", "SyntaxError"),
        ("raise ValueError('why not')\n", "why not"),
        ("import nonexistent_module\n", "nonexistent_module"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_named(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        load([write(tmp_path, text)])
    assert "jupyter_dockerize_config" in str(refused.value)


def test_a_name_of_a_newer_version_is_told_and_passed_over(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Dockerize has no telepathy"):
        found = load([write(tmp_path, "c.Dockerize.telepathy = 1\nc.Dockerize.minimal = True\n")])
    assert found.minimal


def test_every_default_is_one_of_an_option() -> None:
    build = parser("p").verbs["build"]
    assert Dockerize().options().keys() <= {action.dest for action in build._actions}


def test_every_name_has_a_help_text() -> None:
    assert all(trait.help for trait in Dockerize.class_traits(config=True).values())
