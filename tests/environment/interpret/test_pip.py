"""Where each Python package came from, which one Python imports, and what is broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.environment.interpret import pip
from jupyter_dockerize.environment.interpret.conda import Ownership, ownership
from jupyter_dockerize.environment.model import PipPackage

FACTS = Path(__file__).parents[1] / "facts"


def packages_of(case: str) -> tuple[dict[tuple[str, str], PipPackage], list[Any]]:
    facts = json.loads((FACTS / f"{case}.json").read_text())
    found, findings = pip.packages(facts["pip"], conda=ownership(facts["conda"]))
    return {(p.name, p.scope): p for p in found}, findings


@pytest.mark.parametrize(
    ("name", "scope", "kind", "url", "commit"),
    [
        ("numpy", "env", "index", None, None),
        (
            "iceberg",
            "env",
            "vcs",
            "https://example.org/ada/iceberg.git",
            "0123456789abcdef0123456789abcdef01234567",
        ),
        ("krill", "env", "archive", "https://example.org/wheels/krill-0.9-py3-none-any.whl", None),
        (
            "plankton",
            "env",
            "local",
            "file:///home/ada/Downloads/plankton-2.0-cp311-cp311-linux_x86_64.whl",
            None,
        ),
        (
            "penguins",
            "env",
            "editable",
            "https://example.org/ada/penguins.git",
            "4f0d3f5b2c1a4e5d6c7b8a990011223344556677",
        ),
        ("notes", "env", "editable", "file:///home/ada/notes", None),
        ("pyyaml", "debian", "apt", None, None),
        ("attic", "path", "editable", None, None),
        ("humanize", "user", "index", None, None),
    ],
)
def test_origin(name: str, scope: str, kind: str, url: str | None, commit: str | None) -> None:
    found, _ = packages_of("linux-venv")
    source = found[name, scope].source
    assert (source.kind, source.url, source.commit) == (kind, url, commit)


def test_a_vcs_install_keeps_its_subdirectory_and_an_archive_its_hash() -> None:
    found, _ = packages_of("linux-venv")
    assert found["iceberg", "env"].source.subdirectory == "python"
    assert found["krill", "env"].source.hash == "sha256=" + "ab" * 32


def test_what_conda_built_is_condas_whatever_its_build_farm_wrote() -> None:
    found, findings = packages_of("conda-overwritten")
    assert {n: found[n, "env"].source.kind for n in ("pandas", "six", "torch", "pip")} == {
        "pandas": "conda",
        "six": "conda",
        "torch": "conda",
        "pip": "conda",
    }
    assert found["pandas", "env"].source.url is None
    assert found["numpy", "env"].source.kind == "index"
    assert found["humanize", "env"].source.kind == "index"
    assert found["orphan", "env"].source.kind == "unknown"
    assert [f.code for f in findings] == ["conda-record-missing"]


def test_the_same_folder_name_outside_the_conda_prefix_is_not_condas() -> None:
    owned = Ownership("/opt/conda", frozenset({"six-1.16.0.dist-info"}))
    assert ("/opt/conda/lib/python3.11/site-packages", "six-1.16.0.dist-info") in owned
    assert ("/opt/conda-other/lib/python3.11/site-packages", "six-1.16.0.dist-info") not in owned
    assert ("/home/ada/.local/lib/python3.11/site-packages", "six-1.16.0.dist-info") not in owned


def test_the_first_on_sys_path_says_what_it_hides_and_all_are_kept() -> None:
    found, _ = packages_of("linux-venv")
    assert found["six", "env"].shadows == "1.15.0 (user), 1.16.0 (debian)"
    assert found["six", "user"].shadows is None
    assert found["six", "debian"].version == "1.16.0"


def test_a_user_package_that_hides_the_environments_is_a_warning() -> None:
    found, findings = packages_of("broken")
    assert found["urllib3", "user"].shadows == "2.2.1 (env)"
    (finding,) = [f for f in findings if f.code == "pip-shadowed"]
    assert finding.severity == "warning"
    assert "urllib3 1.26.18" in finding.message


def test_an_editables_own_egg_info_is_no_second_package() -> None:
    found, _ = packages_of("linux-venv")
    assert [p.scope for (name, _), p in found.items() if name == "penguins"] == ["env"]
    assert found["penguins", "env"].location == "/home/ada/work/penguins"
    assert found["penguins", "env"].shadows is None


def test_what_a_compiler_made_here_is_told_from_what_an_index_serves() -> None:
    found, _ = packages_of("linux-venv")
    assert found["psycopg2", "env"].built_locally
    assert found["plankton", "env"].built_locally
    assert not found["numpy", "env"].built_locally  # manylinux
    assert not found["torch", "env"].built_locally  # linux_x86_64, from an index with local versions
    assert found["requests", "env"].pure
    assert not found["numpy", "env"].pure
    assert not packages_of("conda-overwritten")[0]["pandas", "env"].built_locally


def test_requested_is_not_believed_from_uv() -> None:
    found, _ = packages_of("linux-venv")
    assert found["numpy", "env"].requested is None  # uv marks everything
    assert found["psycopg2", "env"].requested is True
    assert found["contourpy", "env"].requested is False
    assert packages_of("conda-overwritten")[0]["pandas", "env"].requested is None


def test_what_is_broken_is_named_with_its_fix() -> None:
    found, findings = packages_of("broken")
    by_code: dict[str, list[Any]] = {}
    for finding in findings:
        by_code.setdefault(finding.code, []).append(finding)
        assert finding.fix
    assert set(by_code) == {
        "pip-duplicate",
        "pip-edited",
        "pip-egg-info",
        "pip-half-removed",
        "pip-invalid-name",
        "pip-invalid-version",
        "pip-leftover",
        "pip-missing-files",
        "pip-no-metadata",
        "pip-no-record",
        "pip-shadowed",
    }
    assert "numpy==1.26.4" in by_code["pip-half-removed"][0].fix
    assert "2.31.0, 2.32.2" in by_code["pip-duplicate"][0].message
    assert ("numpy", "env") not in found
    assert ("pandas", "env") not in found
    assert found["requests", "env"].version == "2.32.2"
    assert found["requests", "env"].others == ("2.31.0",)
    assert found["scipy", "env"].version == "1.11.0"
    assert found["oldpip", "env"].source.kind == "index"
    assert found["oldtimer", "env"].source.kind == "unknown"
    assert found["legacy", "env"].location == "/home/ada/legacy"


def test_a_name_that_is_none_is_shown_escaped_and_cut() -> None:
    facts = json.loads((FACTS / "broken.json").read_text())["pip"]
    facts |= {"distributions": facts["distributions"][:1], "leftovers": []}
    facts["distributions"][0]["name"] = "evil\x1b[31m\n" + "x" * 5000
    found, (finding,) = pip.packages(facts, conda=Ownership())
    assert found == ()
    assert finding.message.startswith("'evil\\x1b[31m\\n")
    assert finding.message.isprintable()
    assert len(finding.message) < 200


def test_versions_as_pep_440_writes_them() -> None:
    facts = json.loads((FACTS / "broken.json").read_text())["pip"]
    entry = facts["distributions"][0]
    written = {"1.0.0-RC1": "1.0.0rc1", "1.0": "1.0", "v2": "2", "01.2": "1.2", "1!2.0.post1": "1!2.0.post1"}
    for said, expected in written.items():
        facts["distributions"] = [{**entry, "version": said}]
        ((package,), _) = pip.packages(facts, conda=Ownership())
        assert package.version == expected


def test_indexes_each_once_in_order() -> None:
    facts = json.loads((FACTS / "linux-venv.json").read_text())["pip"]
    found, findings = pip.indexes(facts)
    assert [(i.url, i.kind, i.credentials) for i in found] == [
        ("https://example.org/pypi/simple", "index", False),
        ("https://download.pytorch.org/whl/cu121", "extra", False),
        ("https://example.org/simple", "extra", True),
    ]
    assert findings == []


def test_what_a_kernel_imported_is_marked_on_the_package_that_it_got() -> None:
    facts = json.loads((FACTS / "linux-venv.json").read_text())["pip"]
    found, _ = pip.packages(facts, conda=Ownership(), imported=frozenset({"six"}))
    assert {(p.name, p.scope) for p in found if p.used} == {("six", "env")}
    assert all(p.used is False for p in found if p.name != "six")
