"""Our own store: names move, nothing goes that has one, and there is room before there is work."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_dockerize.errors import OutputError, UsageError
from jupyter_dockerize.image import disk
from jupyter_dockerize.image.layout import NAME
from jupyter_dockerize.image.manifest import Config, ImageValue
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.store import Store
from jupyter_dockerize.image.validate.layout import validate

from .layouts import of_text

ONE, TWO = Reference.parse("analysis"), Reference.parse("analysis:v2")


def put(store: Store, ref: Reference, *texts: bytes) -> str:
    with store.writing(1) as layout:
        value = ImageValue(config=Config(platform="linux/amd64")).append(*(of_text(layout, t) for t in texts))
        return store.name(value, ref).config.digest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_store_that_is_not_there_is_empty(store: Store) -> None:
    assert store.images() == []
    assert store.find("analysis") is None
    assert store.prune().freed == 0
    assert not store.folder.exists()
    store.folder.mkdir()
    assert store.images() == []
    (store.folder / "layers.json").write_text("{}")  # of layers that went into a registry
    assert store.images() == []
    assert store.prune().freed == 0
    assert store.images() == []


def test_recipes_go_with_their_images_and_count(store: Store) -> None:
    """Also the one that a killed build left of no image."""
    put(store, ONE, b"a")
    image, nobody = store.images()[0], "sha256:" + "0" * 64
    before = store.used()
    for digest in (image.manifest.digest, nobody):
        (store.recipe(digest) / "env").mkdir(parents=True)
        (store.recipe(digest) / "env/lock.txt").write_bytes(b"x" * 1000)
    (store.recipes / "docker/analysis").mkdir(parents=True)
    (store.recipes / "docker/analysis/plan.json").write_bytes(b"x" * 500)
    assert store.used() == before + 2500
    assert store.prune().freed == 1000
    assert not store.recipe(nobody).exists()
    assert store.recipe(image.manifest.digest).exists()
    assert validate(store.folder) == []
    assert store.prune("analysis").freed == before + 1000
    assert [path.name for path in store.recipes.iterdir()] == ["docker"]


def test_a_store_that_has_recipes_only_is_empty(store: Store) -> None:
    (store.recipes / "docker").mkdir(parents=True)
    assert store.images() == []
    assert store.prune().freed == 0
    assert store.images() == []
    put(store, ONE, b"a")
    assert len(store.images()) == 1


def test_a_store_that_was_cut_off_before_its_index_is_empty_and_takes_images(store: Store) -> None:
    (store.folder / "blobs" / "sha256").mkdir(parents=True)
    (store.folder / "oci-layout").write_bytes(b"{}")
    assert store.images() == []
    put(store, ONE, b"a")
    assert store.find("analysis") is not None


def test_what_prune_locked_is_an_empty_store_still(store: Store) -> None:
    store.folder.mkdir()
    assert store.prune(dry_run=True).freed == 0
    assert store.prune().freed == 0
    assert store.images() == []


def test_a_store_whose_index_was_lost_is_not_taken_for_empty(store: Store) -> None:
    put(store, ONE, b"a")
    (store.folder / "index.json").unlink()
    with pytest.raises(UsageError, match="no image layout"):
        store.prune()


def test_images_are_found_by_name_id_and_digest(store: Store) -> None:
    identity = put(store, ONE, b"a")
    for name in ("analysis", "analysis:latest", identity, identity.partition(":")[2][:12]):
        found = store.find(name)
        assert found is not None
        assert found.config.digest == identity
    assert store.find("analysis:v2") is None
    assert store.find(identity.partition(":")[2][:6]) is None
    assert validate(store.folder) == []


def test_a_name_moves_and_the_old_image_goes_with_prune_only(store: Store) -> None:
    old, new = put(store, ONE, b"base", b"old"), put(store, ONE, b"base", b"new")
    found = store.find(old)
    assert found is not None
    assert found.refs == ()
    would = store.prune(dry_run=True)
    assert store.find(old) is not None
    gone = store.prune()
    assert gone == would
    assert gone.images == (old[:19],)
    assert gone.freed > 0
    assert store.find(old) is None
    image = store.find("analysis")
    assert image is not None
    assert image.config.digest == new
    assert all(store.layout.holds(blob) for blob in image.blobs)
    assert validate(store.folder) == []


def test_an_image_that_gets_its_name_back_is_there_once(store: Store) -> None:
    first = put(store, ONE, b"a")
    put(store, ONE, b"b")
    assert put(store, ONE, b"a") == first
    assert [image.refs for image in store.images() if image.config.digest == first] == [(ONE,)]


def test_names_are_added_and_the_last_takes_the_image_along(store: Store) -> None:
    identity = put(store, ONE, b"a")
    image = store.find(identity)
    assert image is not None
    store.tag(image, TWO)
    store.forget("analysis")
    found = store.find("analysis:v2")
    assert found is not None
    assert found.refs == (TWO,)
    store.forget("analysis:v2")
    store.forget("analysis:v2")
    assert store.images() == []
    assert store.used() == 0


def test_of_an_image_with_two_names_goes_the_one_that_was_asked_for(store: Store) -> None:
    identity = put(store, ONE, b"a")
    image = store.find(identity)
    assert image is not None
    store.tag(image, TWO)
    assert store.prune("analysis", dry_run=True) == (gone := store.prune("analysis"))
    assert (gone.images, gone.freed) == (("analysis:latest",), 0)
    assert [each.refs for each in store.images()] == [(TWO,)]
    assert validate(store.folder) == []
    used = store.used()
    assert store.prune("analysis:v2").freed == used
    assert store.images() == []


def test_names_that_are_asked_for_together_go_together_and_an_id_takes_them_all(store: Store) -> None:
    for wanted in (("analysis", "analysis:v2"), ("",)):
        identity = put(store, ONE, b"a")
        image = store.find(identity)
        assert image is not None
        store.tag(image, TWO)
        used = store.used()
        gone = store.prune(*(ref or identity for ref in wanted))
        assert (gone.images, gone.freed) == (("analysis:latest, analysis:v2",), used)
        assert store.images() == []


def test_the_name_that_its_layers_have_for_it_holds_no_image_whose_last_name_goes(store: Store) -> None:
    image = store.find(put(store, ONE, b"a"))
    assert image is not None
    store.tag(image, Reference.parse("jupyter-dockerize-layers/analysis:0123456789ab"))
    store.forget("analysis")  # undone: it comes back with redo
    assert len(store.images()) == 1
    store.tag(image, ONE)
    used = store.used()
    gone = store.prune("analysis")
    assert (gone.images, gone.freed) == (("analysis:latest",), used)
    assert store.images() == []


def test_what_fails_leaves_nothing(store: Store) -> None:
    put(store, ONE, b"a")
    used = store.used()

    def fail() -> None:
        with store.writing(1) as layout:
            of_text(layout, b"never named")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.used() == used


def test_a_quota_is_looked_at_before_the_work(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", quota=100_000)
    put(store, ONE, b"a")
    with pytest.raises(OutputError, match="no room") as caught, store.writing(200_000):
        pytest.fail("there is no room")
    assert "of its quota" in caught.value.why


def test_a_full_disk_is_seen_before_the_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said what is free, and how much of it stays free."""
    monkeypatch.setattr(disk, "free", lambda folder: 120_000_000)
    with pytest.raises(OutputError, match="no room") as caught, store.writing(10_000_000):
        pytest.fail("there is no room")
    assert caught.value.why == (
        "about 10.0 MB are needed, 120 MB of the disk are free, and 256 MB stay free for everything else"
    )


def test_nothing_is_pruned_while_another_process_writes(store: Store) -> None:
    put(store, ONE, b"a")
    code = (
        "import sys; from pathlib import Path; from jupyter_dockerize.image.store import Store\n"
        f"with Store(Path({str(store.folder)!r})).writing(1): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == b"in\n"
    with pytest.raises(UsageError, match="is being written"):
        store.prune()
    other.stdin.close()
    assert other.wait() == 0
    assert store.prune().freed == 0


def test_what_cannot_be_read_is_not_taken_for_unneeded(store: Store) -> None:
    put(store, ONE, b"a")
    put(store, TWO, b"b")
    image = store.find("analysis")
    assert image is not None
    store.layout.path(image.manifest.digest).unlink()
    used = store.used()
    assert store.prune().freed == 0
    assert store.used() == used


def broken_manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Store, dict[str, Any]], None]:
    """Another manifest, whose digest is right."""

    def write(store: Store, entry: dict[str, Any]) -> None:
        plain = json.loads(store.layout.read(entry["digest"]))
        change(plain)
        entry.update(store.layout.add(json.dumps(plain).encode(), entry["mediaType"]).plain())

    return write


def broken_configuration(key: str, value: Any) -> Callable[[Store, dict[str, Any]], None]:
    def write(store: Store, entry: dict[str, Any]) -> None:
        plain = json.loads(store.layout.read(entry["digest"]))
        config = json.loads(store.layout.read(plain["config"]["digest"])) | {key: value}
        data = json.dumps(config).encode()
        plain["config"] = store.layout.add(data, plain["config"]["mediaType"]).plain()
        entry.update(store.layout.add(json.dumps(plain).encode(), entry["mediaType"]).plain())

    return write


def no_blob(store: Store, entry: dict[str, Any]) -> None:
    store.layout.path(entry["digest"]).unlink()


def no_layer(store: Store, entry: dict[str, Any]) -> None:
    plain = json.loads(store.layout.read(entry["digest"]))
    store.layout.path(plain["layers"][0]["digest"]).unlink()


def short_layer(store: Store, entry: dict[str, Any]) -> None:
    plain = json.loads(store.layout.read(entry["digest"]))
    store.layout.path(plain["layers"][0]["digest"]).write_bytes(b"short")


DAMAGE = {
    "no manifest": (no_blob, r"its manifest [0-9a-f]{12}…: it is not there"),
    "no layer": (no_layer, r"its layer [0-9a-f]{12}…: No such file or directory"),
    "half a layer": (short_layer, r"its layer [0-9a-f]{12}… has 5 bytes instead of \d+"),
    "no digest": (lambda store, entry: entry.update(digest="sha256:../../x"), "digest is none"),
    "no text": (lambda store, entry: entry.update(digest=["a"]), "digest is no string"),
    "a size": (lambda store, entry: entry.update(size=float("1e400")), "size is no number of bytes"),
    "a long size": (lambda store, entry: entry.update(size="LONG"), "size is no number of bytes"),
    "less than nothing": (lambda store, entry: entry.update(size=-1), "size is no number of bytes"),
    "an index": (
        lambda store, entry: entry.update(mediaType="application/vnd.oci.image.index.v1+json"),
        "and no image",
    ),
    "no list": (broken_manifest(lambda plain: plain.update(layers={})), "'layers' is no array"),
    "a large layer": (
        broken_manifest(lambda plain: plain["layers"][0].update(size=10**30)),
        "size is no number of bytes",
    ),
    "a layer elsewhere": (
        broken_manifest(lambda plain: plain["layers"][0].update(digest="sha256:../../../etc/passwd")),
        "digest is none",
    ),
    "no configuration": (broken_manifest(lambda plain: plain.pop("config")), "config is no descriptor"),
    "labels": (broken_configuration("config", {"Labels": ["x"]}), "config.Labels is no object"),
    "a list": (broken_configuration("config", [1]), "config is no object"),
    "a platform": (broken_configuration("os", {"\x1b[2J": 1}), "os is unknown"),
}


def spoiled(store: Store, how: str) -> str:
    """Damages "analysis:v2"; why it is, as a regular expression."""
    index = store.folder / "index.json"
    plain = json.loads(index.read_bytes())
    [entry] = [each for each in plain["manifests"] if each["annotations"][NAME].endswith(":v2")]
    spoil, why = DAMAGE[how]
    spoil(store, entry)
    text = json.dumps(plain).replace("Infinity", "1e400").replace('"LONG"', "9" * 5000)
    index.write_text(text)
    return why


@pytest.mark.parametrize("how", DAMAGE)
def test_an_image_that_cannot_be_used_is_named_and_the_others_are_listed(store: Store, how: str) -> None:
    """It stays until it is asked for, or built again; what it may need stays, too."""
    good, _ = put(store, ONE, b"a"), put(store, TWO, b"b")
    why = spoiled(store, how)
    assert [image.config.digest for image in store.images()] == [good]
    [damaged] = store.damaged()
    assert damaged.name == "analysis:v2"
    assert re.search(why, damaged.why)
    assert damaged.why.isprintable()
    assert store.find("analysis:v2") is None
    image = store.find("analysis")
    assert image is not None
    store.tag(image, Reference.parse("third"))
    assert store.prune().images == ()
    assert len(store.damaged()) == 1

    assert store.prune("analysis:v2").images == ("analysis:v2",)
    assert store.damaged() == []
    assert [image.config.digest for image in store.images()] == [good]
    assert validate(store.folder) == []


@pytest.mark.parametrize("how", DAMAGE)
def test_built_again_it_is_whole(store: Store, how: str) -> None:
    put(store, ONE, b"a")
    bad = put(store, TWO, b"b")
    spoiled(store, how)
    assert put(store, TWO, b"b") == bad
    assert {image.refs for image in store.images()} == {(ONE,), (TWO,)}
    store.prune()
    assert store.damaged() == []
    assert validate(store.folder) == []


def test_entries_that_have_no_name_go_with_prune_whatever_they_are(store: Store) -> None:
    good = put(store, ONE, b"a")
    index = store.folder / "index.json"
    plain = json.loads(index.read_bytes())
    strange = [None, 5, "x", [], {}, {"annotations": {NAME: "\x1b]0;x\x07"}}, {"annotations": {NAME: [1]}}]
    plain["manifests"] += [*strange, {"digest": "\ud800"}]
    index.write_text(json.dumps(plain))
    assert len(store.damaged()) == 8
    assert all(each.name.isprintable() and each.why.isprintable() for each in store.damaged())
    put(store, TWO, b"b")
    gone = store.prune()
    assert len(gone.images) == 8
    assert store.damaged() == []
    assert {image.config.digest for image in store.images()} > {good}


def test_a_file_that_is_no_blob_takes_no_recipes_along(store: Store) -> None:
    put(store, ONE, b"a")
    (store.recipes / "docker/analysis").mkdir(parents=True)
    (store.folder / "blobs/sha256/docker").write_bytes(b"x")
    store.prune()
    assert (store.recipes / "docker/analysis").is_dir()
