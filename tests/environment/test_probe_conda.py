"""conda-meta as it is read: sound, overwritten by pip, cut off, in the middle of a transaction."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment import probe

SITE = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def _record(prefix: Path, name: str, *, on_disk: bool = True, noarch: bool = False, **more: Any) -> Path:
    info = f"{name}-1.0.dist-info"
    listed = f"site-packages/{info}/METADATA" if noarch else f"{SITE}/{info}/METADATA"
    if on_disk:
        (prefix / SITE / info).mkdir(parents=True)
        (prefix / SITE / info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    record = {
        "name": name,
        "version": "1.0",
        "build": "py_0",
        "build_number": 0,
        "subdir": "noarch",
        "fn": f"{name}-1.0-py_0.conda",
        "channel": "https://conda.anaconda.org/conda-forge/noarch",
        "md5": "0" * 32,
        "sha256": "f" * 64,
        "url": f"https://conda.anaconda.org/conda-forge/noarch/{name}-1.0-py_0.conda",
        "depends": ["python >=3.8", "a [b]"],
        "noarch": "python" if noarch else None,
        "files": [listed, f"bin/{name}"],
        "link": {"source": "/pkgs", "type": 1},
        "paths_data": {
            "paths": [{"_path": listed, "path_type": "hardlink", "sha256": "0" * 64}],
            "paths_version": 1,
        },
        **more,
    }
    path = prefix / "conda-meta" / f"{name}-1.0-py_0.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=2))
    return path


def _facts(prefix: Path, faults: probe.Faults | None = None) -> dict[str, Any]:
    found: dict[str, Any] = probe.conda_facts(str(prefix), {}, faults or probe.Faults())
    return found


def test_a_folder_without_records_is_no_conda_prefix(tmp_path: Path) -> None:
    assert _facts(tmp_path) is None
    (tmp_path / "conda-meta").mkdir()
    assert _facts(tmp_path) is None
    (tmp_path / "conda-meta" / "history").write_text("")
    assert _facts(tmp_path) == {"prefix": str(tmp_path), "records": [], "channels": [], "unfinished": []}


@pytest.mark.parametrize("noarch", [False, True])
def test_a_record_gives_what_an_explicit_lock_needs(tmp_path: Path, noarch: bool) -> None:
    _record(tmp_path, "tool", noarch=noarch)
    info = "site-packages/tool-1.0.dist-info" if noarch else f"{SITE}/tool-1.0.dist-info"
    assert _facts(tmp_path)["records"] == [
        {
            "name": "tool",
            "version": "1.0",
            "build": "py_0",
            "channel": "https://conda.anaconda.org/conda-forge/noarch",
            "subdir": "noarch",
            "fn": "tool-1.0-py_0.conda",
            "url": "https://conda.anaconda.org/conda-forge/noarch/tool-1.0-py_0.conda",
            "md5": "0" * 32,
            "sha256": "f" * 64,
            "noarch": "python" if noarch else None,
            "dist_infos": [info],
            "gone": [],
        }
    ]


def test_what_pip_has_overwritten_is_gone(tmp_path: Path) -> None:
    _record(tmp_path, "kept")
    _record(tmp_path, "overwritten", on_disk=False, noarch=True)
    gone = {record["name"]: record["gone"] for record in _facts(tmp_path)["records"]}
    assert gone == {"kept": [], "overwritten": ["site-packages/overwritten-1.0.dist-info"]}


def test_a_killed_transaction_leaves_traces(tmp_path: Path) -> None:
    sound = _record(tmp_path, "sound")
    text = sound.read_text()
    (tmp_path / "conda-meta" / "cut-1-0.json").write_text(text[: len(text) // 2])
    (tmp_path / "conda-meta" / "empty-1-0.json").write_text("")
    (tmp_path / "conda-meta" / "old-1-0.c~").write_text("")
    (tmp_path / ".condatmp" / "x").mkdir(parents=True)
    (tmp_path / ".trash").mkdir()  # empty: conda tidied up
    found = _facts(tmp_path)
    assert [record["name"] for record in found["records"]] == ["sound"]
    assert sorted(found["unfinished"]) == [".condatmp", "cut-1-0.json", "empty-1-0.json", "old-1-0.c~"]


def test_brackets_in_file_names_do_not_confuse_the_short_way(tmp_path: Path) -> None:
    odd = [f"{SITE}/a]b[/{'x' * 50}]", 'q"uote', f"{SITE}/odd-1.0.dist-info/METADATA"]
    _record(tmp_path, "odd", files=odd, paths_data={"paths": [{"_path": p} for p in odd], "paths_version": 1})
    record = _facts(tmp_path)["records"][0]
    assert (record["name"], record["dist_infos"]) == ("odd", [f"{SITE}/odd-1.0.dist-info"])


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=400), cut=st.integers(0, 900))
def test_any_bytes_in_a_record_hide_no_other_record(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cut: int
) -> None:
    prefix = tmp_path_factory.mktemp("prefix")
    text = _record(prefix, "sound").read_bytes()
    (prefix / "conda-meta" / "noise-1-0.json").write_bytes(data)
    (prefix / "conda-meta" / "mix-1-0.json").write_bytes(text[:cut] + data + text[cut:])
    found = _facts(prefix)
    assert "sound" in [record["name"] for record in found["records"]]
    assert json.dumps(found).isascii()


def test_channels_are_read_from_every_condarc(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta" / "history").write_text("")
    own = tmp_path / "own.yml"
    own.write_text("channels: \n- bioconda # why\n-   'conda-forge'\nother:\n  - no\n")
    (tmp_path / ".condarc").write_text("auto: false\nchannels:\n  - https://example.org/c\n\nx: 1\n")
    found = probe.conda_facts(str(tmp_path), {"CONDARC": str(own)}, probe.Faults())
    assert found["channels"] == ["bioconda", "conda-forge", "https://example.org/c"]
