"""A command in a running container, which becomes a layer: the tutorial's story, without its end."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import requests

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.contents.identity import LABEL_PYTHON
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.inhabited import Inhabited
from jupyter_dockerize.errors import (
    CancelledError,
    EngineError,
    FindingsError,
    UsageError,
    VerificationError,
)
from jupyter_dockerize.events import Event, Log, ignore
from jupyter_dockerize.layers import scanning, state
from jupyter_dockerize.recipe.bundle import Bundle
from jupyter_dockerize.typed import parse
from jupyter_dockerize.verbs import perform

from ..conftest import Rig
from ..kernels import Session
from ..resolve.index import private_index

pytestmark = pytest.mark.engine

BASE = "python:3.11.7-slim-bookworm"
CANARY = f"canary{uuid.uuid4().hex}"
TOKEN = "token: " + uuid.uuid4().hex + uuid.uuid4().hex[:16]
LAB = "jupyter-dockerize-test-lab"
USER, PASSWORD = "canary-user", "canary-Pa55-7f3a9"
PACKAGES = "/usr/local/lib/python3.11/site-packages"
RUNTIME = "/home/jovyan/.local/share/jupyter/runtime"
# What a Jupyter image does, without the minutes that it takes to make one.
DOCKERFILE = f"""\
FROM {BASE}
RUN useradd -m -u 1000 jovyan && chown -R jovyan /usr/local/bin {PACKAGES}
USER jovyan
ENV HOME=/home/jovyan
WORKDIR /home/jovyan
VOLUME /data
EXPOSE 8888
CMD ["sh", "-c", "mkdir -p {RUNTIME} && echo '{TOKEN}' > {RUNTIME}/server.json && sleep 600"]
"""
# How the tests' containers reach an index where the machine has one of its own.
NETWORK = [
    f"{name}={value}"
    for name, value in os.environ.items()
    if name in ("PIP_INDEX_URL", "HTTPS_PROXY", "HTTP_PROXY")
]

Start = Callable[..., Inhabited]


@pytest.fixture(scope="module")
def lab() -> Iterator[str]:
    """An image that others made."""
    engine = DockerEngine()
    name = f"{LAB}:{os.getpid()}"
    if engine.inspect(BASE) is None:
        engine.pull(BASE, report=ignore, cancel=Cancel())
    engine.build(
        Bundle({"Dockerfile": DOCKERFILE.encode()}), name, secrets={}, report=ignore, cancel=Cancel()
    )
    yield name
    engine.remove(name)
    engine.close()


@pytest.fixture
def ref(engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an image that there is not yet; what it gets is removed."""
    monkeypatch.chdir(tmp_path)
    name = f"jd-test-{uuid.uuid4().hex[:8]}"
    yield name
    for each in names(engine, name):
        engine.remove(each)


@pytest.fixture
def start(engine: DockerEngine, lab: str, ref: str) -> Iterator[Start]:
    client, made = engine._connected().client(), []

    def begin(image: str = lab, **more: Any) -> Inhabited:
        variables = [*NETWORK, f"AWS_SECRET_ACCESS_KEY={CANARY}"]
        made.append(client.create_container_from_config({"Image": image, "Env": variables, **more})["Id"])
        client.start(made[-1])
        return engine.container(made[-1])

    yield begin
    for one in made:
        with contextlib.suppress(docker.errors.NotFound):
            client.remove_container(one, force=True, v=True)


def names(engine: DockerEngine, ref: str) -> list[str]:
    """Every name of every image of ``ref``."""
    listed = engine._connected().client().images()
    return [name for one in listed for name in one.get("RepoTags") or () if f"{ref}:" in name]


def look(engine: DockerEngine, ref: str, script: str) -> str:
    return engine.execute(ref, ["/bin/sh", "-c", script], cancel=Cancel()).decode()


def run(engine: DockerEngine, container: Inhabited, script: str) -> str:
    said: list[bytes] = []
    engine.command(container, script, environ={}, output=said.append, cancel=Cancel())
    return b"".join(said).decode()


def test_what_was_installed_in_a_container_outlives_it(
    engine: DockerEngine, start: Start, lab: str, ref: str, tmp_path: Path
):
    client = engine._connected().client()
    container = start()
    said: list[Event] = []
    done = api.execute_in(container.name, "pip install --quiet humanize==4.9.0", ref, report=said.append)
    assert (done.status, done.number, done.verdict) == (0, 2, "identical")
    assert done.layer is not None
    assert [str(each) for each in done.layer.added] == ["humanize 4.9.0"]
    assert (done.layer.origin, done.layer.literal) == ("commit", False)
    texts = [event.text for event in said if isinstance(event, Log)]
    assert texts[0] == f"container {container.name} + image {ref}, layer 2"
    assert any("paused" in text for text in texts)

    # The server of the container goes on as it was, and nobody reads in the image how to reach it.
    assert TOKEN in run(engine, container, f"cat {RUNTIME}/*")
    client.remove_container(container.id, force=True, v=True)
    assert (
        look(engine, ref, "python -c 'import humanize; print(humanize.__version__)'; id -u")
        == "4.9.0\n1000\n"
    )
    assert api.verify(ref).verdict == "identical"
    assert [row.layer.command for row in api.history(api.Where(), ref).rows] == [
        f"FROM {lab}",
        "pip install --quiet humanize==4.9.0",
    ]
    for name in names(engine, ref):
        for text in (client.inspect_image(name), client.history(name)):
            assert CANARY not in json.dumps(text)
    saved = b"".join(client.get_image(ref))
    assert CANARY.encode() not in saved
    assert look(engine, ref, f"ls -A {RUNTIME}") == ""

    # The next one from the head goes on from there.
    second = start(ref)
    assert second.ref == ref
    done = api.execute_in(second.name, "pip uninstall --quiet --yes humanize")
    assert done.number == 3
    assert done.layer is not None
    assert [str(each) for each in done.layer.removed] == ["humanize 4.9.0 removed"]
    assert api.verify(ref).verdict == "identical"
    moved = perform(parse(["undo", ref], "jupyter dockerize"), ignore, Cancel())
    assert "the environment" not in moved.text  # of this process it is none
    assert look(engine, ref, "python -c 'import humanize; print(humanize.__version__)'") == "4.9.0\n"

    journal = tmp_path / "dockerize" / ref
    lock = next(journal.glob("layers/0002-*/requirements.txt")).read_text()
    assert "humanize==4.9.0" in lock
    assert "--hash=sha256:" in lock
    assert not any(CANARY.encode() in path.read_bytes() for path in journal.rglob("*") if path.is_file())


def test_a_cell_installs_into_a_container_and_commits_it(
    engine: DockerEngine, start: Start, ref: str, older: Path, tmp_path: Path
):
    container = start()
    with Session(older, tmp_path) as kernel:
        out = kernel.run(f"%docker_exec --container {container.name} --image {ref} pip install cowsay==6.0")
        assert out.error is None, out.error
        assert f"container {container.name} + image {ref}, layer 2\n" in out.stdout
        assert "Successfully installed cowsay-6.0" in out.stdout
        assert f"\nlayer 2 of {ref}: cowsay 6.0 · " in out.stdout
        assert look(engine, ref, "pip show cowsay").startswith("Name: cowsay\nVersion: 6.0\n")
        run(engine, container, "pip uninstall --quiet --yes cowsay")
        out = kernel.run(f"%dockerize commit --container {container.name} -t {ref}")
        assert out.error is None, out.error
        assert f"layer 3 of {ref}: cowsay 6.0 removed · " in out.stdout + str(out.displays)
        out = kernel.run(f"%docker_exec --container {container.name} --image {ref} exit 7")
        assert out.error is not None
        assert out.error["evalue"] == "the command failed with status 7"
    assert look(engine, ref, "pip show cowsay 2>/dev/null || echo none") == "none\n"


def test_a_command_that_fails_makes_no_layer_and_passes_its_status_on(
    engine: DockerEngine, start: Start, ref: str, tmp_path: Path
):
    words = ["exec", "--container", start().name, "--image", ref, "--", "echo on; exit 7"]
    said: list[Event] = []
    outcome = perform(parse(words, "jupyter dockerize"), said.append, Cancel())
    assert outcome.status == 7
    assert "on" in [event.text for event in said if isinstance(event, Log)]
    assert outcome.json["layer"] is None
    assert names(engine, ref) == []
    assert list(tmp_path.iterdir()) == []
    assert state.load(ref) is None


def test_a_literal_command_is_kept_as_typed_and_what_no_package_owns_is_named(
    engine: DockerEngine, start: Start, ref: str, tmp_path: Path
):
    command = 'echo "it\'s $(whoami); ünï" > ~/said\n'
    done = api.execute_in(start().name, command, ref)
    assert done.layer is not None
    assert done.layer.literal
    assert {each.code for each in done.findings} == {"not-pinned", "files-of-no-package"}
    assert "/home/jovyan/said" in " ".join(each.message for each in done.findings)
    assert look(engine, ref, "cat /home/jovyan/said") == "it's jovyan; ünï\n"
    assert next((tmp_path / "dockerize" / ref).glob("layers/*/run.sh")).read_text() == command


def test_the_state_of_a_container_becomes_an_image(engine: DockerEngine, start: Start, lab: str, ref: str):
    container = start()
    run(engine, container, "echo by hand > /home/jovyan/notes")
    words = ["commit", "--container", container.name, "-t", ref]
    outcome = perform(parse(words, "jupyter dockerize"), ignore, Cancel())
    assert outcome.status == 0
    assert outcome.json["number"] == 2
    assert outcome.json["layer"]["command"] == f"commit --container {container.name}"
    assert "/home/jovyan/notes" in outcome.text
    assert look(engine, ref, "cat notes 2>/dev/null || cat /home/jovyan/notes") == "by hand\n"
    below, now = (engine._connected().client().inspect_image(each)["Config"] for each in (lab, ref))
    kept = [{k: v for k, v in each.items() if v and k != "Labels"} for each in (below, now)]
    assert kept[0] == kept[1]


def test_an_environment_on_a_mount_is_refused_before_anything_runs(
    engine: DockerEngine, start: Start, ref: str
):
    container = start(HostConfig={"Mounts": [{"Type": "volume", "Target": "/usr/local/lib"}]})
    with pytest.raises(UsageError, match="is not in the container") as caught:
        api.execute_in(container.name, "touch /tmp/ran", ref)
    assert "/usr/local/lib" in caught.value.why
    assert run(engine, container, "ls /tmp/ran 2>&1 || :") != "/tmp/ran\n"
    assert names(engine, ref) == []


@pytest.mark.parametrize(
    "command",
    [
        "echo $AWS_SECRET_ACCESS_KEY > ~/settings",
        "mkdir ~/.aws; echo x > ~/.aws/credentials",
        "echo 'token = ghp_" + "a1B2" * 9 + "' > ~/config.txt",
        f"echo https://me:s3cr3tw0rd@index.example.org/x > {PACKAGES}/direct_url.json",
    ],
)
def test_a_secret_in_a_file_stops_the_commit(engine: DockerEngine, start: Start, ref: str, command: str):
    container = start()
    with pytest.raises(FindingsError) as caught:
        api.execute_in(container.name, command, ref)
    assert caught.value.findings[0].code == "secret-in-file"
    assert CANARY not in str(caught.value)
    assert f"commit --container {container.name} -t {ref} --allow secret-in-file" in caught.value.fix
    assert names(engine, ref) == []
    if "config.txt" in command:  # what the error says
        assert api.commit(container.name, ref, allow=["secret-in-file"]).number == 2


def test_an_index_that_the_command_names_is_asked_with_the_login_of_the_command(
    engine: DockerEngine, start: Start, ref: str, tmp_path: Path
):
    with private_index((USER, PASSWORD)) as index:
        digest = index.add("harbour", "1.0")
        url = index.url.replace("//", f"//{USER}:{PASSWORD}@")
        container = start(HostConfig={"NetworkMode": "host"}, Env=[*NETWORK, "NO_PROXY=127.0.0.1"])
        done = api.execute_in(container.name, f"pip install --extra-index-url {url} harbour", ref)
    assert done.layer is not None
    assert [str(each) for each in done.layer.added] == ["harbour 1.0"]
    assert not done.layer.literal
    assert {each.code for each in done.findings} == {"base-not-pinned"}
    journal = tmp_path / "dockerize" / ref
    lock = next(journal.glob("layers/0002-*/requirements-index-1.txt")).read_text()
    assert f"--index-url {index.url}\n" in lock
    assert f"--hash={digest}" in lock
    for path in (path for path in (*journal.rglob("*"), *state.folder_for(ref).rglob("*")) if path.is_file()):
        assert PASSWORD.encode() not in path.read_bytes()


def test_a_literal_command_with_a_secret_is_not_kept_to_be_run_without_it(
    engine: DockerEngine, start: Start, ref: str, tmp_path: Path
):
    command = f"PASSWORD={PASSWORD}; touch ~/said"
    done = api.execute_in(start().name, command, ref)
    assert done.layer is not None
    assert done.layer.literal
    assert not list((tmp_path / "dockerize" / ref).glob("layers/*/run.sh"))
    (said,) = [each for each in done.findings if each.code == "not-pinned"]
    assert said.severity == "warning"
    assert "holds a secret" in said.message


def test_what_a_label_says_of_the_interpreter_is_a_name_and_no_script(
    engine: DockerEngine, start: Start, lab: str, ref: str
):
    text = f'FROM {lab}\nLABEL {LABEL_PYTHON}="/usr/local/bin/python; touch /tmp/ran; true"\n'
    named = f"{ref}:labelled"
    engine.build(Bundle({"Dockerfile": text.encode()}), named, secrets={}, report=ignore, cancel=Cancel())
    container = start(named)
    with pytest.raises(VerificationError, match="no Python"):
        api.execute_in(container.name, "touch ~/one", ref)
    assert run(engine, container, "ls /tmp/ran 2>/dev/null || echo none") == "none\n"


def test_neither_folders_nor_what_is_mounted_is_read_as_if_it_were_a_file(
    engine: DockerEngine, start: Start, ref: str, monkeypatch: pytest.MonkeyPatch
):
    api.execute_in(start().name, "mkdir ~/data && head -c 30000000 /dev/zero > ~/data/zeros", ref)
    mount = {"Type": "tmpfs", "Target": "/scratch"}  # the engine makes the folder, which has changed by that
    container = start(ref, HostConfig={"Mounts": [mount], "Tmpfs": {"/home/jovyan/scratch": ""}})
    run(
        engine,
        container,
        "chmod 700 ~/data; ln -s data ~/link; mkfifo ~/pipe\n"
        f"head -c 30000000 /dev/zero > /scratch/zeros; echo {CANARY} > /scratch/key",
    )
    assert engine.changes(container).keys() >= {"/scratch", "/home/jovyan/data", "/home/jovyan/pipe"}
    asked, came = 0, 0
    get = docker.APIClient.get

    def counted(client: docker.APIClient, url: str, **more: Any) -> Any:
        nonlocal asked
        answer = get(client, url, **more)
        if "/archive?" not in url:
            return answer
        asked += 1
        content = answer.iter_content

        def blocks(size: int) -> Iterator[bytes]:
            nonlocal came
            for block in content(size):
                came += len(block)
                yield block

        answer.iter_content = blocks
        return answer

    monkeypatch.setattr(docker.APIClient, "get", counted)
    said: list[Event] = []
    done = api.commit(container.name, ref, report=said.append)
    assert done.number == 3
    assert asked
    assert came < 1 << 20
    assert {each.code for each in done.findings} <= {"files-of-no-package", "not-pinned"}
    assert "/scratch" not in " ".join(each.message for each in done.findings)


def test_files_that_were_not_searched_for_secrets_are_counted(
    engine: DockerEngine, start: Start, ref: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scanning, "MOST", 4)
    monkeypatch.setattr(scanning, "SCAN_LIMIT", 1000)
    container = start()
    run(engine, container, "cd; head -c 1001 /dev/zero > a; touch b c d e")
    done = api.commit(container.name, ref)
    (found,) = [each for each in done.findings if each.code == "files-not-searched"]
    assert found.message.startswith(f"3 files of {container.name} not searched for secrets: ")
    assert found.message.endswith("/home/jovyan/a, /home/jovyan/d, /home/jovyan/e")


def test_an_engine_that_dies_while_files_are_searched_is_an_error_of_the_engine(
    engine: DockerEngine, start: Start, ref: str, monkeypatch: pytest.MonkeyPatch
):
    get = docker.APIClient.get

    def broken(client: docker.APIClient, url: str, **more: Any) -> Any:
        if "/archive?" in url:
            raise requests.ConnectionError("Connection aborted.")
        return get(client, url, **more)

    container = start()
    run(engine, container, "touch ~/one")
    monkeypatch.setattr(docker.APIClient, "get", broken)
    with pytest.raises(EngineError, match="asked to read /home/jovyan"):
        api.commit(container.name, ref)
    assert names(engine, ref) == []


def test_an_interrupt_leaves_the_head_as_it_was(engine: DockerEngine, start: Start, ref: str):
    container = start()
    api.execute_in(container.name, "touch ~/one", ref)
    before, cancel = engine.find(ref), Cancel()
    began: list[float] = []

    def report(event: Event) -> None:
        if isinstance(event, Log) and event.text == "now":
            began.append(time.monotonic())
            cancel.cancel()

    with pytest.raises(CancelledError):
        api.execute_in(
            container.name, "trap '' INT; echo now; sleep 60; sleep 60", ref, report=report, cancel=cancel
        )
    assert time.monotonic() - began[0] < 5
    assert engine.find(ref) == before
    assert len(api.history(api.Where(), ref).rows) == 2
    assert api.execute_in(container.name, "touch ~/two", ref).number == 3


def test_a_container_that_is_killed_leaves_the_head_as_it_was(engine: DockerEngine, start: Start, ref: str):
    container, client = start(), engine._connected().client()
    api.execute_in(container.name, "touch ~/one", ref)
    before = engine.find(ref)

    def report(event: Event) -> None:
        if isinstance(event, Log) and event.text == "now":
            threading.Thread(target=client.kill, args=(container.id,)).start()

    with pytest.raises(EngineError, match=container.name):
        api.execute_in(container.name, "echo now; sleep 60", ref, report=report)
    assert engine.find(ref) == before
    assert len(api.history(api.Where(), ref).rows) == 2


def test_a_container_without_a_layer_of_another_does_not_take_it_away(start: Start, ref: str):
    one, two = start(), start()
    api.execute_in(one.name, "touch ~/one", ref)
    with pytest.raises(UsageError, match=f"runs {ref} without its layer 2") as caught:
        api.execute_in(two.name, "touch ~/two", ref)
    assert f"commit --container {two.name} -t NAME" in caught.value.fix
    assert api.execute_in(one.name, "touch ~/three", ref).number == 3


def test_a_container_of_another_image_is_refused(engine: DockerEngine, start: Start, ref: str):
    engine.tag(engine.find(BASE).id, ref)
    with pytest.raises(UsageError, match="was not started from"):
        api.execute_in(start().name, "touch ~/one", ref)
    assert engine.find(ref).id == engine.find(BASE).id


def test_what_is_of_containers_is_installed_in_containers(
    engine: DockerEngine, start: Start, ref: str, tmp_path: Path
):
    api.execute_in(start().name, "touch ~/one", ref)
    before = engine.find(ref)
    for refused in (
        lambda: api.execute(api.Where(), "touch /tmp/nothing", ref),
        lambda: api.execute(api.Where(), "touch /tmp/nothing", ref, image_only=True),
        lambda: api.keep(api.Where(), ref),
    ):
        with pytest.raises(UsageError, match="is no image of this environment"):
            refused()
    with pytest.raises(UsageError, match="no environment here follows it"):
        api.undo(api.Where(), ref, env=True)
    with pytest.raises(UsageError, match="cannot be rebuilt") as caught:
        api.rebuild(tmp_path / "dockerize" / ref)
    assert "an image that others made" in caught.value.why
    assert engine.find(ref) == before


def test_a_journal_names_the_image_of_a_registry_that_it_begins_with(
    engine: DockerEngine, start: Start, ref: str, rig: Rig, tmp_path: Path
):
    name = f"{rig.registry}/library/{BASE}"
    pulled = engine.pull(name, report=ignore, cancel=Cancel())
    container = start(name, Cmd=["sleep", "600"])
    assert api.execute_in(container.name, "touch /srv/one", ref).number == 2
    text = (tmp_path / "dockerize" / ref / "Dockerfile").read_text()
    assert text.endswith(f"FROM {rig.registry}/library/python@{pulled.digest}\n")
    with pytest.raises(UsageError) as caught:
        api.rebuild(tmp_path / "dockerize" / ref)
    assert str(pulled.digest) in caught.value.why


def test_containers_are_dockers(ref: str):
    with pytest.raises(UsageError, match="builtin engine has no containers"):
        api.commit("lab", ref, engine="builtin")
    for option in ("--retry", "--image-only"):
        words = ["exec", "--container", "lab", option, "--", "true"]
        with pytest.raises(UsageError, match=f"--container and {option} do not go together"):
            perform(parse(words, "jupyter dockerize"), ignore, Cancel())
