"""Layers that go into a registry while they are made: whole and compared, or without a name."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize import events
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.registry import making, patience
from jupyter_dockerize.engines.registry.credentials import nobody
from jupyter_dockerize.engines.registry.pull import pull_manifest
from jupyter_dockerize.engines.registry.push import push_image
from jupyter_dockerize.errors import CancelledError, RegistryError
from jupyter_dockerize.events import Event, Progress, Report, ignore
from jupyter_dockerize.export import copying, sending
from jupyter_dockerize.export.copying import Copy
from jupyter_dockerize.export.onto import base_of
from jupyter_dockerize.export.sending import Sent
from jupyter_dockerize.image import cache
from jupyter_dockerize.image.alongside import Alongside
from jupyter_dockerize.image.cache import LayerCache
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import ImageValue
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.tar import ChangedError
from jupyter_dockerize.image.validate.layout import validate

from ..engines.registry.real import RealRegistry
from ..engines.registry.servers import Conforming, Line, closing
from ..image.layouts import good
from .copies import copy_of, environment

PLATFORM = "linux/amd64"
Real = Callable[[str], RealRegistry]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return environment(tmp_path / "env")


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "records"


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little is remembered of what is made: the layer of a megabyte is on its way before it is known."""
    monkeypatch.setattr(making, "KEPT", 100_000)
    monkeypatch.setattr(patience, "FIRST", 0.01)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written a moment ago counts as old: nobody waits two seconds here."""
    monkeypatch.setattr(cache, "TICK", -1_000_000_000)


def send(
    copy: Copy,
    host: str,
    records: Path,
    *,
    check: bool = True,
    report: Report = ignore,
    cancel: Cancel | None = None,
) -> Sent:
    return sending.send(
        copy, Reference.parse(f"{host}/me/own:1"), check=check, known=LayerCache(records), logins=nobody,
        report=report, cancel=cancel or Cancel(),
    )  # fmt: skip


def came(host: str, to: Path, sent: Sent) -> None:
    """The registry gives the image back, every byte of it, and it is fit."""
    found = pull_manifest(Reference.parse(f"{host}/me/own:1"), PLATFORM, logins=nobody)
    assert found.manifest == sent.value.manifest_json
    layout = Layout.create(to)
    for layer in found.layers:
        data = b"".join(layer.open(0, Cancel()))
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == layer.descriptor.digest
        layout.add(data, layer.descriptor.media_type)
    layout.name(sent.value, Reference.parse("own:1"))
    assert validate(to) == []


def counted(sent: Sent) -> tuple[int, int, int]:
    assert sent.pushed
    return sent.pushed.uploaded, sent.pushed.mounted, sent.pushed.skipped


@pytest.mark.rig
def test_what_arrives_is_the_image_that_is_written_elsewhere_and_was_compared(
    real_registry: Real, source: Path, records: Path, tmp_path: Path, little: None
) -> None:
    host = real_registry("").host
    copy = copy_of(source)
    sent = send(copy, host, records)
    assert sent.comparison and sent.comparison.verdict == "identical"
    assert counted(sent) == (3, 0, 0)
    came(host, tmp_path / "back", sent)
    layout = Layout.create(tmp_path / "written")
    written = copying.write(copy, layout, compression="gzip", report=ignore, cancel=Cancel())
    assert written == sent.value
    assert {path.name for path in records.iterdir()} <= {"layers.json"}


@pytest.mark.rig
def test_cut_at_any_of_50_places_it_arrives_and_is_compared(
    real_registry: Real, source: Path, records: Path, little: None
) -> None:
    host = real_registry("").host
    for number in range(50):
        (source / "two/c.so").write_bytes(os.urandom(400_000))
        with closing(Line(host, 500 + number * 400_000 // 50)) as line:
            sent = send(copy_of(source), line.host, records)
            assert not line.cuts
        assert sent.comparison and sent.comparison.verdict == "identical"
        found = pull_manifest(Reference.parse(f"{host}/me/own:1"), PLATFORM, logins=nobody)
        assert found.manifest == sent.value.manifest_json


@pytest.mark.rig
def test_a_registry_that_is_killed_in_between_and_comes_back_gets_all_of_it(
    real_registry: Real, source: Path, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "REPORTED", 1 << 20)
    registry = real_registry("")
    for name in ("two/c.so", "three/d.so"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(os.urandom(25_000_000))
    killed = threading.Event()

    def kill(event: Event) -> None:
        if isinstance(event, Progress) and event.done > 30_000_000 and not killed.is_set():
            killed.set()
            registry.kill()
            threading.Timer(1.0, registry.start).start()

    sent = send(copy_of(source), registry.host, records, report=kill)
    assert killed.is_set()
    assert sent.comparison and sent.comparison.verdict == "identical"
    came(registry.host, tmp_path / "back", sent)


# What is there already


@pytest.mark.rig
def test_what_has_not_changed_is_neither_made_nor_sent_again(
    real_registry: Real, source: Path, records: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, copy = real_registry("").host, copy_of(source)
    first = send(copy, host, records)
    made: list[str] = []
    real = sending.layer_pieces

    def pieces(members: object, title: str, **more: object) -> object:
        made.append(title)
        return real(members, title, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sending, "layer_pieces", pieces)
    again = send(copy, host, records)
    assert (counted(again), made) == ((0, 0, 3), [])
    assert again.value == first.value
    assert again.comparison and again.comparison.verdict == "identical"
    assert again.before == 4  # files
    (source / "one/new.py").write_text("new = 1\n")
    third = send(copy_of(source), host, records)
    assert (counted(third), made) == ((1, 0, 2), ["package: one"])
    assert third.comparison and third.comparison.verdict == "identical"


@pytest.mark.rig
def test_without_records_only_what_is_small_is_asked_for(
    real_registry: Real, source: Path, tmp_path: Path, little: None
) -> None:
    """The digest of what is larger is known when it has been sent."""
    host, copy = real_registry("").host, copy_of(source)
    send(copy, host, tmp_path / "first")
    assert counted(send(copy, host, tmp_path / "second")) == (1, 0, 2)


@pytest.mark.rig
def test_what_was_sent_without_a_comparison_is_made_again_for_one(
    real_registry: Real, source: Path, records: Path, settled: None
) -> None:
    host, copy = real_registry("").host, copy_of(source)
    unchecked = send(copy, host, records, check=False)
    assert unchecked.comparison is None
    checked = send(copy, host, records)
    assert checked.before == 0
    assert checked.comparison and checked.comparison.verdict == "identical"
    assert send(copy, host, records).before == 4


@pytest.mark.rig
def test_a_record_of_what_the_registry_has_not_is_of_no_use(
    real_registry: Real, source: Path, records: Path, settled: None
) -> None:
    copy = copy_of(source)
    send(copy, real_registry("").host, records)
    assert counted(send(copy, real_registry("").host, records)) == (3, 0, 0)


# What gets no name


def test_what_is_otherwise_when_it_is_compared_gets_no_name(
    conforming: Conforming, source: Path, records: Path, settled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written to when it has been read, and before it is compared."""
    real = Alongside.hear

    def hear(self: Alongside, piece: bytes) -> None:
        (source / "one/a.py").write_bytes(b"b = 2\n" * 500)
        real(self, piece)

    monkeypatch.setattr(Alongside, "hear", hear)
    whole = copy_of(source)
    # Alone: beside others it might be written to before it is read at all, and then nothing is wrong.
    copy = replace(whole, captured=replace(whole.captured, groups=whole.captured.groups[:1]))
    sent = send(copy, conforming.host, records)
    assert sent.pushed is None
    assert sent.comparison and sent.comparison.verdict == "different"
    [difference] = [each for each in sent.comparison.differences if each.class_ == "unexpected"]
    assert difference.name.endswith("one/a.py")
    assert not conforming.manifests
    assert len(conforming.blobs) == 1  # the layer, and no configuration


def test_a_file_that_changes_between_two_makings_is_named_and_nothing_gets_a_name(
    conforming: Conforming, source: Path, records: Path, little: None
) -> None:
    def forget(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "GET":
            (source / "two/c.so").write_bytes(os.urandom(1 << 20))
            return 404, {}
        return status, headers

    conforming.twist = forget
    copy = copy_of(source)
    with closing(Line(conforming.host, 600_000)) as line, pytest.raises(ChangedError, match="package: two"):
        send(copy, line.host, records)
    assert not conforming.manifests


def test_cancelled_it_ends_soon_without_a_name_also_while_the_registry_says_nothing(
    conforming: Conforming, source: Path, records: Path
) -> None:
    silent, cancel = threading.Event(), Cancel()
    began: list[float] = []

    def wait(request: object) -> None:
        if getattr(request, "command", "") == "PATCH":
            began.append(time.monotonic())
            cancel.cancel()
            silent.wait(30)

    conforming.guard = wait  # type: ignore[assignment]
    with pytest.raises(CancelledError):
        send(copy_of(source), conforming.host, records, cancel=cancel)
    assert time.monotonic() - began[0] < 20  # and not for as long as it is silent
    silent.set()
    assert not conforming.manifests


def test_a_registry_that_lies_is_refused_and_nothing_gets_a_name(
    conforming: Conforming, source: Path, records: Path, little: None
) -> None:
    def lie(method: str, path: str, status: int, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        if method == "PUT":
            headers["Docker-Content-Digest"] = "sha256:" + "0" * 64
        return status, headers

    conforming.twist = lie
    with pytest.raises(RegistryError, match="specification"):
        send(copy_of(source), conforming.host, records)
    assert not conforming.manifests


# On a base


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Layout, ImageValue]:
    monkeypatch.setenv("JUPYTER_DOCKERIZE_STORE", str(tmp_path / "store"))
    return good(tmp_path / "base")


@pytest.mark.rig
def test_layers_of_a_base_are_mounted_in_its_registry_and_stream_into_another(
    real_registry: Real, base: tuple[Layout, ImageValue], source: Path, records: Path, tmp_path: Path
) -> None:
    layout, image = base
    host, other = real_registry("").host, real_registry("").host
    ref = f"{host}/team/base:1"
    push_image(layout, image, Reference.parse(ref), logins=nobody)
    copy = replace(copy_of(source), base=base_of(ref, PLATFORM, cancel=Cancel()))
    sent = send(copy, host, records)
    assert counted(sent) == (3, len(image.layers), 0)
    assert sent.value.layers[: len(image.layers)] == tuple(
        replace(layer, created_by=sent.value.layers[n].created_by) for n, layer in enumerate(image.layers)
    )
    with closing(Line(other, 1000)) as line:
        streamed = send(copy, line.host, records)
    assert counted(streamed) == (3 + len(image.layers), 0, 0)
    for at in (host, other):
        found = pull_manifest(Reference.parse(f"{at}/me/own:1"), PLATFORM, logins=nobody)
        assert found.manifest == sent.value.manifest_json
        for layer in found.layers:
            assert hashlib.sha256(b"".join(layer.open(0, Cancel()))).hexdigest() in layer.descriptor.digest
    assert not (tmp_path / "store").exists()
