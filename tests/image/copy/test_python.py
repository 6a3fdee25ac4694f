"""The environment's own files: what is planned, all of it, and nothing that is private."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from jupyter_dockerize.image.copy.python import python_files

from .environments import copied, has, install, planned, project, site, without


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
    """Also what a home holds that is an environment, too."""
    home = python.parents[1]
    for path in (home / ".env", home / ".bash_history", home / ".python_history", site(python) / "id_rsa"):
        path.write_text("secret")
    files = copied(python)
    assert not any(path.endswith((".env", "id_rsa", "_history")) for path in files.environment)
    [finding] = files.findings
    assert finding.code == "private-files-left-out"
    assert ".bash_history" in finding.message


def test_pipes_and_sockets_stay_here_and_are_named(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "special-files" not in [finding.code for finding in copied(python).findings]
    pipe, bound = python.parents[1] / "pipe", site(python) / "socket"
    os.mkfifo(pipe)
    monkeypatch.chdir(site(python))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")  # its whole path may be too long for an address
    files = copied(python)
    assert not has(files, pipe) and not has(files, bound)
    [finding] = [finding for finding in files.findings if finding.code == "special-files"]
    assert finding.severity == "info"
    assert f"{bound} (socket)" in finding.message and f"{pipe} (pipe)" in finding.message


def test_a_record_that_names_files_outside_brings_none_of_them(python: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    record = next(site(python).glob("toolz-*.dist-info/RECORD"))
    record.write_text(record.read_text() + f"{tmp_path}/secret,,\n../../../../secret,,\n")
    files = copied(python)
    assert not any(path.endswith("/secret") for path in {**files.environment, **files.base})


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


def test_an_environment_behind_a_link_is_found_by_both_names(python: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("env")
    files = copied(tmp_path / "link" / "bin" / "python")
    link = files.environment[str(tmp_path / "env").lstrip("/")]
    assert (link.kind, link.target) == ("symlink", str(tmp_path / "link"))
    assert has(files, tmp_path / "link" / "pyvenv.cfg")
