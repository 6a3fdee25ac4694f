"""What is told of a command without running it: whom it calls, whether it is an install and nothing else."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.model import Index
from jupyter_dockerize.errors import UsageError
from jupyter_dockerize.layers.calls import Manager, calls
from jupyter_dockerize.layers.command import LONGEST, Command
from jupyter_dockerize.layers.words import split

INSTALLS = {
    "pip": [
        "pip install a b",
        "pip3 install 'numpy>=1.2,<3'",
        "pip -q install a",
        "pip --proxy http://proxy.example:3128 install a",
        "python -m pip install a",
        "python3 -m pip uninstall -y a",
        "pip install -r requirements.txt",
        "pip install .",
        "pip install -e ./checkout",
        "pip install uvicorn[standard] numpy==1.*",
        "pip install --upgrade --user a",
        "pip install \"a ; python_version > '3.8'\"",
        "pip install git+https://github.com/me/it.git@v1#egg=it",
        "# first\n\npip install a  # the one\npip install \\\n  b \\\n  c\n",
    ],
    "uv": ["uv pip install a", "uv --quiet pip uninstall a", "uv pip sync requirements.txt"],
    "conda": [
        "conda install -y a=1.*",
        "mamba install -c conda-forge a",
        "micromamba install -y -f environment.yml",
        "conda remove -y a",
        "conda update --all",
    ],
    "apt": [
        "apt-get update && apt-get install -y a",
        "apt install a=1.2",
        "sudo apt-get -o Acquire::Retries=3 install -y a",
        "sudo -E -u root apt purge a; apt autoremove",
        "doas apt-get install -y a",
        "DEBIAN_FRONTEND=noninteractive /usr/bin/apt-get install -y a",
    ],
}
LITERAL = {
    "pip": [
        "pip download a",
        "pip config set global.index-url x",
        "pip list",
        "pip install a | tee log",
        "pip install a>=1",
        "pip install $NAME",
        "pip install a$(date)",
        "pip install `cat names`",
        "pip install *.whl",
        "pip install ~/checkout",
        "pip install {a,b}",
        "pip install a &",
        "pip install a || true",
        "(pip install a)",
        "pip install a; echo done",
        "pip install 'a",
        'pip install "a',
        "pip install a\\",
        "pip install a\r\n",
        "pip install --target lib a",
        "pip install -tlib a",
        "pip install --prefix=/opt/other a",
        "sudo pip install a",
        "/opt/other/bin/pip install a",
        "pip3.11 install a",
        "python3.12 -m pip install a",
        "CFLAGS=-O3 pip install a",
        "cat names | xargs -n 1 pip install",
        "timeout 60 pip install a",
        "if true; then pip install a; fi",
        "bash -c 'cd /tmp && pip install a'",
        'echo "$(pip freeze)"',
    ],
    "uv": [
        "uv add a",
        "uv sync",
        "uv pip install --system a",
        "uv pip install -p 3.12 a",
        "python -m uv venv",
    ],
    "conda": ["conda config --add channels a", "conda create -n x a", "conda install -n other a"],
    "apt": [
        "dpkg -i a.deb",
        "apt install ./a.deb",
        "sudo -u other apt install a",
        "apt list --installed",
        "sh -c 'apt-get install a'",
    ],
    "": [
        "%pip install a",
        "!pip install a",
        "make install",
        "echo pip install a",
        "dpkg -l",
        "python -m venv x",
    ],
}


def managers(text: str) -> set[Manager]:
    """Whom its lines call."""
    return {call.manager for call in calls(split(text)) if call.manager}


@pytest.mark.parametrize(("manager", "text"), [(m, text) for m, texts in INSTALLS.items() for text in texts])
def test_an_install_by_a_package_manager_is_not_kept_literally(manager: str, text: str) -> None:
    command = Command.parse(text)
    assert (command.literal, managers(text)) == (False, {manager})
    assert (command.text, command.safe, command.secret) == (text, text, False)


@pytest.mark.parametrize(("manager", "text"), [(m, text) for m, texts in LITERAL.items() for text in texts])
def test_everything_else_is_kept_literally(manager: str, text: str) -> None:
    command = Command.parse(text)
    assert (command.literal, managers(text)) == (True, {manager} - {""})
    assert (command.text, command.safe) == (text, text)


def test_managers_add_up() -> None:
    text = "apt-get install -y a\nmamba install b && uv pip install c ; pip install d"
    assert (Command.parse(text).literal, managers(text)) == (False, {"apt", "conda", "uv", "pip"})


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("apt-get install a", "apt-get"),
        ("pip install a\napt update", "apt"),
        ("cd /tmp && apt-get install a", "apt-get"),
        ("DEBIAN_FRONTEND=noninteractive /usr/bin/apt-get install -y a", "apt-get"),
        ("env A=1 apt-get install a | cat", "apt-get"),
        ("bash -c 'apt-get install a'", "apt-get"),
        ("dpkg -i a.deb", "dpkg"),
        ("sudo apt-get install a", ""),
        ("doas apt-get install a", ""),
        ("doas -u root apt-get install a", ""),
        ("sudo bash -c 'apt-get update && apt-get install a'", ""),
        ("apt list", ""),
        ("dpkg -l", ""),
        ("pip install apt", ""),
    ],
)
def test_apt_needs_root_where_we_are_not_and_nobody_lends_it(
    text: str, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Command.parse(text).needs_root == program
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Command.parse(text).needs_root == ""


def test_the_indexes_of_a_command_are_known_and_their_logins_apart() -> None:
    command = Command.parse(
        "pip install -i https://me:s%20cret@a.example/simple --extra-index-url=https://d.example/simple"
        " --find-links ./wheels -fhttps://b.example/x a\n"
        "uv pip install --default-index corp=https://token1234@c.example/simple --index $URL d"
    )
    assert command.indexes == (
        Index(url="https://a.example/simple", kind="index", credentials=True),
        Index(url="https://d.example/simple", kind="extra"),
        Index(url="./wheels", kind="find-links", local=True),
        Index(url="https://b.example/x", kind="find-links"),
        Index(url="https://c.example/simple", kind="index", credentials=True),
    )
    assert command.logins == (("a.example", "me", "s cret"), ("c.example", "token1234", ""))
    assert (command.secret, command.literal) == (True, True)  # for the sake of $URL
    assert not any(secret in repr(command) for secret in ("s%20cret", "s cret", "token1234"))


def test_a_file_is_no_index_of_conda() -> None:
    assert Command.parse("conda install -f environment.yml -i x").indexes == ()


@pytest.mark.parametrize(
    "text", ["", " \n\t", "# only a comment", "a\0b", "pip install \udc80", "x" * (LONGEST + 1)]
)
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Command.parse(text)


PIECES = st.sampled_from(
    [
        "pip install ", "apt-get ", "conda ", "-m", "python ", "'", '"', "\\", ";", "&&", "&", "|", "$(", ")",
        "`", "${X}", "$", "\n", " ", "#", "://", "@", "https://", "?token=", "=", ":", "--password", "é",
        "<<EOF", "bash -c ", "\u2028", "{", "~", "*", "[", "\r",
        "-----BEGIN PRIVATE KEY-----", "sudo ", "-u ", "-i ",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=24).map("".join)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_anything_is_a_command_or_refused_as_none(text: str) -> None:
    try:
        command = Command.parse(text)
    except UsageError:
        return
    assert command.text == text
    again = Command.parse(command.safe) if command.safe.strip() else command
    assert again.safe == command.safe
    if any(char in text for char in "|`><("):
        assert command.literal or any(quote in text for quote in "'\"\\#")


def test_the_longest_command_is_read_in_seconds() -> None:
    for piece in ("a", "'", "a=", "://", "-----BEGIN ", "\\", "$(", "--token a ", "token=a;", '"\\"'):
        text = piece * ((LONGEST - 20) // len(piece))
        began = time.process_time()
        Command.parse(f"pip install {text}")
        assert time.process_time() - began < 10, piece
