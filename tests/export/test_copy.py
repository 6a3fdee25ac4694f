"""Copied images: the environment's own files, into an engine or into a file."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import CancelledError, OutputError, UsageError
from jupyter_dockerize.events import Event, Progress, Step
from jupyter_dockerize.image import disk
from jupyter_dockerize.image.validate.layout import validate

from ..commandline import listing, notebook, run
from ..image.copy.environments import venv


@pytest.fixture
def where(bare: Path, tmp_path: Path) -> Where:
    path = tmp_path / f"copied-{os.urandom(4).hex()}.ipynb"
    notebook(path, "import ssl, sqlite3, ctypes.util\nprint(ctypes.util.find_library('c'))")
    return Where(notebook=path, python=str(bare))


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return venv(tmp_path / "env", "humanize")


@pytest.fixture
def ref(where: Where, engine: DockerEngine) -> Iterator[str]:
    assert where.notebook
    yield where.notebook.stem
    engine.remove(where.notebook.stem)


@pytest.mark.engine
def test_a_copy_is_the_same_environment_and_runs_as_its_user(
    where: Where, ref: str, engine: DockerEngine
) -> None:
    built = api.build(where, Wishes(), method="copy")
    assert (built.verdict, built.method, built.ref) == ("identical", "copy", ref)
    assert where.notebook
    code = "import os, pwd, ssl; print(os.getuid(), pwd.getpwuid(1000).pw_name, os.path.exists('NB'))"
    code = code.replace("NB", f"/home/jovyan/work/{where.notebook.name}")
    assert engine.execute(ref, [str(where.python), "-c", code]).split() == [b"1000", b"jovyan", b"True"]
    listed = engine.execute(ref, ["dpkg", "-l"]).decode()
    assert "libc6:amd64" in listed or "libc6:arm64" in listed
    assert engine.execute(ref, ["dpkg", "--audit"]) == b""
    again = api.verify(ref)
    assert again.verdict == "identical"


@pytest.mark.engine
def test_an_archive_needs_no_engine_and_every_engine_takes_it(
    where: Where, ref: str, tmp_path: Path, engine: DockerEngine
) -> None:
    target = tmp_path / "out" / "image.tar"
    target.parent.mkdir()
    assert where.notebook
    done = run(
        "build", where.notebook, "--python", str(where.python), "--method", "copy", "-o", target, "--json",
        env={"DOCKER_HOST": "unix:///nonexistent/docker.sock"},
    )  # fmt: skip
    assert done.status == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["engine"], said["verdict"], said["output"]) == ("builtin", "identical", str(target))
    assert validate(target) == []
    assert sorted(path.name for path in target.parent.iterdir()) == ["image.recipe", "image.tar"]
    assert said["recipe"] == str(target.with_name("image.recipe"))
    assert {"Dockerfile", "plan.json", "snapshot.json"} <= set(listing(Path(said["recipe"])))
    subprocess.run(["docker", "load", "-q", "-i", target], check=True, capture_output=True)
    found = engine.inspect(ref)
    assert found is not None and found.id == said["image_id"]
    assert api.verify(ref).verdict == "identical"


def test_a_layout_is_whole_and_the_same_each_time(where: Where, tmp_path: Path) -> None:
    first, second = (
        api.build(where, Wishes(), method="copy", output=tmp_path / name) for name in ("first", "second")
    )
    assert first.digest == second.digest
    assert validate(tmp_path / "first") == []
    assert {path.name for path in (tmp_path / "first").iterdir()} >= {"oci-layout", "index.json", "blobs"}


def test_a_copy_in_files_is_read_back_and_compared_with_the_environment(where: Where, tmp_path: Path) -> None:
    built = api.build(where, Wishes(), method="copy", output=tmp_path / "image.tar")
    assert (built.verdict, built.ok) == ("identical", True)
    assert "files read back" in built.summary
    assert {difference.class_ for difference in built.differences} <= {"planned"}


def test_a_file_that_is_written_to_before_it_was_compared_makes_it_different(
    tmp_path: Path, python: Path
) -> None:
    """The image holds what was there; the environment goes on."""
    changed = next(python.parents[1].rglob("humanize/__init__.py"))

    def report(event: Event) -> None:
        if isinstance(event, Step) and event.number == 3:
            changed.write_bytes(changed.read_bytes()[:-1] + b"#")

    where = Where(python=str(python))
    wishes = Wishes(allow=("no-server",))
    built = api.build(where, wishes, "analysis", method="copy", output=tmp_path / "image.tar", report=report)
    assert (built.verdict, built.ok) == ("different", False)
    [found] = [each for each in built.differences if each.class_ == "unexpected"]
    assert (found.manager, found.name, found.field) == ("file", str(changed), "content")
    assert built.summary == "different: 1 file"


def test_what_is_in_the_recipes_place_and_not_ours_is_left_alone(where: Where, tmp_path: Path) -> None:
    mine = tmp_path / "image.recipe" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(OutputError, match="is not ours to replace"):
        api.build(where, Wishes(), method="copy", output=tmp_path / "image.tar")
    assert (mine.read_text(), (tmp_path / "image.tar").exists()) == ("mine", False)


def test_nothing_is_read_back_where_nobody_wants_it(where: Where, tmp_path: Path) -> None:
    built = api.build(where, Wishes(), method="copy", output=tmp_path / "image.tar", verify=False)
    assert (built.verdict, built.summary) == ("skipped", "not verified")


def test_an_engine_that_was_asked_for_and_takes_no_part_in_a_file_is_named(
    where: Where, tmp_path: Path
) -> None:
    built = api.build(where, Wishes(), engine="docker", output=tmp_path / "IMAGE.TAR", verify=False)
    assert built.engine == "builtin"
    assert "engine-not-used" in [finding.code for finding in built.findings]
    assert (tmp_path / "IMAGE.TAR").is_file()


def test_a_cancelled_copy_leaves_nothing(where: Where, tmp_path: Path) -> None:
    cancel, target = Cancel(), tmp_path / "out"
    before = {path.name for path in tmp_path.iterdir()}

    def report(event: Event) -> None:
        if isinstance(event, Progress):
            cancel.cancel()

    with pytest.raises(CancelledError):
        api.build(where, Wishes(), method="copy", output=target, report=report, cancel=cancel)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_what_cannot_be_written_or_copied_is_told_before_the_work(where: Where, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(OutputError, match="not empty"):
        api.build(where, Wishes(), method="copy", output=tmp_path / "full")
    with pytest.raises(OutputError, match="cannot be written"):
        api.build(where, Wishes(), method="copy", output=tmp_path / "none" / "image.tar")
    with pytest.raises(UsageError, match="only a copied image"):
        api.build(where, Wishes(), method="rebuild", output=tmp_path / "image.tar")
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".ipynb") == ["full"]


def test_a_disk_without_room_for_the_file_is_told_before_the_work(
    where: Where, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive needs its room twice: it is put together from layers that lie beside it."""
    before, told, wanted = {path.name for path in tmp_path.iterdir()}, list[Event](), list[float]()
    monkeypatch.setattr(disk, "free", lambda folder: 1_000_000)
    for name in ("image", "image.tar"):
        with pytest.raises(OutputError, match=f"{tmp_path} has no room for the image") as caught:
            api.build(where, Wishes(), method="copy", output=tmp_path / name, report=told.append)
        found = re.fullmatch(r"about ([0-9.]+) MB are needed, and 1.0 MB are free", caught.value.why)
        assert found
        wanted.append(float(found[1]))
    assert wanted[1] == pytest.approx(2 * wanted[0], abs=1)
    assert {each.number for each in told if isinstance(each, Step)} == {1}
    assert {path.name for path in tmp_path.iterdir()} == before
