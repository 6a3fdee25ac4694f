"""What is on Python's path outside the environment comes along, or is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from jupyter_dockerize.environment.model import Packages
from jupyter_dockerize.image.copy.python import python_files

from .environments import copied, has, install, planned, project, site, venv, without


def test_an_editable_project_comes_by_what_git_tracks(python: Path, tmp_path: Path) -> None:
    where = project(tmp_path / "project")
    install(python, "-e", str(where))
    files = copied(python)
    assert has(files, where / "src/mine/__init__.py")
    assert not has(files, where / "notes.txt")
    assert not any(".git/" in path for path in files.environment)
    assert files.findings == ()  # a file that was deleted is not one that cannot be read


def test_a_folder_that_a_pth_file_adds_comes_by_what_git_tracks_or_is_named(
    python: Path, tmp_path: Path
) -> None:
    where = project(tmp_path / "checkout")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "module.py").write_text("")
    lines = ["# comment", "import sys", str(where / "src"), str(tmp_path / "loose"), "/nowhere"]
    (site(python) / "more.pth").write_text("\n".join(lines) + "\n")
    files = copied(python)
    assert has(files, where / "src/mine/__init__.py")
    assert not has(files, tmp_path / "loose/module.py")
    [finding] = files.findings
    assert (finding.code, finding.severity) == ("path-outside", "warning")
    assert str(tmp_path / "loose") in finding.message


def test_a_project_that_is_left_out_leaves_its_folder_out(python: Path, tmp_path: Path) -> None:
    where = project(tmp_path / "project")
    install(python, "-e", str(where))
    plan, snapshot = planned(python)
    files = python_files(without(plan, "mine"), snapshot)
    assert not any(path.startswith(str(where).lstrip("/")) for path in files.environment)
    assert not any(path.endswith(".pth") and "mine" in path for path in files.environment)


def test_packages_of_pythonpath_stay_in_their_place(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "extra"
    install(python, "--target", str(target), "sortedcontainers")
    monkeypatch.setenv("PYTHONPATH", str(target))
    files = copied(python)
    assert has(files, target / "sortedcontainers" / "__init__.py")
    assert dict(files.variables)["PYTHONPATH"] == str(target)


def test_packages_of_the_user_move_where_no_home_hides_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their scripts, and the variable that tells Python where they are."""
    plan, snapshot = planned(venv(tmp_path / "env", "humanize", "pygments"))
    home = tmp_path / "env"  # as `pip install --user` records them
    moved = [dataclasses.replace(package, scope="user") for package in snapshot.packages.pip]
    python = dataclasses.replace(snapshot.python, prefix=str(tmp_path / "none"))
    snapshot = dataclasses.replace(snapshot, python=python, packages=Packages(pip=tuple(moved)))
    files = python_files(plan, snapshot)
    assert dict(files.variables)["PYTHONUSERBASE"] == "/opt/user"
    assert "opt/user/bin/pygmentize" in files.environment
    assert files.groups[f"opt/user/{(site(home / 'bin/python')).relative_to(home)}/humanize/__init__.py"]
    assert not any(
        path.startswith(str(home).lstrip("/")) and "humanize" in path for path in files.environment
    )
