"""The files of a project: what is taken, offered and refused, also where somebody tries to get out."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.plan.planning import make_plan, refuse
from jupyter_dockerize.environment.project import notebook as notebooks
from jupyter_dockerize.environment.project.files import Project, project_of
from jupyter_dockerize.errors import FindingsError, UsageError

from ..environments import snapshot


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A notebook's folder inside a bigger one, so that there is something to escape to."""
    place = tmp_path / "work"
    place.mkdir()
    (tmp_path / "outside.csv").write_text("secret\n")
    write(place)
    return place


def write(place: Path, *sources: str, name: str = "a.ipynb", outputs: list[Any] | None = None) -> Path:
    cells = [
        {"cell_type": "code", "source": s, "outputs": outputs or [], "metadata": {}, "execution_count": 1}
        for s in sources or ("x = 1",)
    ]
    path = place / name
    path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}))
    return path


def project(place: Path, *include: str, name: str = "a.ipynb", modules: Any = ()) -> Project:
    return project_of(notebooks.read_notebook(place / name), include, modules)


def paths(found: Project) -> list[str]:
    return [f.path for f in found.files]


def test_the_notebook_goes_in_with_its_size_and_digest(folder: Path) -> None:
    [file] = project(folder).files
    data = (folder / "a.ipynb").read_bytes()
    assert (file.path, file.size, file.sha256) == ("a.ipynb", len(data), hashlib.sha256(data).hexdigest())
    assert file.source == str(folder / "a.ipynb")


def test_modules_beside_the_notebook_go_in_and_data_is_offered(folder: Path) -> None:
    write(folder, "import helpers\nimport pandas as pd\nd = pd.read_csv('data/x.csv')")
    (folder / "helpers.py").write_text("import deeper\n")
    (folder / "deeper.py").write_text("import yaml\n")
    (folder / "unrelated.py").write_text("")
    (folder / "data").mkdir()
    (folder / "data" / "x.csv").write_text("1\n")
    found = project(folder)
    assert paths(found) == ["a.ipynb", "deeper.py", "helpers.py"]
    assert found.offered == ("data/x.csv",)
    assert [f.code for f in found.findings] == ["data-not-included"]
    assert "--include data/x.csv" in found.choices[0].reason
    assert found.imports == ("deeper", "helpers", "pandas", "yaml")


def test_included_data_is_not_offered_again(folder: Path) -> None:
    write(folder, "open('x.csv')")
    (folder / "x.csv").write_text("1\n")
    found = project(folder, "x.csv")
    assert paths(found) == ["a.ipynb", "x.csv"]
    assert (found.offered, found.findings, found.choices) == ((), (), ())


def test_modules_that_the_kernel_imported_go_in_where_they_lie_in_the_folder(folder: Path) -> None:
    (folder / "lib").mkdir()
    (folder / "lib" / "late.py").write_text("")
    elsewhere = folder.parent / "mine.py"
    elsewhere.write_text("")
    found = project(
        folder,
        modules=[
            ("lib.late", str(folder / "lib" / "late.py")),
            ("mine", str(elsewhere)),
            ("gone", "/nowhere/x.py"),
            ("bad", "a\0b.py"),
        ],
    )
    assert paths(found) == ["a.ipynb", "lib/late.py"]
    assert [(c.kind, c.name) for c in found.choices] == [("left-out", "mine")]


def test_a_module_that_is_a_link_to_the_outside_stays_out(folder: Path) -> None:
    (folder.parent / "real.py").write_text("key = 1\n")
    (folder / "linked.py").symlink_to(folder.parent / "real.py")
    write(folder, "import linked")
    assert paths(project(folder)) == ["a.ipynb"]
    found = project(folder, modules=[("linked", str(folder / "linked.py"))])
    assert paths(found) == ["a.ipynb"] and found.choices[0].kind == "left-out"


def test_a_folder_is_included_with_all_below_it(folder: Path) -> None:
    for name in ("data/a.csv", "data/deep/b.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")
    assert paths(project(folder, "data")) == ["a.ipynb", "data/a.csv", "data/deep/b.csv"]
    assert paths(project(folder, "data/")) == paths(project(folder, "./data/."))


def test_the_whole_folder_can_be_taken_and_secrets_in_it_stay_out(folder: Path) -> None:
    for name in ("a.csv", ".env", "deep/b.csv", ".git/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("1")
    found = project(folder, ".")
    assert paths(found) == ["a.csv", "a.ipynb", "deep/b.csv"]
    assert {c.name for c in found.choices} == {".env", ".git/"}
    assert not found.findings


@pytest.mark.parametrize(
    "escape",
    [
        "../outside.csv",
        "/etc/passwd",
        "data/../../outside.csv",
        "..",
        "",
        "..\\outside.csv",
        "~/x",
        "missing.csv",
        "a\0b",
    ],
)
def test_paths_that_lead_out_or_nowhere_are_refused(folder: Path, escape: str) -> None:
    (folder / "data").mkdir()
    with pytest.raises(UsageError, match="cannot"):
        project(folder, escape)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "sub", "/", "link", "\\", "~", " ", ""]), max_size=6))
def test_whatever_is_asked_for_nothing_outside_the_folder_goes_in(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    place = tmp_path_factory.mktemp("p") / "work"
    (place / "sub").mkdir(parents=True)
    (place.parent / "outside.csv").write_text("secret")
    (place / "sub" / "inside.csv").write_text("fine")
    (place / "link").symlink_to("..")
    write(place)
    try:
        found = project(place, "/".join(parts))
    except UsageError:
        return
    root = place.resolve()
    assert all(Path(f.source or "").resolve().is_relative_to(root) for f in found.files)


def test_links_are_followed_inside_the_folder_only(folder: Path) -> None:
    (folder / "real.csv").write_text("1")
    (folder / "inside.csv").symlink_to("real.csv")
    assert paths(project(folder, "inside.csv")) == ["a.ipynb", "inside.csv"]
    (folder / "leak.csv").symlink_to(folder.parent / "outside.csv")
    with pytest.raises(UsageError, match=r"leads out of the notebook"):
        project(folder, "leak.csv")


def test_links_of_a_folder_that_lead_out_or_nowhere_are_left_out_by_name(folder: Path) -> None:
    (folder.parent / "outside.csv").write_text("1")
    (folder / "data").mkdir()
    (folder / "data" / "x.csv").write_text("1")
    (folder / "data" / "leak.csv").symlink_to(folder.parent / "outside.csv")
    (folder / "data" / "gone.csv").symlink_to("renamed.csv")
    found = project(folder, "data")
    assert paths(found) == ["a.ipynb", "data/x.csv"]
    assert {(c.name, c.reason.partition(":")[0]) for c in found.choices} == {
        ("data/gone.csv", "a symbolic link that leads nowhere"),
        ("data/leak.csv", "a symbolic link that leads out of the notebook's folder"),
    }
    (folder / "gone.csv").symlink_to("renamed.csv")
    with pytest.raises(UsageError, match="cannot be included") as error:
        project(folder, "gone.csv")
    assert "leads nowhere" in error.value.why


def test_a_link_to_a_folder_is_left_out_by_name_and_circles_end(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "again").symlink_to(folder / "data")
    (folder / "data" / "x.csv").write_text("1")
    found = project(folder, "data")
    assert paths(found) == ["a.ipynb", "data/x.csv"]
    assert [(c.name, c.reason) for c in found.choices] == [("data/again/", "a symbolic link to a folder")]
    (folder / "loop").symlink_to("loop")
    with pytest.raises(UsageError):
        project(folder, "loop")


def test_pipes_and_devices_are_not_read(folder: Path) -> None:
    (folder / "data").mkdir()
    os.mkfifo(folder / "data" / "pipe")
    found = project(folder, "data")
    assert [(c.name, c.reason) for c in found.choices] == [("data/pipe", "no regular file")]
    with pytest.raises(UsageError, match="no file and no folder"):
        project(folder, "data/pipe")


SECRET = [
    ".env", ".env.local", "prod.env", ".git/config", ".ssh/id_ed25519", ".aws/credentials",
    ".netrc", "kaggle.json", ".docker/config.json", "server.pem", "server.key", "id_rsa",
    ".bash_history",
    "id_rsa_work", ".ipynb_checkpoints/a.ipynb", ".pypirc", "__pycache__/a.pyc", ".venv/pyvenv.cfg",
    "node_modules/x.js", "deep/.env", "deep/.docker/config.json", "KAGGLE.JSON",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRET)
def test_secrets_and_caches_below_an_included_folder_stay_out_by_name(folder: Path, name: str) -> None:
    target = folder / "all" / name
    target.parent.mkdir(parents=True)
    target.write_text("s3cret")
    (folder / "all" / "ok.csv").write_text("1")
    found = project(folder, "all")
    assert paths(found) == ["a.ipynb", "all/ok.csv"]
    assert len(found.choices) == 1 and f"all/{name}".startswith(found.choices[0].name)


@pytest.mark.parametrize("name", SECRET)
def test_a_secret_that_is_named_stops_the_work_unless_allowed(folder: Path, name: str) -> None:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("1")
    found = project(folder, name)
    [finding] = [f for f in found.findings if f.severity == "error"]
    assert finding.code == "secret-file"
    with pytest.raises(FindingsError, match="--allow secret-file"):
        refuse(found.findings, ())
    refuse(found.findings, ("secret-file",))
    assert name in paths(found)


def test_a_link_does_not_rename_a_secret(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / ".env").write_text("TOKEN=1")
    (folder / "data" / "notes.txt").symlink_to(".env")
    assert paths(project(folder, "data")) == ["a.ipynb"]


@pytest.mark.parametrize(
    "name", ["example.pub", ".env.example", "keyboard.txt", "environment.yml", "token.txt"]
)
def test_harmless_names_are_taken(folder: Path, name: str) -> None:
    (folder / "all").mkdir()
    (folder / "all" / name).write_text("1")
    assert f"all/{name}" in paths(project(folder, "all"))


@pytest.mark.parametrize(
    "name", [b"a\nb.csv", b"a\x1b[31m.csv", b"a\xff.csv", "a\u2028b.csv".encode(), b"a\x7f.csv"]
)
def test_names_that_act_on_whoever_shows_them_are_refused(folder: Path, name: bytes) -> None:
    (folder / "data").mkdir()
    Path(os.fsdecode(bytes(folder / "data") + b"/" + name)).write_text("1")
    with pytest.raises(UsageError, match="rename the file") as refused:
        project(folder, "data")
    assert str(refused.value).isprintable() or "\n" in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_a_notebook_with_a_name_like_that_is_refused(folder: Path) -> None:
    write(folder, name="a\tb.ipynb")
    with pytest.raises(UsageError, match="rename the file"):
        project(folder, name="a\tb.ipynb")


@pytest.mark.parametrize(
    "name", ["a b.csv", "[x]*?.csv", "$HOME.csv", "--from=x.csv", "Ünïcode 数据.csv", "'quoted\".csv"]
)
def test_odd_but_printable_names_are_taken_as_they_are(folder: Path, name: str) -> None:
    (folder / name).write_text("1")
    assert name in paths(project(folder, name))


def test_secrets_in_the_notebook_and_in_files_are_errors(folder: Path) -> None:
    token = "ghp" + "_" + "a1B2" * 9
    write(folder, "import helpers", f"login('{token}')")
    (folder / "helpers.py").write_text(f"TOKEN = '{token}'\n")
    (folder / "conf.toml").write_text(f"t = '{token}'\n")
    found = project(folder, "conf.toml")
    assert sorted(f.code for f in found.findings) == [
        "secret-in-file",
        "secret-in-file",
        "secret-in-notebook",
    ]
    assert all(f.severity == "error" and token not in f.message for f in found.findings)


def test_an_included_notebook_is_scanned_as_a_notebook(folder: Path) -> None:
    write(folder, "'ghp" + "_" + "a1B2" * 9 + "'", name="other.ipynb")
    assert [f.code for f in project(folder, "other.ipynb").findings] == ["secret-in-notebook"]


@pytest.mark.parametrize("beside", ["1", "NaN", '"\\ud83d"'])
def test_an_output_is_scanned_whatever_stands_beside_it(folder: Path, beside: str) -> None:
    token = '"ghp' + "_" + "a1B2" * 9 + '"'
    outputs = f'[{{"data": {{"x": {beside}}}}}, {{"text": {token}}}]'
    cell = f'{{"cell_type": "code", "source": "", "outputs": {outputs}}}'
    (folder / "a.ipynb").write_text(f'{{"nbformat": 4, "metadata": {{}}, "cells": [{cell}]}}')
    assert [f.message[:20] for f in project(folder).findings] == ["an output of cell 1 "]


def test_a_file_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "x.csv").write_text("1")
    original = Path.open

    def refuse_it(self: Path, *args: Any, **kwargs: Any) -> Any:
        if self.name == "x.csv":
            raise PermissionError(13, "Permission denied")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse_it)
    with pytest.raises(UsageError, match=r"x\.csv.*cannot be read"):
        project(folder, "x.csv")


def test_the_plan_takes_files_choices_and_findings_over(folder: Path) -> None:
    write(folder, "open('x.csv')")
    (folder / "x.csv").write_text("1")
    found = project(folder)
    plan = make_plan(snapshot(), Wishes(), found)
    assert (plan.notebook, plan.files, plan.findings) == ("a.ipynb", found.files, found.findings)
    assert [c.name for c in plan.choices] == ["x.csv"]


def test_the_same_folder_gives_the_same_project(folder: Path) -> None:
    for name in ("c.csv", "b.csv", "d.csv"):
        (folder / name).write_text(name)
    assert project(folder, "d.csv", "b.csv", "c.csv") == project(folder, "b.csv", "c.csv", "d.csv")


@pytest.mark.parametrize(
    ("cell", "theirs"),
    [
        ("%load_ext jupyter_dockerize", True),
        ("x = 1\n%dockerize -t a", True),
        ("built = %dockerize --json", True),
        ("%%docker_exec\npip install humanize", True),
        ("%docker_undo", True),
        ("# %dockerize is only mentioned", False),
        ("%load_ext autoreload", False),
        ("dockerize = 7 %dockerized", False),
    ],
)
def test_a_notebook_that_types_our_magics_is_known(cell: str, theirs: bool, tmp_path: Path) -> None:
    project = project_of(notebooks.read_notebook(write(tmp_path, "x = 1", cell)))
    assert (project.magics, project.findings) == (theirs, ())


def test_data_outside_the_folder_is_told_and_does_not_go_in(folder: Path) -> None:
    (folder.parent / "other.csv").write_text("1")
    write(folder, "open('../other.csv'); open('../gone.csv')")
    found = project(folder)
    assert paths(found) == ["a.ipynb"]
    [finding] = found.findings
    assert (finding.code, finding.severity) == ("data-outside", "warning")
    assert finding.message.startswith("the notebook names '../other.csv' outside its folder")
    assert "--mount" in finding.fix
