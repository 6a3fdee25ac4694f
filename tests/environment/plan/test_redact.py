"""What is stored in an image tells strangers nothing about the machine that it was made on."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.environment.choices import ProjectFile, Wishes
from jupyter_dockerize.environment.compare import compare_snapshots
from jupyter_dockerize.environment.model import Index, Snapshot, Source, dump, fingerprint, parse
from jupyter_dockerize.environment.plan import redact
from jupyter_dockerize.environment.plan.planning import make_plan, redacted
from jupyter_dockerize.environment.project.files import Project
from jupyter_dockerize.events import Finding

from ..environments import BOOKWORM, conda, pip, snapshot


def test_a_snapshot_that_is_given_away_tells_nothing_of_its_machine_and_is_the_same_environment() -> None:
    packages = (
        pip(
            "mine",
            source=Source(kind="editable", url="file:///home/ada/canary/mine"),
            location="/home/ada/canary",
        ),
        pip("tides", source=Source(kind="vcs", url="git+https://git.canary.local/tides"), requires=("six",)),
    )
    found = snapshot(*packages, conda=(replace(conda("six"), url="https://canary.local/conda/six.conda"),))
    found = replace(
        found,
        python=replace(found.python, executable="/home/canary/bin/python", prefix="/home/canary"),
        system=replace(
            found.system, container="canary", image="registry.canary.local/team/lab:1", cpu="canary"
        ),
        withheld=("CANARY_TOKEN",),
        ca="/etc/canary.pem",
        conda_prefix="/home/canary/conda",
        indexes=(Index(url="https://canary.local/simple", kind="index"),),
        modules=(("helpers", "/home/canary/helpers.py"),),
        findings=(Finding("unreadable", "warning", "/home/canary/x could not be read"),),
    )
    given = redact.snapshot(found)
    assert b"canary" not in dump(given).lower()
    assert given.fingerprint == fingerprint(found.python, redact.packages(found.packages))
    assert parse(dump(given), Snapshot) == given
    assert compare_snapshots(found, given).verdict == "identical"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://www.python.org/simple", "https://www.python.org/simple"),
        ("https://download.pytorch.org/whl/cu121", "https://download.pytorch.org/whl/cu121"),
        ("https://conda.anaconda.org/conda-forge", "https://conda.anaconda.org/conda-forge"),
        ("git+https://github.com/a/b.git", "git+https://github.com/a/b.git"),
        ("git+ssh://git@github.com/a/b.git", "git+ssh://github.com/a/b.git"),
        ("git@github.com:a/b.git", "ssh://github.com/a/b.git"),
        ("https://ada:pw@www.python.org/simple", "https://www.python.org/simple"),
        ("https://pypi.corp.local/team/simple", "https://private.invalid/"),
        ("https://python.org.evil.example.net/simple", "https://private.invalid/"),
        ("https://notpython.org/simple", "https://private.invalid/"),
        ("http://10.1.2.3:8080/simple", "http://private.invalid/"),
        ("http://localhost:3141/root", "http://private.invalid/"),
        ("git+ssh://ada@git.corp.local/secret/repo", "git+ssh://private.invalid/"),
        ("git@git.corp.local:secret/repo.git", "ssh://private.invalid/"),
        ("file:///home/ada/wheels/mine-1.0-py3-none-any.whl", "file:mine-1.0-py3-none-any.whl"),
        ("file:///home/ada/mine/", "file:mine"),
        ("git+file:///srv/ada/repo", "git+file:repo"),
        ("/home/ada/wheels", "…/wheels"),
    ],
)
def test_public_addresses_stay_and_private_ones_go(url: str, shown: str) -> None:
    redacted = redact.url(url)
    assert without_digest(redacted) == shown
    assert redact.url(redacted) == redacted


def test_equal_private_addresses_stay_equal_and_others_do_not() -> None:
    first, second = (redact.url(f"https://git.corp.local/{name}") for name in ("tides", "winds"))
    assert first == redact.url("https://git.corp.local/tides") != second


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("'/home/ada/.venv/lib/x.py' could not be read", "'…/x.py' could not be read"),
        ("in /Users/ada", "in …"),
        ("at /root/a/b, and ~ada/c", "at …/b, and …/c"),
        (r"C:\Users\Ada Lovelace\env\python.exe failed", "…/python.exe failed"),
        ("from https://pypi.corp.local/simple/x", "from https://private.invalid/"),
        ("clone git@git.corp.local:team/repo", "clone private.invalid:…"),
        ("linux/amd64 and/or data/x.csv", "linux/amd64 and/or data/x.csv"),
        ("numpy 1.26 → 2.0 (1/2)", "numpy 1.26 → 2.0 (1/2)"),
        ("see https://www.python.org/project/x", "see https://www.python.org/project/x"),
    ],
)
def test_texts_lose_folders_users_and_hosts(text: str, shown: str) -> None:
    assert without_digest(redact.text(text)) == shown


def without_digest(text: str) -> str:
    return re.sub(r"(private\.invalid/)[0-9a-f]{16}\b", r"\1", text)


@pytest.mark.parametrize(
    ("ref", "shown"),
    [
        ("python:3.12-slim", "python:3.12-slim"),
        ("jupyter/scipy-notebook:2024-01-01", "jupyter/scipy-notebook:2024-01-01"),
        ("quay.io/jupyter/base-notebook", "quay.io/jupyter/base-notebook"),
        ("registry.corp.local:5000/team/secret/base:1", "private.invalid/base:1"),
        ("localhost/base", "private.invalid/base"),
    ],
)
def test_images_of_private_registries_lose_their_registry(ref: str, shown: str) -> None:
    assert redact.image(ref) == shown


@given(st.text(max_size=300))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact.text(text)
    assert redact.text(once) == once


@given(
    st.from_regex(r"/(home|Users)/[a-z]{3,8}(/[a-z.]{1,8}){0,3}", fullmatch=True),
    st.sampled_from(["{}", "'{}'", "in {}: no", "({})"]),
)
def test_no_user_name_stays_in_a_text(path: str, frame: str) -> None:
    user = path.split("/")[2]
    if user not in path.rpartition("/")[2] or path.count("/") == 2:
        assert f"/{user}" not in redact.text(frame.format(path))


def test_no_canary_is_left_in_a_stored_plan() -> None:
    source = snapshot(
        pip(
            "mine",
            source=Source(kind="editable", url="file:///home/ada/canary/mine"),
            location="/home/ada/canary/mine",
            dist_info="/home/ada/canary/x.dist-info",
        ),
        pip(
            "vcs", source=Source(kind="vcs", url="git+ssh://ada@git.corp.local/canary/repo", commit="c" * 40)
        ),
        conda=(
            replace(
                conda("private"),
                channel="https://conda.corp.local/canary",
                url="https://conda.corp.local/canary/linux-64/private-1.0-0.conda",
            ),
        ),
        indexes=(
            Index(url="https://pypi.corp.local/canary", kind="index", credentials=True),
            Index(url="/home/ada/canary", kind="find-links", local=True),
        ),
        ca="/home/ada/canary.pem",
        system=replace(BOOKWORM, image="registry.corp.local/canary/base:1"),
        findings=(Finding("unreadable", "warning", "/home/ada/canary/y could not be read"),),
    )
    project = Project(
        notebook="a.ipynb",
        folder="/home/ada/canary",
        files=(ProjectFile(path="a.ipynb", size=1, sha256="0" * 64, source="/home/ada/canary/a.ipynb"),),
        findings=(
            Finding("x", "info", "look at /home/ada/canary/z and https://ada:pw@pypi.corp.local/canary"),
        ),
    )
    plan = make_plan(source, Wishes(base="registry.corp.local/canary/base:1"), project)
    stored = dump(redacted(plan))
    for canary in (b"canary/", b"ada", b"corp.local", b"/home"):
        assert canary not in stored, stored[max(0, stored.index(canary) - 80) :][:200]
    assert b'"private"' in stored and b"c" * 40 in stored and b"private.invalid" in stored
    assert redacted(plan).fingerprint == plan.fingerprint


def test_environments_from_different_folders_have_one_fingerprint() -> None:
    def at(folder: str) -> str:
        source = Source(kind="editable", url=f"file://{folder}/mine")
        return make_plan(snapshot(pip("mine", source=source)), Wishes()).fingerprint

    assert at("/home/ada") == at("/home/bob/deep")


def test_two_folders_of_one_name_stay_two() -> None:
    """The build counts the plan, `verify` its stored form: both left out two."""
    folders = tuple(Index(url=f"/home/ada/{n}/wheels", kind="find-links", local=True) for n in "ab")
    plan = make_plan(replace(snapshot(), indexes=folders), Wishes())
    names = [c.name for c in redacted(plan).choices if c.manager == "index"]
    assert names == ["find-links …/wheels", "find-links …/wheels (2)"]
    assert redacted(redacted(plan)).choices == redacted(plan).choices
