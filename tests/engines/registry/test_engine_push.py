"""Images that engines put into registries, with the logins that are kept here."""

from __future__ import annotations

import os
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.docker import DockerEngine
from jupyter_dockerize.engines.registry import login as room
from jupyter_dockerize.engines.registry.credentials import Login, StoredLogins
from jupyter_dockerize.engines.registry.digest import digest_of
from jupyter_dockerize.engines.registry.pull import pull_manifest
from jupyter_dockerize.errors import CancelledError, EngineError, UsageError
from jupyter_dockerize.events import Event, Progress, ignore
from jupyter_dockerize.image.reference import Reference

from ...conftest import Rig
from .images import into
from .real import RealRegistry

pytestmark = [pytest.mark.engine, pytest.mark.rig]

ADA = Login("ada", "secret")
Take = Callable[[DockerEngine, str], str]


@pytest.fixture
def take() -> Iterator[Take]:
    """Puts an image of three layers into an engine under that name, which is then gone at the end."""
    taken: list[tuple[DockerEngine, str]] = []

    def put(engine: DockerEngine, ref: str) -> str:
        # Engines remember which repository has a layer, and would take it from there.
        seed = uuid.uuid4().int
        write = lambda layout, compression: into(layout, 50_000, 100_000, 10, seed=seed)  # noqa: E731
        engine.take(write, ref, size=150_000, report=ignore, cancel=Cancel())
        taken.append((engine, ref))
        return ref

    yield put
    for engine, ref in taken:
        engine.remove(ref)


def fresh(host: str) -> str:
    return f"{host}/push-test/{uuid.uuid4().hex[:12]}:1"


def remove(host: str, ref: str, digest: str) -> None:
    path = Reference.parse(ref).path
    requests.delete(f"http://{host}/v2/{path}/manifests/{digest}", timeout=30)


def test_an_engine_puts_an_image_into_its_registry(engine_matrix: DockerEngine, rig: Rig, take: Take) -> None:
    ref = take(engine_matrix, fresh(rig.registry))
    done = engine_matrix.push(ref, report=ignore, cancel=Cancel())
    assert done.ref == ref
    assert done.digest == digest_of(ref, "linux/amd64")
    found = pull_manifest(Reference.parse(ref), "linux/amd64")
    assert done.size == sum(map(len, (found.manifest, found.config))) + sum(
        layer.descriptor.size for layer in found.layers
    )
    says = engine_matrix.status().flavour != "Podman"
    assert (done.uploaded, done.mounted, done.skipped) == ((3, 0, 0) if says else (0, 0, 0))
    again = engine_matrix.push(ref, report=ignore, cancel=Cancel())
    assert again.digest == done.digest
    assert (again.uploaded, again.skipped) == ((0, 3) if says else (0, 0))
    remove(rig.registry, ref, done.digest)


def test_what_is_not_here_or_has_no_registrys_name_is_refused(engine_matrix: DockerEngine, rig: Rig) -> None:
    with pytest.raises(UsageError, match="there is no image"):
        engine_matrix.push(fresh(rig.registry), report=ignore, cancel=Cancel())
    with pytest.raises(UsageError, match="names no registry"):
        engine_matrix.push("penguins", report=ignore, cancel=Cancel())


def test_by_its_digest_alone_an_image_is_not_pushed(
    engine_matrix: DockerEngine, rig: Rig, take: Take
) -> None:
    ref = take(engine_matrix, fresh(rig.registry))
    done = engine_matrix.push(ref, report=ignore, cancel=Cancel())
    bare = f"{ref.removesuffix(':1')}@{done.digest}"
    with pytest.raises(UsageError, match="names a digest"):
        engine_matrix.push(bare, report=ignore, cancel=Cancel())
    remove(rig.registry, ref, done.digest)


def test_a_registry_that_is_not_there_is_told(engine: DockerEngine, take: Take) -> None:
    ref = take(engine, fresh("127.0.0.1:9"))
    with pytest.raises(EngineError, match="cannot be pushed") as error:
        engine.push(ref, report=ignore, cancel=Cancel())
    assert error.value.why


def test_a_password_comes_from_where_login_keeps_it(
    engine: DockerEngine, basic: RealRegistry, take: Take, tmp_path: Path
) -> None:
    environ = {**os.environ, "DOCKER_CONFIG": str(tmp_path / "config")}
    ref = take(engine, fresh(basic.host))
    own = DockerEngine(environ=environ)
    with pytest.raises(EngineError, match="cannot be pushed") as error:
        own.push(ref, report=ignore, cancel=Cancel())
    assert f"`jupyter dockerize login {basic.host}`" in error.value.fix
    room.login(basic.host, ADA, environ=environ)
    done = own.push(ref, report=ignore, cancel=Cancel())
    assert done.digest == digest_of(ref, "linux/amd64", logins=lambda *_: ADA)
    own.close()


def test_docker_and_we_find_each_others_logins(
    engine: DockerEngine, basic: RealRegistry, tmp_path: Path
) -> None:
    ours, theirs = ({**os.environ, "DOCKER_CONFIG": str(tmp_path / name)} for name in ("ours", "theirs"))
    words = ["docker", "login", basic.host, "-u", "ada", "--password-stdin"]
    subprocess.run(words, input=b"secret", env=theirs, check=True, capture_output=True)
    assert StoredLogins(theirs)(basic.host) == ADA
    room.login(basic.host, ADA, environ=ours)
    known = subprocess.run(["docker", "login", basic.host], env=ours, check=True, capture_output=True)
    assert b"existing credentials" in known.stdout
    subprocess.run(["docker", "logout", basic.host], env=ours, check=True, capture_output=True)
    assert StoredLogins(ours)(basic.host) is None


def test_a_login_of_skopeo_is_found(basic: RealRegistry, judges: Path, tmp_path: Path) -> None:
    file = tmp_path / "auth.json"
    words = ["login", "--tls-verify=false", "--authfile", file, "-u", "ada", "-p", "secret", basic.host]
    subprocess.run([judges / "skopeo", *words], check=True, capture_output=True)
    assert StoredLogins({"REGISTRY_AUTH_FILE": str(file)})(basic.host) == ADA


def test_a_push_is_cancelled(
    engine: DockerEngine, real_registry: Callable[[str], RealRegistry], take: Take
) -> None:
    registry = real_registry("")
    ref, cancel = take(engine, fresh(registry.host)), Cancel()

    def cut(event: Event) -> None:
        if isinstance(event, Progress):
            cancel.cancel()

    with pytest.raises(CancelledError):
        engine.push(ref, report=cut, cancel=cancel)
    threading.Event().wait(1)
    assert digest_of(ref, "linux/amd64") is None
