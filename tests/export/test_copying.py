"""A copy of a real environment: the same bytes each time, whole or not there, and it works in an engine."""

from __future__ import annotations

import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents import times
from jupyter_dockerize.contents.identity import LABEL_RUN
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.errors import CancelledError, FindingsError
from jupyter_dockerize.events import Event
from jupyter_dockerize.export import copying
from jupyter_dockerize.export.copying import Copy, plan_copy, write
from jupyter_dockerize.export.verify import verify_against_plan
from jupyter_dockerize.image import cache
from jupyter_dockerize.image.cache import LayerCache
from jupyter_dockerize.image.copy.capture import Captured, folders, whole
from jupyter_dockerize.image.copy.grouping import Group, distributions
from jupyter_dockerize.image.copy.python import python_files
from jupyter_dockerize.image.layer import Compression
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Config, ImageValue
from jupyter_dockerize.image.tar import Member

from ..image.copy.environments import install, planned, venv
from .copies import copy_of, environment


def silent(event: Event) -> None:
    """Nobody listens."""


def copied(python: Path, to: Path) -> ImageValue:
    layout = Layout.create(to)
    return write(
        plan_copy(*planned(python), ("no-server",)),
        layout,
        compression="none",
        report=silent,
        cancel=Cancel(),
    )


def layers(image: ImageValue) -> list[str]:
    return [layer.diff_id for layer in image.layers]


@pytest.fixture
def python(tmp_path: Path) -> Path:
    return venv(tmp_path / "env", "humanize")


@pytest.fixture
def lasting() -> Iterator[Path]:
    """A folder that is not below /tmp: where the image is looked into, nothing of /tmp is to be seen."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        yield Path(folder)


def elsewhere(code: str, *words: str | Path, seed: int) -> str:
    """What this file's functions print in another process, whose sets have an order of their own."""
    begin = f"import os, sys\nfrom {__name__} import *\ndel os.environ['PYTHONHASHSEED']\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + code, *words],
        env={**os.environ, "PYTHONHASHSEED": str(seed)}, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def shuffled(folder: Path, chance: random.Random) -> None:
    """Takes every name out of its folder and puts it back, in another order and at another time."""
    aside = folder.with_name("aside")
    aside.mkdir()
    for place, below, files in os.walk(folder):
        names = [*below, *files]
        for target, source in ((aside, Path(place)), (Path(place), aside)):
            chance.shuffle(names)
            for name in names:
                (source / name).rename(target / name)
        os.utime(place, (1, 1))
    aside.rmdir()


def test_the_same_environment_gives_the_same_image_in_any_process_and_order(
    python: Path, tmp_path: Path
) -> None:
    """All of it: looked at, planned, captured with its system, and written."""
    first = copied(python, tmp_path / "first")
    code = "print(copied(Path(sys.argv[1]), Path(sys.argv[2])).descriptor.digest)"
    for seed in (1, 2):
        shuffled(python.parents[1], random.Random(seed))
        assert elsewhere(code, python, tmp_path / str(seed), seed=seed) == first.descriptor.digest


def digests(python: Path, to: Path, times: int, seed: int) -> set[str]:
    """Of an environment that is copied this often: each time in another order, two copies at once."""
    plan, snapshot = planned(python)
    small = replace(snapshot, python=replace(snapshot.python, base_prefix=str(to / "no base")))
    chance = random.Random(seed)

    def copy(number: int) -> str:
        found = python_files(plan, small)
        ours = Member(path="etc/ours", data=b"ours", size=4)
        groups = [*distributions(found.environment, found.groups), Group("ours", (ours,))]
        members = {**found.environment, ours.path: ours}
        captured = Captured(
            tuple(whole(group, folders(found.environment, members)) for group in groups), frozenset(), (), ()
        )
        config = Config(platform="linux/amd64", labels=dict(found.groups))
        layout = Layout.create(to / f"{seed}-{number}")
        whole_copy = Copy(plan=plan, captured=captured, config=config, findings=found.findings)
        return write(
            whole_copy, layout, compression="gzip", report=silent, cancel=Cancel()
        ).descriptor.digest  # fmt: skip

    seen: set[str] = set()
    with ThreadPoolExecutor(2) as pool:
        for number in range(0, times, 2):
            shuffled(python.parents[1], chance)
            os.umask(chance.choice((0o022, 0o077, 0)))
            seen.update(pool.map(copy, (number, number + 1)))
    return seen


def test_a_hundred_copies_have_one_digest(tmp_path: Path) -> None:
    """By four processes, for which sets and dictionaries have orders of their own."""
    python = venv(tmp_path / "env", "humanize", "toolz")
    code = "print(*digests(Path(sys.argv[1]), Path(sys.argv[2]), 26, int(sys.argv[3])))"
    found = {elsewhere(code, python, tmp_path, str(seed), seed=seed) for seed in range(4)}
    (one,) = found
    assert one.startswith("sha256:")
    assert " " not in one


def test_one_package_more_changes_what_it_must_and_without_it_all_is_as_before(
    python: Path, tmp_path: Path
) -> None:
    before = copied(python, tmp_path / "before")
    install(python, "toolz")
    more = copied(python, tmp_path / "more")
    install(python, "toolz", verb="uninstall")
    after = copied(python, tmp_path / "after")
    changed = [layer.created_by for layer in more.layers if layer.diff_id not in layers(before)]
    assert len(changed) == 2, changed  # its own pile, and ours, which holds the plan
    assert any("toolz" in title for title in changed)
    assert after.descriptor == before.descriptor


class Wrote:
    """Titles of the layers that were written, by the layout that was written to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.titles: list[str] = []
        real = copying.write_layer

        def write_layer(members: object, write: object, title: str, **more: object) -> object:
            self.titles.append(title)
            return real(members, write, title, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(copying, "write_layer", write_layer)


def exported(source: Path, to: Path) -> ImageValue:
    return write(
        copy_of(source), Layout.create(to), compression="gzip", report=silent, cancel=Cancel(),
        known=LayerCache(to),
    )  # fmt: skip


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written a moment ago counts as old: nobody waits two seconds here."""
    monkeypatch.setattr(cache, "TICK", -1_000_000_000)


def test_only_what_changed_is_written_again(
    tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, store = environment(tmp_path / "env"), tmp_path / "store"
    first = exported(source, store)
    wrote = Wrote(monkeypatch)
    assert exported(source, store) == first
    assert wrote.titles == []
    (source / "one/new.py").write_text("new = 1\n")
    second = exported(source, store)
    assert wrote.titles == ["package: one"]
    assert [a.diff_id == b.diff_id for a, b in zip(first.layers, second.layers, strict=True)] == [
        False, True, True,
    ]  # fmt: skip
    assert second == exported(source, tmp_path / "elsewhere")


def test_what_changed_a_moment_ago_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, store = environment(tmp_path / "env"), tmp_path / "store"
    first, wrote = exported(source, store), Wrote(monkeypatch)
    assert exported(source, store) == first
    assert sorted(wrote.titles) == ["package: one", "package: two"]


def test_a_layer_that_the_store_has_lost_is_written_again(
    tmp_path: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, store = environment(tmp_path / "env"), tmp_path / "store"
    first, wrote = exported(source, store), Wrote(monkeypatch)
    Layout(store).path(first.layers[1].descriptor.digest).unlink()
    assert exported(source, store) == first
    assert wrote.titles == ["package: two"]


def test_pip_installs_and_uninstalls_and_all_is_as_before(tmp_path: Path) -> None:
    """With pip itself, which compiles what it installs, and after an import of it."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python = tmp_path / "env/bin/python"
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    before = copied(python, tmp_path / "before")
    subprocess.run([*pip, "install", "humanize"], check=True)
    subprocess.run([python, "-c", "import humanize"], check=True)
    more = copied(python, tmp_path / "more")
    subprocess.run([*pip, "uninstall", "--yes", "humanize"], check=True)
    after = copied(python, tmp_path / "after")
    assert len(set(layers(more)) - set(layers(before))) == 2  # its own pile, and ours, which holds the plan
    assert after.descriptor == before.descriptor


def test_it_is_of_the_time_of_its_newest_file_or_of_what_the_user_says(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = int(time.time()) - 5
    os.utime(next(python.parents[1].rglob("humanize/__init__.py")), (at, at))
    for path in python.parents[1].rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_mtime > at:
            os.utime(path, (at - 60, at - 60))
    plan, snapshot = planned(python)
    assert plan_copy(plan, snapshot, ("no-server",)).config.created == times.rfc3339(at)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert plan_copy(plan, snapshot, ("no-server",)).config.created == "2023-11-14T22:13:20Z"


def test_a_copy_without_jupyterlab_says_how_python_is_started(python: Path) -> None:
    config = plan_copy(*planned(python), ("no-server",)).config
    assert config.cmd == (str(python),)
    assert config.labels[LABEL_RUN] == "docker run --rm -it IMAGE"


def test_a_copy_that_is_cancelled_leaves_no_blob(python: Path, tmp_path: Path) -> None:
    copy = plan_copy(*planned(python), ("no-server",))
    layout = Layout.create(tmp_path / "layout")
    cancel = Cancel()
    with pytest.raises(CancelledError):
        write(copy, layout, compression="none", report=lambda event: cancel.cancel(), cancel=cancel)
    assert not layout.manifests()
    assert not list((tmp_path / "layout").rglob(".unfinished-*"))


def test_a_file_that_cannot_be_copied_is_named_before_anything_is_written(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root reads everything, so that the file is on a disk that says no."""
    plan, snapshot = planned(python)
    real, refused = os.lstat, python.parents[1] / "refused"
    refused.mkdir()
    scandir = os.scandir

    def scan(path: str) -> object:
        if path == str(refused):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(FindingsError) as caught:
        plan_copy(plan, snapshot, ("no-server",))
    assert real(refused)
    [finding] = caught.value.findings
    assert finding.code == "unreadable-files"
    assert str(refused) in finding.message


def test_a_copy_works_in_an_engine_and_is_identical(
    engine: DockerEngine, lasting: Path, tmp_path: Path
) -> None:
    python = venv(lasting / "env", "ipykernel")
    plan, snapshot = planned(python, Wishes())
    copy = plan_copy(plan, snapshot, ("no-server",))

    def into(layout: Layout, compression: Compression) -> ImageValue:
        return write(copy, layout, compression=compression, report=silent, cancel=Cancel())

    ref = f"jdr-copy-{secrets.token_hex(4)}"
    try:
        loaded = engine.take(into, ref, size=copy.captured.size, report=silent, cancel=Cancel())
        assert verify_against_plan(engine, loaded, plan, cancel=Cancel()).verdict == "identical"
        code = "import os, pwd, ssl; assert ssl.create_default_context().get_ca_certs(); "
        code += "print(pwd.getpwuid(os.getuid()))"
        assert b"pw_uid=1000" in engine.execute(ref, [str(python), "-c", code])
        assert b"libc6" in engine.execute(ref, ["dpkg", "-l"])
    finally:
        engine.remove(ref)
