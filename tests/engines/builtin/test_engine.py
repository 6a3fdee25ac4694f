"""The engine without a daemon: what a build gives, looked into and opened by bubblewrap."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines import choose
from jupyter_dockerize.engines.base import Limits
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.builtin.settings import Settings, size_of
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import CancelledError, EngineError, NoEngineError, OutputError, UsageError
from jupyter_dockerize.events import Event, Progress

from ...commandline import notebook
from ...conftest import missing

pytestmark = pytest.mark.rig


DOCKER = os.environ.get("DOCKER_HOST", "")


@pytest.fixture
def docker() -> str:
    """Where there is one."""
    if not DOCKER:
        missing("no engine is up")
    return DOCKER


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    if not shutil.which("bwrap"):
        missing("bubblewrap is not there (tests/rig/up bubblewrap)")
    return tmp_path / "store"


@pytest.fixture
def where(bare: Path, tmp_path: Path) -> Where:
    notebook(tmp_path / "survey.ipynb", "print(1)")
    return Where(notebook=tmp_path / "survey.ipynb", python=str(bare))


@pytest.fixture
def engine() -> BuiltinEngine:
    return BuiltinEngine()


def test_without_docker_the_environment_is_an_image_all_the_same(where: Where, engine: BuiltinEngine) -> None:
    events: list[Event] = []
    built = api.build(where, Wishes(), report=events.append)
    assert (built.ref, built.engine, built.method, built.verdict) == (
        "survey",
        "builtin",
        "copy",
        "identical",
    )
    assert [f.code for f in built.findings if "no socket" in f.message] == ["no-docker"]
    told = {event.what: event for event in events if isinstance(event, Progress)}
    assert {"copied", "compared", "unpacked"} <= told.keys()
    assert all(last.done == last.total for last in told.values())
    (image,) = api.images()
    assert (image.refs, image.id, image.digest) == (
        ("survey:latest",),
        built.image_id,
        built.digest,
    ) or image.refs == ("survey",)
    assert image.size > 10_000_000
    assert api.verify("survey").verdict == "identical"
    assert api.verify("survey", f"python:{where.python}").verdict == "identical"


def test_what_runs_in_an_image_is_shut_in(where: Where, engine: BuiltinEngine) -> None:
    api.build(where, Wishes(), verify=False)
    python = str(where.python)

    def told(code: str, **limits: int) -> str:
        return engine.execute("survey", [python, "-c", code], limits=Limits(**limits)).decode().strip()

    assert (
        told("import os; print(os.getuid(), os.getpid() < 10, len(os.listdir('/proc')) < 200)")
        == "1000 True True"
    )
    assert told("import pwd; print(pwd.getpwuid(1000).pw_name)") == "jovyan"
    assert told("import socket; print([n for _, n in socket.if_nameindex()])") == "['lo']"
    assert (
        told("import os; print({k for k in os.environ} & {'DOCKER_HOST', 'JUPYTER_DOCKERIZE_STORE'})")
        == "set()"
    )
    with pytest.raises(EngineError, match="failed in the image") as caught:
        told("open('/etc/new', 'w')")
    assert "Read-only" in caught.value.why
    with pytest.raises(EngineError) as caught:
        told("b = bytearray(3 << 30)", memory=256 << 20)
    assert "MemoryError" in caught.value.why
    with pytest.raises(EngineError, match="printed more"):
        told("while True: print('x' * 1000)", output=100_000)
    with pytest.raises(EngineError, match="not done after"):
        told("import time; time.sleep(60)", seconds=1)
    with pytest.raises(EngineError, match="failed in the image"):
        engine.execute("survey", ["/nothing"])


@pytest.mark.parametrize("parent", ["/tmp", "/var/tmp"])
def test_an_environment_in_a_folder_for_temporary_files_is_to_be_seen(
    engine: BuiltinEngine, parent: str
) -> None:
    with tempfile.TemporaryDirectory(dir=parent, prefix="jupyter-dockerize-test-") as folder:
        Path(folder).chmod(0o755)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", f"{folder}/env"], check=True)
        api.build(Where(python=f"{folder}/env/bin/python"), Wishes(), "temporary", verify=False)
        said = engine.execute(
            "temporary", ["python", "-c", "import sys, tempfile as t; print(sys.prefix, t.gettempdir())"]
        )
    assert said.decode().split() == [f"{folder}/env", "/dev/shm"]


def test_files_of_an_image_are_read_without_a_program(where: Where, engine: BuiltinEngine) -> None:
    api.build(where, Wishes(), verify=False)
    found = engine.read_folder("survey", "/opt/jupyter-dockerize", cancel=Cancel())
    assert found["plan.json"] == engine.read("survey", "/opt/jupyter-dockerize/plan.json", cancel=Cancel())
    assert engine.read_folder("survey", "/none", cancel=Cancel()) == {}
    assert engine.read_folder("survey", "/../..", cancel=Cancel()) == {}
    with pytest.raises(EngineError, match="more than 64 MiB"):
        engine.read_folder("survey", "/usr", cancel=Cancel())


def test_a_program_can_be_cancelled(where: Where, engine: BuiltinEngine) -> None:
    import threading

    api.build(where, Wishes(), verify=False)
    cancel = Cancel()
    threading.Timer(1, cancel.cancel).start()
    with pytest.raises(CancelledError):
        engine.execute("survey", [str(where.python), "-c", "import time; time.sleep(60)"], cancel=cancel)


def test_a_cancelled_build_leaves_nothing(where: Where, store: Path) -> None:
    cancel = Cancel()

    def report(event: Event) -> None:
        if isinstance(event, Progress):
            cancel.cancel()

    with pytest.raises(CancelledError):
        api.build(where, Wishes(), report=report, cancel=cancel)
    assert api.images() == []
    assert BuiltinEngine().store.used() == 0


def test_a_build_that_changed_its_name_is_put_back_when_it_is_cancelled_late(
    where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = api.build(where, Wishes(), verify=False)
    assert where.notebook
    notebook(where.notebook, "print(2)")
    cancel = Cancel()

    def cut(*given: object, **more: object) -> object:
        cancel.cancel()
        raise CancelledError

    monkeypatch.setattr("jupyter_dockerize.export.build.verify_against_plan", cut)
    with pytest.raises(CancelledError):
        api.build(where, Wishes(), cancel=cancel)
    (image,) = api.images()
    assert image.id == first.image_id


def test_a_replaced_image_goes_with_prune(where: Where) -> None:
    api.build(where, Wishes(), verify=False)
    assert where.notebook
    notebook(where.notebook, "print(2)")
    second = api.build(where, Wishes(), verify=False)
    assert [f.fix for f in second.findings if f.code == "image-replaced"] == [
        "`jupyter dockerize prune` removes it"
    ]
    assert len(api.images()) == 2
    assert len(api.prune(dry_run=True).images) == 1
    api.prune()
    assert [image.id for image in api.images()] == [second.image_id]
    assert api.verify("survey").verdict == "identical"
    api.prune(["survey"])
    assert api.images() == []
    with pytest.raises(UsageError, match="no image survey"):
        api.verify("survey")


def test_a_quota_that_is_too_small_is_told_before_the_work(
    where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_QUOTA", "1 MB")
    with pytest.raises(OutputError, match="no room"):
        api.build(where, Wishes())
    assert api.images() == []


def test_without_bubblewrap_images_are_made_and_not_opened(
    where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    built = api.build(where, Wishes())
    assert built.verdict == "identical"
    assert "not-run" in {finding.code for finding in built.findings}
    with pytest.raises(NoEngineError, match="cannot be opened") as caught:
        api.run("survey")
    assert "bubblewrap" in caught.value.fix


def test_what_needs_another_engine_says_so(where: Where) -> None:
    with pytest.raises(NoEngineError, match="no engine can be used") as caught:
        api.build(where, Wishes(), method="rebuild")
    assert "no socket" in caught.value.why
    with pytest.raises(NoEngineError):
        api.build(where, Wishes(platform="linux/arm64"))
    with pytest.raises(UsageError, match="installed anew"):
        api.build(where, Wishes(), method="rebuild", engine="builtin")


def test_elsewhere_than_on_linux_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    status = BuiltinEngine().status()
    assert not status.available
    assert status.reason.startswith("files of macOS do not run in an image")
    assert "Docker Desktop" in status.fix and "`jupyter dockerize recipe NB -o DIR`" in status.fix
    for options in ({}, {"rebuild": True}):
        with pytest.raises(NoEngineError) as error:
            choose("builtin", **options)
        assert (error.value.why, error.value.fix) == (status.reason, status.fix)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500M", 500_000_000), ("20 GB", 20 * 10**9), ("1.5G", 15 * 10**8)]
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


def test_no_size() -> None:
    with pytest.raises(UsageError, match="not a size"):
        Settings.load({"JUPYTER_DOCKERIZE_QUOTA": "much"})


@pytest.mark.engine
def test_with_docker_there_too_each_image_is_found_where_it_is(
    where: Where, monkeypatch: pytest.MonkeyPatch, docker: str
) -> None:
    built = api.build(where, Wishes())
    monkeypatch.setenv("DOCKER_HOST", docker)
    assert api.engines().chosen == "docker"
    assert built.image_id in {image.id for image in api.images()}
    assert api.verify("survey").verdict == "identical"
    with pytest.raises(UsageError, match="no image survey in this engine"):
        api.verify("survey", engine="docker")
