"""The journal on disk: what is written is read again, small in git, and merges."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.layer import Change, Layer, Was, applied
from jupyter_dockerize.environment.model import (
    Packages,
    PipPackage,
    Python,
    Snapshot,
    Source,
    SourceKind,
    System,
)
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.errors import OutputError, UsageError
from jupyter_dockerize.layers import journal
from jupyter_dockerize.layers.bringing import way
from jupyter_dockerize.layers.journal import Entry, Journal

BASE = {"Dockerfile": b"# ours\nFROM python\n", "env/requirements.txt": b"a==1\n", "snapshot.json": b"{}\n"}
PLAN = make_plan(
    Snapshot(
        system=System(os="debian"),
        python=Python(implementation="CPython", version="3.11.7"),
        packages=Packages(),
    ),
    Wishes(),
)
TEXT = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)


def entry(command: str = "pip install humanize", version: str = "4.8.0") -> Entry:
    package = PipPackage(name="humanize", version=version)
    layer = Layer(
        command=command, origin="exec", packages=Packages(pip=(package,)), created="2026-01-01T00:00:00Z"
    )
    return Entry(layer=layer, files={"requirements.txt": f"humanize=={version}\n".encode()})


def written(folder: Path, *entries: Entry, base: dict[str, bytes] = BASE) -> Journal:
    """What is written anew for all layers names the last of them."""
    found = Journal(image="analysis", notebook="a.ipynb", base=base, entries=entries)
    last = entries[-1].id.encode() if entries else b"none"
    of_all = {"Dockerfile": b"# all\nLABEL last=" + last + b"\n"} if "Dockerfile" in base else {}
    journal.write(folder, found, {**of_all, "snapshot.json": b'{\n  "last": "' + last + b'"\n}\n'})
    return found


def test_its_readme_is_written_anew_and_that_of_the_first_layer_stays(tmp_path: Path) -> None:
    folder = tmp_path / "analysis"
    found = Journal(image="analysis", base={**BASE, "README.md": b"first\n"}, entries=(entry(),))
    journal.write(folder, found, {"Dockerfile": b"# all\n", "README.md": b"all\n", "snapshot.json": b"{}\n"})
    assert (folder / "README.md").read_bytes() == b"all\n"
    assert journal.read(folder).base["README.md"] == b"first\n"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    folder = tmp_path / "dockerize" / "analysis"
    found = written(folder, entry(), entry("echo $HOME; x", "4.9.0"))
    assert journal.read(folder) == found
    assert (folder / "Dockerfile").read_bytes().startswith(b"# all\n")
    assert (folder / "recipe" / "Dockerfile").read_bytes() == BASE["Dockerfile"]
    names = [path.name for path in sorted((folder / "layers").iterdir())]
    assert [name[:24] for name in names] == [
        "0002-pip-install-humaniz",
        "0003-echo-home-x-" + names[1][17:24],
    ]


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT)
def test_any_command_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, command: str, script: str
) -> None:
    folder = tmp_path_factory.mktemp("any") / "analysis"
    one = replace(entry(command), files={"run.sh": script.encode("utf-8", "surrogatepass")})
    found = written(folder, one)
    assert journal.read(folder) == found


def test_the_same_journal_is_the_same_bytes_and_one_layer_more_is_a_small_change(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    folder = tmp_path / "analysis"
    written(folder, entry())
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    written(folder, entry())
    assert git(tmp_path, "status", "--porcelain") == ""
    written(folder, entry(), entry("pip install humanize==4.9.0", "4.9.0"))
    git(tmp_path, "add", "-A")
    changed = git(tmp_path, "diff", "--cached", "--name-status").splitlines()
    assert {line for line in changed if not line.startswith("A\tanalysis/layers/0003-")} == {
        "M\tanalysis/Dockerfile",
        "M\tanalysis/snapshot.json",
    }


def test_what_two_people_added_merges(tmp_path: Path) -> None:
    """Each in a clone; the layers stand on one another after that, and all files are those of both. What is
    written anew for all layers is different in both, and no conflict."""
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path], check=True)
    folder = tmp_path / "analysis"
    written(folder, entry())
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "one")
    for name, version in (("ours", "4.9.0"), ("theirs", "4.10.0")):
        git(tmp_path, "checkout", "-q", "-b", name, "main")
        shutil.rmtree(folder)
        written(folder, entry(), entry(f"pip install humanize=={version}", version))
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", name)
    git(tmp_path, "merge", "-q", "ours")
    commands = [each.layer.command for each in journal.read(folder).entries]
    assert commands[0] == "pip install humanize"
    assert sorted(commands[1:]) == ["pip install humanize==4.10.0", "pip install humanize==4.9.0"]


def test_something_else_in_its_place_stays(tmp_path: Path) -> None:
    folder = tmp_path / "analysis"
    folder.mkdir()
    (folder / "mine.txt").write_text("x")
    with pytest.raises(OutputError, match="is not ours to write"):
        written(folder, entry())
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_the_journal_of_another_image_stays(tmp_path: Path) -> None:
    """Both would be called analysis."""
    folder = tmp_path / "analysis"
    found = written(folder, entry())
    with pytest.raises(OutputError, match="is the journal of analysis"):
        journal.write(folder, replace(found, image="ghcr.io/me/analysis"), {"snapshot.json": b"{}\n"})
    assert journal.read(folder) == found


def test_a_package_that_two_layers_brought_is_there_once() -> None:
    """As after a merge."""
    plan = PLAN
    for version in ("4.8.0", "4.9.0"):
        plan = applied(plan, entry(version=version).layer)
    assert [(each.name, each.version) for each in plan.packages.pip] == [("humanize", "4.9.0")]


def test_an_environment_does_not_follow_by_what_conda_or_debian_installed() -> None:
    def here(kind: SourceKind) -> Plan:
        package = PipPackage(name="numpy", version="2", source=Source(kind=kind))
        return applied(PLAN, Layer(command="", origin="exec", packages=Packages(pip=(package,))))

    change = Change(manager="pip", name="numpy", before="", after="2")
    for kind, uninstalled in (("index", ("numpy",)), ("conda", ()), ("apt", ())):
        found = way(PLAN, here(kind), [change])
        assert (found.uninstall, bool(found.left)) == (uninstalled, not uninstalled)


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no journal"):
        journal.read(tmp_path)
    folder = tmp_path / "analysis"
    written(folder, entry())
    layer = next((folder / "layers").iterdir()) / "layer.json"
    layer.write_text("{")
    with pytest.raises(UsageError, match="not a layer"):
        journal.read(folder)


def test_a_copy_without_a_recipe_has_a_journal_without_a_dockerfile(tmp_path: Path) -> None:
    folder = tmp_path / "analysis"
    found = written(folder, entry(), base={"plan.json": b"{}\n"})
    assert "Dockerfile" not in journal.read(folder).base
    assert journal.read(folder).entries == found.entries


def test_a_change_says_what_it_was(tmp_path: Path) -> None:
    layer = Layer(
        command="x",
        origin="exec",
        packages=Packages(pip=(PipPackage(name="b", version="2"), PipPackage(name="c", version="1"))),
        was=(Was(manager="pip", name="a", version="1"), Was(manager="pip", name="b", version="1")),
    )
    assert [str(each) for each in layer.changes] == ["a 1 removed", "b 1 → 2", "c 1"]
    assert [each.name for each in (*layer.added, *layer.removed, *layer.changed)] == ["c", "a", "b"]


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.check_output(["git", "-C", folder, *who, *words], text=True)
