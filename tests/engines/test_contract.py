"""What every engine does, whichever it is: run against each engine of the matrix."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tarfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents.identity import LABEL_NOTEBOOK, LABEL_SCHEMA
from jupyter_dockerize.engines import ownership, running
from jupyter_dockerize.engines.base import Image, Limits
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.explain import meaning
from jupyter_dockerize.errors import BuildError, CancelledError, EngineError, UsageError
from jupyter_dockerize.events import Event, Log, Progress, Step, ignore
from jupyter_dockerize.recipe.bundle import Bundle

from .listeners import listening
from .registry.images import into

pytestmark = pytest.mark.engine

BASE = "python:3.11.7-slim-bookworm"
NEW = uuid.uuid4().hex
CANARY = b"canary-" + uuid.uuid4().hex.encode()
HERE = f"jupyter-dockerize-test-{os.getpid()}"


BEGAN = [0.0]


@pytest.fixture(autouse=True)
def began() -> None:
    BEGAN[0] = time.time() - 1


@pytest.fixture
def engine(engine_matrix: DockerEngine) -> DockerEngine:
    if engine_matrix.inspect(BASE) is None:
        engine_matrix.pull(BASE, report=ignore, cancel=Cancel())
    return engine_matrix


@pytest.fixture
def ref(engine: DockerEngine) -> Iterator[str]:
    name = f"{HERE}:{uuid.uuid4().hex[:8]}"
    yield name
    for container in engine.containers():
        if container.ref == name:
            engine.stop(container.name)
    engine.remove(name)


def bundle(*lines: str, secrets: tuple[str, ...] = (), **files: bytes) -> Bundle:
    # What an earlier run left in the builder's cache would not be run, and print nothing.
    fresh = [f"{line} # {NEW}" if line.startswith("RUN ") else line for line in lines]
    text = "\n".join([f"FROM {BASE}", f"LABEL {LABEL_SCHEMA}=1", *fresh, ""])
    return Bundle({"Dockerfile": text.encode(), **files}, secrets=secrets)


def build(engine: DockerEngine, ref: str, what: Bundle, *, secrets: dict[str, bytes] | None = None,
          report=ignore, cancel: Cancel | None = None) -> Image:  # fmt: skip
    return engine.build(what, ref, secrets=secrets or {}, report=report, cancel=cancel or Cancel())


def remains(engine: DockerEngine) -> tuple[list[str], list[str]]:
    """Names of unfinished images, and commands of sandboxes and builds: what must not be left.

    Others may use the same engine meanwhile; what is theirs has neither this base nor this sleep, and
    what an earlier test left is that test's affair. The classic builder removes its container a moment
    after its connection was cut; five seconds are what a cancel may take.
    """
    for _ in range(25):
        left = found(engine)
        if left == ([], []):
            break
        time.sleep(0.2)
    return left


def found(engine: DockerEngine) -> tuple[list[str], list[str]]:
    client = engine._connected().client()
    names = [name for one in client.images() for name in one.get("RepoTags") or ()]
    base = engine.inspect(BASE)
    containers = [
        str(one["Command"])
        for one in client.containers(all=True)
        if running.REF not in (one.get("Labels") or {})
        and one["Created"] >= BEGAN[0]
        and (
            (sandbox(one) and base is not None and base.id in (one.get("ImageID"), one.get("Image")))
            or "sleep 601" in str(one["Command"])
        )
    ]
    return [name for name in names if ownership.BUILDING in name and named(name) >= BEGAN[0]], containers


def named(building: str) -> int:
    """When a build got its name, in seconds since 1970."""
    return int(building.rpartition(":")[2].partition("-")[0])


def sandbox(container: dict[str, Any]) -> bool:
    return (container.get("Labels") or {}).get(ownership.ROLE) == "sandbox"


# What it is


def test_status(engine: DockerEngine):
    status = engine.status()
    assert status.available
    assert status.version
    assert status.builder
    assert status.builder in status.reason
    assert status.flavour in ("Docker Engine", "Docker Desktop", "Podman")
    assert ("mounts" in engine.features()) == (status.builder != "classic")


# Builds


def test_a_build(engine: DockerEngine, ref: str):
    events: list[Event] = []
    steps = ("COPY a.txt /a.txt", "RUN cat /a.txt && echo && echo two", 'ENV A="b c"', 'CMD ["x", "y z"]')
    image = build(engine, ref, bundle(*steps, **{"a.txt": b"hello"}), report=events.append)
    assert image.id.startswith("sha256:")
    assert image.refs == (ref,)
    assert image.labels[LABEL_SCHEMA] == "1"
    configuration = engine._connected().client().inspect_image(image.id)["Config"]
    assert "A=b c" in configuration["Env"]
    assert configuration["Cmd"] == ["x", "y z"]
    assert image.platform.startswith("linux/")
    assert image.size > 1_000_000
    assert engine.inspect(ref) == image
    assert engine.inspect(image.id) is not None
    assert image.id in [one.id for one in engine.images()]
    begun = [event for event in events if isinstance(event, Step)]
    assert [step.number for step in begun] == list(range(1, len(begun) + 1))
    assert all(step.number <= step.total for step in begun)
    assert any("RUN cat /a.txt" in step.name for step in begun)
    assert [event.text for event in events if isinstance(event, Log)] == ["hello", "two"]
    assert remains(engine) == ([], [])


def test_the_time_that_the_user_says_is_the_images_where_the_builder_can_say_it(
    engine: DockerEngine, ref: str
):
    engine._environ = {**engine._environ, "SOURCE_DATE_EPOCH": "1700000000"}
    can = "buildx" in (engine.status().builder or "")
    assert build(engine, ref, bundle("LABEL a=b")).created.startswith("2023-11-14") == can


def test_a_second_build_moves_the_name(engine: DockerEngine, ref: str):
    first = build(engine, ref, bundle("RUN echo one > /one"))
    second = build(engine, ref, bundle("RUN echo two > /two"))
    assert first.id != second.id
    found = engine.inspect(ref)
    assert found is not None
    assert found.id == second.id


def test_a_build_that_fails_leaves_the_name_as_it_was(engine: DockerEngine, ref: str):
    before = build(engine, ref, bundle("RUN echo good"))
    with pytest.raises(BuildError) as caught:
        build(engine, ref, bundle("RUN echo 'E: Unable to locate package libnosuch' >&2; exit 100"))
    assert "RUN echo" in caught.value.what
    assert "libnosuch" in caught.value.why
    assert caught.value.fix
    assert caught.value.log == ("E: Unable to locate package libnosuch",)
    assert engine.inspect(ref) == before
    assert remains(engine) == ([], [])


def test_a_first_build_that_fails_leaves_no_name(engine: DockerEngine, ref: str):
    with pytest.raises(BuildError):
        build(engine, ref, bundle("RUN exit 3"))
    assert engine.inspect(ref) is None


def test_a_build_that_is_cancelled_leaves_everything_as_it_was(engine: DockerEngine, ref: str):
    before = build(engine, ref, bundle("RUN echo good"))
    cancel = Cancel()

    def report(event: Event) -> None:
        if isinstance(event, Log) and event.text == "now":
            cancel.cancel()

    with pytest.raises(CancelledError):
        build(engine, ref, bundle(f"RUN echo {uuid.uuid4().hex} > /x", "RUN echo now; sleep 601"),
              report=report, cancel=cancel)  # fmt: skip
    assert engine.inspect(ref) == before
    assert remains(engine) == ([], [])


def test_a_build_that_is_cancelled_at_its_first_step(engine: DockerEngine, ref: str):
    cancel = Cancel()
    with pytest.raises(CancelledError):
        build(engine, ref, bundle(f"RUN echo {uuid.uuid4().hex}; sleep 601"),
              report=lambda event: cancel.cancel(), cancel=cancel)  # fmt: skip
    assert engine.inspect(ref) is None
    assert remains(engine) == ([], [])


def test_an_image_that_the_engine_finishes_while_it_is_told_to_stop_gets_no_name(
    engine: DockerEngine, ref: str, monkeypatch: pytest.MonkeyPatch
):
    """The engine may be about to name the image when its builder is ended: here it does a moment later."""
    temporary, cancel = ownership.building(), Cancel()
    monkeypatch.setattr(ownership, "building", lambda: temporary)
    base = engine.inspect(BASE)
    assert base is not None
    late = threading.Timer(0.5, engine.tag, (base.id, temporary))

    def report(event: Event) -> None:
        if isinstance(event, Log) and not cancel.cancelled:
            cancel.cancel()
            late.start()

    with pytest.raises(CancelledError):
        build(engine, ref, bundle("RUN echo now; sleep 601"), report=report, cancel=cancel)
    late.join()
    assert engine.inspect(temporary) is None


def test_the_step_that_failed_is_named_and_not_one_that_was_ended_for_it(engine: DockerEngine, ref: str):
    text = f"""FROM {BASE} AS a
RUN sleep 60 # {NEW}
FROM {BASE} AS b
RUN sleep 2 && exit 7 # {NEW}
FROM {BASE}
COPY --from=b /etc/hostname /b
COPY --from=a /etc/hostname /a
"""
    if str(engine._its_builder()) == "classic" or engine.status().flavour == "Podman":
        text = "\n".join(line for line in text.splitlines() if "sleep 60" not in line)  # one after the other
    with pytest.raises(BuildError) as caught:
        build(engine, ref, Bundle({"Dockerfile": text.encode()}))
    assert "exit 7" in caught.value.what
    assert "memory" not in caught.value.why


def test_a_base_image_that_does_not_exist(engine: DockerEngine, ref: str):
    registry = os.environ.get("JUPYTER_DOCKERIZE_TEST_REGISTRY")
    if registry is None:
        pytest.skip("needs a registry that answers: the rig's")
    with pytest.raises(BuildError) as caught:
        build(engine, ref, Bundle({"Dockerfile": f"FROM {registry}/library/nosuch:1\n".encode()}))
    assert "nosuch" in caught.value.why
    assert "--base" in caught.value.fix


def test_a_base_that_the_engine_cannot_fetch_is_told_apart_from_a_build_without_network(
    engine: DockerEngine, ref: str
):
    base = "nosuch.invalid/team/base:1"
    with pytest.raises(BuildError) as caught:
        build(engine, ref, Bundle({"Dockerfile": f"FROM {base}\n".encode()}))
    assert "the engine could not" in caught.value.why and "nosuch.invalid" in caught.value.why
    assert "docker pull" in caught.value.fix
    with pytest.raises(BuildError) as caught:
        engine.pull(base, report=ignore, cancel=Cancel())
    assert f"`docker pull {base}`" in caught.value.fix


def test_a_dockerfile_that_is_none(engine: DockerEngine, ref: str):
    with pytest.raises(BuildError) as caught:
        build(engine, ref, Bundle({"Dockerfile": b"FROM scratch\nFRUM x\n"}))
    assert caught.value.why


def test_a_hostile_log_stays_text_and_is_cut(engine: DockerEngine, ref: str):
    events: list[Event] = []
    script = b"print('x' * 100_000 + '\\n\\x1b]8;;javascript:alert(1)\\x07y\\n10%\\r90%')"
    build(
        engine, ref, bundle("COPY p.py /p.py", "RUN python3 /p.py", **{"p.py": script}), report=events.append
    )
    lines = [event.text for event in events if isinstance(event, Log)]
    assert lines[0].startswith("xxxx")
    assert len(lines[0]) < 20_000
    assert "\x1b]8;;javascript:alert(1)\x07y" in lines
    assert lines[-1] == "90%"


def test_a_secret_is_there_during_its_step_and_nowhere_after(engine: DockerEngine, ref: str, tmp_path: Path):
    wanted = bundle("RUN --mount=type=secret,id=ca,target=/run/ca wc -c < /run/ca", secrets=("ca",))
    if "mounts" not in engine.features():
        with pytest.raises(EngineError, match="needs a secret"):
            build(engine, ref, wanted, secrets={"ca": CANARY})
        assert engine.inspect(ref) is None
        return
    events: list[Event] = []
    build(engine, ref, wanted, secrets={"ca": CANARY}, report=events.append)
    assert Log(str(len(CANARY))) in events
    client = engine._connected().private(timeout=60)
    archive = tmp_path / "image.tar"
    with archive.open("wb") as file:
        for chunk in client.get_image(ref):
            file.write(chunk)
    assert not holds(archive, CANARY)
    assert CANARY.decode() not in str(client.history(ref)) + str(client.inspect_image(ref))
    assert b"jupyter-dockerize-secret" not in archive.read_bytes()


def holds(archive: Path, what: bytes) -> bool:
    """Whether any file of any layer of a saved image holds these bytes."""
    with tarfile.open(archive) as outer:
        for member in outer:
            file = outer.extractfile(member)
            if file is None:
                continue
            with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=file, mode="r:*") as layer:
                for inside in layer:
                    data = layer.extractfile(inside) if inside.isreg() else None
                    if data is not None and what in data.read():
                        return True
                continue
            file.seek(0)
            if what in file.read():
                return True
    return False


def test_the_search_for_secrets_finds_one(engine: DockerEngine, ref: str, tmp_path: Path):
    build(engine, ref, bundle("COPY c /c", "RUN rm /c", c=CANARY))
    archive = tmp_path / "image.tar"
    with archive.open("wb") as file:
        for chunk in engine._connected().private(timeout=60).get_image(ref):
            file.write(chunk)
    assert holds(archive, CANARY)


def test_what_is_no_reference_is_refused(engine: DockerEngine):
    for name in ("", "-x", "A B", "x:y:z"):
        with pytest.raises(UsageError):
            build(engine, name, bundle())
    with pytest.raises(UsageError, match="digest"):
        build(engine, "x@sha256:" + "0" * 64, bundle())


def test_names_of_builds_that_were_killed_are_swept(engine: DockerEngine, ref: str):
    base = engine.inspect(BASE)
    assert base is not None
    killed = f"{ownership.BUILDING}:1000000000-abc"
    engine.tag(base.id, killed)
    build(engine, ref, bundle())
    assert engine.inspect(killed) is None
    assert remains(engine)[0] == []


# Images


def test_an_image_that_is_not_here_is_told_with_a_name_much_like_it(engine: DockerEngine, ref: str):
    build(engine, ref, bundle())
    assert engine.find(ref).id == build(engine, ref, bundle()).id
    with pytest.raises(UsageError, match="there is no image") as caught:
        engine.find(f"{ref}x")
    assert f"did you mean {ref}" in caught.value.fix
    with pytest.raises(UsageError) as caught:
        engine.find("0/none")
    assert "did you mean" not in caught.value.fix


def test_pull_reports_and_gives_the_image(engine: DockerEngine):
    events: list[Event] = []
    image = engine.pull(BASE, report=events.append, cancel=Cancel())
    assert BASE in image.refs
    assert image.digest is not None
    assert image.digest.startswith("sha256:")
    assert all(isinstance(event, Progress) and event.done <= event.total for event in events)


def test_pull_of_what_is_not_there(engine: DockerEngine):
    registry = os.environ.get("JUPYTER_DOCKERIZE_TEST_REGISTRY")
    if registry is None:
        pytest.skip("needs a registry that answers: the rig's")
    with pytest.raises(EngineError) as caught:
        engine.pull(f"{registry}/library/nosuch:1", report=ignore, cancel=Cancel())
    assert "is not in its registry" in caught.value.why


def test_tag_and_remove(engine: DockerEngine, ref: str):
    image = build(engine, ref, bundle())
    engine.tag(image.id, f"{ref}-2")
    found = engine.inspect(f"{ref}-2")
    assert found is not None
    assert found.id == image.id
    engine.remove(f"{ref}-2")
    assert engine.inspect(f"{ref}-2") is None
    assert engine.inspect(ref) is not None
    engine.remove(f"{ref}-2")


def test_a_build_whose_builder_lost_its_state_is_done_once_more(
    engine: DockerEngine, ref: str, monkeypatch: pytest.MonkeyPatch
):
    builder = type(engine._its_builder())
    build_once, tries = builder.build, []

    def lost(*arguments: Any, **more: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise BuildError(
                "the build failed", why=meaning("failed to prepare sha256:1a as 2b: open /x").why
            )
        build_once(*arguments, **more)

    monkeypatch.setattr(builder, "build", lost)
    build(engine, ref, bundle("RUN echo once more"))
    assert (len(tries), engine.inspect(ref) is not None) == (2, True)

    def never(*arguments: Any, **more: Any) -> None:
        tries.append(1)
        raise BuildError("the build failed", why="RUN: status 1")

    monkeypatch.setattr(builder, "build", never)
    with pytest.raises(BuildError, match="status 1"):
        build(engine, ref, bundle("RUN echo never"))
    assert len(tries) == 3


# What it holds


def test_files_are_read_whole_and_without_a_program(engine: DockerEngine, ref: str):
    made = [
        "mkdir -p /opt/of/below", "cd /opt/of", "echo hello > told", ": > empty", "echo deep > below/file",
        "chmod 600 told", "ln -s told link", "ln -s /etc linked", "mkfifo pipe",
        "dd if=/dev/zero of=/opt/large bs=1M count=65 2>/dev/null", "rm /bin/cat /bin/tar",
    ]  # fmt: skip
    build(engine, ref, bundle(f"RUN {' && '.join(made)}"))
    cancel = Cancel()
    assert engine.read(ref, "/opt/of/told", cancel=cancel) == b"hello\n"
    assert engine.read(ref, "/opt/of/empty", cancel=cancel) == b""
    found = engine.read_folder(ref, "/opt/of", cancel=cancel)
    assert found == {"told": b"hello\n", "empty": b"", "below/file": b"deep\n"}
    assert engine.read_folder(ref, "/opt/none", cancel=cancel) == {}
    for none in ("/opt/none", "/opt/of", "/opt/of/link", "/opt/of/pipe"):
        with pytest.raises(EngineError, match="has no file"):
            engine.read(ref, none, cancel=cancel)
    with pytest.raises(EngineError, match="more than 64 MiB"):
        engine.read(ref, "/opt/large", cancel=cancel)
    with pytest.raises(EngineError, match="more than 64 MiB"):
        engine.read_folder(ref, "/opt", cancel=cancel)
    assert remains(engine) == ([], [])


# The sandbox


def test_execute_gives_stdout(engine: DockerEngine):
    assert engine.execute(BASE, ["cat"], stdin=b"hello\0world") == b"hello\0world"
    assert engine.execute(BASE, ["sh", "-c", "echo out; echo err >&2"]) == b"out\n"


def test_five_megabytes_in_and_fifty_out(engine: DockerEngine):
    data = os.urandom(5_000_000)
    assert engine.execute(BASE, ["cat"], stdin=data) == data
    assert len(engine.execute(BASE, ["head", "-c", "50000000", "/dev/zero"])) == 50_000_000


def test_a_program_that_does_not_read_its_input(engine: DockerEngine):
    said = engine.execute(BASE, ["echo", "x"], stdin=b"y" * 5_000_000)
    # Podman 4.3 says in the same stream that the pipe broke, at times in the middle of what the program said.
    assert said.startswith(b"x\n") if engine.status().flavour == "Podman" else said == b"x\n"


def test_the_sandbox_has_no_network_no_rights_and_nothing_to_write_to(engine: DockerEngine):
    script = """
        id -u; id -g
        ls /sys/class/net
        for place in / /opt /home /tmp /var/tmp /dev/shm; do touch $place/x 2>&- && echo $place; done
        echo "$TMPDIR"
        cp /bin/true "$TMPDIR/true" && "$TMPDIR/true" 2>/dev/null && echo ran
        grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status
    """
    said = engine.execute(BASE, ["sh", "-c", script + "\ntrue"]).decode().split()
    none = "0" * 16
    # Podman lays memory over these two by itself where an image is not to be written.
    written = ["/tmp", "/var/tmp"] if engine.status().flavour == "Podman" else []
    written += ["/dev/shm", "/dev/shm"]
    assert said == ["1000", "1000", "lo", *written, "CapEff:", none, "CapBnd:", none, "NoNewPrivs:", "1"]


def test_the_entry_point_is_bypassed_and_volumes_are_no_way_out(engine: DockerEngine, ref: str):
    build(engine, ref, bundle("VOLUME /data", 'ENTRYPOINT ["/bin/false"]', "HEALTHCHECK CMD false"))
    said = engine.execute(ref, ["sh", "-c", "echo ran; df -P /data | tail -1"]).decode()
    assert said.startswith("ran\ntmpfs")
    assert engine._connected().client().volumes(filters={"dangling": True})["Volumes"] in (None, [])


@pytest.mark.parametrize(
    ("argv", "limits", "words"),
    [
        (["sh", "-c", "echo oops >&2; exit 3"], {}, ["status 3", "oops"]),
        (["sleep", "600"], {"seconds": 1.0}, ["not done after 1 s"]),
        (["cat", "/dev/zero"], {"output": 1 << 20}, ["printed more than 1 MiB"]),
        (["python3", "-c", "x = b'x' * (400 << 20)"], {"memory": 64 << 20}, ["needed more than 64 MiB"]),
        (["sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done; wait"], {"processes": 5}, ["ork"]),
        (["/no/such/program"], {}, ["/no/such/program"]),
    ],
    ids=["fails", "time", "output", "memory", "processes", "missing"],
)  # fmt: skip
def test_what_goes_over_a_limit_is_ended_and_named(engine: DockerEngine, argv, limits, words):
    with pytest.raises(EngineError) as caught:
        engine.execute(BASE, argv, limits=replace(Limits(), **limits))
    for word in words:
        assert word in str(caught.value)
    assert remains(engine) == ([], [])


def test_an_image_is_taken_and_how_far_it_is_is_told(engine: DockerEngine, ref: str):
    told: dict[str, list[Progress]] = {}
    written = lambda layout, compression: into(layout, 12 << 20, 10 << 20, 1000, seed=uuid.uuid4().int)  # noqa: E731

    def report(event: Event) -> None:
        assert isinstance(event, Progress)
        told.setdefault(event.what, []).append(event)

    assert engine.take(written, ref, size=23 << 20, report=report, cancel=Cancel()).refs
    sent = told["sent to the engine"]  # what it says of its own part differs
    assert len(sent) > 1 and sent[-1].done == sent[-1].total
    for events in told.values():
        assert {event.total for event in events} == {sent[0].total}
        assert events == sorted(events, key=lambda event: event.done)


def test_an_image_that_is_cancelled_on_its_way_is_not_there(engine: DockerEngine, ref: str):
    written = lambda layout, compression: into(layout, 12 << 20, 10 << 20, 1000, seed=uuid.uuid4().int)  # noqa: E731
    cancel = Cancel()
    with pytest.raises(CancelledError):
        engine.take(written, ref, size=23 << 20, report=lambda event: cancel.cancel(), cancel=cancel)
    assert engine.inspect(ref) is None
    assert remains(engine) == ([], [])


def test_execute_is_cancelled(engine: DockerEngine):
    cancel = Cancel()
    threading.Timer(0.5, cancel.cancel).start()
    with pytest.raises(CancelledError):
        engine.execute(BASE, ["sleep", "600"], cancel=cancel)
    assert remains(engine) == ([], [])


def test_sandboxes_of_the_dead_are_swept(engine: DockerEngine):
    client = engine._connected().client()

    def make(until: str) -> str:
        labels = {ownership.ROLE: "sandbox", ownership.EXPIRES: until}
        return client.create_container_from_config({"Image": BASE, "Labels": labels, "Cmd": ["true"]})["Id"]

    dead, alive = make("1000000000"), make("4000000000")
    try:
        engine.execute(BASE, ["true"])
        left = [one["Id"] for one in client.containers(all=True)]
        assert dead not in left
        assert alive in left
    finally:
        client.remove_container(alive)


def test_execute_in_an_image_that_is_not_here(engine: DockerEngine):
    with pytest.raises(UsageError, match="no image nosuch:1"):
        engine.execute("nosuch:1", ["true"])


# Containers

LAB = b"""
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
class Lab(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api" or os.environ["JUPYTER_TOKEN"] in self.path else 403)
        self.end_headers()
        self.wfile.write(",".join(sorted(os.listdir("/home/jovyan/work"))).encode())
print("starting", flush=True)
http.server.HTTPServer(("0.0.0.0", 8888), Lab).serve_forever()
"""


@pytest.fixture
def lab(engine: DockerEngine, ref: str) -> str:
    """An image that answers as JupyterLab would."""
    build(engine, ref, bundle("COPY lab.py /lab.py", "WORKDIR /home/jovyan/work", "RUN touch 'a b.ipynb'",
                              f'LABEL {LABEL_NOTEBOOK}="a b.ipynb"', 'CMD ["python3", "/lab.py"]',
                              **{"lab.py": LAB}))  # fmt: skip
    return ref


def get(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    connection.request("GET", f"{parts.path}?{parts.query}")
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_start_list_log_stop(engine: DockerEngine, lab: str):
    container = engine.start(lab)
    assert container.url is not None
    assert container.url.startswith("http://127.0.0.1:")
    assert "/lab/tree/a%20b.ipynb?token=" in container.url
    assert get(container.url) == (200, "a b.ipynb")
    assert get(container.url.partition("?")[0])[0] == 403
    assert container.ref == lab
    assert container.status == "running"
    assert [one for one in engine.containers() if one.id == container.id] == [container]
    assert "starting" in engine.logs(container.name)
    assert engine.logs(container.name, tail=1) != []
    assert engine.start(lab) == replace(container, already=True)
    again = engine.start(lab, mount=Path("/usr/share"))
    assert again.name != container.name
    assert again.url != container.url
    engine.stop(container.name)
    engine.stop(again.id[:12])
    assert not {container.id, again.id} & {one.id for one in engine.containers()}


def test_what_is_open_once_is_known_by_its_image(engine: DockerEngine, lab: str):
    first = engine.start(lab)
    assert "starting" in engine.logs(lab)
    second = engine.start(lab, mount=Path("/usr/share"))
    with pytest.raises(UsageError, match=f"{lab} is open 2 times") as caught:
        engine.stop(lab)
    assert first.name in caught.value.why and second.name in caught.value.why
    with pytest.raises(UsageError) as caught:
        engine.stop(f"{first.name}x")
    assert "did you mean" in caught.value.fix
    engine.stop(second.name)
    engine.stop(lab)
    assert not {first.id, second.id} & {one.id for one in engine.containers()}


def test_what_is_open_of_an_older_build(engine: DockerEngine, lab: str):
    def replaced() -> bool:
        return next(one.replaced for one in engine.containers() if one.id == opened.id)

    opened = engine.start(lab)
    assert not replaced()
    build(engine, lab, bundle(f"LABEL newer={uuid.uuid4().hex}"))
    assert replaced()


def test_only_the_loopback_port_is_opened(engine: DockerEngine, lab: str):
    container = engine.start(lab)
    ports = engine._connected().client().inspect_container(container.id)["NetworkSettings"]["Ports"]
    assert [one["HostIp"] for one in ports["8888/tcp"]] == ["127.0.0.1"]


def test_the_token_stands_in_no_argument(engine: DockerEngine, lab: str):
    container = engine.start(lab)
    token = (container.url or "").rpartition("=")[2]
    assert len(token) >= 32
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert token not in path.read_text(errors="replace")


def test_a_port_that_is_given(engine: DockerEngine, lab: str):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    container = engine.start(lab, port=port)
    assert urlsplit(container.url or "").port == port
    with pytest.raises(UsageError, match=f"port {port} is taken"):
        engine.start(lab, port=port, mount=Path("/usr/share"))
    assert len([one for one in engine.containers() if one.ref == lab]) == 1


def test_a_port_that_somebody_else_has(engine: DockerEngine, lab: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} is taken") as caught:
            engine.start(lab, port=port)
    assert len(caught.value.why) < 80
    assert [one for one in engine.containers() if one.ref == lab] == []


def test_a_folder_appears_beside_the_notebook(engine: DockerEngine, lab: str, tmp_path: Path):
    (tmp_path / "data").mkdir()
    container = engine.start(lab, mount=tmp_path / "data")
    assert get(container.url or "")[1] == "a b.ipynb,data"


def test_the_project_folder_takes_the_images_place(engine: DockerEngine, lab: str, tmp_path: Path):
    (tmp_path / "a b.ipynb").write_text("{}")
    (tmp_path / "own.csv").write_text("")
    tmp_path.chmod(0o755)
    container = engine.start(lab, mount=tmp_path)
    assert get(container.url or "")[1] == "a b.ipynb,own.csv"


def test_a_folder_that_the_image_cannot_write_is_told_with_what_allows_it(
    engine: DockerEngine, ref: str, tmp_path: Path
):
    build(engine, ref, bundle("COPY lab.py /lab.py", "WORKDIR /home/jovyan/work", "USER 1000",
                              f'LABEL {LABEL_NOTEBOOK}="a b.ipynb"', 'CMD ["python3", "/lab.py"]',
                              **{"lab.py": LAB}))  # fmt: skip
    folder, notebook = tmp_path / "my data", tmp_path / "my data" / "a b.ipynb"
    folder.mkdir()
    notebook.write_text("{}")
    folder.chmod(0o755)
    told = engine.start(ref, mount=folder)
    assert f"nothing can be saved in {folder}" in told.note
    assert f"`chmod -R a+rwX '{folder}'`" in told.note
    assert engine.start(ref, mount=folder).note == told.note
    folder.chmod(0o777)
    assert "nothing can be saved" in engine.start(ref, mount=folder).note  # the notebook is still another's
    subprocess.run(["chmod", "-R", "a+rwX", folder], check=True)
    assert engine.start(ref, mount=folder).note == ""


def test_a_folder_that_does_not_exist(engine: DockerEngine, lab: str, tmp_path: Path):
    with pytest.raises(UsageError, match="there is no folder"):
        engine.start(lab, mount=tmp_path / "none")


@pytest.mark.parametrize("gpus", ["all", "1", "device=0"])
def test_gpus_where_there_are_none(engine: DockerEngine, lab: str, gpus: str):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has GPUs")
    if engine.status().flavour == "Podman":
        pytest.skip(
            "Podman 4 passes over the request (its GPUs are asked for by --device nvidia.com/gpu=all)"
        )
    with pytest.raises(EngineError, match="no GPUs to give"):
        engine.start(lab, gpus=gpus)
    assert [one for one in engine.containers() if one.ref == lab] == []


@pytest.mark.parametrize("gpus", ["", "none", "-1", "device=", "device=0;x"])
def test_a_choice_of_gpus_that_is_none(engine: DockerEngine, lab: str, gpus: str):
    with pytest.raises(UsageError, match="GPUs"):
        engine.start(lab, gpus=gpus)


def test_a_container_that_ends_at_once(engine: DockerEngine, ref: str):
    build(engine, ref, bundle('CMD ["sh", "-c", "echo no such kernel; exit 4"]'))
    with pytest.raises(EngineError, match="ended with status 4") as caught:
        engine.start(ref)
    assert "no such kernel" in caught.value.why
    assert [one for one in engine.containers() if one.ref == ref] == []


def test_programs_for_another_processor(engine: DockerEngine, ref: str):
    build(engine, ref, bundle("COPY other /other", "RUN chmod +x /other", 'CMD ["/other"]',
                              other=b"\x7fELF\x02\x01\x01" + bytes(200)))  # fmt: skip
    with pytest.raises(EngineError, match="programs do not run") as caught:
        engine.start(ref)
    assert "emulator" in caught.value.why
    assert "binfmt" in caught.value.fix


def test_a_container_that_never_answers(engine: DockerEngine, ref: str):
    build(engine, ref, bundle('CMD ["sleep", "600"]'))
    with pytest.raises(EngineError, match="did not answer within 1 s"):
        engine.start(ref, wait=1)
    assert [one for one in engine.containers() if one.ref == ref] == []


def test_start_is_cancelled(engine: DockerEngine, ref: str):
    build(engine, ref, bundle('CMD ["sleep", "600"]'))
    cancel = Cancel()
    threading.Timer(1, cancel.cancel).start()
    with pytest.raises(CancelledError):
        engine.start(ref, cancel=cancel)
    assert [one for one in engine.containers() if one.ref == ref] == []


def test_another_command(engine: DockerEngine, ref: str):
    build(engine, ref, bundle())
    container = engine.start(
        ref, argv=["sh", "-c", "trap exit TERM; echo 'a b' $0; sleep 600 & wait", "$HOME"]
    )
    assert container.url is None
    assert engine.logs(container.name) in (["a b $HOME"], [])


def test_containers_of_others_are_left_alone(engine: DockerEngine):
    client = engine._connected().client()
    other = client.create_container_from_config({"Image": BASE, "Cmd": ["sleep", "600"]}, f"{HERE}-other")[
        "Id"
    ]
    try:
        assert other not in [one.id for one in engine.containers()]
        for call in (engine.stop, engine.logs):
            with pytest.raises(UsageError, match="no container"):
                call(f"{HERE}-other")
            with pytest.raises(UsageError, match="no container"):
                call(other)
    finally:
        client.remove_container(other, force=True)


# The way there


@contextlib.contextmanager
def relay(
    host: str, path: Path, *, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[socket.socket]]]:
    """A socket of our own in front of the engine's, and its open connections: what can be cut."""
    held: list[socket.socket] = []

    def carry(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(connection: socket.socket) -> None:
        if tls is not None:
            connection = tls.wrap_socket(connection, server_side=True)
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(host.removeprefix("unix://"))
        held.extend((connection, behind))
        threading.Thread(target=carry, args=(behind, connection), daemon=True).start()
        carry(connection, behind)

    with listening(serve, None if tls else path) as address:
        yield address, held


def test_an_engine_that_vanishes_during_a_build(
    engine: DockerEngine, engine_environment: dict[str, str], tmp_path: Path
):
    with relay(engine.status().endpoint, tmp_path / "s") as (address, held):
        near = DockerEngine(environ=engine_environment | {"DOCKER_HOST": address})

        def report(event: Event) -> None:
            if isinstance(event, Log) and event.text == "now":
                (tmp_path / "s").unlink()
                for connection in held:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

        with pytest.raises(EngineError) as caught:
            build(
                near,
                f"{HERE}:vanished",
                bundle(f"RUN echo {uuid.uuid4().hex}", "RUN echo now; sleep 5"),
                report=report,
            )
    assert "went away during the build" in caught.value.what
    assert engine.inspect(f"{HERE}:vanished") is None


def test_an_engine_that_vanishes_under_a_program(engine: DockerEngine, tmp_path: Path):
    client, number = engine._connected().client(), str(uuid.uuid4().int % 10**9 + 10**9)

    def sandboxes(**more: str) -> list[str]:
        found = client.containers(all=True, filters={"label": f"{ownership.ROLE}=sandbox", **more})
        return [one["Id"] for one in found if number in str(one["Command"])]  # Podman leaves out `sleep`

    with relay(engine.status().endpoint, tmp_path / "s") as (address, held):
        near = DockerEngine(environ={"DOCKER_HOST": address, "PATH": "/nonexistent"})

        def cut() -> None:
            while not sandboxes(status="running"):
                time.sleep(0.1)
            (tmp_path / "s").unlink()
            for connection in held:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

        threading.Thread(target=cut, daemon=True).start()
        with pytest.raises(EngineError, match="connection to the engine broke"):
            near.execute(BASE, ["sleep", number])
    for one in sandboxes():  # nobody could remove it; the sweep would, in time
        client.remove_container(one, force=True)


def test_over_tls(engine: DockerEngine, tmp_path: Path):
    """Through a relay that asks for a client certificate, as dockerd --tlsverify does."""
    certify(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    if engine.status().flavour == "Podman":
        pytest.skip("Podman's service has no TLS")
    with relay(engine.status().endpoint, tmp_path / "s", tls=tls) as (address, _):
        environ = {"DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path),
                   "PATH": "/nonexistent"}  # fmt: skip
        far = DockerEngine(environ=environ)
        assert far.status(seconds=10).available
        data = os.urandom(1_000_000)
        assert far.execute(BASE, ["cat"], stdin=data) == data


def certify(folder: Path) -> None:
    """A CA, a server's certificate for 127.0.0.1, and a client's."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=ca",
            "-keyout", "ca.key", "-out", "ca.pem", "-addext", "keyUsage=critical,keyCertSign")  # fmt: skip
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name, output in (("server", "server.pem"), ("key", "cert.pem")):
        key = "server.key" if name == "server" else "key.pem"
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", "csr")
        openssl("x509", "-req", "-in", "csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-out", output, "-extfile", "names")  # fmt: skip


def test_over_ssh(engine: DockerEngine, engine_environment: dict[str, str], tmp_path: Path):
    """With a stand-in for the ssh client that runs the command here instead of there."""
    if not shutil.which("docker", path=engine_environment["PATH"]):
        pytest.skip("needs a docker CLI on the far side")
    docker = shutil.which("docker", path=engine_environment["PATH"])
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f"#!/bin/sh\nexport DOCKER_HOST={engine.status().endpoint}\nexec {docker} system dial-stdio\n"
    )
    ssh.chmod(0o755)
    environ = engine_environment | {
        "DOCKER_HOST": "ssh://me@far",
        "PATH": f"{tmp_path}:{engine_environment['PATH']}",
    }
    far = DockerEngine(environ=environ)
    try:
        assert far.status(seconds=10).available
        data = os.urandom(1_000_000)
        assert far.execute(BASE, ["cat"], stdin=data) == data
        name = f"{HERE}:far"
        assert build(far, name, bundle("RUN echo far")).refs == (name,)
        far.remove(name)
        with pytest.raises(UsageError, match="the engine runs on far"):
            far.start(BASE, mount=tmp_path)
    finally:
        far.close()
