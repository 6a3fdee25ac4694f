"""One layer more on an image: what it costs, what stays, and what is left where it fails."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.engines.builtin import BuiltinEngine
from jupyter_dockerize.engines.builtin.settings import Settings
from jupyter_dockerize.errors import CancelledError, DockerizeError, UsageError, VerificationError
from jupyter_dockerize.events import Event, Progress, ignore
from jupyter_dockerize.export.copying import write
from jupyter_dockerize.export.layered import append
from jupyter_dockerize.image import layout as layouts
from jupyter_dockerize.image import tar
from jupyter_dockerize.image.continued import of_inspected
from jupyter_dockerize.image.copy.changed import Above
from jupyter_dockerize.image.copy.trees import ROOT, collect, with_parents
from jupyter_dockerize.image.copy.whiteouts import whiteout
from jupyter_dockerize.image.readback import layer_read_back
from jupyter_dockerize.image.tar import Member
from jupyter_dockerize.image.validate.layout import validate

from ..image.faults import CALLS, fail_at, killed_at
from .copies import copy_of, environment

REF = "analysis"


@pytest.fixture
def engine(tmp_path: Path) -> BuiltinEngine:
    return BuiltinEngine(settings=Settings(store=tmp_path / "store", quota=0))


@pytest.fixture
def head(engine: BuiltinEngine, tmp_path: Path) -> Image:
    copy = copy_of(environment(tmp_path / "env"))
    return engine.take(
        lambda layout, how: write(copy, layout, compression=how, report=ignore, cancel=Cancel()),
        REF, size=copy.size, report=ignore, cancel=Cancel(),
    )  # fmt: skip


def new(folder: Path, text: str = "new") -> list[Member]:
    """A file that came, and one that is gone."""
    folder.mkdir(exist_ok=True)
    (folder / "new.py").write_text(text * 9)
    found = collect([str(folder)], owner=ROOT).members.values()
    return list(with_parents([*found, whiteout("etc/ours")], lambda path: ROOT))


def add(engine: BuiltinEngine, head: Image, members: list[Member], **more: Any) -> Image:
    given = {"labels": {"n": "2"}, "created_by": "pip install new", "report": ignore, "cancel": Cancel()}
    return append(engine, head, Above(tuple(members)), ref=REF, **{**given, **more})


def broken(engine: BuiltinEngine) -> list[str]:
    return [str(each) for each in validate(engine.store.folder) if each.severity == "error"]


def configuration(engine: BuiltinEngine, image: Image) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(engine.store.layout.read(image.id))
    return found


def test_the_documents_of_the_head_stay_and_one_entry_comes(
    engine: BuiltinEngine, head: Image, tmp_path: Path
) -> None:
    made = add(engine, head, new(tmp_path / "new"), created="2026-01-02T03:04:05Z")
    before, after = configuration(engine, head), configuration(engine, made)
    assert after["history"][:-1] == before["history"]
    assert after["history"][-1] == {"created": "2026-01-02T03:04:05Z", "created_by": "pip install new"}
    assert after["rootfs"]["diff_ids"][:-1] == before["rootfs"]["diff_ids"]
    labels = after["config"].pop("Labels")
    assert before["config"].pop("Labels").items() - labels.items() <= {
        ("jupyter-dockerize.layers", head.labels["jupyter-dockerize.layers"])
    }
    assert labels["n"] == "2"
    assert after["config"] == before["config"]
    assert engine.find(REF).id == made.id
    assert engine.find(head.id).refs == ()
    assert validate(engine.store.folder) == []


def test_what_an_image_says_that_we_know_nothing_of_stays(
    engine: BuiltinEngine, head: Image, tmp_path: Path
) -> None:
    value: Any = engine.value(REF)
    more = {"Healthcheck": {"Test": ["NONE"]}, "StopSignal": "SIGINT"}
    plain = {**value.head, "author": "me", "config": {**value.head["config"], **more}}
    value = type(value)(config=value.config, layers=value.layers, head=plain)
    first = engine.take(lambda layout, how: value, REF, size=0, report=ignore, cancel=Cancel())
    made = configuration(engine, add(engine, first, new(tmp_path / "new")))
    assert (made["author"], made["config"]["StopSignal"]) == ("me", "SIGINT")
    assert made["config"]["Healthcheck"] == {"Test": ["NONE"]}


def test_a_layer_costs_what_it_costs_at_layer_30_as_at_layer_2(
    engine: BuiltinEngine, head: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted: blobs that are opened, files that are read, bytes that come into the store."""
    opened: list[str] = []
    read: list[str] = []
    holds, pieces, file = layouts.Layout.holds, layouts.Layout.pieces, tar._open

    def held(self: Any, blob: Any) -> bool:
        opened.append(blob.digest)
        return holds(self, blob)

    def streamed(self: Any, blob: Any) -> Any:
        opened.append(blob.digest)
        return pieces(self, blob)

    def looked(path: str) -> Any:
        read.append(path)
        return file(path)

    monkeypatch.setattr(layouts.Layout, "holds", held)
    monkeypatch.setattr(layouts.Layout, "pieces", streamed)
    monkeypatch.setattr(tar, "_open", looked)
    costs = []
    for number in range(2, 31):
        members = new(tmp_path / "new", f"{number:02}")
        before = engine.store.used()
        below = {layer.descriptor.digest for layer in engine.value(head.id).layers}
        opened.clear()
        read.clear()
        head = add(engine, head, members, labels={f"layer.{number:02}": "x"})
        assert not below & set(opened)
        [layer] = engine.value(head.id).layers[-1:]
        documents = sum(len(engine.store.layout.read(each)) for each in (head.id, str(head.digest)))
        costs.append(
            (len(opened), len(read), engine.store.used() - before - documents, layer.descriptor.size)
        )
    assert {cost[:2] for cost in costs} == {costs[0][:2]}
    assert all(grown == size for _, _, grown, size in costs)
    assert validate(engine.store.folder) == []


def test_a_layer_that_is_not_what_is_here_gets_no_name(
    engine: BuiltinEngine, head: Image, tmp_path: Path
) -> None:
    members = new(tmp_path / "new")

    def report(event: Event) -> None:
        if isinstance(event, Progress) and "copied" in str(event):
            (tmp_path / "new/new.py").write_text("old" * 9)

    with pytest.raises(VerificationError, match="is not what it was made of"):
        add(engine, head, members, report=report)
    assert engine.find(REF).id == head.id


@pytest.mark.parametrize("change", ["missing", "more", "other", "away"])
def test_reading_a_layer_back_finds_what_is_otherwise(
    engine: BuiltinEngine, head: Image, tmp_path: Path, change: str
) -> None:
    members = new(tmp_path / "new")
    layer = engine.value(add(engine, head, members).id).layers[-1]

    def found(expected: list[Member]) -> bool:
        return bool(layer_read_back(engine.store.layout, layer, expected, cancel=Cancel()))

    assert not found(members)
    if change == "missing":
        members.append(Member(path="tmp/more"))
    elif change == "more":
        members = [each for each in members if not each.path.endswith("new.py")]
    elif change == "other":
        (tmp_path / "new/new.py").write_text("old" * 9)
    else:
        members = [each for each in members if ".wh." not in each.path]
    assert found(members)


@pytest.mark.parametrize("call", CALLS)
def test_a_full_disk_leaves_the_head(
    engine: BuiltinEngine, head: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    members, used = new(tmp_path / "new"), engine.store.used()
    for nth in range(1, 99):
        with monkeypatch.context() as patched:
            failed = fail_at(nth, call, patched, errno.ENOSPC)
            try:
                made = add(engine, head, members)
            except DockerizeError:
                made = None
        if not failed:
            break
        now = engine.find(REF)
        # What cannot be synced after the index was written is there all the same: old or new, never a third.
        assert now.labels.get("n") == "2" if made or now.id != head.id else engine.store.used() == used
        assert not broken(engine)
        engine.tag(head.id, REF)
        engine.prune([], dry_run=False)
    assert 1 < nth < 99
    assert validate(engine.store.folder) == []


def test_a_process_that_is_killed_leaves_the_head(engine: BuiltinEngine, head: Image, tmp_path: Path) -> None:
    members, nth = new(tmp_path / "new"), 1
    while killed_at(nth, lambda: add(engine, head, members)):
        if engine.find(REF).id != head.id:
            break  # the index was written: it is the new one from then on
        assert not broken(engine)
        nth += 1
    assert nth > 5
    assert engine.find(head.id).id == head.id
    assert not broken(engine)
    assert add(engine, head, members).id == engine.find(REF).id


def test_a_cancelled_layer_leaves_nothing(engine: BuiltinEngine, head: Image, tmp_path: Path) -> None:
    cancel, used = Cancel(), engine.store.used()
    with pytest.raises(CancelledError):
        add(engine, head, new(tmp_path / "new"), report=lambda event: cancel.cancel(), cancel=cancel)
    assert (engine.find(REF).id, engine.store.used()) == (head.id, used)


INSPECTED = {
    "Created": "2026-01-01T00:00:00Z",
    "Os": "linux",
    "Architecture": "amd64",
    "RootFS": {"Layers": ["sha256:" + "a" * 64, "sha256:" + "b" * 64]},
    "Config": {
        "Env": ["A=1"],
        "Hostname": "x",
        "Labels": {"jupyter-dockerize.layers": f"7 9@sha256:{'c' * 64}"},
    },
}


def item(said: str, size: int) -> dict[str, Any]:
    return {"Created": 0, "CreatedBy": said, "Size": size}


def test_of_an_engines_image_history_is_known_where_it_fits_the_layers() -> None:
    for said, empty in (
        ([item("two", 0), item("one", 0)], [False, False]),
        ([item("LABEL", 0), item("two", 5), item("one", 5)], [False, False, True]),
        ([item("LABEL a=b", 0), item("WORKDIR /srv", 0), item("one", 5)], [False, False, True]),
        ([item("LABEL a=b", 0), item("ENV c=d", 0), item("one", 5)], [False, False]),
    ):
        value: Any = of_inspected(INSPECTED, said)
        assert [each.get("empty_layer", False) for each in value.head["history"]] == empty
    assert [(layer.descriptor.digest[-1], layer.descriptor.size) for layer in value.layers] == [
        ("a", 7),
        ("c", 9),
    ]
    assert value.head["config"].keys() == {"Env", "Labels"}


@pytest.mark.parametrize("said", ["", "7", "7 x", "7 9@sha256:x", "7 -9"])
def test_an_image_that_does_not_say_what_its_layers_are_gets_none(said: str) -> None:
    inspected = {**INSPECTED, "Config": {"Labels": {"jupyter-dockerize.layers": said}}}
    with pytest.raises(UsageError, match="cannot have a layer more"):
        of_inspected(inspected, [])
