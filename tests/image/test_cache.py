"""Layers that need not be written again, and every case in which they must be."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_dockerize.image import cache, disk, layer
from jupyter_dockerize.image.cache import LayerCache, Stamp, stamp
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Layer
from jupyter_dockerize.image.tar import Member

from .layouts import link, write

AGES = 10_000_000_000  # nanoseconds


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "module.py"
    path.write_bytes(b"a = 1\n")
    return path


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def members(file: Path, **more: object) -> list[Member]:
    member = Member(path="lib/module.py", source=str(file), size=file.stat().st_size)
    return [replace(member, **more), link("lib/link", "module.py")]  # type: ignore[arg-type]


def later(of: list[Member]) -> Stamp:
    """The stamp as it is some seconds after the last change."""
    found = stamp(of, "gzip")
    assert found
    return Stamp(found.key, found.newest, found.newest + AGES)


def remembered(of: list[Member], to: Layout, records: Path) -> Layer:
    made, known = write(to, of), LayerCache(records)
    known.keep(later(of), later(of), made)
    known.save()
    return made


def found(of: list[Member], to: Layout, records: Path) -> Layer | None:
    return LayerCache(records).find(later(of), to, "copy")


def test_a_layer_of_unchanged_files_is_found_by_another_process_s_cache(
    file: Path, layout: Layout, records: Path
) -> None:
    made = remembered(members(file), layout, records)
    assert found(members(file), layout, records) == made


def rewritten(file: Path) -> None:
    """Another text of the same length, with the old date: what installers do."""
    before = file.stat()
    file.write_bytes(b"a = 2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(file: Path) -> None:
    other = file.with_name("other")
    other.write_bytes(file.read_bytes())
    os.utime(other, ns=(0, file.stat().st_mtime_ns))
    other.replace(file)


def dated(file: Path) -> None:
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))


@pytest.mark.parametrize("change", [rewritten, replaced, dated])
def test_a_file_that_changed_is_read_again(
    change: Callable[[Path], None], file: Path, layout: Layout, records: Path
) -> None:
    remembered(members(file), layout, records)
    time.sleep(0.02)  # a tick of the file system's clock
    change(file)
    assert found(members(file), layout, records) is None


@pytest.mark.parametrize(
    "other",
    [
        {"path": "lib/other.py"}, {"mode": 0o755}, {"uid": 1000}, {"gid": 1000}, {"mtime": 1},
        {"head": b"a = 7"}, {"xattrs": {"user.note": b"x"}}, {"data": b"a = 1\n"},
    ],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_whatever_reaches_the_tar_counts(
    other: dict[str, object], file: Path, layout: Layout, records: Path
) -> None:
    remembered(members(file), layout, records)
    assert found(members(file, **other), layout, records) is None


def test_data_of_ours_counts_by_its_bytes() -> None:
    one, two = (stamp([Member(path="x", data=data, size=1)], "gzip") for data in (b"1", b"2"))
    assert one and two and one.key != two.key
    assert stamp([Member(path="x", data=b"1", size=1)], "gzip") == one


def test_a_link_counts_by_its_target_and_a_layer_by_its_compression(file: Path) -> None:
    stamps = [
        stamp([link("x", "y")], "gzip"), stamp([link("x", "z")], "gzip"), stamp([link("x", "y")], "none"),
    ]  # fmt: skip
    assert len({each.key for each in stamps if each}) == 3


def test_another_writer_s_layers_are_not_taken(
    file: Path, layout: Layout, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered(members(file), layout, records)
    monkeypatch.setattr(layer, "FORMAT", layer.FORMAT + 1)
    assert found(members(file), layout, records) is None


def test_the_writer_s_number_is_raised_when_its_bytes_change(layout: Layout) -> None:
    """When this fails: raise FORMAT in image/layer.py, and put the new digest here."""
    some = [Member(path="a/" + "b" * 150, data=b"text", size=4, mtime=1), link("l", "t")]
    digest = "sha256:e3e64283fdd035ad9cd5ad284f6248304f1b8b471654691c202e17b0995c003b"
    assert (layer.FORMAT, write(layout, some, "none").diff_id) == (1, digest)


def test_what_changed_a_moment_ago_may_change_once_more_and_is_not_remembered(
    file: Path, layout: Layout, records: Path
) -> None:
    some = members(file)
    known, young = LayerCache(records), stamp(some, "gzip")
    assert young and not young.settled
    known.keep(young, young, write(layout, some))
    known.save()
    assert not (records / cache.FILE).exists()


def test_what_changed_while_it_was_read_is_not_remembered(file: Path, layout: Layout, records: Path) -> None:
    some = members(file)
    before, made = later(some), write(layout, some)
    dated(file)
    for after in (later(some), None):
        known = LayerCache(records)
        known.keep(before, after, made)
        known.save()
    assert not (records / cache.FILE).exists()


def test_a_file_that_is_gone_or_longer_or_a_link_has_no_stamp(file: Path) -> None:
    some = members(file)
    with file.open("ab") as opened:
        opened.write(b"more")
    assert stamp(some, "gzip") is None
    file.unlink()
    assert stamp(some, "gzip") is None
    file.symlink_to("/etc/hosts")
    assert stamp(some, "gzip") is None


@pytest.mark.parametrize("fault", ["gone", "cut", "flipped"])
def test_a_blob_that_is_not_whole_is_not_taken(fault: str, file: Path, layout: Layout, records: Path) -> None:
    path = layout.path(remembered(members(file), layout, records).descriptor.digest)
    data = path.read_bytes()
    if fault == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if fault == "cut" else bytes([data[0] ^ 1]) + data[1:])
    assert found(members(file), layout, records) is None


BROKEN = [
    b"", b"{", b"[]", b'{"layers": 7}', b"\xff" * 100, b'{"layers":' + b"[" * 100_000,
    b" " * (cache.LARGEST + 1), b'{"layers": {"x": {"media_type": "x", "digest": "sha256:../../x"}}}',
]  # fmt: skip


@pytest.mark.parametrize("data", BROKEN, ids=range(len(BROKEN)))
def test_broken_records_are_none_and_are_replaced(
    data: bytes, file: Path, layout: Layout, records: Path
) -> None:
    records.mkdir()
    (records / cache.FILE).write_bytes(data)
    assert found(members(file), layout, records) is None
    made = remembered(members(file), layout, records)
    assert found(members(file), layout, records) == made


@pytest.mark.parametrize(
    "change",
    [{"digest": "sha256:" + "0" * 64}, {"digest": "../../x"}, {"media_type": "text/html"}, {"size": -1}],
    ids=["another blob", "no digest", "no layer", "no size"],
)
def test_a_hostile_record_is_of_no_use(
    change: dict[str, object], file: Path, layout: Layout, records: Path
) -> None:
    remembered(members(file), layout, records)
    plain = json.loads((records / cache.FILE).read_bytes())
    for record in plain["layers"].values():
        record.update(change)
    (records / cache.FILE).write_text(json.dumps(plain))
    assert found(members(file), layout, records) is None


def others_may_write(file: Path) -> None:
    file.chmod(0o666)


def a_link(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))
    file.symlink_to("elsewhere")


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("change", [others_may_write, a_link, a_pipe])
def test_records_that_are_not_the_user_s_alone_are_none(
    change: Callable[[Path], None], file: Path, layout: Layout, records: Path
) -> None:
    remembered(members(file), layout, records)
    change(records / cache.FILE)
    assert found(members(file), layout, records) is None


def test_there_are_only_so_many_and_the_ones_that_were_of_use_last_stay(
    file: Path, layout: Layout, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST", 3)
    several = [members(file, uid=number) for number in range(4)]
    for some in several[:3]:
        remembered(some, layout, records)
    known = LayerCache(records)
    assert known.find(later(several[0]), layout, "copy")
    known.save()
    remembered(several[3], layout, records)
    assert [bool(found(some, layout, records)) for some in several] == [True, False, True, True]


def test_many_processes_lose_no_record(file: Path, layout: Layout, records: Path) -> None:
    children = []
    for number in range(8):
        child = os.fork()
        if not child:
            try:
                for turn in range(5):
                    remembered(members(file, uid=10 * number + turn), layout, records)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    assert len(json.loads((records / cache.FILE).read_bytes())["layers"]) == 40


def test_records_that_cannot_be_written_cost_nothing_else(
    file: Path, layout: Layout, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = write(layout, members(file))

    def full(descriptor: int, data: bytes) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(disk, "write", full)
    known = LayerCache(records)
    known.keep(later(members(file)), later(members(file)), made)
    known.save()
    assert list(records.iterdir()) == []


def test_one_that_was_not_compared_is_not_taken_for_one_that_was(
    file: Path, layout: Layout, records: Path
) -> None:
    made, known = remembered(members(file), layout, records), LayerCache(records)
    assert known.find(later(members(file)), layout, "copy", compared=True) is None
    known.keep(later(members(file)), later(members(file)), made, compared=True)
    known.save()
    for compared in (True, False):
        assert LayerCache(records).find(later(members(file)), layout, "copy", compared=compared)
    again = LayerCache(records)  # for a place that does not have it: made again, and not compared
    again.keep(later(members(file)), later(members(file)), made)
    again.save()
    assert LayerCache(records).find(later(members(file)), layout, "copy", compared=True)
