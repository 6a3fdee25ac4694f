"""Whose the files are, and which of nobody's go into an image."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_dockerize.image.copy.owned import Keeper, Owned, some, unreadable
from jupyter_dockerize.image.copy.trees import USER, collect


def taken(prefix: Path, keep: Keeper) -> set[str]:
    place = f"{prefix}/".lstrip("/")
    return {path.removeprefix(place) for path in collect([str(prefix)], owner=USER, keep=keep).members}


def conda(prefix: Path) -> Path:
    """A base prefix with what conda leaves beside its environment."""
    files = {
        "bin/python": "", "conda-meta/python-3.11-0.json": json.dumps({"name": "python", "files": []}),
        "conda-meta/history": "", "conda-meta/state": '{"env_vars": {"TOKEN": "canary"}}',
        ".condarc": "canary",
        "pkgs/python-3.11-0/bin/python": "", "envs/other/bin/python": "", "lib/pkgs/__init__.py": "",
    }  # fmt: skip
    for path, text in files.items():
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).write_text(text)
    return prefix


def test_of_a_conda_prefix_caches_other_environments_and_secrets_stay_here(tmp_path: Path) -> None:
    keep = Keeper(Owned(), str(conda(tmp_path)), conda=True)
    files = {path for path in taken(tmp_path, keep) if (tmp_path / path).is_file()}
    assert files == {
        "bin/python", "conda-meta/python-3.11-0.json", "conda-meta/history", "lib/pkgs/__init__.py",
    }  # fmt: skip
    private, beside = keep.findings
    assert (private.code, beside.code) == ("private-files-left-out", "conda-extras-left-out")
    assert "state" in private.message and ".condarc" in private.message
    assert f"{tmp_path}/envs" in beside.message and f"{tmp_path}/pkgs" in beside.message


def test_elsewhere_these_names_are_folders_like_others(tmp_path: Path) -> None:
    keep = Keeper(Owned(), str(conda(tmp_path)), conda=False)
    assert "pkgs/python-3.11-0/bin/python" in taken(tmp_path, keep)
    assert [finding.code for finding in keep.findings] == ["private-files-left-out"]


def test_what_a_package_brought_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    (tmp_path / "certifi").mkdir()
    for name in ("cacert.pem", "own.pem"):
        (tmp_path / "certifi" / name).touch()
    keep = Keeper(Owned({f"{tmp_path}/certifi/cacert.pem": "certifi"}), str(tmp_path), conda=False)
    assert taken(tmp_path, keep) >= {"certifi/cacert.pem"}
    assert keep.private == [f"{tmp_path}/certifi/own.pem"]


def test_names_of_strangers_are_shown_and_do_not_act() -> None:
    assert some(["/a\nb", "/\udce4", "/c", "/d"]) == "/a\\nb, /\\udce4, /c and 1 more"
    [finding] = unreadable({"/x\x1b[2J": "it may not be read"}, {})
    assert finding.message == "1 file of the environment cannot be copied: /x\\x1b[2J (it may not be read)"
    assert unreadable({}, {}) == []
