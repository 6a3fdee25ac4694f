"""Distributions as they are found on disk: sound, old, broken and half gone."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .probed import dist_info, folder_facts, record_line


def test_a_sound_distribution_is_told_whole(tmp_path: Path) -> None:
    dist_info(tmp_path, "Some-Package", "2.1.post1", REQUESTED="")
    found, leftovers, faults = folder_facts(tmp_path)
    assert (leftovers, faults) == ([], [])
    assert found == [
        {
            "at": 0,
            "entry": "Some_Package-2.1.post1.dist-info",
            "form": "dist-info",
            "name": "Some-Package",
            "version": "2.1.post1",
            "installer": "pip",
            "requested": True,
            "record": True,
            "wheel": {"tags": ["py3-none-any"], "purelib": True},
            "direct_url": None,
            "location": None,
            "checkout": None,
            "requires": None,
            "edited": None,
            "missing": None,
            "content": None,
        }
    ]


@pytest.mark.parametrize(
    ("metadata", "name", "version"),
    [
        (b"Name: a\nVersion: 1\n", "a", "1"),
        (b"Name: a\r\nVersion: 1\r\n\r\nName: b\r\n", "a", "1"),
        (b"name: a\nVERSION:1  \n", "a", "1"),
        (b"Metadata-Version: 2.1\nSummary: x\n        Name: no\nName: a\nVersion: 1\n", "a", "1"),
        (b"", None, None),
        (b"\n\nName: a\nVersion: 1\n", None, None),
        (b"Name:\nVersion: \n", None, None),
        (b"Name: a\n", "a", None),
        ("Name: a\nAuthor: Müller\nVersion: 1\n".encode("latin-1"), "a", "1"),
        (b"\xff\xfe\x00Name: a\nVersion: 1\n", None, "1"),
        (b"Summary: " + b"x" * 5000 + b"\nName: a\nVersion: 1\n\nlong", "a", "1"),
        (b"Name: a\nSummary: " + b"x" * 2016 + b"\nVersion: 1.2.3\n\nlong", "a", "1.2.3"),
        (b"Name: a\nLicense: " + b"x" * (2048 - 27) + b"\nVersion: 12.34\n", "a", "12.34"),
    ],
)
def test_name_and_version_come_from_the_headers_only(
    tmp_path: Path, metadata: bytes, name: str | None, version: str | None
) -> None:
    dist_info(tmp_path, "x", METADATA=metadata)
    [fact], _, _ = folder_facts(tmp_path)
    assert (fact["name"], fact["version"]) == (name, version)


@settings(max_examples=60, deadline=None)
@given(pad=st.integers(1960, 2080))
def test_a_cut_through_the_version_never_gives_half_of_it(
    tmp_path_factory: pytest.TempPathFactory, pad: int
) -> None:
    folder = tmp_path_factory.mktemp("site")
    dist_info(
        folder, "x", METADATA=f"Name: x\nSummary: {'y' * pad}\nVersion: 10.20.30\nHome: z\n\n" + "long " * 99
    )
    [fact], _, _ = folder_facts(folder)
    assert fact["version"] == "10.20.30"


def test_missing_metadata_leaves_a_nameless_trace_of_the_package(tmp_path: Path) -> None:
    (dist_info(tmp_path, "gone") / "METADATA").unlink()
    [fact], _, faults = folder_facts(tmp_path)
    assert (fact["entry"], fact["name"], faults) == ("gone-1.0.dist-info", None, [])


def test_the_folders_name_does_not_overrule_what_is_inside(tmp_path: Path) -> None:
    dist_info(tmp_path, "folder", METADATA="Name: inside\nVersion: 3\n")
    [fact], _, _ = folder_facts(tmp_path)
    assert (fact["entry"], fact["name"], fact["version"]) == ("folder-1.0.dist-info", "inside", "3")


def test_two_versions_in_one_folder_are_both_told(tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        dist_info(tmp_path, "twice", version)
    found, _, _ = folder_facts(tmp_path)
    assert [fact["version"] for fact in found] == ["1.0", "2.0"]


@pytest.mark.parametrize("kind", ["fifo", "folder", "dangling", "loop", "zero", "socket"])
def test_metadata_that_is_no_file_neither_hangs_nor_hides_the_others(tmp_path: Path, kind: str) -> None:
    dist_info(tmp_path, "sound")
    odd = dist_info(tmp_path, "odd") / "METADATA"
    odd.unlink()
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    elif kind == "dangling":
        odd.symlink_to("nowhere")
    elif kind == "loop":
        odd.symlink_to("METADATA")
    elif kind == "zero":
        odd.symlink_to("/dev/zero")
    else:
        address = "METADATA"
        before = Path.cwd()
        os.chdir(odd.parent)  # the address of a socket is short
        try:
            socket.socket(socket.AF_UNIX).bind(address)
        finally:
            os.chdir(before)
    found, _, faults = folder_facts(tmp_path)
    assert "sound" in [fact["name"] for fact in found]
    assert faults or [fact["name"] for fact in found if fact["entry"].startswith("odd")] == [None]


@pytest.mark.parametrize("file", ["INSTALLER", "WHEEL", "direct_url.json", "RECORD"])
def test_one_unreadable_file_does_not_lose_the_package(tmp_path: Path, file: str) -> None:
    folder = dist_info(tmp_path, "kept")
    (folder / file).unlink(missing_ok=True)
    (folder / file).mkdir()
    [fact], _, faults = folder_facts(tmp_path, "hashes")
    assert (fact["name"], fact["version"]) == ("kept", "1.0")
    assert [fault["what"] for fault in faults] == [str(folder / file)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"url": null}',
        '{"url": 1, "vcs_info": 1}',
        '{"url": "x", "archive_info": []}',
        "[" * 9999,
    ],
)
def test_a_broken_direct_url_does_not_lose_the_package(tmp_path: Path, text: str) -> None:
    dist_info(tmp_path, "kept", direct_url_json=text)
    [fact], _, _ = folder_facts(tmp_path)
    assert fact["name"] == "kept"


@settings(max_examples=150, deadline=None)
@given(metadata=st.binary(max_size=300), wheel=st.binary(max_size=200), direct=st.binary(max_size=200))
def test_any_bytes_give_facts_that_are_json(
    tmp_path_factory: pytest.TempPathFactory, metadata: bytes, wheel: bytes, direct: bytes
) -> None:
    folder = tmp_path_factory.mktemp("site")
    files = {"METADATA": b"Name: a\n" + metadata, "WHEEL": wheel, "direct_url_json": direct, "RECORD": wheel}
    dist_info(folder, "a", **files)
    found, _, _ = folder_facts(folder, "hashes", "requires")
    assert json.dumps(found).isascii()
    assert found[0]["name"] == "a"


def test_eggs_of_every_age_are_found(tmp_path: Path) -> None:
    (tmp_path / "distutils_made-1.0-py3.11.egg-info").write_text(
        "Metadata-Version: 1.0\nName: distutils-made\nVersion: 1.0\n"
    )
    folder = tmp_path / "setuptools_made-2.0.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Name: setuptools-made\nVersion: 2.0\n\n")
    (folder / "requires.txt").write_text(
        "numpy>=1\n\n[fast:python_version < '4']\nx @ https://u:p@example.org/x\n"
    )
    (folder / "installed-files.txt").write_text("../x.py\n")
    source = tmp_path / "source"
    (source / "developed.egg-info").mkdir(parents=True)
    (source / "developed.egg-info" / "PKG-INFO").write_text("Name: developed\nVersion: 3.0\n")
    (tmp_path / "developed.egg-link").write_text(f"{source}\n.\n")
    (tmp_path / "empty.egg-link").write_text("")
    found, _, faults = folder_facts(tmp_path, "requires")
    assert [(fact["name"], fact["version"], fact["form"], fact["record"]) for fact in found] == [
        ("developed", "3.0", "egg-link", False),
        ("distutils-made", "1.0", "egg-info", False),
        ("setuptools-made", "2.0", "egg-info", True),
    ]
    assert found[0]["location"] == str(source)
    assert found[2]["requires"] == [
        "numpy>=1",
        "x @ https://example.org/x ; (python_version < '4') and extra == 'fast'",
    ]
    assert [Path(fault["what"]).name for fault in faults] == ["empty.egg-link"]


def test_what_pip_left_of_interrupted_work_is_named(tmp_path: Path) -> None:
    for name in ("~umpy", "~umpy-1.0.dist-info", "~-odd"):
        (tmp_path / name).mkdir()
    found, leftovers, _ = folder_facts(tmp_path)
    assert (found, leftovers) == ([], ["~-odd", "~umpy", "~umpy-1.0.dist-info"])


DIRECT = [
    (
        {
            "url": "https://h/r.git",
            "vcs_info": {"vcs": "git", "commit_id": "ab" * 20, "requested_revision": "v1"},
        },
        {
            "url": "https://h/r.git",
            "kind": "vcs",
            "vcs": "git",
            "commit": "ab" * 20,
        },
    ),
    (
        {"url": "https://h/a.whl", "archive_info": {"hashes": {"sha256": "00ff"}}},
        {"kind": "archive", "hash": "sha256=00ff"},
    ),
    ({"url": "https://h/a.whl", "archive_info": {"hash": "md5=aa"}}, {"kind": "archive", "hash": "md5=aa"}),
    (
        {"url": "https://h/a.zip#subdirectory=x/y"},
        {"kind": "archive", "subdirectory": "x/y", "url": "https://h/a.zip"},
    ),
    (
        {"url": "https://h/r", "subdirectory": "s", "vcs_info": {"vcs": "hg", "commit_id": "1"}},
        {"subdirectory": "s", "vcs": "hg"},
    ),
    (
        {"url": "file:///srv/a%20b", "dir_info": {}},
        {"kind": "dir", "editable": False, "url": "file:///srv/a%20b"},
    ),
    ({"url": "file:///srv/p", "dir_info": {"editable": True}}, {"kind": "dir", "editable": True}),
]


@pytest.mark.parametrize(("direct", "expected"), DIRECT)
def test_direct_urls_say_where_a_package_came_from(
    tmp_path: Path, direct: object, expected: dict[str, object]
) -> None:
    dist_info(tmp_path, "x", direct_url_json=json.dumps(direct))
    [fact], _, _ = folder_facts(tmp_path)
    assert {key: fact["direct_url"][key] for key in expected} == expected


def test_edited_and_missing_files_are_found_by_their_hash(tmp_path: Path) -> None:
    for name in ("same.py", "edited.py", "lost.py", "a,b.py"):
        (tmp_path / name).write_text("x = 1\n")
    names = ("same.py", "edited.py", "lost.py")
    lines = [record_line(tmp_path / name, name) for name in names]
    lines += [record_line(tmp_path / "a,b.py", '"a,b.py"'), "none.pyc,,"]
    lines += [f"fifo,sha256={'x' * 43},1", f"../../../../../../dev/zero,sha256={'x' * 43},1"]
    os.mkfifo(tmp_path / "fifo")
    dist_info(tmp_path, "p", RECORD="\n".join(lines))
    (tmp_path / "edited.py").write_text("x = 2\n")
    (tmp_path / "lost.py").unlink()
    [fact], _, _ = folder_facts(tmp_path, "hashes")
    assert fact["edited"] == ["edited.py"]
    assert set(fact["missing"]) >= {"lost.py", "fifo"}
    assert "a,b.py" not in fact["missing"]


def test_the_digest_of_the_content_is_that_of_the_files_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    script = f"../../../bin/a,sha256={'x' * 43},1"  # names its interpreter: another one elsewhere
    dist_info(tmp_path, "p", RECORD="\n".join((record_line(tmp_path / "a.py", "a.py"), script)))
    before = folder_facts(tmp_path, "hashes")[0][0]["content"]
    assert folder_facts(tmp_path, "sizes")[0][0]["content"] is None
    (tmp_path / "a.py").write_text("x = 2\n")
    edited = folder_facts(tmp_path, "hashes")[0][0]["content"]
    record = tmp_path / "p-1.0.dist-info" / "RECORD"
    record.write_text(record_line(tmp_path / "a.py", "a.py"))  # as an installer of the edited one would
    assert folder_facts(tmp_path, "hashes")[0][0]["content"] == edited != before


def test_sizes_alone_tell_what_was_cut_or_lost(tmp_path: Path) -> None:
    names = ("same.py", "cut.py", "lost.py")
    for name in names:
        (tmp_path / name).write_text("x = 1\n")
    lines = [record_line(tmp_path / name, name) for name in names]
    lines.append(f"__pycache__/same.cpython-311.pyc,sha256={'x' * 43},1")  # some wheels bring theirs
    dist_info(tmp_path, "p", RECORD="\n".join(lines))
    (tmp_path / "same.py").write_text("x = 2\n")  # as long as before: only its hash would tell
    (tmp_path / "cut.py").write_text("x")
    (tmp_path / "lost.py").unlink()
    [fact], _, _ = folder_facts(tmp_path, "sizes")
    assert (fact["edited"], fact["missing"]) == (["cut.py"], ["lost.py"])


@pytest.mark.parametrize("option", ["hashes", "sizes"])
def test_a_file_that_another_package_brought_too_was_not_edited(tmp_path: Path, option: str) -> None:
    shared = tmp_path / "shared.py"
    for name, text in (("first", "x = 1\n"), ("second", "the second one's\n")):
        shared.write_text(text)
        dist_info(tmp_path, name, RECORD=record_line(shared, "shared.py"))
    assert [fact["edited"] for fact in folder_facts(tmp_path, option)[0]] == [[], []]
    shared.write_text("nobody's text\n")
    assert [fact["edited"] for fact in folder_facts(tmp_path, option)[0]] == [["shared.py"], ["shared.py"]]


def test_requirements_are_read_to_the_end_of_the_headers(tmp_path: Path) -> None:
    lines = [f"Requires-Dist: dep{number}>={number} ; extra == 'x'" for number in range(400)]
    text = "Name: a\nVersion: 1\nRequires-Python: >=3.8,<4\n" + "\n".join(lines) + "\n\nRequires-Dist: no\n"
    dist_info(tmp_path, "a", METADATA=text)
    [fact], _, _ = folder_facts(tmp_path, "requires")
    assert (len(fact["requires"]), fact["requires"][-1]) == (400, "dep399>=399 ; extra == 'x'")
