"""A command runs as it was typed, in the environment it is meant for, and nothing of it stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError, UsageError
from jupyter_dockerize.events import Event, Log
from jupyter_dockerize.layers import shell
from jupyter_dockerize.layers.command import Command
from jupyter_dockerize.layers.output import LONGEST_LINE, Lines

from ..image.copy.environments import venv

SECRET = "CANARYcanary7391"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files, which is empty again when the test is over."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield folder
    assert list(folder.iterdir()) == []


def run(text: str, python: Path | str = sys.executable) -> tuple[int, list[str]]:
    """The status, and the lines."""
    events: list[Event] = []
    command = Command.parse(text)
    status = shell.run(command, python=str(python), report=events.append, cancel=Cancel())
    assert all(isinstance(event, Log) for event in events)
    return status, [event.text for event in events if isinstance(event, Log)]


def alive(group: int) -> bool:
    """Whether a process of the group is there that has not ended."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, number = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(number) == group and state != "Z":
                return True
    return False


def zombies() -> set[str]:
    """Children of this process that nobody has waited for, but those of other tests."""
    found = subprocess.run(["ps", "-o", "stat=,ppid=,pid=", "-A"], capture_output=True, text=True).stdout
    lines = [line.split() for line in found.splitlines() if line.startswith("Z")]
    return {pid for _, parent, pid in lines if parent == str(os.getpid())} - OTHERS


OTHERS: set[str] = set()


@pytest.fixture(autouse=True)
def of_this_test() -> None:
    """What other tests left is theirs."""
    OTHERS.update(zombies())


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own, without pip."""
    return venv(tmp_path_factory.mktemp("empty") / "an env")


def test_pip_without_a_pip_installs_from_the_index_into_that_environment(empty: Path) -> None:
    status, lines = run("pip install humanize\npip list\npip3 uninstall -y humanize", empty)
    assert status == 0, lines
    assert any(line.startswith("humanize") for line in lines)
    assert run("python -c 'import humanize'", empty)[0] == 1


def test_uv_takes_that_environment_too(empty: Path) -> None:
    from uv import find_uv_bin

    uv = Path(find_uv_bin()).parent
    status, lines = run(f"PATH=$PATH:{uv}\nuv pip install humanize", empty)
    assert status == 0, lines
    status, lines = run(f"PATH=$PATH:{uv}\nuv pip uninstall humanize", empty)
    assert (status, any("humanize" in line for line in lines)) == (0, True)


def test_an_environment_with_pip_has_its_own(tmp_path: Path) -> None:
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    status, lines = run(
        "command -v pip\ncommand -v python3\npip install --no-deps humanize\npip uninstall humanize", python
    )
    assert status == 0, lines
    assert lines[:2] == [str(python.parent / "pip"), str(python.parent / "python3")]
    # Moved, its pip would still install where it came from.
    moved = python.parents[1].rename(tmp_path / "moved") / "bin" / "python"
    status, lines = run("pip --version", moved)
    assert status == 0
    assert str(tmp_path / "moved") in lines[0]


def test_python_is_the_interpreter_whatever_it_is_called(tmp_path: Path) -> None:
    other = tmp_path / "bin" / "python3.99"
    other.parent.mkdir()
    other.symlink_to(os.path.realpath(sys.executable))
    (other.parent / "python3").write_text("#!/bin/sh\nexit 9\n")
    (other.parent / "python3").chmod(0o755)
    print_it = "-c 'import sys; print(sys.executable, sys.argv[1:])' 'a b' \"\""
    status, lines = run(f"python {print_it}\npython3 {print_it}", other)
    assert (status, lines) == (0, [f"{other} ['a b', '']"] * 2)


def test_the_environment_is_the_interpreters_and_else_the_callers(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", "/somebody/elses")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("PYTHONPATH", "/kept")
    names = (
        "VIRTUAL_ENV FORCE_COLOR PYTHONPATH DEBIAN_FRONTEND PIP_DISABLE_PIP_VERSION_CHECK PYTHONUNBUFFERED"
    )
    _, lines = run("; ".join(f'echo "${name}"' for name in names.split()), bare)
    assert lines == [str(bare.parents[1]), "", "/kept", "noninteractive", "1", "1"]


def test_an_environment_of_conda_is_the_active_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDA_PREFIX", "/opt/conda")
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    assert run("echo $CONDA_PREFIX", tmp_path / "bin" / "python") == (0, [str(tmp_path)])


def test_a_command_is_run_as_it_was_typed() -> None:
    text = (
        "printf '%s\\n' \"it's\" 'a \"b\"' $(echo c; echo d) \"$(printf 'é\\n☃')\" \\$HOME; echo `echo e`\n"
        "# a comment\ncat <<'EOF'\n$(not run) ; `nor this`\nEOF\nfalse || echo f | tr f g\n"
    )
    typed = ["it's", 'a "b"', "c", "d", "é", "☃", "$HOME", "e", "$(not run) ; `nor this`", "g"]
    assert run(text) == (0, typed)


def test_it_runs_in_this_folder_and_has_no_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("pwd; cat; echo end") == (0, [str(tmp_path), "end"])


@pytest.mark.parametrize(
    ("text", "status", "lines"),
    [
        ("exit 3", 3, []),
        ("echo a\n(exit 4)\necho b", 4, ["a"]),
        ("kill -9 $$", 137, []),
        ("sh -c 'kill -9 $$'", 137, None),
        ("kill -TERM $$", 143, []),
        ("no-such-program-at-all", 127, None),
        ("echo a; echo b >&2; echo c", 0, ["a", "b", "c"]),
        ("exec >/dev/null 2>&1; sleep 0.3; exit 5", 5, []),
    ],
)
def test_its_status_is_passed_on(text: str, status: int, lines: list[str] | None) -> None:
    found, told = run(text)
    assert found == status
    assert lines is None or told == lines


def test_lines_are_told_as_they_come() -> None:
    told: list[float] = []
    command = Command.parse("echo a; sleep 0.6; printf 'b\\rc\\r\\nd'")
    began = time.monotonic()
    shell.run(
        command,
        python=sys.executable,
        report=lambda e: told.append(time.monotonic() - began),
        cancel=Cancel(),
    )
    assert len(told) == 4
    assert told[1] - told[0] > 0.4


def test_output_is_text_whatever_it_is() -> None:
    status, lines = run(r"""printf 'a\377b\n\n\r 1%%\r 2%%\r\n\033[31m'""")
    assert (status, lines) == (0, ["a\ufffdb", "", " 1%", " 2%", "\x1b[31m"])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
def test_lines_are_the_same_however_they_are_cut_into_blocks(size: int) -> None:
    data = b"a\r\nb\n\n\rc\rd\r\n" + b"x" * (LONGEST_LINE + 50) + b"\ne" + SECRET.encode() + b"\nend"
    found: list[Event] = []
    lines = Lines((SECRET,), found.append)
    for start in range(0, len(data), size):
        lines.add(data[start : start + size])
    lines.end()
    texts = [event.text for event in found if isinstance(event, Log)]
    assert texts == ["a", "b", "", "c", "d", "x" * LONGEST_LINE + "…", "e***", "end"]


@pytest.mark.parametrize("before", range(LONGEST_LINE - 20, LONGEST_LINE + 3))
@pytest.mark.parametrize("more", [0, 10, 100_000])
def test_no_part_of_a_secret_is_told_where_a_long_line_is_cut(before: int, more: int) -> None:
    found: list[Event] = []
    lines = Lines((SECRET,), found.append)
    lines.add(b"-" * before + SECRET.encode() + b"+" * more + b"\n")
    assert "CAN" not in str(found)
    assert len(str(found)) < LONGEST_LINE + 100


@pytest.mark.parametrize(
    "text",
    [
        f"echo pip install -i https://me:{SECRET}@a.example/simple x",
        f"echo 'https://{SECRET}@a.example' and {SECRET}",
        f"MY_TOKEN={SECRET}; set -x; echo $MY_TOKEN",
        f"echo https://a.example/x?sig={SECRET}",
        f"pip download --no-deps --retries 0 -i http://me:{SECRET}@127.0.0.1:9/simple nothing-there || true",
        f"false --password {SECRET} || python -c 'import sys; sys.exit(\"{SECRET}\")' || true",
    ],
)
def test_a_secret_runs_and_is_not_told(text: str, bare: Path) -> None:
    status, lines = run(text, bare)
    assert status == 0
    assert lines
    assert SECRET not in "\n".join(lines)


def test_a_secret_is_what_the_command_gets() -> None:
    assert run(f"MY_TOKEN={SECRET}; echo ${{#MY_TOKEN}}") == (0, [str(len(SECRET))])


def test_the_script_is_readable_by_its_owner_only_and_gone_afterwards(scratch: Path) -> None:
    status, lines = run(f"find {scratch} -type f -name command -printf '%m\\n'; stat -c %a {scratch}/*")
    assert (status, lines) == (0, ["600", "700"])


def cancelled(text: str, *, after: float = 0.5) -> tuple[float, list[str]]:
    """Seconds from the cancel to the end, and the lines; everything of it is gone then."""
    token, events = Cancel(), list[Event]()
    times: list[float] = []

    def cancel() -> None:
        times.append(time.monotonic())
        token.cancel()

    timer = threading.Timer(after, cancel)
    timer.start()
    with pytest.raises(CancelledError):
        shell.run(
            Command.parse(f"echo $$\n{text}"), python=sys.executable, report=events.append, cancel=token
        )
    seconds = time.monotonic() - times[0]
    timer.join()
    lines = [event.text for event in events if isinstance(event, Log)]
    assert not alive(int(lines[0]))
    assert not zombies()
    return seconds, lines[1:]


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("sleep 600", 0, 1),
        ("python -c 'import time; time.sleep(600)'", 0, 1.2),
        ("sleep 600 & sleep 600", 0, 3.5),
        ("trap '' INT; sleep 600; sleep 600", 1.4, 3),
        ("trap '' INT TERM; while true; do sleep 0.1; done", 2.9, 4.5),
        ("(trap '' INT TERM; while true; do sleep 0.1; done) & sleep 600", 0, 4.5),
        ("yes", 0, 1),
        ("kill -STOP $$", 2.9, 4.5),
        ("exec >/dev/null 2>&1; sleep 600", 0, 1),
    ],
)
def test_a_cancel_ends_all_of_it_within_five_seconds(text: str, least: float, most: float) -> None:
    seconds, _ = cancelled(text)
    assert least <= seconds < min(most + 1, 5)


def test_an_interrupted_program_may_clean_up(tmp_path: Path) -> None:
    code = (
        "import time\ntry:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n"
        f"    time.sleep(0.3); open({str(tmp_path / 'cleaned')!r}, 'w')"
    )
    cancelled(f'python -c "{code}"', after=0.8)
    assert (tmp_path / "cleaned").exists()


def test_a_cancel_before_it_began_runs_nothing(tmp_path: Path) -> None:
    token = Cancel()
    token.cancel()
    command = Command.parse(f"touch {tmp_path}/there")
    with pytest.raises(CancelledError):
        shell.run(command, python=sys.executable, report=lambda event: None, cancel=token)
    assert not (tmp_path / "there").exists()


def test_whoever_listens_may_fail_and_nothing_goes_on() -> None:
    group: list[int] = []

    def fail(event: Event) -> None:
        assert isinstance(event, Log)
        group.append(int(event.text))
        raise RuntimeError

    command = Command.parse("echo $$; sleep 600")
    with pytest.raises(RuntimeError):
        shell.run(command, python=sys.executable, report=fail, cancel=Cancel())
    assert not alive(group[0])
    assert not zombies()


def test_a_program_left_in_the_background_is_not_waited_for() -> None:
    began = time.monotonic()
    status, lines = run("sleep 30 & echo $!; exit 6")
    assert time.monotonic() - began < 3
    assert status == 6
    os.kill(int(lines[0]), 15)  # it was left running
    assert not zombies()


def test_one_that_prints_on_in_the_background_is_not_listened_to_for_long() -> None:
    began = time.monotonic()
    status, lines = run("(while echo x; do sleep 0.1; done) 2>/dev/null & exit 0")
    assert time.monotonic() - began < 3
    assert (status, set(lines)) == (0, {"x"})


@pytest.mark.parametrize(
    "text",
    [
        "head -c 200000000 /dev/zero | tr '\\0' x",
        "yes 'a line of about ninety characters, as compilers and package managers print them all day' "
        "| head -c 200000000",
    ],
)
def test_any_amount_of_output_takes_no_memory(text: str) -> None:
    code = (
        "import resource, sys\n"
        "from jupyter_dockerize.layers import shell\n"
        "from jupyter_dockerize.layers.command import Command\n"
        "from jupyter_dockerize.cancel import Cancel\n"
        "def run(text):\n"
        "    count = [0]\n"
        "    def report(event): count[0] += len(event.text)\n"
        "    status = shell.run(Command.parse(text), python=sys.executable, report=report, cancel=Cancel())\n"
        "    return status, count[0], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "_, _, before = run('echo a')\n"
        "status, count, after = run(sys.argv[1])\n"
        "print(status, count, after - before)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, text], capture_output=True, text=True, check=True
    ).stdout
    status, count, grown = map(int, out.split())
    assert status == 0
    assert count > 190_000_000 or count == LONGEST_LINE + 1
    assert grown < 8 << 10  # KiB


def test_what_cannot_be_run_here_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no interpreter"):
        run("true", tmp_path / "python")


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(UsageError) as caught:
        run("true")
    assert "TMPDIR" in caught.value.fix
