"""``build --push``: what is the same environment goes into its registry, and nothing else."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.registry.digest import digest_of
from jupyter_dockerize.engines.registry.pull import pull_manifest
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import CancelledError, EngineError, UsageError
from jupyter_dockerize.events import Event, Progress, Step, ignore
from jupyter_dockerize.export import recipes
from jupyter_dockerize.export.pushing import PUSHING, Longer, check_push, push_built
from jupyter_dockerize.image.reference import Reference

from ..commandline import notebook, run
from ..display.samples import BUILT
from ..engines.registry.real import RealRegistry
from ..engines.registry.servers import Conforming, closing
from ..image.faults import on_a_full_disk, small_disk


@pytest.fixture
def ref(real_registry: Callable[[str], RealRegistry]) -> str:
    return f"{real_registry('').host}/built/{os.urandom(6).hex()}:1"


@pytest.fixture
def here(engine: DockerEngine, ref: str) -> Iterator[str]:
    """The name in the engine."""
    yield ref
    engine.remove(ref)


@pytest.mark.engine
@pytest.mark.rig
def test_a_build_goes_on_into_its_registry(bare: Path, tmp_path: Path, here: str) -> None:
    path = notebook(tmp_path / f"pushed-{os.urandom(4).hex()}.ipynb", "1 + 1")
    events: list[Event] = []
    where = Where(notebook=path, python=str(bare))
    built = api.build(where, Wishes(), here, method="copy", push=True, report=events.append)
    assert built.verdict == "identical"
    assert built.pushed
    assert built.pushed.digest == built.digest == digest_of(here, "linux/amd64")
    steps = [(event.number, event.total, event.name) for event in events if isinstance(event, Step)]
    assert steps[-1] == (4, 4, PUSHING)
    assert {total for _, total, _ in steps} == {4}


@pytest.mark.rig
def test_without_docker_it_goes_straight_there_or_on_from_our_own_store(
    bare: Path, tmp_path: Path, ref: str, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    path = notebook(tmp_path / "own.ipynb", "1 + 3")
    where = Where(notebook=path, python=str(bare))
    events: list[Event] = []
    built = api.build(where, Wishes(), ref, engine="builtin", push=True, report=events.append)
    assert (built.verdict, built.kept) == ("identical", False)
    assert "files compared as they were sent" in built.summary
    assert built.pushed
    assert built.pushed.uploaded > 1
    assert built.pushed.digest == built.digest == digest_of(ref, "linux/amd64")
    assert [event.total for event in events if isinstance(event, Step)] == [2, 2]
    assert [finding.severity for finding in built.findings if finding.code == "registry-only"] == ["info"]
    assert api.images(engine="builtin") == []

    here = api.build(where, Wishes(), ref, engine="builtin", verify=False)
    assert here.digest == built.digest
    again = api.push(ref, engine="builtin")
    assert (again.digest, again.uploaded, again.skipped) == (built.digest, 0, built.pushed.uploaded)
    assert again.size == built.pushed.size
    found = pull_manifest(Reference.parse(ref), "linux/amd64")
    sizes = [len(found.manifest), len(found.config), *(layer.descriptor.size for layer in found.layers)]
    assert again.size == sum(sizes) < here.size
    notebook(path, "1 + 4")  # then what is here is another image, which `run` would open
    newer = api.build(where, Wishes(), ref, engine="builtin", verify=False, push=True)
    assert [each.severity for each in newer.findings if each.code == "registry-only"] == ["warning"]
    assert newer.summary == "not verified"
    built = newer
    argv = [judges / "skopeo", "inspect", "--tls-verify=false", "--format={{.Digest}}", f"docker://{ref}"]
    seen = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert seen.stdout.strip() == built.digest


@on_a_full_disk
@pytest.mark.rig
def test_without_docker_nothing_of_the_image_touches_the_disk(tiny: Path, tmp_path: Path, ref: str) -> None:
    """On disks that would not hold it, as a user types it."""
    path = notebook(tmp_path / "own.ipynb", "1 + 5")
    with (
        small_disk(tmp_path / "temporary", "2m") as temporary,
        small_disk(tmp_path / "store", "64k") as store,
    ):
        env = {
            "JUPYTER_DOCKERIZE_STORE": str(store / "images"),
            "TMPDIR": str(temporary),
            "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
        }
        done = run("build", path, "--python", tiny, "-t", ref, "--push", cwd=tmp_path, env=env)
        assert done.status == 0, done.stderr
        left = {file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()}
        assert {file.name for file in left if file.parts[0] in ("temporary", "store")} == {
            "layers.json",
            "lock",
        }
    assert "files compared as they were sent" in done.stdout
    assert f"open it:   docker run --rm -p 8888:8888 {ref}" in done.stdout
    assert digest_of(ref, "linux/amd64") in done.stdout.split()


def test_cancelled_while_only_its_recipe_is_waited_for_it_says_that_the_image_is_there(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    path = notebook(tmp_path / "own.ipynb", "1 + 6")
    cancel = Cancel()
    server = Conforming()
    ref = f"{server.host}/built/own:1"

    def cut() -> None:
        while not server.manifests:
            time.sleep(0.05)
        time.sleep(0.5)  # of four seconds: the registry's answer is on its way
        cancel.cancel()

    def asking(*_: object, cancel: Cancel, **more: object) -> None:
        ended = threading.Event()
        cancel.on_cancel(ended.set)
        ended.wait()
        cancel.check()

    monkeypatch.setattr(recipes, "resolve", asking)

    with closing(server):
        watcher = threading.Thread(target=cut, daemon=True)
        watcher.start()
        where = Where(notebook=path, python=str(bare))
        with pytest.raises(CancelledError, match="is in its registry already; its recipe is not kept"):
            api.build(where, Wishes(), ref, engine="builtin", push=True, cancel=cancel)
        watcher.join(timeout=10)
        assert server.manifests
    assert not (tmp_path / "store/recipes").exists()


@pytest.mark.engine
@pytest.mark.rig
def test_a_push_that_is_cancelled_or_refused_leaves_the_image_here(
    engine: DockerEngine, bare: Path, tmp_path: Path, here: str
) -> None:
    ref = here
    path = notebook(tmp_path / f"pushed-{os.urandom(4).hex()}.ipynb", "1 + 2")
    cancel = Cancel()

    def cut(event: Event) -> None:
        if isinstance(event, Progress) and event.what.startswith("push"):
            cancel.cancel()

    where = Where(notebook=path, python=str(bare))
    with pytest.raises(CancelledError, match="was made, and not pushed"):
        api.build(where, Wishes(), ref, method="copy", push=True, report=cut, cancel=cancel)
    built = replace(BUILT, ref=ref)
    assert engine.inspect(ref)
    assert digest_of(ref, "linux/amd64") is None
    gone = f"127.0.0.1:9/{ref.partition('/')[2]}"
    engine.tag(str(engine.find(ref).id), gone)
    with pytest.raises(EngineError, match="cannot be pushed") as error:
        push_built(replace(built, ref=gone), engine, report=Longer(ignore), cancel=Cancel())
    assert f"`jupyter dockerize push {gone}` tries again" in error.value.fix
    engine.remove(gone)


@pytest.mark.parametrize("verdict", ["different", "impossible"])
def test_what_is_not_the_same_environment_is_not_pushed(verdict: str) -> None:
    told: list[Event] = []
    built = replace(BUILT, verdict=verdict)  # type: ignore[arg-type]
    # An engine is not even asked: there is none.
    done = push_built(built, None, report=Longer(told.append), cancel=Cancel())  # type: ignore[arg-type]
    assert done.pushed is None
    assert [finding.code for finding in done.findings] == ["not-pushed"]
    assert told == list(done.findings)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: check_push("penguins"), "names no registry"),
        (lambda: check_push("r.example.org/a:1", Path("x.tar")), "to a file is not pushed"),
        (lambda: api.push("penguins"), "names no registry"),
        (lambda: api.build(Where(), Wishes(), "penguins", push=True), "names no registry"),
    ],
)
def test_what_cannot_be_pushed_is_refused_before_any_work(call: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()


def test_one_step_more_is_counted_from_the_beginning() -> None:
    told: list[Event] = []
    longer = Longer(told.append)
    longer(Step(1, 2, "a"))
    longer(Step(3, 9, "inner", within="a"))
    longer(Step(2, 2, "b"))
    longer.last("c")
    assert told == [Step(1, 3, "a"), Step(3, 9, "inner", within="a"), Step(2, 3, "b"), Step(3, 3, "c")]
