"""Builds through the docker CLI: which CLI can, what it is told, and what becomes of a bad one."""

import contextlib
import json
import os
import threading
import time
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.buildkit import LARGEST_SECRET, Cli
from jupyter_dockerize.engines.endpoint import Endpoint
from jupyter_dockerize.engines.progress import KEPT
from jupyter_dockerize.errors import BuildError, CancelledError, EngineError
from jupyter_dockerize.events import Event, Log, Step, ignore
from jupyter_dockerize.recipe.bundle import Bundle

ENDPOINT = Endpoint(host="unix:///nonexistent/docker.sock", origin="a test")
BUNDLE = Bundle({"Dockerfile": b"FROM scratch\n"})
CANARY = b"canary-3f9a"


def docker(
    folder: Path, *, version: str = "Docker version 28.2.2, build e6534b4", buildx: str = "", build: str = ""
) -> Cli | None:
    """A docker CLI made of shell, found as the user's own would be."""
    script = folder / "docker"
    script.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = --version ]; then echo "{version}"; exit; fi\n'
        + (
            f'if [ "$2" = version ]; then echo "github.com/docker/buildx {buildx} abc"; exit; fi\n'
            if buildx
            else ""
        )
        + f'if [ "$1" = buildx ] && [ -z "{buildx}" ]; then echo "docker: unknown command" >&2; exit 1; fi\n'
        + build
    )
    script.chmod(0o755)
    return Cli.find(ENDPOINT, environ(folder))


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": f"{folder}:/usr/bin:/bin",
        "HOME": str(folder),
        "AWS_SECRET_ACCESS_KEY": "private",
        **more,
    }


def build(folder: Path, cli: Cli | None, *, bundle: Bundle = BUNDLE, secrets: dict[str, bytes] | None = None,
          cancel: Cancel | None = None, report=ignore, pull: bool = False, **more: str) -> None:  # fmt: skip
    assert cli is not None
    cli.build(ENDPOINT, environ(folder, **more), bundle, "x:1", secrets=secrets or {}, report=report,
              cancel=cancel or Cancel(), pull=pull)  # fmt: skip


@pytest.mark.parametrize(
    ("version", "buildx", "described"),
    [
        ("Docker version 26.1.5+dfsg1, build a72d7cd", "0.13.1+ds1", "buildx 0.13.1"),
        ("Docker version 20.10.24+dfsg1, build 297e128", "", "BuildKit in docker 20.10"),
        ("Docker version 20.10.24+dfsg1, build 297e128", "v0.10.4", "buildx 0.10.4"),
    ],
)
def test_a_cli_that_can(tmp_path: Path, version: str, buildx: str, described: str):
    assert str(docker(tmp_path, version=version, buildx=buildx)) == described


@pytest.mark.parametrize("version", ["Docker version 28.2.2, build e6534b4", "podman version 4.3.1", ""])
def test_a_cli_that_cannot(tmp_path: Path, version: str):
    assert docker(tmp_path, version=version) is None


def test_no_cli(tmp_path: Path):
    assert Cli.find(ENDPOINT, {"PATH": str(tmp_path)}) is None


RECORD = """
tr '\\0' '\\n' < /proc/$$/cmdline > {folder}/argv
env > {folder}/environ
for word in "$@"; do case $word in id=*,src=*) cat "${{word#*src=}}" > {folder}/secret;; esac; done
cat > {folder}/context.tar
"""


def test_what_the_cli_is_told(tmp_path: Path):
    cli = docker(tmp_path, buildx="v0.13.1", build=RECORD.format(folder=tmp_path))
    bundle = Bundle({"Dockerfile": b"FROM scratch\n"}, secrets=("ca",), platform="linux/arm64")
    build(
        tmp_path, cli, bundle=bundle, secrets={"ca": CANARY}, pull=True, HTTPS_PROXY="http://me:pw@proxy:3128"
    )
    argv = (tmp_path / "argv").read_text().splitlines()[2:]
    assert argv[:5] == ["buildx", "build", "--builder", "default", "--load"]
    assert {"--provenance=false", "--sbom=false", "--pull", "linux/arm64", "rawjson", "x:1"} <= set(argv)
    assert argv[-1] == "-"
    assert (tmp_path / "context.tar").read_bytes() == bundle.tar()
    given = dict(line.split("=", 1) for line in (tmp_path / "environ").read_text().splitlines())
    assert given["DOCKER_HOST"] == ENDPOINT.host
    assert "AWS_SECRET_ACCESS_KEY" not in given
    assert given["HTTPS_PROXY"] == "http://me:pw@proxy:3128"
    assert "HTTPS_PROXY" in argv


def test_a_secret_reaches_the_cli_and_no_argument_and_no_disk(tmp_path: Path):
    cli = docker(tmp_path, buildx="v0.13.1", build=RECORD.format(folder=tmp_path))
    before = set(Path("/tmp").iterdir())
    build(tmp_path, cli, bundle=Bundle({"Dockerfile": b""}, secrets=("ca",)), secrets={"ca": CANARY},
          HTTPS_PROXY="http://me:pw@proxy:3128")  # fmt: skip
    assert (tmp_path / "secret").read_bytes() == CANARY
    for told in ("argv", "environ"):
        assert CANARY.decode() not in (tmp_path / told).read_text()
    assert "pw" not in (tmp_path / "argv").read_text()
    assert not [path for path in set(Path("/tmp").iterdir()) - before if path.name.startswith("jdz-")]


def test_a_secret_that_buildkit_would_refuse(tmp_path: Path):
    cli = docker(tmp_path, buildx="v0.13.1")
    with pytest.raises(EngineError, match="'ca' is too large"):
        build(tmp_path, cli, secrets={"ca": b"x" * (LARGEST_SECRET + 1)})


def test_an_older_buildx_is_not_told_what_it_does_not_know(tmp_path: Path):
    cli = docker(tmp_path, buildx="v0.9.1", build=RECORD.format(folder=tmp_path))
    build(tmp_path, cli)
    argv = (tmp_path / "argv").read_text().splitlines()
    assert "plain" in argv
    assert not [word for word in argv if word.startswith("--provenance")]


def test_an_old_cli_builds_with_its_own_buildkit(tmp_path: Path):
    cli = docker(tmp_path, version="Docker version 20.10.24, build 1", build=RECORD.format(folder=tmp_path))
    build(tmp_path, cli)
    assert "DOCKER_BUILDKIT=1\n" in (tmp_path / "environ").read_text()
    assert "buildx" not in (tmp_path / "argv").read_text()


def failing(error: str, *logs: str) -> str:
    import base64

    name = "[2/3] RUN pip install"
    said = [{"vertex": "v", "data": base64.b64encode(log.encode() + b"\n").decode()} for log in logs]
    lines = [
        {"vertexes": [{"digest": "v", "name": name, "started": "now"}]},
        {"logs": said},
        {"vertexes": [{"digest": "v", "name": name, "started": "now", "error": error}]},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    return f"cat > /dev/null\ncat >&2 <<'END'\n{text}\nERROR: failed to solve: {error}\nEND\nexit 1\n"


def test_a_failure_names_the_step_the_cause_and_the_fix(tmp_path: Path):
    cli = docker(
        tmp_path, buildx="v0.13.1", build=failing("exit code: 1", "E: Unable to locate package libx")
    )
    events: list[Event] = []
    with pytest.raises(BuildError) as caught:
        build(tmp_path, cli, report=events.append)
    assert caught.value.what == "the build failed at: RUN pip install"
    assert "no package libx" in caught.value.why
    assert caught.value.fix
    assert caught.value.log == ("E: Unable to locate package libx",)
    assert events == [Step(1, 1, "RUN pip install"), Log("E: Unable to locate package libx")]


def test_an_unknown_failure_says_what_the_builder_said(tmp_path: Path):
    cli = docker(tmp_path, buildx="v0.13.1", build=failing("exit code: 7", "hm"))
    with pytest.raises(BuildError) as caught:
        build(tmp_path, cli)
    assert caught.value.why == "failed to solve: exit code: 7"


@pytest.mark.parametrize(
    "words",
    ["ERROR: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
     "ERROR: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF"],
)  # fmt: skip
def test_an_engine_that_went_away(tmp_path: Path, words: str):
    cli = docker(tmp_path, buildx="v0.13.1", build=f"cat > /dev/null; echo '{words}' >&2; exit 1")
    with pytest.raises(EngineError, match="went away during the build") as caught:
        build(tmp_path, cli)
    assert not isinstance(caught.value, BuildError)


def test_a_cli_that_ends_without_reading(tmp_path: Path):
    cli = docker(tmp_path, buildx="v0.13.1", build="echo 'ERROR: no' >&2; exit 1")
    with pytest.raises(BuildError, match="the build failed"):
        build(tmp_path, cli, bundle=Bundle({"Dockerfile": b"", "big": b"x" * 5_000_000}))


@pytest.mark.parametrize("trap", ["", "trap '' INT; "], ids=["at once", "only when killed"])
def test_cancel_ends_the_cli_and_what_it_started(tmp_path: Path, trap: str):
    # The plugin is a child of the CLI, as buildx is.
    script = f"{trap}echo $$ > {tmp_path}/pid; (exec sleep 300) & echo $! > {tmp_path}/child\n"
    script += (
        'echo \'{"vertexes": [{"digest": "v", "name": "[1/1] RUN x", "started": "n"}]}\' >&2; wait; wait\n'
    )
    cli = docker(tmp_path, buildx="v0.13.1", build=script)
    cancel = Cancel()
    with pytest.raises(CancelledError):
        build(tmp_path, cli, cancel=cancel, report=lambda event: cancel.cancel())
    for name in ("pid", "child"):
        assert ends(int((tmp_path / name).read_text()))


def ends(pid: int) -> bool:
    """A killed process takes a moment to be gone."""
    for _ in range(250):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.02)
                continue
        return True
    return False


def test_cancel_before_it_began(tmp_path: Path):
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(CancelledError):
        build(tmp_path, docker(tmp_path, buildx="v0.13.1", build=f"touch {tmp_path}/ran"), cancel=cancel)
    assert not (tmp_path / "ran").exists()


def test_cancel_while_the_context_is_sent(tmp_path: Path):
    """The CLI reads nothing, so that the pipe is full."""
    cancel = Cancel()
    threading.Timer(0.3, cancel.cancel).start()
    cli = docker(tmp_path, buildx="v0.13.1", build="exec sleep 300")
    with pytest.raises(CancelledError):
        build(tmp_path, cli, bundle=Bundle({"Dockerfile": b"", "big": b"x" * 5_000_000}), cancel=cancel)


def test_endless_lines_and_logs_are_cut(tmp_path: Path):
    print_much = (
        "cat > /dev/null\n"
        "head -c 10000000 /dev/zero | tr '\\0' x >&2; echo >&2\n"
        "echo '#1 [1/1] RUN yes' >&2\n"
        "yes '#1 0.1 some line of a very long log' | head -n 200000 >&2\n"
        "echo '#1 ERROR: exit code: 1' >&2; exit 1\n"
    )
    cli = docker(tmp_path, buildx="v0.9.0", build=print_much)
    seen = 0

    def count(event: Event) -> None:
        nonlocal seen
        seen += isinstance(event, Log)

    with pytest.raises(BuildError, match="RUN yes") as caught:
        build(tmp_path, cli, report=count)
    assert seen == 200_000
    assert len(caught.value.log) == KEPT


def test_a_cli_that_cannot_be_started(tmp_path: Path):
    cli = docker(tmp_path, buildx="v0.13.1")
    os.unlink(tmp_path / "docker")
    with pytest.raises(EngineError, match="cannot be started"):
        build(tmp_path, cli)
