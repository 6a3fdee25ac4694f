"""Which indexes are asked, and what is said where one does not answer."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from uv import find_uv_bin

from jupyter_dockerize.environment.model import Index
from jupyter_dockerize.resolve.credentials import Access
from jupyter_dockerize.resolve.indexes import (
    Indexes,
    finding_of,
    indexes_of,
    label_index,
    own_index,
    troubles,
)

from .index import private_index

TORCH = "https://download.pytorch.org/whl"


@pytest.mark.parametrize(
    ("version", "index"),
    [
        ("2.3.0+cu118", f"{TORCH}/cu118"),
        ("2.3.0+cu121", f"{TORCH}/cu121"),
        ("2.5.1+cu124", f"{TORCH}/cu124"),
        ("2.6.0+cu126", f"{TORCH}/cu126"),
        ("2.7.0+cu128", f"{TORCH}/cu128"),
        ("2.3.0+cpu", f"{TORCH}/cpu"),
        ("2.3.0+rocm6.0", f"{TORCH}/rocm6.0"),
        ("2.8.0+rocm6.4.1", f"{TORCH}/rocm6.4.1"),
        ("2.3.0", None),
        ("1.0+g1234567", None),
        ("1.0+cu121x", None),
        ("1.0+rocm../../x", None),
    ],
)
def test_known_labels_have_their_public_index(version: str, index: str | None) -> None:
    assert label_index(version) == index


def test_configured_indexes_are_told_apart() -> None:
    found = indexes_of(
        [
            Index(url="https://pypi.example.org/simple/", kind="index"),
            Index(url=own_index(), kind="extra"),
            Index(url=f"{TORCH}/cu121", kind="extra"),
            Index(url="https://more.example.org/simple", kind="extra"),
            Index(url="https://more.example.org/simple/", kind="extra"),
            Index(url="file:///opt/simple", kind="extra", local=True),
            Index(url="/opt/wheels", kind="find-links", local=True),
            Index(url="https://links.example.org/x.html", kind="find-links"),
        ]
    )
    assert found == Indexes(
        default="https://pypi.example.org/simple",
        extra=("https://more.example.org/simple",),
        labelled=(f"{TORCH}/cu121",),
    )


def test_the_public_index_is_nobodys_configuration() -> None:
    assert indexes_of([Index(url=f"{own_index()}/", kind="index")]) == Indexes()
    assert not Indexes().configured


def test_an_index_that_does_not_know_the_name_is_no_trouble() -> None:
    with private_index() as private:
        assert troubles(Indexes(default=private.url), "nothing", Access()) == []


@pytest.mark.parametrize(
    ("status", "kind", "code", "severity"),
    [
        (401, "refused", "index-refused", "error"),
        (403, "refused", "index-refused", "error"),
        (503, "unreachable", "not-locked", "warning"),
    ],
)
def test_an_index_that_refuses_or_is_down_is_named(status: int, kind: str, code: str, severity: str) -> None:
    with private_index(status=status) as private:
        indexes = Indexes(default=private.url)
        (trouble,) = troubles(indexes, "six", Access())
    finding = finding_of(trouble, indexes)
    assert (trouble.kind, finding.code, finding.severity) == (kind, code, severity)
    assert "127.0.0.1" in finding.message
    assert str(status) in finding.message
    assert finding.fix


def test_an_unreachable_private_index_stops_the_work() -> None:
    """Without it nobody knows which packages are its own: taking them from elsewhere is the attack."""
    indexes = Indexes(extra=("https://nothing.invalid/simple",))
    found = [trouble for trouble in troubles(indexes, "six", Access(), seconds=3) if "invalid" in trouble.url]
    assert [finding_of(trouble, indexes).code for trouble in found] == ["index-unreachable"]
    assert finding_of(found[0], indexes).severity == "error"


def test_one_that_sends_a_byte_now_and_then_is_not_waited_for() -> None:
    """Not at the end of the process either, which joins the threads of pools."""
    code = """
import socket, threading, time
from jupyter_dockerize.resolve.credentials import Access
from jupyter_dockerize.resolve.indexes import Indexes, troubles
server = socket.create_server(("127.0.0.1", 0))
def drip():
    connection, _ = server.accept()
    connection.sendall(b"HTTP/1.1 200 OK\\r\\n")
    while True:
        connection.sendall(b"X")
        time.sleep(0.1)
threading.Thread(target=drip, daemon=True).start()
url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
print([each.why for each in troubles(Indexes(default=url), "six", Access(), seconds=0.5)])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "['it did not answer in time']\n"


def test_a_uv_that_lies_on_path_alone_is_asked_which_index_is_its_own() -> None:
    """Where packages were installed to a folder of their own, uv's program is not where uv looks for it."""
    code = """
import uv
def nowhere():
    raise FileNotFoundError
uv.find_uv_bin = nowhere
from jupyter_dockerize.resolve.indexes import own_index
print(own_index())
"""
    path = os.pathsep.join([os.path.dirname(find_uv_bin()), os.environ["PATH"]])
    environ = {**os.environ, "PATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == f"{own_index()}\n"
