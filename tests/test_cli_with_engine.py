"""The command line and a real engine: an environment becomes an image, is opened, and closed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from jupyter_dockerize.contents.identity import LABEL_NOTEBOOK
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.ownership import BUILDING

from .commandline import argv, environment, listing, notebook, run

pytestmark = pytest.mark.engine


@pytest.fixture
def project(tmp_path: Path, engine: DockerEngine) -> Iterator[Path]:
    """A notebook of a name that nothing else has; its images and containers are gone afterwards."""
    yield notebook(tmp_path / f"nb-{secrets.token_hex(6)}.ipynb", f"print({secrets.randbits(64)})")
    for container in engine.containers():
        if container.ref.startswith("nb-"):
            engine.stop(container.name)
    for image in images_of(engine, tmp_path):
        for ref in image["RepoTags"] or [image["Id"]]:
            engine.remove(ref)


def images_of(engine: DockerEngine, folder: Path) -> list[dict[str, Any]]:
    """Every image of the engine, named or not, that was made of the notebooks in ``folder``."""
    client = engine._connected().client()
    names = [path.name for path in folder.glob("nb-*.ipynb")]
    return [
        one
        for name in names
        for one in client.images(all=True, filters={"label": f"{LABEL_NOTEBOOK}={name}"})
    ]


def containers_of(engine: DockerEngine, folder: Path) -> list[dict[str, Any]]:
    """Every container of such an image."""
    client = engine._connected().client()
    names = [path.name for path in folder.glob("nb-*.ipynb")]
    return [
        one
        for name in names
        for one in client.containers(all=True, filters={"label": f"{LABEL_NOTEBOOK}={name}"})
    ]


def test_a_notebook_becomes_an_image_that_opens(project: Path, tiny: Path) -> None:
    name = project.stem
    built = run("build", project, "--python", tiny, "--json")
    assert built.status == 0, built.stderr
    assert built.stdout.count("\n") == 1
    assert built.json["ref"] == name
    assert built.json["verdict"] in ("identical", "equivalent")
    assert "[4/4]" in built.stderr
    recipe = Path(built.json["recipe"])
    assert recipe.name == name
    assert {"Dockerfile", "README.md", "plan.json", "project.tar", "snapshot.json"} <= set(listing(recipe))

    verified = run("verify", name)
    assert verified.status == 0
    assert verified.stdout.startswith("✓ ")
    assert len(verified.stdout.splitlines()) < 40
    assert name in run("images").stdout

    opened = run("run", name, "--json")
    assert opened.status == 0, opened.stderr
    (container,) = opened.json["containers"]
    address, _, token = container["url"].partition("/lab/tree/")
    token = token.partition("token=")[2]
    request = urllib.request.Request(f"{address}/api/contents", headers={"Authorization": f"token {token}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert project.name in {entry["name"] for entry in json.load(answer)["content"]}
    assert container["url"] in run("ps").stdout
    assert run("logs", container["name"], "--tail", "5").stdout.strip()
    assert run("stop", container["name"]).status == 0
    assert container["name"] not in run("ps").stdout


def test_another_notebooks_image_is_never_overwritten_unasked(
    project: Path, tiny: Path, tmp_path: Path
) -> None:
    other = notebook(tmp_path / "nb-other.ipynb", "1")
    name = project.stem
    assert run("build", other, "--python", tiny, "-t", name, "--no-verify").status == 0
    refused = run("build", project, "--python", tiny)
    assert refused.status == 2
    assert f"there is an image {name} already" in refused.stderr
    assert "nb-other.ipynb" in refused.stderr
    asked = run("build", project, "--python", tiny, "-t", name, "--no-verify")
    assert asked.status == 0
    assert "not verified" in asked.stdout


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_an_image_that_is_not_here_is_one_error_for_every_verb(verb: str, engine: DockerEngine) -> None:
    done = run(verb, "jd-test/nowhere")
    assert done.status == 2
    assert done.stderr.startswith("error: there is no image jd-test/nowhere in this engine\n")
    assert "`docker pull jd-test/nowhere`" in done.stderr


def test_an_image_that_cannot_be_looked_into_is_one_json_object(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim\n")
    name = f"no-python-{secrets.token_hex(6)}"
    subprocess.run(["docker", "build", "-q", "-t", name, tmp_path], check=True, capture_output=True)
    try:
        done = run("verify", name, f"python:{tiny}", "--json")
        assert (done.status, done.json["verdict"], done.json["differences"]) == (1, "impossible", [])
        assert "there is no Python in it" in done.json["summary"]
        done = run("verify", name, f"python:{tiny}")
        assert (done.status, done.stdout) == (1, "")
        assert "why: there is no Python in it\n" in done.stderr
    finally:
        subprocess.run(["docker", "rmi", name], check=True, capture_output=True)


def test_a_base_that_does_not_exist_fails_and_leaves_nothing(
    project: Path, tiny: Path, engine: DockerEngine, tmp_path: Path
) -> None:
    done = run("build", project, "--python", tiny, "--base", "nosuch.invalid/none:1")
    assert done.status == 4
    assert "nosuch.invalid/none:1" in done.stderr
    assert "Traceback" not in done.stderr
    assert not images_of(engine, tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("place", ["TMPDIR", "output"])
def test_a_full_disk_is_named_and_nothing_half_done_stays(
    place: str, project: Path, tiny: Path, engine: DockerEngine, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], check=True)
    try:
        (disk / "filler").write_bytes(b"x" * 8192)
        if place == "TMPDIR":
            done = run("build", project, "--python", tiny, env={"TMPDIR": str(disk)})
        else:
            done = run("recipe", project, "--python", tiny, "-o", disk / "out")
        assert listing(disk) == {"filler": 8192}
    finally:
        subprocess.run(["umount", disk], check=True)
    assert "Traceback" not in done.stderr
    if place == "output":
        assert done.status == 2
        assert "No space left on device" in done.stderr
    elif done.status != 0:  # what needs no temporary file may go on
        assert done.status in (2, 4)
        assert "No space left on device" in done.stderr
        assert not images_of(engine, tmp_path)


def reaches(stream: IO[bytes], moment: str) -> bool:
    """Reads progress as JSON lines until ``moment``: "step 3", "inner" (a step of the builder), "log"."""
    for line in stream:
        event = json.loads(line)
        kind = event["event"]
        seen = {kind}
        if kind == "step":
            seen.add("inner" if event["within"] else f"step {event['number']}")
        if moment in seen:
            return True
    return False


MOMENTS = ["step 1", "log", "step 2", "step 3", "inner", "step 4"]
LATER = [0.0, 0.4]  # seconds after the moment: into the middle of what it began


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_at_any_moment_leaves_nothing_behind(
    moment: str, later: float, number: int, project: Path, tiny: Path, engine: DockerEngine, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before = listing(tmp_path)
    build = subprocess.Popen(
        argv("build", project, "--python", tiny, "--progress", "jsonl"),
        cwd=tmp_path,
        env=environment({"TMPDIR": str(temporary)}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert build.stderr is not None
    assert reaches(build.stderr, moment)
    try:
        build.wait(later)
    except subprocess.TimeoutExpired:
        # As a terminal does: the whole group gets it, uv and docker too.
        os.killpg(build.pid, number) if number == signal.SIGINT else build.send_signal(number)
    stdout, stderr = build.communicate(timeout=40)
    if build.returncode == 0:  # it was finished before the interrupt
        assert [image["RepoTags"] for image in images_of(engine, tmp_path)] == [[f"{project.stem}:latest"]]
        return
    assert build.returncode == 130, stderr
    assert b"Traceback" not in stderr
    assert stdout == b""
    assert [image["RepoTags"] for image in images_of(engine, tmp_path)] == [], stderr
    assert [container["Names"] for container in containers_of(engine, tmp_path)] == []
    assert listing(tmp_path) == before


def test_an_interrupt_gives_a_name_its_image_back(project: Path, tiny: Path, engine: DockerEngine) -> None:
    typed = ["build", project, "--python", tiny, "-t", project.stem]
    first = run(*typed, "--no-verify", "--json").json["image_id"]
    notebook(project, "print('another')")
    build = subprocess.Popen(argv(*typed, "--progress", "jsonl"), env=environment(), stderr=subprocess.PIPE)
    assert build.stderr is not None
    assert reaches(build.stderr, "step 4")
    build.send_signal(signal.SIGINT)
    build.communicate(timeout=10)
    assert build.returncode == 130
    kept = engine.inspect(project.stem)
    assert kept is not None
    assert kept.id == first
    assert BUILDING not in " ".join(kept.refs)
