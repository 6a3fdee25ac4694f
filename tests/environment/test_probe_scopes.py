"""Where packages lie: prefix, user site, system, PYTHONPATH, editable sources; and their git checkouts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.environment import probe

from .probed import by_name, dist_info, run

MINOR = f"python{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment of the interpreter that runs the tests, seeing its base's packages."""
    folder = tmp_path_factory.mktemp("scopes") / "venv"
    base = getattr(sys, "_base_executable", sys.executable)
    uv = [sys.executable, "-m", "uv", "venv", "-q", "--system-site-packages", "--python", base, str(folder)]
    subprocess.run(uv, check=True)
    return folder


def _scope(facts: dict[str, Any], name: str) -> str:
    return str(facts["pip"]["paths"][by_name(facts)[name]["at"]]["scope"])


def test_every_scope_has_its_name_and_the_first_place_shadows(venv: Path, tmp_path: Path) -> None:
    user = tmp_path / "user" / "lib" / MINOR / "site-packages"
    own = venv / "lib" / MINOR / "site-packages"
    dist_info(own, "in-env")
    dist_info(user, "in-user")
    dist_info(user, "everywhere", "2.0")
    dist_info(own, "everywhere", "1.0")
    dist_info(tmp_path / "path", "on-path")
    env = {"PYTHONUSERBASE": str(tmp_path / "user"), "PYTHONPATH": f"{tmp_path / 'path'}::/nonexistent"}
    facts = run(python=venv / "bin/python", env=env, cwd=tmp_path)
    assert facts["python"]["venv"] is True
    assert facts["python"]["user_site"] == str(user)
    assert (_scope(facts, "in-env"), _scope(facts, "in-user")) == ("env", "user")
    assert _scope(facts, "on-path") == "path"
    versions = [f["version"] for f in facts["pip"]["distributions"] if f["name"] == "everywhere"]
    order = [place["scope"] for place in facts["pip"]["paths"] if place["scope"] in ("env", "user")]
    assert versions == (["1.0", "2.0"] if order == ["env", "user"] else ["2.0", "1.0"])
    assert "system" in [place["scope"] for place in facts["pip"]["paths"]]
    assert not [p for p in facts["pip"]["paths"] if p["path"].endswith((MINOR, "lib-dynload", ".zip"))]


def test_a_virtual_environment_that_sees_nothing_else(tmp_path: Path) -> None:
    uv = [sys.executable, "-m", "uv", "venv", "-q", "--python", sys.executable, str(tmp_path / "venv")]
    subprocess.run(uv, check=True)
    (tmp_path / "link").symlink_to(tmp_path / "venv")
    for folder in ("venv", "link"):
        facts = run(python=tmp_path / folder / "bin/python", cwd=tmp_path)
        assert [place["scope"] for place in facts["pip"]["paths"] if place["scope"] != "path"] == ["env"]


def test_what_a_pth_file_adds_is_a_path(venv: Path, tmp_path: Path) -> None:
    added = tmp_path / "added"
    dist_info(added, "by-pth")
    pth = venv / "lib" / MINOR / "site-packages" / "added.pth"
    pth.write_text(f"{added}\n")
    try:
        assert _scope(run(python=venv / "bin/python"), "by-pth") == "path"
    finally:
        pth.unlink()


@pytest.mark.parametrize(
    "entry", ["with\0nul", "\udcff", "https://example.org/x", "relative", "~", "x" * 5000]
)
def test_an_odd_entry_of_sys_path_hides_no_other(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    expected = probe.gather()["pip"]["distributions"]
    monkeypatch.setattr(sys, "path", [entry, None, Path("/nonexistent"), b"bytes", *sys.path])
    assert probe.gather()["pip"]["distributions"] == expected


def test_a_current_folder_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    before = ["sh", "-c", 'rmdir "$0" && exec "$@"', str(gone)]
    facts = run(cwd=gone, before=before)
    assert facts["pip"]["distributions"]


def test_eggs_on_sys_path(tmp_path: Path) -> None:
    (tmp_path / "old-1.0-py3.egg" / "EGG-INFO").mkdir(parents=True)
    (tmp_path / "old-1.0-py3.egg" / "EGG-INFO" / "PKG-INFO").write_text("Name: old\nVersion: 1.0\n")
    (tmp_path / "zipped-1.0.egg").write_bytes(b"PK\5\6" + bytes(18))
    path = f"{tmp_path / 'old-1.0-py3.egg'}:{tmp_path / 'zipped-1.0.egg'}"
    facts = run(env={"PYTHONPATH": path})
    assert by_name(facts)["old"]["version"] == "1.0"
    assert [f["what"] for f in facts["probe"]["faults"]] == [str(tmp_path / "zipped-1.0.egg")]


def test_folders_that_this_user_may_not_read_are_faults(tmp_path: Path) -> None:
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    site = tmp_path / "site"
    dist_info(site, "open")
    closed = dist_info(site, "closed")
    closed.chmod(0)
    (dist_info(site, "half") / "METADATA").chmod(0)
    (tmp_path / "shut").mkdir(mode=0)
    root = os.geteuid() == 0  # who may read everything
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if root else []
    env = {"PYTHONPATH": f"{site}:{tmp_path / 'shut'}"}
    facts = run("hashes", env=env, before=nobody, python="/usr/bin/python3")
    assert "open" in by_name(facts)
    assert "closed" not in by_name(facts)
    where = {(fault["where"], fault["what"]) for fault in facts["probe"]["faults"]}
    assert {
        ("pip", str(closed)),
        ("pip", str(site / "half-1.0.dist-info")),
        ("pip", str(tmp_path / "shut")),
    } <= where
    assert all("PermissionError" in fault["error"] for fault in facts["probe"]["faults"])


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (
        ["init", "-q", "-b", "feature/x", str(root)],
        ["-C", str(root), "remote", "add", "fork", "https://u:p@example.org/fork.git"],
        ["-C", str(root), "remote", "add", "origin", "https://token@example.org/repo.git"],
        [
            "-C",
            str(root),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ],
    ):
        subprocess.run(["git", *command], check=True, env=env)
    return root


def _git(root: Path, *command: str) -> str:
    return subprocess.run(
        ["git", "-C", str(root), *command], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_an_editable_project_names_its_checkout(checkout: Path) -> None:
    commit = _git(checkout, "rev-parse", "HEAD")
    (checkout / "deep" / "er").mkdir(parents=True)
    expected = {
        "root": str(checkout),
        "remote": "https://example.org/repo.git",
        "commit": commit,
        "branch": "feature/x",
    }
    assert probe.checkout_facts(str(checkout / "deep" / "er")) == expected
    _git(checkout, "pack-refs", "--all")
    assert probe.checkout_facts(str(checkout)) == expected
    _git(checkout, "checkout", "-q", "--detach")
    assert probe.checkout_facts(str(checkout)) == {**expected, "branch": None}


def test_a_worktree_is_a_checkout_too(checkout: Path, tmp_path: Path) -> None:
    _git(checkout, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    found = probe.checkout_facts(str(tmp_path / "tree"))
    assert (found["branch"], found["remote"]) == ("other", "https://example.org/repo.git")
    assert found["commit"] == _git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("git", ["gitdir: /nonexistent", "", "nonsense", "gitdir: \0"])
def test_a_broken_git_folder_is_no_trouble(tmp_path: Path, git: str) -> None:
    (tmp_path / ".git").write_text(git)
    found = probe.checkout_facts(str(tmp_path))
    assert found is None or found["commit"] is None


def test_an_editable_install_of_today(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "src" / "edited").mkdir(parents=True)
    (project / "src" / "edited" / "__init__.py").write_text("")
    build = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    targets = '[tool.hatch.build.targets.wheel]\npackages = ["src/edited"]\n'
    (project / "pyproject.toml").write_text(f'{build}[project]\nname = "edited"\nversion = "0.1"\n{targets}')
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run([*uv, "pip", "install", "-q", "--python", str(python), "-e", str(project)], check=True)
    fact = by_name(run(python=python))["edited"]
    assert fact["direct_url"]["editable"] is True
    assert fact["location"] == str(project)
    assert fact["installer"] == "uv"
