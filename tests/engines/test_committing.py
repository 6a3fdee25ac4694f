"""A running container becomes an image, and a command runs in one: against each engine of the matrix."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines import ownership
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.engines.committing import About
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.inhabited import Inhabited
from jupyter_dockerize.errors import CancelledError, EngineError, UsageError
from jupyter_dockerize.events import ignore

pytestmark = pytest.mark.engine

BASE = "python:3.11.7-slim-bookworm"
CANARY = f"canary{uuid.uuid4().hex}"
START = Callable[..., Inhabited]


@pytest.fixture
def engine(engine_matrix: DockerEngine) -> DockerEngine:
    if engine_matrix.inspect(BASE) is None:
        engine_matrix.pull(BASE, report=ignore, cancel=Cancel())
    return engine_matrix


@pytest.fixture
def start(engine: DockerEngine) -> Iterator[START]:
    """Starts a container that does nothing, as its user would: with variables, a user and a folder."""
    client, made = engine._connected().client(), []

    def begin(**more: Any) -> Inhabited:
        configuration = {
            "Image": BASE,
            "Cmd": ["/bin/sh", "-c", f"sleep 600; : {CANARY}"],
            "Env": [f"AWS_SECRET_ACCESS_KEY={CANARY}", "PATH=/usr/local/bin:/usr/bin:/bin"],
            "Labels": {"who": CANARY},
            "WorkingDir": "/srv",
            "ExposedPorts": {"99/tcp": {}},
        } | more
        made.append(client.create_container_from_config(configuration)["Id"])
        client.start(made[-1])
        return engine.container(made[-1])

    yield begin
    for one in made:
        client.remove_container(one, force=True, v=True)


@pytest.fixture
def ref(engine: DockerEngine, start: START) -> Iterator[str]:
    name = f"jupyter-dockerize-test-commit:{uuid.uuid4().hex[:8]}"
    yield name
    engine.remove(name)


def run(
    engine: DockerEngine, container: Inhabited, script: str, cancel: Cancel | None = None
) -> tuple[int, str]:
    said: list[bytes] = []
    status = engine.command(
        container, script, environ={"GIVEN": "1"}, output=said.append, cancel=cancel or Cancel()
    )
    return status, b"".join(said).decode()


def commit(engine: DockerEngine, container: Inhabited, ref: str, about: About | None = None) -> Image:
    said = about or About(labels={"a": "b"}, files={"/opt/of/plan.json": b"{}"}, command="pip install x")
    return engine.commit(container, ref, lambda image: said, report=ignore, cancel=Cancel())


def configuration(engine: DockerEngine, ref: str) -> dict[str, Any]:
    found = engine._connected().client().inspect_image(ref)["Config"]
    return {key: value for key, value in found.items() if value and key != "Labels"}


def unfinished(engine: DockerEngine) -> set[str]:
    """Names of images that are not finished; some may be of others, who were killed, and stay for a day."""
    listed = engine._connected().client().images()
    return {name for one in listed for name in one.get("RepoTags") or () if ownership.BUILDING in name}


# The image


def test_the_image_holds_what_changed_and_starts_as_the_one_below(
    engine: DockerEngine, start: START, ref: str
):
    left, container = unfinished(engine), start()
    run(
        engine,
        container,
        "echo hello > /opt/hello; chmod 640 /opt/hello; rm /etc/issue; ln /opt/hello /opt/twin",
    )
    image = commit(engine, container, ref)
    assert engine.inspect(ref) == image
    assert image.labels == {"a": "b"}
    base = configuration(engine, BASE)
    if "ArgsEscaped" not in configuration(engine, ref):  # Podman does not keep it
        base.pop("ArgsEscaped", None)
    assert configuration(engine, ref) == base
    look = "stat -c %a:%h /opt/hello; cat /opt/of/plan.json; test -e /etc/issue || echo gone; pwd; env"
    said = engine.execute(ref, ["/bin/sh", "-c", look], cancel=Cancel()).decode()
    assert said.startswith("640:2\n{}gone\n/\n")
    assert CANARY not in said
    assert run(engine, container, "echo on")[1] == "on\n"  # it runs on, and is not paused
    assert unfinished(engine) - left == set()


def test_the_history_goes_on_from_that_of_the_image_below(engine: DockerEngine, start: START, ref: str):
    client = engine._connected().client()
    container = start()
    run(engine, container, "echo new > /opt/new")
    commit(engine, container, ref)
    said = [one["CreatedBy"] for one in client.history(ref)]
    assert said[1] == "pip install x"
    assert said[2:] == [one["CreatedBy"] for one in client.history(BASE)]


def test_a_secret_of_the_container_is_in_no_image_that_is_left(engine: DockerEngine, start: START, ref: str):
    client = engine._connected().client()
    before = {one["Id"] for one in client.images(all=True)}
    container = start()
    run(engine, container, "echo new > /opt/new")
    commit(engine, container, ref)
    left = {one["Id"] for one in client.images(all=True)} - before
    assert engine.find(ref).id in left
    for each in left:
        assert CANARY not in json.dumps(client.inspect_image(each))
        assert CANARY not in json.dumps(client.history(each))
    assert CANARY.encode() not in b"".join(client.get_image(ref))


def test_what_the_image_is_looked_into_with_has_no_secret_and_the_paths_of_the_image(
    engine: DockerEngine, start: START, ref: str
):
    seen: list[str] = []

    def about(image: Image) -> About:
        seen.append(engine.execute(image.id, ["env"], cancel=Cancel()).decode())
        return About()

    engine.commit(start(), ref, about, report=ignore, cancel=Cancel())
    assert CANARY not in seen[0]
    path = next(line for line in configuration(engine, BASE)["Env"] if line.startswith("PATH="))
    assert f"{path}\n" in seen[0]


def test_a_container_is_committed_again_and_again(engine: DockerEngine, start: START, ref: str):
    container = start()
    run(engine, container, "echo one > /opt/one")
    first = commit(engine, container, ref)
    run(engine, container, "echo two > /opt/two")
    second = commit(engine, container, ref)
    assert first.id != second.id
    assert engine.read(ref, "/opt/one", cancel=Cancel()) == b"one\n"
    assert engine.read(ref, "/opt/two", cancel=Cancel()) == b"two\n"


def test_where_the_commit_is_not_described_nothing_is_left(engine: DockerEngine, start: START, ref: str):
    left, container = unfinished(engine), start()
    before = commit(engine, container, ref)
    cancel = Cancel()

    def about(image: Image) -> About:
        cancel.cancel()
        cancel.check()
        raise AssertionError

    with pytest.raises(CancelledError):
        engine.commit(container, ref, about, report=ignore, cancel=cancel)
    assert engine.inspect(ref) == before
    assert unfinished(engine) - left == set()


# The container


def test_what_does_not_run_is_no_container_to_work_in(engine: DockerEngine, start: START):
    client = engine._connected().client()
    with pytest.raises(UsageError, match="there is no container"):
        engine.container("no-such-container")
    with pytest.raises(UsageError, match="not the name of a container"):
        engine.container("../info")
    container = start()
    client.pause(container.id)
    with pytest.raises(UsageError, match="does not run") as caught:
        engine.container(container.name)
    assert "paused" in caught.value.why
    client.unpause(container.id)
    client.kill(container.id)
    client.wait(container.id)
    with pytest.raises(UsageError, match="does not run") as caught:
        engine.container(container.name)
    assert caught.value.why in ("it is exited", "it is stopped")


def test_a_container_says_what_it_was_started_with(engine: DockerEngine, start: START):
    container = start(HostConfig={"Tmpfs": {"/scratch": ""}, "Binds": ["/usr/share:/data:ro"]})
    assert container.ref == BASE
    assert set(container.mounts) == {"/scratch", "/data"}
    assert f"AWS_SECRET_ACCESS_KEY={CANARY}" in container.own
    assert CANARY not in repr(container)
    by_id = start(Image=engine.find(BASE).id)
    assert by_id.ref in (None, BASE)  # Podman finds a name all the same
    assert by_id.image == container.image


def test_changes_and_files_of_a_container(engine: DockerEngine, start: START):
    container = start()
    run(
        engine,
        container,
        "echo hello > /opt/hello; ln -s hello /opt/link; rm /etc/issue; echo more >> /etc/hosts2",
    )
    changes = engine.changes(container)
    assert changes["/opt/hello"] == "added"
    assert changes["/opt"] == "changed"
    assert changes["/etc/issue"] == "gone"
    assert engine.read_from(container, "/opt/hello", 100) == b"hello\n"
    assert engine.read_from(container, "/opt/hello", 3) is None
    assert engine.read_from(container, "/opt/none", 100) == b""
    assert engine.read_from(container, "/opt", 1 << 20) == b""


# A command


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo \"a $GIVEN 'é'\"; pwd; id -u", 0, "a 1 'é'\n/srv\n1000\n"),
        ("read line || echo nothing; echo $# >&2; exit 7", 7, "nothing\n0\n"),
        ("false\necho never", 1, ""),
        ("cat <<'X'\n$HOME `id`\nX\n", 0, "$HOME `id`\n"),
        ("no-such-program", 127, "sh: 1: eval: no-such-program: not found\n"),
    ],
)
def test_a_command_runs_as_typed_by_the_containers_user(
    engine: DockerEngine, start: START, script: str, status: int, said: str
):
    found, output = run(engine, start(User="1000"), script)
    assert found == status
    assert sorted(output.splitlines()) == sorted(said.splitlines())  # stdout and stderr are two streams


def test_an_interrupt_ends_a_command_that_does_not_listen_and_what_it_started(
    engine: DockerEngine, start: START
):
    container, cancel = start(), Cancel()
    threading.Timer(1, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        run(engine, container, "trap '' INT TERM; sleep 601 & sleep 602; echo on", cancel)
    assert time.monotonic() - began < 1 + 5
    time.sleep(0.5)
    _, left = run(engine, container, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "sleep 60" in left  # the container's own
    assert "sleep 601" not in left
    assert "sleep 602" not in left


def test_a_container_that_ends_meanwhile_is_no_exit_status(engine: DockerEngine, start: START):
    container = start()
    client = engine._connected().client()
    threading.Timer(1, lambda: client.kill(container.id)).start()
    with pytest.raises(EngineError):
        run(engine, container, "sleep 603")
