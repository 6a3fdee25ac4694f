"""A stranger's program has the limits that it was given, whoever we are: root, or anybody."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.base import Limits
from jupyter_dockerize.engines.builtin import bwrap, sandbox, stranger
from jupyter_dockerize.engines.builtin.cgroup import NAME
from jupyter_dockerize.errors import EngineError, NoEngineError

from ...conftest import missing

pytestmark = pytest.mark.rig

Told = Callable[..., str]
MIB = 1 << 20
ANYBODY = 1000

# Each child waits at a pipe that nobody closes: none makes room for another.
FORKS = """
import os
keep, _ = os.pipe()
made = 0
try:
    while made < 300:
        if os.fork() == 0:
            os.read(keep, 1)
        made += 1
except BlockingIOError:
    print(made)
"""
# None of the eight has much; together they have six times what they may.
TOGETHER = """
import os, sys
for _ in range(8):
    if os.fork() == 0:
        data = b"x" * (200 << 20)
        os.read(0, 1)
        os._exit(0)
sys.exit(any([os.wait()[1] for _ in range(8)]))
"""


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A small system with a Python of its own, as an image unpacks to."""
    roots = os.environ.get("JUPYTER_DOCKERIZE_TEST_ROOTS")
    if not roots or not shutil.which("bwrap"):
        missing("the rig has no roots or no bubblewrap (tests/rig/up roots bubblewrap)")
    place = Path(tempfile.mkdtemp(prefix="jupyter-dockerize-test-", dir="/var/tmp"))
    place.chmod(0o755)
    subprocess.run(["cp", "--archive", Path(roots, "bookworm"), place / "root"], check=True)
    secret = place / "root/srv/private"
    secret.write_text("read")
    secret.chmod(0o600)
    stranger.hand_over(place / "root", stranger.number())
    yield place / "root"
    shutil.rmtree(place)


def execute(root: Path, code: str, variables: Mapping[str, str], limits: Limits) -> str:
    user = stranger.number()
    program = bwrap.program(os.environ, user=user)
    argv = ["/usr/bin/python3", "-c", code]
    return sandbox.execute(program, root, argv, variables, b"", limits, Cancel(), user=user).decode().strip()


def tell(root: Path, code: str, variables: Mapping[str, str] | None = None, **limits: int) -> str:
    """What a program prints, or the words of the error."""
    try:
        return execute(root, code, variables or {}, Limits(**{"seconds": 60, **limits}))
    except EngineError as error:
        return f"{error}: {error.why}"


def tell_anybody(root: Path, code: str, variables: Mapping[str, str] | None = None, **limits: int) -> str:
    """The same for somebody who is not root."""
    receive, send = multiprocessing.Pipe(duplex=False)

    def work() -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(ANYBODY)
            os.setuid(ANYBODY)
        send.send(tell(root, code, variables, **limits))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    send.close()
    try:
        return str(receive.recv())
    finally:
        process.join()


@pytest.fixture(params=["root", "anybody"])
def told(root: Path, request: pytest.FixtureRequest) -> Told:
    if request.param == "root" and os.getuid():
        missing("we are not root")
    return functools.partial(tell if request.param == "root" else tell_anybody, root)


def test_a_fork_bomb_is_stopped_and_nothing_of_it_stays(told: Told) -> None:
    made = int(told(FORKS, processes=40))
    assert 30 < made < 40
    assert running(FORKS) == []


def test_what_the_user_runs_elsewhere_does_not_count(root: Path) -> None:
    who = {"user": ANYBODY} if os.getuid() == 0 else {}
    busy = [subprocess.Popen(["sleep", "60"], **who) for _ in range(12)]
    try:
        assert tell_anybody(root, "import os; print(os.wait()) if os.fork() else None", processes=8)[0] == "("
    finally:
        for one in busy:
            one.kill()
            one.wait()


@pytest.mark.parametrize("way", ["bytearray(3 << 30)", "mmap.mmap(-1, 3 << 30)"], ids=["own", "shared"])
def test_a_process_cannot_have_much_memory(told: Told, way: str) -> None:
    said = told(f"import mmap; {way}", memory=256 * MIB)
    assert "MemoryError" in said or "Cannot allocate memory" in said


def test_all_together_cannot_have_much_memory_where_groups_can_be_made(root: Path) -> None:
    made = sandbox.group(Limits())
    if made is None:
        missing("no control group can be made here")
    made.close()
    with pytest.raises(EngineError, match="needed more than 256 MiB of memory"):
        execute(root, TOGETHER, {}, Limits(memory=256 * MIB, seconds=60))
    assert running(TOGETHER) == []
    assert left_over() == []


def test_if_memory_runs_out_it_is_the_first_to_go(told: Told) -> None:
    assert told("print(open('/proc/self/oom_score_adj').read())") == "1000"


def test_nothing_can_be_written_but_the_little_there_is(told: Told) -> None:
    code = (
        "import os\n"
        "for folder in ('/', '/dev', '/etc', '/home', '/proc', '/var/tmp', '/tmp', '/dev/shm'):\n"
        "    try:\n"
        "        with open(folder + '/new', 'wb') as file:\n"
        "            while True: file.write(bytes(1 << 20)); file.flush()\n"
        "    except OSError: pass\n"
        "    if os.path.exists(folder + '/new'): print(folder, os.path.getsize(folder + '/new') >> 20)\n"
    )
    assert told(code).splitlines() == ["/dev/shm 64"]


def test_the_image_s_variables_are_the_program_s_alone(told: Told) -> None:
    """They would lead the loader of bwrap, which is outside."""
    written = f"jupyter-dockerize-test-{os.getpid()}"  # what the loader says, in whosever /dev/shm it is
    variables = {
        "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": f"/dev/shm/{written}", "": "x", "A": "b\0--bind\0/\0/",
        "GREETING": "kia ora=\n$HOME",
    }  # fmt: skip
    code = "import os; print(sorted({*os.environ} - {'PWD', 'LC_CTYPE', 'TMPDIR'}), os.environ['GREETING'])"
    assert told(code, variables) == "['GREETING', 'LD_DEBUG', 'LD_DEBUG_OUTPUT'] kia ora=\n$HOME"
    assert list(Path("/dev/shm").glob(f"{written}*")) == []


def test_our_variables_are_not_to_be_seen_in_it(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_TOKEN", "hidden")
    code = "import glob; print(b''.join(open(p, 'rb').read() for p in glob.glob('/proc/[0-9]*/environ')))"
    assert "hidden" not in told(code)


def test_root_s_programs_are_nobody_s(root: Path) -> None:
    """What breaks out is not root, and no account of this machine; inside it is the image's user."""
    if os.getuid():
        missing("we are not root")
    code = (
        "import os; print(os.getuid(), open('/srv/private').read(), "
        "open('/proc/self/uid_map').read().split()[1], flush=True)"
    )
    uid, read, _ = execute(root, code, {}, Limits()).split()
    assert (uid, read) == ("1000", "read")
    assert root.stat().st_uid == stranger.number()


def test_where_only_root_can_start_bubblewrap_it_says_so(tmp_path: Path) -> None:
    if os.getuid():
        missing("we are not root")
    found = shutil.which("bwrap")
    assert found
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copy(found, closed / "bwrap")
    with pytest.raises(NoEngineError, match="cannot be opened") as caught:
        bwrap.program({"PATH": str(closed)}, user=stranger.number())
    assert "nobody but root" in caught.value.why
    assert "apt-get install" in caught.value.fix


def test_it_is_unpacked_where_others_can_look(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with stranger.room(None) as own:
        assert Path(own).parent == tmp_path
    if os.getuid() == 0:
        with stranger.room(stranger.number()) as lent:
            assert Path(lent).parent == Path("/var/tmp")
            assert stat.S_IMODE(os.stat(lent).st_mode) == 0o700


def running(code: str) -> list[str]:
    """Processes of this machine that run the program."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if code.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def left_over() -> list[Path]:
    return list(Path("/sys/fs/cgroup").rglob(f"{NAME}{os.getpid()}-*"))
