"""Which system packages bring what the environment's libraries need, and what is missing."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.interpret.libraries import libraries, roots
from jupyter_dockerize.environment.model import Libraries, Library
from jupyter_dockerize.events import Finding

FACTS = Path(__file__).parents[1] / "facts"


def read(case: str) -> tuple[Libraries, list[Finding]]:
    facts = json.loads((FACTS / f"{case}.json").read_text())
    codename = facts["system"]["os_release"].get("VERSION_CODENAME", "")
    return libraries(facts["libraries"], facts["pip"]["paths"], facts["apt"], codename)


def test_roots_are_what_nothing_else_brings_and_no_slim_image_has() -> None:
    found, _ = read("linux-venv")
    # libssl3 comes with libpq5, libglx0 with libgl1; libc6 and libstdc++6 are always there;
    # libpython belongs to the interpreter of the image.
    assert found.roots == ("libgl1", "libgomp1", "libpq5")


def test_where_there_is_no_dpkg_the_table_says_which_packages() -> None:
    found, _ = read("fedora-no-dpkg")
    assert found.roots == ("libgl1", "libglib2.0-0", "libpq5")
    assert all(library.owner is None for library in found.needed)


def test_what_no_package_owns_is_kept() -> None:
    found, _ = read("linux-venv")
    (vendor,) = [library for library in found.needed if library.soname == "libvendor.so.2"]
    assert vendor == Library(soname="libvendor.so.2", by=("plankton/_fast.so",))


def test_what_was_opened_while_running_counts() -> None:
    found, _ = read("linux-venv")
    gomp = [library for library in found.needed if "gomp" in library.soname]
    assert gomp == [Library(soname="libgomp.so.1.0.0", owner="libgomp1", loaded=True)]
    assert not [library for library in found.needed if "gconv" in library.soname]


def test_the_file_of_a_known_soname_is_no_second_library() -> None:
    facts = json.loads((FACTS / "linux-venv.json").read_text())
    facts["libraries"]["loaded"] = ["/usr/lib/x86_64-linux-gnu/libpq.so.5.15"]
    found, _ = libraries(facts["libraries"], facts["pip"]["paths"], facts["apt"], "bookworm")
    assert [library.soname for library in found.needed if "libpq" in library.soname] == ["libpq.so.5"]


def test_a_missing_library_is_named_with_its_file_and_package() -> None:
    found, findings = read("linux-venv")
    assert ("site-packages/cv2/cv2.abi3.so", "libgthread-2.0.so.0") in {
        (m.file, m.soname) for m in found.missing
    }
    assert ("python/lib-dynload/_tkinter.cpython-311-x86_64-linux-gnu.so", "libtk8.6.so") in {
        (m.file, m.soname) for m in found.missing
    }
    by_soname = {
        s: f
        for f in findings
        for s in ("libgthread-2.0.so.0", "libnowhere.so.7", "libcuda.so.1")
        if s in f.message
    }
    assert by_soname["libgthread-2.0.so.0"].fix == "apt-get install libglib2.0-0"
    assert "site-packages/cv2/cv2.abi3.so" in by_soname["libgthread-2.0.so.0"].message
    assert by_soname["libnowhere.so.7"].severity == "warning"
    assert by_soname["libcuda.so.1"].code == "library-driver"


def test_the_name_of_a_file_does_not_depend_on_the_prefix() -> None:
    facts = json.loads((FACTS / "linux-venv.json").read_text())
    elsewhere = [{**p, "path": "/opt/env" + p["path"]} for p in facts["pip"]["paths"]]
    here, _ = libraries(facts["libraries"], facts["pip"]["paths"], facts["apt"], "bookworm")
    there, _ = libraries(facts["libraries"], elsewhere, facts["apt"], "bookworm")
    assert here.missing == there.missing


def graph(count: int) -> st.SearchStrategy[dict[str, list[str]]]:
    names = [f"lib{n}" for n in range(count)]
    return st.dictionaries(
        st.sampled_from(names), st.lists(st.sampled_from(names), max_size=4), max_size=count
    )


@given(depends=graph(12), needed=st.sets(st.integers(0, 11)), seed=st.integers(0, 99))
def test_roots_bring_everything_and_none_brings_another(
    depends: dict[str, list[str]], needed: set[int], seed: int
) -> None:
    owners = {f"lib{n}" for n in needed}
    wanted = [Library(soname=f"lib{n}.so.1", owner=f"lib{n}") for n in needed]
    random.Random(seed).shuffle(wanted)
    found = roots(wanted, {"packages": [], "depends": depends}, "bookworm")

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in depends.get(waiting.pop(), []):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return seen

    assert owners <= set(found) | {name for root in found for name in reach(root)}
    assert not [(a, b) for a in found for b in found if a != b and a in reach(b)]


@pytest.mark.parametrize("codename", ["trixie", "noble"])
def test_hints_use_the_names_of_the_release(codename: str) -> None:
    facts: dict[str, Any] = {
        "files": 1,
        "system": {},
        "missing": [{"at": 0, "file": "a.so", "soname": "libgthread-2.0.so.0"}],
        "loaded": [],
        "owners": {},
    }
    _, (finding,) = libraries(facts, [{"path": "/env", "scope": "env"}], None, codename)  # type: ignore[arg-type, list-item]
    assert finding.fix == "apt-get install libglib2.0-0t64"
