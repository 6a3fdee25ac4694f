"""A kernel that is killed, a disk that is full, two at once: image, journal and environment agree afterwards,
or what the environment has more is pending."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.errors import DockerizeError, OutputError, UsageError
from jupyter_dockerize.events import ignore
from jupyter_dockerize.layers import journal, pending
from jupyter_dockerize.layers.opening import opened

from ..image.copy.environments import venv
from ..image.faults import fail_at, killed_at
from .conftest import Own

REF = "faults"


class Copied:
    """A small environment and its layered image, which was copied: each layer is what the file says."""

    def __init__(self, folder: Path) -> None:
        self.python = venv(folder / "env")
        self.file = self.python.parents[1] / "said"
        self.where = Where(python=str(self.python))

    def exec(self, word: str) -> None:
        api.execute(self.where, f"echo {word} > $VIRTUAL_ENV/said", REF, engine="builtin")

    def in_image(self) -> str:
        """What the topmost layer that has the file says; none has to be unpacked for that."""
        store = BuiltinEngine().store
        image = store.find(REF)
        assert image is not None
        for layer in reversed(image.layers):
            with tarfile.open(store.layout.path(layer.digest)) as found, contextlib.suppress(KeyError):
                file = found.extractfile(str(self.file).lstrip("/"))
                assert file is not None
                return file.read().decode().strip()
        raise AssertionError("no layer has it")

    def agree(self) -> None:
        """Raises where the image has not what the environment has, and nothing of it is pending; or where
        the journal is not what the image has."""
        head = api.history(self.where, REF).head
        try:
            with opened(REF, "look", engine="builtin", report=ignore, cancel=Cancel()) as found:
                head = found.state.number
                assert len(journal.read(found.folder).entries) == head - 1
                assert found.engine.find(REF).id == found.state.head.image
        finally:
            left = pending.of(REF)
        while left is not None and left.running:  # it outlives who started it
            time.sleep(0.01)
        said = self.file.read_text().strip()
        if left is None:
            assert self.in_image() == said
        elif self.in_image() != said:
            assert left.phase in ("running", "installed")
            done = api.keep(self.where, REF, retry=True, engine="builtin")
            assert done.number == head + 1
        else:
            api.keep(self.where, REF, retry=True, engine="builtin")
        assert pending.of(REF) is None
        assert self.in_image() == said


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copied:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    found = Copied(tmp_path)
    found.exec("begun")
    return found


def test_a_kernel_that_is_killed_before_anything_gets_its_name_loses_nothing(copied: Copied) -> None:
    """What has no name yet is seen by nobody, so these are the steps of a layer."""
    nth = 0
    while killed_at(nth := nth + 1, lambda: copied.exec(f"word{nth}"), ["rename"]):
        copied.agree()
    assert nth > 10
    assert copied.in_image() == f"word{nth}"
    assert api.verify(REF, engine="builtin").verdict == "identical"


@pytest.mark.parametrize(("call", "step"), [("write", 5), ("rename", 1)])
def test_a_disk_that_is_full_loses_nothing(
    call: str, step: int, copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(1, 300, step):
        failed = fail_at(nth, call, monkeypatch, errno.ENOSPC)
        try:
            copied.exec(f"word{nth}")
        except DockerizeError as error:
            assert failed
            assert isinstance(error, OutputError)
            assert os.strerror(errno.ENOSPC) in f"{error.why} {error.what}"
        finally:
            monkeypatch.undo()
            monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(copied.python.parents[2] / "store"))
            monkeypatch.chdir(copied.python.parents[2])
        copied.agree()
        if not failed:
            assert nth > 1
            break


EXECUTE = """
import sys
from pathlib import Path
from jupyter_dockerize import api
python, command, ref, engine = sys.argv[1:]
done = api.execute(api.Where(python=python), command, ref, engine=engine)
assert done.layer is not None, done
"""


def started(python: Path, command: str, ref: str, engine: str) -> subprocess.Popen[bytes]:
    """A kernel of its own, at work."""
    return subprocess.Popen([sys.executable, "-c", EXECUTE, str(python), command, ref, engine])


def test_of_two_at_once_each_gets_its_layer_also_when_there_is_no_image_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    python = venv(tmp_path / "env")
    both = [started(python, f"echo {word} > $VIRTUAL_ENV/{word}", REF, "builtin") for word in ("a", "b")]
    assert [each.wait(timeout=120) for each in both] == [0, 0]
    assert api.history(Where(python=str(python)), REF).head == 3
    for word in ("a", "b"):
        assert (
            BuiltinEngine().read(REF, str(python.parents[1] / word), cancel=Cancel()) == f"{word}\n".encode()
        )


def test_a_command_that_outlives_its_kernel_is_waited_for(copied: Copied) -> None:
    """What it does is seen as a whole, or not at all."""
    goes = copied.python.parents[1] / "goes"
    kernel = started(
        copied.python,
        f"touch {goes}; while [ -e {goes} ]; do sleep 0.05; done; echo late > $VIRTUAL_ENV/said",
        REF,
        "builtin",
    )
    while not goes.exists():
        assert kernel.poll() is None
        time.sleep(0.02)
    while (left := pending.of(REF)) is None or left.process is None:
        time.sleep(0.02)
    kernel.kill()
    kernel.wait()
    for verb in (
        lambda: copied.exec("other"),
        lambda: api.keep(copied.where, REF, retry=True, engine="builtin"),
        lambda: api.undo(copied.where, REF),
    ):
        with pytest.raises(UsageError, match="is still running, as process") as caught:
            verb()
        assert f"kill -- -{left.process.pid}" in caught.value.fix
    goes.unlink()
    while left.running:
        time.sleep(0.02)
    assert api.keep(copied.where, REF, retry=True, engine="builtin").number == 3
    assert copied.in_image() == "late"


def test_what_is_pending_can_be_given_up(copied: Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(BuiltinEngine, "tag", _refusing)
        with pytest.raises(OutputError):
            copied.exec("given-up")
    assert pending.of(REF) is not None
    moved = api.undo(copied.where, REF)
    assert (moved.number, pending.of(REF)) == (2, None)
    assert (copied.in_image(), copied.file.read_text()) == ("begun", "given-up\n")


def _refusing(*args: object, **options: object) -> None:
    raise OutputError("the store cannot be written")


@pytest.mark.engine
@pytest.mark.parametrize("call", ["build", "tag"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kernel_that_is_killed_at_a_call_to_docker_loses_nothing(own: Own, call: str, after: bool) -> None:
    own.exec("pip install humanize==4.8.0")

    def work() -> None:
        real = getattr(DockerEngine, call)

        def dying(*args: object, **options: object) -> object:
            if after:
                real(*args, **options)
            os.kill(os.getpid(), 9)
            return None

        setattr(DockerEngine, call, dying)
        own.exec("pip install cowsay==6.0")

    assert killed_at(10_000, work)
    assert own.here("cowsay") == [True]
    if pending.of(own.ref) is not None:
        api.keep(own.where, own.ref, retry=True)
    assert pending.of(own.ref) is None
    assert (own.imports("humanize", "cowsay"), api.history(own.where, own.ref).head) == ([True, True], 3)
    assert len(journal.read(own.journal).entries) == 2


def agree(own: Own, *heads: int) -> int:
    """The head, which is one of these; its image and its journal are that head's."""
    with opened(own.ref, "look", engine="docker", report=ignore, cancel=Cancel()) as found:
        head = found.state.number
        assert head in heads
        assert found.engine.find(own.ref).id == found.state.head.image
        assert len(journal.read(found.folder).entries) == head - 1
    assert pending.of(own.ref) is None
    return head


@pytest.mark.engine
def test_a_kernel_that_is_killed_while_layers_are_folded_leaves_all_or_one(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    own.exec("pip install cowsay==6.0")
    nth = 0
    while killed_at(nth := nth + 1, lambda: api.consolidate(own.where, own.ref, engine="docker"), ["rename"]):
        head = agree(own, 3, 1)
        assert own.imports("humanize", "cowsay") == [True, True]
        if head == 1:
            break
    assert nth > 2
    assert agree(own, 1) == 1
    assert own.imports("humanize", "cowsay") == [True, True]
    assert api.verify(own.ref, engine="docker").verdict in ("identical", "equivalent")


@pytest.mark.engine
def test_a_kernel_that_is_killed_while_a_journal_is_rebuilt_leaves_what_was_there(own: Own) -> None:
    own.exec("pip install humanize==4.8.0")
    fingerprint = own.engine.find(own.ref).labels["jupyter-dockerize.fingerprint"]
    nth = 0
    while killed_at(nth := nth + 1, lambda: api.rebuild(own.journal, engine="docker"), ["rename"]):
        agree(own, 2)
        assert own.imports("humanize") == [True]
    assert nth > 2
    agree(own, 2)
    again = api.rebuild(own.journal, engine="docker")
    assert (again.number, again.fingerprint, again.changed) == (2, fingerprint, ())
    assert api.undo(own.where, own.ref).number == 1
    assert own.imports("humanize") == [False]
