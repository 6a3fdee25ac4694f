"""Live kernels, idle and busy, here and elsewhere; kernels that are started for a look."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.observe import kernel as kernels
from jupyter_dockerize.environment.observe.channel import Channel
from jupyter_dockerize.environment.observe.kernel import fresh, live
from jupyter_dockerize.environment.observe.probing import Observed
from jupyter_dockerize.errors import CancelledError, KernelError

Start = Callable[..., Any]  # conftest's RunningKernel
LAUNCH = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
pytestmark = pytest.mark.usefixtures("no_orphans")


def names(facts: dict[str, Any]) -> set[str]:
    return {d["name"] for d in facts["pip"]["distributions"] if d["name"]}


def elsewhere(kernel: Any, tmp_path: Path) -> str:
    """The kernel as if it ran on another machine: no process here was started with this file."""
    return shutil.copy(kernel.file, tmp_path / "kernel-of-another-machine.json")


# ── idle ────────────────────────────────────────────────────────────────────────────────────────


def test_an_idle_kernel_answers_for_its_own_environment(start: Start, other: Path) -> None:
    kernel = start(other)
    observed = live(kernel.file)
    assert observed.facts["probe"]["pid"] == kernel.pid
    assert observed.facts["python"]["prefix"] == str(other.parent.parent)
    assert "humanize" in names(observed.facts)
    assert "jupyter-dockerize" not in {name.lower() for name in names(observed.facts)}
    assert observed.kernel is not None
    assert (observed.kernel.name, observed.kernel.display_name) == ("kernel0", "The kernel0")


@pytest.mark.parametrize("environment", ["this", "other"])
def test_the_look_leaves_nothing_in_the_notebook(
    start: Start, request: pytest.FixtureRequest, environment: str
) -> None:
    kernel = start(request.getfixturevalue("other") if environment == "other" else sys.executable)
    kernel.run("x = 6\nx * 7")
    state = (
        "(sorted(dir()), sorted(globals()), list(In), dict(Out), _, __, _i, get_ipython().execution_count,"
        " __import__('threading').active_count(), list(get_ipython().history_manager.get_range()))"
    )
    before = kernel.value(state)
    live(kernel.file, {"modules", "libraries"})
    assert kernel.value(state) == before
    assert "42" in before


def test_names_that_the_notebook_took_do_not_matter(start: Start) -> None:
    kernel = start()
    kernel.run("exec = compile = eval = repr = json = base64 = zlib = gather = a = b = own = None")
    assert live(kernel.file).facts["probe"]["pid"] == kernel.pid


def test_modules_are_those_of_the_kernel(start: Start) -> None:
    kernel = start()
    kernel.run("import nbformat")
    modules = live(kernel.file, {"modules"}).facts["modules"]
    assert "nbformat" in modules["distributions"]
    assert modules["executed"] >= 1


# ── busy ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cell", ["while True: pass", "import time; time.sleep(600)"])
def test_a_busy_kernel_elsewhere_answers_on_a_subshell(start: Start, tmp_path: Path, cell: str) -> None:
    kernel = start()
    kernel.busy(cell)
    facts = live(elsewhere(kernel, tmp_path), {"modules"}).facts
    assert facts["probe"]["pid"] == kernel.pid
    assert "ipykernel" in facts["modules"]["distributions"]


def test_a_busy_kernel_here_is_not_touched(start: Start, tmp_path: Path) -> None:
    kernel, go = start(), tmp_path / "go"
    kernel.run("fired = []\nget_ipython().events.register('post_execute', lambda: fired.append(1))")
    kernel.busy(
        "import os, time\nfired.clear()\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.05)\nbeside = len(fired)"
    )
    facts = live(kernel.file, {"modules"}).facts
    go.touch()
    assert kernel.value("beside") == "0", "a hook that fires beside the cell would close its figures"
    assert facts["probe"]["pid"] == kernel.pid
    assert facts["modules"] is None
    assert [f["what"] for f in facts["probe"]["faults"] if f["where"] == "modules"] == ["sys.modules"]


@pytest.mark.parametrize("cell", ["while True: pass", "import time; time.sleep(600)"])
def test_a_busy_kernel_without_subshells_is_observed_from_outside(
    start: Start, other: Path, cell: str
) -> None:
    kernel = start(other)
    kernel.busy(cell)
    facts = live(kernel.file, {"libraries"}).facts
    assert facts["probe"]["pid"] == kernel.pid
    assert facts["python"]["prefix"] == str(other.parent.parent)
    assert "humanize" in names(facts)


def test_libraries_that_a_busy_kernel_has_loaded_are_seen_from_outside(start: Start) -> None:
    kernel = start()
    kernel.run("import ctypes; ctypes.CDLL('libanl.so.1')")  # glibc's, and needed by nothing else
    kernel.busy("import time; time.sleep(600)")
    libraries = live(kernel.file, {"libraries"}).facts["libraries"]
    assert [Path(path).name for path in libraries["loaded"] if "libanl" in path] == ["libanl.so.1"]


def test_a_busy_kernel_elsewhere_without_subshells_is_refused(
    start: Start, other: Path, tmp_path: Path
) -> None:
    kernel = start(other)
    kernel.busy("import time; time.sleep(600)")
    with pytest.raises(KernelError, match="busy") as caught:
        live(elsewhere(kernel, tmp_path))
    assert "interrupt" in caught.value.fix


def test_an_idle_kernel_elsewhere_answers_by_its_channel(start: Start, other: Path, tmp_path: Path) -> None:
    kernel = start(other)
    assert "humanize" in names(live(elsewhere(kernel, tmp_path)).facts)


SUBSHELLS = "[t.name for t in __import__('threading').enumerate() if t.name.startswith('subshell-')]"


def no_subshells(kernel: Any) -> bool:
    """Whether there are none; a thread ends a moment after what it runs."""
    for _ in range(50):
        if kernel.value(SUBSHELLS) == "[]":
            return True
        time.sleep(0.1)
    return False


def test_a_cancelled_look_leaves_no_subshell_behind(
    start: Start, monkeypatch: pytest.MonkeyPatch, cancelled_by: Callable[[Path], Cancel], tmp_path: Path
) -> None:
    kernel, here = start(), tmp_path / "probing"
    slow = f"(__import__('pathlib').Path({str(here)!r}).touch(), __import__('time').sleep(1))"
    monkeypatch.setattr("jupyter_dockerize.environment.observe.probing.expression", lambda options: slow)
    with pytest.raises(CancelledError):
        live(kernel.file, cancel=cancelled_by(here))
    assert here.exists()
    assert no_subshells(kernel)


def test_a_look_that_is_cancelled_while_its_subshell_is_opened_leaves_none(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, cancel, real = start(), Cancel(), Channel._send

    def send(self: Channel, channel: str, kind: str, *given: Any, **more: Any) -> str:
        sent = real(self, channel, kind, *given, **more)
        if kind == "create_subshell_request":
            cancel.cancel()
        return sent

    monkeypatch.setattr(Channel, "_send", send)
    with pytest.raises(CancelledError):
        live(kernel.file, cancel=cancel)
    assert no_subshells(kernel)


# ── nbclient ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("argv", [[], ["python", 1], [None]], ids=str)
def test_a_kernelspec_that_starts_nothing(argv: list[Any], kernelspecs: Callable[..., str]) -> None:
    with pytest.raises(KernelError, match="starts nothing") as caught:
        fresh(kernelspecs("odd", argv))
    assert "ipykernel install" in caught.value.fix


def test_a_kernel_of_nbclient(tmp_path: Path, kernelspecs: Callable[..., str], other: Path) -> None:
    name = kernelspecs("other", [str(other), *LAUNCH])
    go, up = tmp_path / "go", tmp_path / "up"
    cell = f"import pathlib, time\npathlib.Path({str(up)!r}).touch()\n"
    cell += f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    client = NotebookClient(notebook, kernel_name=name)
    runner = threading.Thread(target=client.execute)
    runner.start()
    try:
        while not up.exists():
            assert runner.is_alive()
        busy = live(client.km.connection_file).facts
    finally:
        go.touch()
        runner.join()
    assert "humanize" in names(busy)
    with client.setup_kernel():
        assert names(live(client.km.connection_file).facts) == names(busy)


# ── connection files that nobody serves ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"shell_port": 1, "control_port": 2, "key": 5}',
        b'{"shell_port": "x", "control_port": 2, "key": "k"}',
        b'{"shell_port": 1, "control_port": 2, "key": "k", "transport": "carrier pigeon"}',
        b'{"shell_port": 1, "control_port": 2, "key": "k", "signature_scheme": "none"}',
    ],
)
def test_a_connection_file_of_nonsense_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "kernel-1.json"
    file.write_bytes(content)
    with pytest.raises(KernelError):
        live(str(file))


def test_a_connection_file_that_nobody_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "BUSY_AFTER", 0.3)
    monkeypatch.setattr(kernels, "GONE_AFTER", 0.6)
    file = tmp_path / "kernel-1.json"
    file.write_text('{"shell_port": 9, "control_port": 9, "key": "k", "ip": "127.0.0.1", "transport": "tcp"}')
    with pytest.raises(KernelError, match="does not answer"):
        live(str(file))


# ── fresh ───────────────────────────────────────────────────────────────────────────────────────


def test_a_fresh_kernel_is_started_in_the_folder_and_gone_afterwards(
    kernelspecs: Callable[..., str], other: Path, tmp_path: Path
) -> None:
    # A wrapper: argv[0] is a shell, not the interpreter, and the kernel is its child.
    line = f'{other} -m ipykernel_launcher -f "$1"; true'
    name = kernelspecs("wrapped", ["/bin/sh", "-c", line, "sh", "{connection_file}"])
    folder = tmp_path / "project"
    folder.mkdir()
    observed = fresh(name, cwd=folder)
    assert "humanize" in names(observed.facts)
    assert observed.facts["python"]["prefix"] == str(other.parent.parent)
    assert observed.kernel is not None
    assert observed.kernel.display_name == "The wrapped"
    assert list((tmp_path / "runtime").glob("kernel-*.json")) == []


def test_a_kernel_is_started_from_within_a_running_event_loop(
    kernelspecs: Callable[..., str], other: Path
) -> None:
    """As a magic does it: the cell that it runs in is itself run by the kernel's event loop."""
    name = kernelspecs("other", [str(other), *LAUNCH])

    async def cell() -> Observed:
        return fresh(name)

    assert "humanize" in names(asyncio.run(cell()).facts)


def test_an_unknown_kernelspec_names_those_that_are_there(kernelspecs: Callable[..., str]) -> None:
    kernelspecs("mine", [sys.executable, *LAUNCH])
    with pytest.raises(KernelError, match="no kernelspec 'nope'") as caught:
        fresh("nope")
    assert "mine" in caught.value.why


def test_a_kernel_that_dies_at_its_start_says_why(kernelspecs: Callable[..., str]) -> None:
    name = kernelspecs("dies", [sys.executable, "-c", "import sys; sys.exit('no such luck \\x1b[31m')"])
    with pytest.raises(KernelError, match="died at its start") as caught:
        fresh(name)
    assert "no such luck" in caught.value.why
    assert "\x1b" not in caught.value.why


def test_a_kernel_whose_program_is_missing(kernelspecs: Callable[..., str]) -> None:
    with pytest.raises(KernelError, match="does not start"):
        fresh(kernelspecs("missing", ["/no/such/program", "{connection_file}"]))


def test_a_kernel_in_another_language_is_named(kernelspecs: Callable[..., str]) -> None:
    with pytest.raises(KernelError, match="runs julia"):
        fresh(kernelspecs("other-language", ["/bin/true"], language="julia"))


def test_a_kernel_that_says_another_language_than_its_kernelspec(
    kernelspecs: Callable[..., str], tmp_path: Path
) -> None:
    code = (
        "from ipykernel.kernelapp import launch_new_instance; from ipykernel.kernelbase import Kernel\n"
        "class Other(Kernel):\n"
        "    implementation = banner = 'other'; implementation_version = '1'\n"
        "    language_info = {'name': 'brainfuck', 'mimetype': 'text/plain', 'file_extension': '.bf'}\n"
        "launch_new_instance(kernel_class=Other)"
    )
    name = kernelspecs("liar", [sys.executable, "-c", code, "-f", "{connection_file}"])
    with pytest.raises(KernelError, match="brainfuck"):
        fresh(name)


def test_a_kernelspec_that_is_not_json(kernelspecs: Callable[..., str], tmp_path: Path) -> None:
    kernelspecs("broken", [])
    (tmp_path / "jupyter/kernels/broken/kernel.json").write_text("{")
    with pytest.raises(KernelError, match="cannot be read"):
        fresh("broken")


def test_a_kernel_that_never_answers_is_given_up(kernelspecs: Callable[..., str]) -> None:
    with pytest.raises(KernelError, match="did not answer within"):
        fresh(kernelspecs("mute", ["/bin/sleep", "600"]), timeout=0.5)


def test_cancelling_ends_a_start(
    kernelspecs: Callable[..., str], tmp_path: Path, cancelled_by: Callable[[Path], Cancel]
) -> None:
    started = tmp_path / "started"
    name = kernelspecs("mute", ["/bin/sh", "-c", f"touch {started}; sleep 600"])
    with pytest.raises(CancelledError):
        fresh(name, cancel=cancelled_by(started))


def test_nothing_is_started_once_cancelled(kernelspecs: Callable[..., str], tmp_path: Path) -> None:
    cancel = Cancel()
    cancel.cancel()
    name = kernelspecs("touches", ["/bin/sh", "-c", f"touch {tmp_path / 'started'}"])
    with pytest.raises(CancelledError):
        fresh(name, cancel=cancel)
    assert not (tmp_path / "started").exists()
    assert os.environ["JUPYTER_PATH"]
