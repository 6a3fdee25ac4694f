"""Whole images into registries: what is there does not travel, and a name is the old image or the new."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.base import Pushed
from jupyter_dockerize.engines.registry.blobs import RemoteBlob
from jupyter_dockerize.engines.registry.credentials import Login, Logins, nobody
from jupyter_dockerize.engines.registry.names import check_pushable
from jupyter_dockerize.engines.registry.pull import pull_manifest
from jupyter_dockerize.engines.registry.push import push_image
from jupyter_dockerize.errors import CancelledError, NamingCancelledError, RegistryError, UsageError
from jupyter_dockerize.events import Event, Progress
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import ImageValue
from jupyter_dockerize.image.reference import Reference

from .images import an_image
from .real import RealRegistry
from .servers import Conforming, Line, Tokens, closing, digest

PLATFORM = "linux/amd64"
Real = Callable[[str], RealRegistry]


def push(layout: Layout, image: ImageValue, ref: str, logins: Logins = nobody) -> Pushed:
    return push_image(layout, image, Reference.parse(ref), logins=logins)


def has(host: str, repository: str, image: ImageValue) -> bool:
    """Whether the registry gives back the image, every byte of it."""
    found = pull_manifest(Reference.parse(f"{host}/{repository}:1"), PLATFORM, logins=nobody)
    layers = [hashlib.sha256(b"".join(each.open(0, Cancel()))).hexdigest() for each in found.layers]
    return found.manifest == image.manifest_json and [f"sha256:{each}" for each in layers] == [
        each.descriptor.digest for each in image.layers
    ]


# A real registry


@pytest.mark.rig
def test_an_image_goes_in_once(real_registry: Real, tmp_path: Path) -> None:
    host = real_registry("").host
    layout, image = an_image(tmp_path / "layout", 300_000, 200_000, 10)
    first = push(layout, image, f"{host}/team/analysis:1")
    assert first.digest == image.descriptor.digest
    assert (first.uploaded, first.mounted, first.skipped) == (3, 0, 0)
    assert first.size == sum(path.stat().st_size for path in (layout.folder / "blobs/sha256").iterdir())
    assert has(host, "team/analysis", image)
    again = push(layout, image, f"{host}/team/analysis:1")
    assert (again.uploaded, again.mounted, again.skipped) == (0, 0, 3)
    by_descriptor = push_image(
        layout, layout.manifests()[0], Reference.parse(f"{host}/team/analysis:2"), logins=nobody
    )
    assert (by_descriptor.digest, by_descriptor.skipped) == (first.digest, 3)


@pytest.mark.rig
def test_layers_of_another_repository_are_mounted(real_registry: Real, tmp_path: Path) -> None:
    host = real_registry("").host
    layout, image = an_image(tmp_path / "layout", 300_000, 200_000)
    push(layout, image, f"{host}/team/base:1")
    base = pull_manifest(Reference.parse(f"{host}/team/base:1"), PLATFORM, logins=nobody)
    for layer in base.layers:
        layout.path(layer.descriptor.digest).unlink()
    known = {layer.descriptor.digest: layer for layer in base.layers}
    done = push_image(layout, image, Reference.parse(f"{host}/me/own:1"), elsewhere=known, logins=nobody)
    assert (done.uploaded, done.mounted, done.skipped) == (0, 2, 0)
    assert has(host, "me/own", image)


@pytest.mark.rig
def test_layers_of_another_registry_go_through_and_touch_no_disk(real_registry: Real, tmp_path: Path) -> None:
    source, target = real_registry("").host, real_registry("").host
    layout, image = an_image(tmp_path / "layout", 3_000_000, 200_000)
    push(layout, image, f"{source}/team/base:1")
    base = pull_manifest(Reference.parse(f"{source}/team/base:1"), PLATFORM, logins=nobody)
    for layer in base.layers:
        layout.path(layer.descriptor.digest).unlink()
    known = {layer.descriptor.digest: layer for layer in base.layers}
    # Both lines break: the source is taken up where it ended, the target begins anew.
    with closing(Line(source), Line(target, 1_000_000)) as (near, far):
        lined = {key: RemoteBlob(one.descriptor, near.host, "team/base") for key, one in known.items()}
        done = push_image(
            layout, image, Reference.parse(f"{far.host}/me/own:1"), elsewhere=lined, logins=nobody
        )
    assert (done.uploaded, done.mounted, done.skipped) == (2, 0, 0)
    assert has(target, "me/own", image)
    assert not any(layout.path(layer.descriptor.digest).exists() for layer in image.layers)


@pytest.mark.rig
def test_a_push_that_is_cut_at_any_of_50_places_ends_well(real_registry: Real, tmp_path: Path) -> None:
    host = real_registry("").host
    for number in range(50):
        layout, image = an_image(tmp_path / f"layout{number}", 150_000, 150_000, 100_000, seed=number)
        with closing(Line(host, 500 + number * 400_000 // 50)) as line:
            push(layout, image, f"{line.host}/cut/n{number}:1")
            assert not line.cuts
        assert has(host, f"cut/n{number}", image)


@pytest.mark.rig
def test_a_registry_that_is_killed_in_between_and_comes_back_gets_the_rest(
    real_registry: Real, tmp_path: Path
) -> None:
    registry = real_registry("")
    layout, image = an_image(tmp_path / "layout", 20_000_000, 20_000_000, 100_000)
    killed = threading.Event()

    def kill(event: Event) -> None:
        if isinstance(event, Progress) and event.done > 15_000_000 and not killed.is_set():
            killed.set()
            registry.kill()
            threading.Timer(1.0, registry.start).start()

    done = push_image(layout, image, Reference.parse(f"{registry.host}/a/b:1"), logins=nobody, report=kill)
    assert killed.is_set()
    assert done.digest == image.descriptor.digest
    assert has(registry.host, "a/b", image)


@pytest.mark.rig
def test_a_push_that_is_killed_leaves_the_old_image_or_the_new(real_registry: Real, tmp_path: Path) -> None:
    host = real_registry("").host
    old_layout, old = an_image(tmp_path / "old", 1000)
    push(old_layout, old, f"{host}/a/b:1")
    layout, new = an_image(tmp_path / "new", 15_000_000, 10_000_000, seed=2)
    program = (
        "import sys; from pathlib import Path;"
        "from jupyter_dockerize.engines.registry.push import push_image;"
        "from jupyter_dockerize.engines.registry.credentials import nobody;"
        "from jupyter_dockerize.image.layout import Layout;"
        "from jupyter_dockerize.image.reference import Reference;"
        "layout = Layout(Path(sys.argv[1])); print('.', flush=True);"
        "push_image(layout, layout.manifests()[0], Reference.parse(sys.argv[2]), logins=nobody)"
    )
    seen = set()
    for wait in (0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 5):
        ref = f"{host}/a/b:1"
        argv = [sys.executable, "-c", program, layout.folder, ref]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
        found = pull_manifest(Reference.parse(ref), PLATFORM, logins=nobody)
        assert found.ref.digest in (old.descriptor.digest, new.descriptor.digest)
        seen.add(found.ref.digest)
        assert has(host, "a/b", new if found.ref.digest == new.descriptor.digest else old)
    assert new.descriptor.digest in seen


@pytest.mark.rig
def test_what_is_pushed_comes_back_by_skopeo_with_the_same_digest(
    real_registry: Real, judges: Path, tmp_path: Path
) -> None:
    host = real_registry("").host
    layout, image = an_image(tmp_path / "layout", 300_000, 10)
    push(layout, image, f"{host}/a/b:1")
    target = tmp_path / "back"
    argv = [judges / "skopeo", "copy", "--src-tls-verify=false", f"docker://{host}/a/b:1", f"oci:{target}:1"]
    subprocess.run(argv, check=True, capture_output=True)
    index = json.loads((target / "index.json").read_bytes())
    assert [each["digest"] for each in index["manifests"]] == [image.descriptor.digest]


@pytest.mark.rig
def test_a_registry_that_wants_a_password(basic: RealRegistry, tmp_path: Path) -> None:
    layout, image = an_image(tmp_path / "layout", 1000)
    ref = f"{basic.host}/a/b:1"
    assert push(layout, image, ref, lambda *_: Login("ada", "secret")).uploaded == 1
    for login in (None, Login("ada", "wrong")):
        with pytest.raises(RegistryError) as error:
            push(layout, image, ref, lambda *_, login=login: login)  # type: ignore[misc]
        assert "401" in error.value.why
        assert f"`jupyter dockerize login {basic.host}`" in error.value.fix


@pytest.mark.rig
def test_a_registry_that_may_only_be_read(real_registry: Real, tmp_path: Path) -> None:
    layout, image = an_image(tmp_path / "layout", 1000)
    registry = real_registry("")
    registry.config.write_text(
        registry.config.read_text().replace(
            "storage:\n", "storage:\n  maintenance: {readonly: {enabled: true}}\n"
        )
    )
    registry.kill()
    registry.start()
    with pytest.raises(RegistryError, match="does not take a/b") as error:
        push(layout, image, f"{registry.host}/a/b:1")
    assert "405" in error.value.why
    assert "write" in error.value.fix


# Tokens


ADA = Login("ada", "secret")


def test_a_token_that_runs_out_on_the_way_is_renewed(conforming: Conforming, tmp_path: Path) -> None:
    layout, image = an_image(tmp_path / "layout", 300_000, 200_000, 100_000)
    with closing(Tokens({"ada": "secret"}, uses=5)) as tokens:
        conforming.guard = tokens.guard(f"http://{conforming.host}/token")
        # The token server must be the registry's own host to be shown a password.
        own = conforming._answer
        conforming._answer = (  # type: ignore[method-assign]
            lambda request: tokens.answer(request) if request.path.startswith("/token") else own(request)
        )
        guard = conforming.guard
        conforming.guard = lambda request: None if request.path.startswith("/token") else guard(request)
        push(layout, image, f"{conforming.host}/a/b:1", lambda *_: ADA)
        assert len(tokens.given) > 3
    assert conforming.manifests["a/b", "1"][1] == image.manifest_json


def test_a_password_is_not_shown_to_a_token_server_elsewhere(conforming: Conforming, tmp_path: Path) -> None:
    layout, image = an_image(tmp_path / "layout", 1000)
    with closing(Tokens({"ada": "secret"})) as tokens:
        conforming.guard = tokens.guard()
        with pytest.raises(RegistryError) as error:
            push(layout, image, f"{conforming.host}/a/b:1", lambda *_: ADA)
        assert tokens.authorized()
        assert set(tokens.authorized()) == {None}
        assert f"{tokens.host}, another host" in error.value.why


# The order of things


def test_the_name_comes_last(conforming: Conforming, tmp_path: Path) -> None:
    layout, image = an_image(tmp_path / "layout", 100_000, 1000)
    push(layout, image, f"{conforming.host}/a/b:1")
    writes = [(method, path) for method, path, _ in conforming.seen if method != "HEAD"]
    assert writes[-1] == ("PUT", "/v2/a/b/manifests/1")
    assert all("/blobs/uploads/" in path for _, path in writes[:-1])


def test_a_registry_that_says_another_digest_of_the_manifest_is_refused(
    conforming: Conforming, tmp_path: Path
) -> None:
    layout, image = an_image(tmp_path / "layout", 1000)

    def lie(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if "/manifests/" in path:
            headers["Docker-Content-Digest"] = digest(b"other")
        return status, headers

    conforming.twist = lie
    with pytest.raises(RegistryError, match="specification") as error:
        push(layout, image, f"{conforming.host}/a/b:1")
    assert digest(b"other") in error.value.why


@pytest.mark.parametrize("header", [{"Content-Length": "5"}, {"Docker-Content-Digest": digest(b"other")}])
def test_a_registry_that_has_another_blob_by_the_same_digest_is_refused(
    conforming: Conforming, tmp_path: Path, header: dict[str, str]
) -> None:
    layout, image = an_image(tmp_path / "layout", 1000)
    conforming.twist = lambda method, path, status, headers: (
        (200, header) if method == "HEAD" else (status, headers)
    )
    with pytest.raises(RegistryError, match="specification"):
        push(layout, image, f"{conforming.host}/a/b:1")
    assert not conforming.manifests


def test_one_blob_that_is_refused_ends_the_push_and_names_nothing(
    conforming: Conforming, tmp_path: Path
) -> None:
    layout, image = an_image(tmp_path / "layout", 1_000_000, 1000, 1000)
    broken = layout.path(image.layers[1].descriptor.digest)
    broken.write_bytes(b"x" * broken.stat().st_size)
    with pytest.raises(Exception, match="not whole"):
        push(layout, image, f"{conforming.host}/a/b:1")
    assert not conforming.manifests


def test_a_push_is_cancelled_while_the_registry_says_nothing(conforming: Conforming, tmp_path: Path) -> None:
    layout, image = an_image(tmp_path / "layout", 1000)
    silent, cancel = threading.Event(), Cancel()
    conforming.guard = lambda request: (  # type: ignore[assignment]
        silent.wait(30) and None if request.command == "PATCH" else None
    )
    threading.Timer(0.5, cancel.cancel).start()
    began = time.monotonic()
    with pytest.raises(CancelledError):
        push_image(layout, image, Reference.parse(f"{conforming.host}/a/b:1"), logins=nobody, cancel=cancel)
    assert time.monotonic() - began < 20  # and not for as long as it is silent
    silent.set()
    assert not conforming.manifests


@pytest.mark.parametrize("deaf", [False, True])
def test_the_uploads_of_a_push_that_is_cancelled_are_ended_by_who_began_them(
    conforming: Conforming, tmp_path: Path, deaf: bool
) -> None:
    """Or the registry takes no notice, and is not waited for."""
    layout, image = an_image(tmp_path / "layout", 400_000, 300_000)
    began, over, cancel = threading.Event(), threading.Event(), Cancel()

    def guard(request: BaseHTTPRequestHandler) -> None:
        if request.command == "PATCH":
            threading.Timer(0.2, cancel.cancel).start()
            began.set()
            over.wait(20 if deaf else 1)
        elif request.command == "DELETE" and deaf:
            over.wait(20)

    conforming.guard = guard
    started = time.monotonic()
    with pytest.raises(CancelledError):
        push_image(layout, image, Reference.parse(f"{conforming.host}/a/b:1"), logins=nobody, cancel=cancel)
    assert began.is_set()
    assert time.monotonic() - started < 5
    over.set()
    begun = {path.partition("?")[0] for path in conforming.paths("PATCH")}
    assert {path.partition("?")[0] for path in conforming.paths("DELETE")} == begun
    assert deaf or not conforming.uploads


def test_cancelled_while_the_name_is_given_nobody_says_which_image_has_it(
    conforming: Conforming, tmp_path: Path
) -> None:
    layout, image = an_image(tmp_path / "layout", 1000)
    silent, cancel = threading.Event(), Cancel()

    def guard(request: BaseHTTPRequestHandler) -> None:
        if request.command == "PUT" and "/manifests/" in request.path:
            cancel.cancel()
            silent.wait(30)

    conforming.guard = guard
    with pytest.raises(NamingCancelledError, match="the image of before, or the new one"):
        push_image(layout, image, Reference.parse(f"{conforming.host}/a/b:1"), logins=nobody, cancel=cancel)
    silent.set()


def test_progress_ends_with_all_of_it_and_never_falls(conforming: Conforming, tmp_path: Path) -> None:
    layout, image = an_image(tmp_path / "layout", 3_000_000, 1_500_000)
    events: list[Event] = []
    with closing(Line(conforming.host, 2_000_000)) as line:
        ref = Reference.parse(f"{line.host}/a/b:1")
        push_image(layout, image, ref, logins=nobody, report=events.append)
    done = [event.done for event in events if isinstance(event, Progress)]
    total = {event.total for event in events if isinstance(event, Progress)}
    assert done == sorted(done)
    assert {done[-1]} == total


# Names


def test_a_name_without_a_registry_is_refused() -> None:
    with pytest.raises(UsageError, match="names no registry") as error:
        check_pushable("penguins")
    assert "docker.io/USER/penguins" in error.value.fix
    assert check_pushable("ada/penguins").domain == "docker.io"
    assert check_pushable("localhost:5000/penguins").domain == "localhost:5000"


def test_a_name_with_a_digest_is_refused_and_the_one_without_is_shown() -> None:
    """What an engine or a registry makes of it differs: every tag is pushed, or the image gets no name."""
    tagged = "localhost:5000/a/b:1"
    with pytest.raises(UsageError, match="names a digest") as error:
        check_pushable(f"{tagged}@{digest(b'')}")
    assert error.value.fix == f"leave the digest out: {tagged}"
    assert error.value.instead == (f"{tagged}@{digest(b'')}", tagged)
    with pytest.raises(UsageError, match="names a digest") as error:
        check_pushable(f"localhost:5000/a/b@{digest(b'')}")
    assert error.value.fix == "leave the digest out: localhost:5000/a/b:TAG"
