"""What conda's records say, and what pip did to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.environment.interpret import conda, pip
from jupyter_dockerize.environment.model import CondaPackage
from jupyter_dockerize.events import Finding

FACTS = Path(__file__).parents[1] / "facts"


def read(facts: dict[str, Any]) -> tuple[dict[str, CondaPackage], list[Finding]]:
    python, _ = pip.packages(facts["pip"], conda=conda.ownership(facts["conda"]))
    found, findings = conda.packages(facts["conda"], python)
    return {p.name: p for p in found}, findings


def recorded(case: str) -> dict[str, Any]:
    return json.loads((FACTS / f"{case}.json").read_text())


def test_an_overwrite_names_both() -> None:
    found, findings = read(recorded("conda-overwritten"))
    assert found["numpy"].version == "1.26.4"
    assert found["numpy"].overwritten == "numpy 2.0.1"
    assert found["pandas"].overwritten is None
    (finding,) = [f for f in findings if f.code == "pip-over-conda"]
    assert "numpy 2.0.1" in finding.message
    assert "numpy 1.26.4" in finding.message


def test_an_overwrite_is_found_under_another_name_than_condas() -> None:
    facts = recorded("conda-overwritten")
    record = next(r for r in facts["conda"]["records"] if r["name"] == "pytorch")
    record["gone"] = record["dist_infos"]
    torch = next(d for d in facts["pip"]["distributions"] if d["name"] == "torch")
    torch |= {"version": "2.4.0", "entry": "torch-2.4.0.dist-info", "installer": "pip"}
    found, _ = read(facts)
    assert found["pytorch"].overwritten == "torch 2.4.0"


def test_the_same_version_put_over_condas_is_an_overwrite_too() -> None:
    facts = recorded("conda-overwritten")
    pandas = next(d for d in facts["pip"]["distributions"] if d["name"] == "pandas")
    pandas |= {"installer": "pip", "direct_url": None}
    pandas["wheel"]["tags"] = ["cp311-cp311-manylinux_2_17_x86_64"]
    found, _ = read(facts)
    assert found["pandas"].overwritten == "pandas 2.2.2"


def test_a_virtual_environment_on_conda_does_not_see_what_conda_has() -> None:
    facts = recorded("conda-overwritten")
    facts["pip"]["paths"][0]["path"] = "/home/ada/.venv/lib/python3.11/site-packages"
    found, findings = read(facts)
    assert found["numpy"].overwritten is None
    assert [f.code for f in findings] == []


def test_files_removed_behind_condas_back() -> None:
    _, findings = read(recorded("conda-overwritten"))
    (finding,) = [f for f in findings if f.code == "conda-removed"]
    assert "click 8.1.7" in finding.message


def test_a_killed_transaction_is_an_error() -> None:
    _, findings = read(recorded("conda-killed"))
    (finding,) = [f for f in findings if f.code == "conda-unfinished"]
    assert finding.severity == "error"
    assert "frame.py.c~" in finding.message


def test_records_keep_what_an_explicit_lock_needs() -> None:
    found, _ = read(recorded("conda-overwritten"))
    python = found["python"]
    assert (
        python.url == "https://conda.anaconda.org/conda-forge/linux-64/python-3.11.9-hb806964_0_cpython.conda"
    )
    assert len(python.md5 or "") == 32
    assert len(python.sha256 or "") == 64
    assert found["six"].subdir == "noarch"


@pytest.mark.parametrize(
    ("said", "subdir", "expected"),
    [
        ("https://conda.anaconda.org/conda-forge/linux-64", "linux-64", "conda-forge"),
        ("https://conda.anaconda.org/conda-forge", "linux-64", "conda-forge"),
        ("https://conda.anaconda.org/conda-forge/", "noarch", "conda-forge"),
        ("conda-forge", "linux-64", "conda-forge"),
        ("conda-forge/noarch", "noarch", "conda-forge"),
        ("https://conda.anaconda.org/pytorch/label/test", "linux-64", "pytorch/label/test"),
        (
            "https://example.org/pkgs/main/linux-64",
            "linux-64",
            "https://example.org/pkgs/main",
        ),
        ("https://example.org/conda/team", "linux-64", "https://example.org/conda/team"),
        ("evil channel", "linux-64", None),
        ("https://example.org/a\nb", "linux-64", None),
        ("", "linux-64", None),
    ],
)
def test_channel(said: str, subdir: str, expected: str | None) -> None:
    assert conda.channel(said, subdir) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "numpy\nRUN evil"),
        ("version", "1.0 --evil"),
        ("build", "x y"),
        ("url", "https://example.org/a b"),
        ("subdir", "../.."),
        ("channel", ""),
    ],
)
def test_a_record_that_is_not_well_formed_is_passed_over_and_said(field: str, value: str) -> None:
    facts = recorded("conda-overwritten")
    facts["conda"]["records"] = [{**facts["conda"]["records"][1], field: value}]
    found, findings = read(facts)
    assert found == {}
    assert "conda-invalid-record" in {f.code for f in findings}
    assert all(f.message.isprintable() for f in findings)


def test_two_records_of_one_name_are_said() -> None:
    facts = recorded("conda-overwritten")
    python = next(r for r in facts["conda"]["records"] if r["name"] == "python")
    facts["conda"]["records"].append({**python, "version": "3.11.8"})
    _, findings = read(facts)
    (finding,) = [f for f in findings if f.code == "conda-duplicate"]
    assert "3.11.8" in finding.message
    assert "3.11.9" in finding.message
