"""The environment's own files: what is planned, all of it, and nothing that is private."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from jupyter_dockerize.environment.model import Packages
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.image.copy.python import PythonFiles, python_files

from .environments import install, planned, venv


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return venv(tmp_path / "env", "humanize", "toolz")


def site(python: Path) -> Path:
    return next((python.parents[1] / "lib").glob("python*/site-packages"))


def copied(python: Path) -> PythonFiles:
    return python_files(*planned(python))


def has(files: PythonFiles, path: Path) -> bool:
    place = str(path).lstrip("/")
    return place in files.environment or place in files.base


def without(plan: Plan, name: str) -> Plan:
    pip = tuple(package for package in plan.packages.pip if package.name != name)
    return dataclasses.replace(plan, packages=Packages(pip=pip))


def test_the_whole_environment_and_the_interpreter_below_it(python: Path) -> None:
    files = copied(python)
    _, snapshot = planned(python)
    base = Path(snapshot.python.base_prefix)
    short = ".".join(snapshot.python.version.split(".")[:2])
    assert has(files, python)
    assert has(files, python.parents[1] / "pyvenv.cfg")
    assert has(files, site(python) / "humanize" / "__init__.py")
    assert has(files, python.resolve())
    for module in ("os.py", "venv/__init__.py", "ensurepip/__init__.py", "ssl.py"):
        assert has(files, base / "lib" / f"python{short}" / module), module
    assert not any("/test/test_" in path for path in files.base)
    assert not any("site-packages/" in path for path in files.base)
    assert files.findings == ()


def test_what_is_left_out_is_gone_with_its_folders_and_bytecode(python: Path) -> None:
    subprocess.run([python, "-m", "compileall", "-q", site(python)], check=True)
    plan, snapshot = planned(python)
    files = python_files(without(plan, "toolz"), snapshot)
    assert (site(python) / "toolz" / "__pycache__").is_dir()
    assert [path for path in files.environment if "toolz" in path] == []
    assert any("humanize/__pycache__/" in path for path in files.environment)


def test_private_files_that_no_package_brought_stay_here_and_are_named(python: Path) -> None:
    for path in (python.parents[1] / ".env", site(python) / "id_rsa"):
        path.write_text("secret")
    files = copied(python)
    assert not any(path.endswith((".env", "id_rsa")) for path in files.environment)
    [finding] = files.findings
    assert finding.code == "private-files-left-out"
    assert "id_rsa" in finding.message


def test_a_record_that_names_files_outside_brings_none_of_them(python: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    record = next(site(python).glob("toolz-*.dist-info/RECORD"))
    record.write_text(record.read_text() + f"{tmp_path}/secret,,\n../../../../secret,,\n")
    files = copied(python)
    assert not any(path.endswith("/secret") for path in {**files.environment, **files.base})


def project(folder: Path) -> Path:
    (folder / "src" / "mine").mkdir(parents=True)
    (folder / "src" / "mine" / "__init__.py").write_text("")
    (folder / "src" / "mine" / "deleted.py").write_text("")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "mine"\nversion = "1"\n[tool.hatch.build.targets.wheel]\npackages = ["src/mine"]\n'
    )
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    (folder / "src" / "mine" / "deleted.py").unlink()
    (folder / "notes.txt").write_text("not tracked")
    return folder


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


def test_no_configuration_of_an_index_and_no_token_of_a_project_is_copied(
    python: Path, tmp_path: Path
) -> None:
    (python.parents[1] / "pip.conf").write_text("[global]\nindex-url = https://u:canary@example.org/simple\n")
    where = project(tmp_path / "project")
    token = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"
    (where / "src/mine/__init__.py").write_text(f"TOKEN = '{token}'")
    install(python, "-e", str(where))
    files = copied(python)
    assert not any(path.endswith("pip.conf") for path in files.environment)
    assert {(f.code, f.severity) for f in files.findings} == {
        ("private-files-left-out", "warning"),
        ("secret-in-file", "error"),
    }


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


def test_an_environment_behind_a_link_is_found_by_both_names(python: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("env")
    files = copied(tmp_path / "link" / "bin" / "python")
    link = files.environment[str(tmp_path / "env").lstrip("/")]
    assert (link.kind, link.target) == ("symlink", str(tmp_path / "link"))
    assert has(files, tmp_path / "link" / "pyvenv.cfg")
