"""The environment follows its image from its own indexes, and where it cannot it stays what it was."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from uv import find_uv_bin

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.observe.ways import Where
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.errors import CancelledError, EngineError
from jupyter_dockerize.events import Log, ignore
from jupyter_dockerize.export.prepare import look
from jupyter_dockerize.layers.bringing import Way, bring
from jupyter_dockerize.resolve.wheelfile import Member, make, stem

from ..resolve.index import PrivateIndex, private_index

NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter of an environment that has `cowsay` 6.0, and no index but the ecosystem's own."""
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    found = tmp_path / "env/bin/python"
    for words in (["venv", "--python", sys.executable, tmp_path / "env"], ["pip", "install", "cowsay==6.0"]):
        to = [] if words[0] == "venv" else ["--python", found]
        subprocess.run([find_uv_bin(), *words, "--quiet", *to], check=True)
    return found


def follow(python: Path, cancel: Cancel | None = None, **way: tuple[str, ...]) -> list[str]:
    """What was said meanwhile."""
    said: list[str] = []
    snapshot = look(Where(python=str(python)), report=ignore, cancel=Cancel())
    bring(
        Way(**way),  # type: ignore[arg-type]
        make_plan(snapshot, Wishes()),
        snapshot,
        report=lambda event: said.append(event.text) if isinstance(event, Log) else None,
        cancel=cancel or Cancel(),
    )
    return said


def has(python: Path) -> set[str]:
    """Packages of the environment, and modules of them beside."""
    site = next(python.parents[1].glob("lib/python3*/site-packages"))
    return {path.name.removesuffix(".dist-info") for path in site.iterdir()} - {"__pycache__"}


def holds(python: Path, *names: str) -> list[bool]:
    return [name in has(python) for name in names]


def test_a_package_comes_from_the_environments_own_index_also_where_a_stranger_has_the_name(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_index(login=("user", "canary")) as private:
        private.add("humanize", "4.8.0")  # the public one is a folder with many files
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", private.url.replace("//", "//user:canary@"))
        said = follow(python, install=("humanize==4.8.0",), uninstall=("cowsay",))
    assert holds(python, "humanize-4.8.0", "humanize.py", "humanize", "cowsay") == [True, True, False, False]
    assert " + humanize==4.8.0" in said
    assert " - cowsay==6.0" in said
    assert "canary" not in "".join(said)


def test_nothing_changes_where_an_index_cannot_be_reached_or_lacks_a_package(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = has(python)
    with pytest.raises(EngineError, match="could not follow") as gone:
        follow(python, install=("humanize==4.8.0", "humanize-of-nobody==1"), uninstall=("cowsay",))
    assert "no index of this environment has humanize-of-nobody==1" in gone.value.why
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", NOWHERE)
    with pytest.raises(EngineError, match="could not follow") as error:
        follow(python, install=("humanize==4.8.0",), uninstall=("cowsay",))
    assert error.value.exit_status == 4
    assert error.value.why
    assert "127.0.0.1" not in str(error.value)
    assert "keep" in error.value.fix
    assert has(python) == before


def test_what_an_index_lists_and_does_not_give_costs_nothing(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with private_index() as private:
        private.add("humanize", "4.8.0")
        listing = private.answer
        monkeypatch.setattr(
            private,
            "answer",
            lambda path, *how: (404, b"") if path.endswith(".whl") else listing(path, *how),
        )
        monkeypatch.setenv("PIP_INDEX_URL", private.url)
        before = has(python)
        with pytest.raises(EngineError, match="could not follow") as error:
            follow(python, install=("humanize==4.8.0",), uninstall=("cowsay",))
    assert "://" not in str(error.value)
    assert has(python) == before


def test_a_folder_with_wheels_is_one_of_the_environments_own(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = make("wheel-of-ours", "1.0", ["py3-none-any"], _files("wheel-of-ours", "1.0", "ours.py"))
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / wheel.filename).write_bytes(wheel.data)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    follow(python, install=("wheel-of-ours==1.0",))
    assert holds(python, "wheel_of_ours-1.0", "ours.py", "cowsay") == [True, True, True]


def test_what_takes_the_place_of_another_keeps_the_files_that_both_have(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As opencv-python and opencv-python-headless, which are both the module cv2."""
    with private_index() as private:
        for name in ("twin-one", "twin-two"):
            publish(private, name, "twin.py")
        monkeypatch.setenv("PIP_INDEX_URL", private.url)
        follow(python, install=("twin-one==1.0",))
        follow(python, install=("twin-two==1.0",), uninstall=("twin-one",))
    assert holds(python, "twin_one-1.0", "twin_two-1.0", "twin.py") == [False, True, True]


def test_it_ends_when_it_is_cancelled(python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel, before = Cancel(), has(python)
    asked, over = threading.Event(), threading.Event()
    with private_index() as silent:
        monkeypatch.setattr(silent, "answer", lambda *_: (asked.set(), over.wait(60), (404, b""))[2])
        monkeypatch.setenv("PIP_INDEX_URL", silent.url)
        threading.Thread(target=lambda: (asked.wait(60), cancel.cancel())).start()
        with pytest.raises(CancelledError):
            follow(python, cancel, install=("humanize==4.8.0",), uninstall=("cowsay",))
        over.set()
    assert has(python) == before


def publish(index: PrivateIndex, name: str, module: str) -> None:
    wheel = make(name, "1.0", ["py3-none-any"], _files(name, "1.0", module))
    index.files[wheel.filename] = wheel.data
    assert hashlib.sha256(wheel.data).hexdigest() == wheel.sha256


def _files(name: str, version: str, module: str) -> dict[str, Member]:
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    return {f"{stem(name, version)}.dist-info/METADATA": Member(metadata), module: Member(b"")}
