"""Tokens in notebooks and files are named by kind and place, never shown; data does not look like tokens."""

from __future__ import annotations

import base64
import json
import random
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.project.secrets import scan_file, scan_notebook
from jupyter_dockerize.environment.project.tokens import kinds

LETTERS = string.ascii_letters + string.digits


def canary(prefix: str, length: int, alphabet: str = LETTERS) -> str:
    """A token of the right shape, made here so that no scanner of this repository finds one."""
    chance = random.Random(prefix)
    return prefix + "a1B2" + "".join(chance.choices(alphabet, k=length - 4))


UPPER = string.ascii_uppercase + string.digits
PEM = "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n"
JWT = (
    ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "ada", "iat": 1516239022})
    )
    + "."
    + canary("", 43)
)

TOKENS = [
    ("AWS access key", "AKIA" + "".join(random.Random(1).choices(UPPER, k=16))),
    ("AWS secret key", "aws_secret_access_key = " + canary("", 40)),
    ("AWS secret key", f'os.environ["AWS_SECRET_ACCESS_KEY"] = "{canary("", 40)}"'),
    ("Anthropic key", canary("sk-" + "ant-api03-", 93)),
    ("Azure storage key", "AccountKey=" + canary("", 86) + "=="),
    ("Databricks token", "dap" + "i" + "0123456789abcdef" * 2),
    ("GitHub token", canary("ghp" + "_", 36)),
    ("GitHub token", canary("gho" + "_", 36)),
    ("GitHub token", canary("github" + "_pat_", 82)),
    ("GitLab token", canary("gl" + "pat-", 20)),
    ("Google API key", canary("AI" + "za", 35)),
    ("Hugging Face token", canary("hf" + "_", 34)),
    ("JSON Web Token", JWT),
    ("Jupyter token", "http://localhost:8888/lab?token=" + "0123456789abcdef" * 3),
    ("OpenAI key", canary("sk-", 48)),
    ("OpenAI key", canary("sk-" + "proj-", 120)),
    ("PyPI token", canary("pypi-" + "AgEIcHlwaS5vcmc", 120)),
    ("SendGrid key", canary("SG" + ".", 22) + "." + canary("", 43)),
    ("Slack token", canary("xox" + "b-12345678901-", 24)),
    ("Stripe key", canary("sk" + "_live_", 24)),
    ("npm token", canary("npm" + "_", 36)),
    ("password", 'password = "tr0ub4dor&3x"'),
    ("password", "HOME=/home/ada\nDB_PASSWORD=tr0ub4dor&3x\nLANG=C.UTF-8"),
    ("password", "login(user='ada', password='hX7#kP9q2LmZ')"),
    ("password", '{"api_key": "d41d8cd98f00b204e9"}'),
    ("password in a URL", "postgresql://ada:s3cret9x@db.corp.local:5432/sales"),
    ("password in a URL", "https://ada:" + canary("", 20) + "@pypi.corp.local/simple"),
    ("private key", PEM),
    ("private key", PEM.replace("RSA ", "").replace("\n", "\\n")),
    ("private key", PEM.replace("RSA", "OPENSSH")),
    ("signed URL", "https://b.s3.amazonaws.com/x?X-Amz-Signature=" + "0123456789abcdef" * 4),
]

HARMLESS = [
    'password = getpass.getpass("Password: ")',
    "password = os.environ['DB_PASSWORD']",
    'api_key = "YOUR_API_KEY_HERE"',
    'token = "<your-token>"',
    'password="${PASSWORD}"',
    "AKIAIOSFODNN7EXAMPLE",
    "https://user:password@example.org/",
    "https://user:<password>@example.org/",
    "postgresql://{user}:{password}@localhost/db",
    'tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")',
    'tok.pad_token = "<|endoftext|>"',
    'sep_token="[SEP]"',
    "TOKEN_LENGTH=12345678901",
    "PASSWORD=getpass.getpass2(1)",
    '<div class="sk-container-id-1 sk-top-container"><label for="sk-estimator-id-1">',
    "sk-estimator-doc-link-sk-parallel-item-sk-serial-sk-hidden--visually",
    "hf_hub_download(repo_id='bert-base-uncased')",
    "ghp_ is the prefix of a token",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIE\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n",
    "http://localhost:8888/lab?token=...",
    "ssh://git@github.com/owner/repo.git",
    "time: 12:30:45 url: http://example.org:8080/path@2x.png",
]


def notebook(*cells: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **more}


def code(source: str = "", *outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "source": source,
        "outputs": list(outputs),
        "metadata": {},
        "execution_count": 1,
    }


@pytest.mark.parametrize(("kind", "text"), TOKENS)
@pytest.mark.parametrize(
    "frame",
    ["{}", "x = '{}'", "the key is {}, keep it\n", "<td>{}</td>", '"{}"', "TOKEN={}", "f({})\n", "a/{}@host"],
)
def test_tokens_are_recognised_by_their_shape(kind: str, text: str, frame: str) -> None:
    framed = (
        frame.format(text) if text == text.strip("'\"") and " " not in text and "\n" not in text else text
    )
    if frame == "a/{}@host" and kind.split()[0] in (
        "AWS",
        "Azure",
        "Databricks",
        "Google",
        "JSON",
        "SendGrid",
        "password",
    ):
        framed = text  # "/" is one of base64's own characters
    assert kind in kinds(framed)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_token_is_left_alone(text: str) -> None:
    assert kinds(text) == ()


def test_random_base64_of_pictures_does_not_fire() -> None:
    chance = random.Random(20240229)
    for _ in range(300):
        data = base64.b64encode(chance.randbytes(chance.randrange(1, 20_000))).decode()
        assert kinds(data) == ()
        assert kinds(f'<img src="data:image/png;base64,{data}">') == ()
        lines = "\n".join(data[i : i + 76] for i in range(0, len(data), 76))
        assert kinds(f"result:\n{lines}\n") == ()


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=4000))
def test_base64_for_urls_and_hex_do_not_fire_either(data: bytes) -> None:
    assert kinds(base64.urlsafe_b64encode(data).decode()) == ()
    assert kinds(data.hex()) == ()


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2000))
def test_any_text_can_be_scanned(text: str) -> None:
    kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "://" + "a" * 100_000,
        "password=" * 20_000,
        "-----BEGIN " * 20_000 + "PRIVATE KEY",
        "eyJ" * 50_000,
        "a.b-c:" * 20_000 + "://",
        "data:a" * 20_000 + ";base64,",
    ],
)
def test_hostile_texts_are_scanned_in_linear_time(text: str) -> None:
    """Bounded repetition everywhere: the work for twice the text is about twice as much, not four times."""
    assert kinds(text) == ()


@pytest.mark.parametrize(("kind", "token"), TOKENS)
def test_a_finding_names_cell_place_and_kind_and_never_the_token(kind: str, token: str) -> None:
    found = scan_notebook(notebook(code("x = 1"), code(token)), "a.ipynb")
    assert {f.severity for f in found} == {"error"} and {f.code for f in found} == {"secret-in-notebook"}
    assert any(
        f"the source of cell 2 of a.ipynb holds what looks like a secret: {kind}" == f.message for f in found
    )
    secret = max(token.replace('"', " ").replace("'", " ").split(), key=len)
    assert not any(secret in f"{f.message} {f.fix}" for f in found)


TOKEN = canary("ghp" + "_", 36)


@pytest.mark.parametrize(
    ("cell", "place"),
    [
        (
            code("", {"output_type": "stream", "name": "stdout", "text": ["one\n", f"{TOKEN}\n"]}),
            "an output of cell 1",
        ),
        (
            code(
                "",
                {
                    "output_type": "error",
                    "ename": "E",
                    "evalue": "v",
                    "traceback": [f"\x1b[31m{TOKEN[:9]}\x1b[0m{TOKEN[9:]}"],
                },
            ),
            "an output of cell 1",
        ),
        (
            code("", {"output_type": "display_data", "data": {"text/html": [f"<b>{TOKEN}</b>"]}}),
            "an output of cell 1",
        ),
        (
            code("", {"output_type": "display_data", "data": {"application/json": {"deep": [{"t": TOKEN}]}}}),
            "an output of cell 1",
        ),
        (
            {"cell_type": "markdown", "source": [f"use {TOKEN}\n", "here"], "metadata": {}},
            "the source of cell 1",
        ),
        (
            {"cell_type": "code", "source": "", "outputs": [], "metadata": {"tags": [TOKEN]}},
            "the metadata of cell 1",
        ),
        (
            {"cell_type": "markdown", "source": "", "attachments": {"a.txt": {"text/plain": TOKEN}}},
            "the attachments of cell 1",
        ),
    ],
)
def test_every_part_of_a_cell_is_looked_at(cell: dict[str, Any], place: str) -> None:
    [finding] = scan_notebook(notebook(cell), "a.ipynb")
    assert finding.message.startswith(place)


def test_one_token_is_one_finding_with_all_its_places() -> None:
    told = {"output_type": "stream", "name": "stdout", "text": [f"{TOKEN}\n", f"{TOKEN}\n"]}
    cells = code("x = 1"), code(f'token = "{TOKEN}"\nprint("{TOKEN}")', told), code(f"login('{TOKEN}')")
    [finding] = scan_notebook(notebook(*cells), "a.ipynb")
    assert finding.message == (
        "the source of cell 2, an output of cell 2 and the source of cell 3 of a.ipynb"
        " hold what looks like a secret: GitHub token"
    )
    other = canary("gho" + "_", 36)
    assert len(scan_notebook(notebook(*cells, code(other)), "a.ipynb")) == 2
    [many] = scan_notebook(notebook(*(code(TOKEN) for _ in range(100))), "a.ipynb")
    assert "the source of cell 11 and 89 more places of a.ipynb hold" in many.message


def test_one_token_of_a_file_is_one_finding() -> None:
    assert len(scan_file(f'password = "{TOKEN}"\nlogin("{TOKEN}")'.encode(), "a.py")) == 1


def test_pictures_are_not_looked_at() -> None:
    picture = {"output_type": "display_data", "data": {"image/png": f"{TOKEN}", "image/svg+xml": TOKEN}}
    assert scan_notebook(notebook(code("", picture)), "a.ipynb") == ()


def test_the_metadata_of_the_notebook_is_looked_at() -> None:
    found = scan_notebook(notebook(metadata={"deploy": {"token": TOKEN}}), "a.ipynb")
    assert {f.message.partition(" holds")[0] for f in found} == {"the metadata of a.ipynb"}


@pytest.mark.parametrize(
    "broken", [{}, {"cells": None}, {"cells": [None, 3, {"source": 7}]}, {"cells": [{"outputs": {"a": [1]}}]}]
)
def test_half_a_notebook_is_scanned_as_far_as_it_goes(broken: dict[str, Any]) -> None:
    assert scan_notebook(broken, "a.ipynb") == ()


def test_text_files_are_looked_at_and_binary_ones_are_not() -> None:
    assert [f.code for f in scan_file(f"key: {TOKEN}".encode(), "config.yaml")] == ["secret-in-file"]
    assert scan_file(b"\0\1\2" + TOKEN.encode(), "model.bin") == ()
    assert scan_file(b"\xff\xfe broken utf-8 " + TOKEN.encode(), "notes.txt") != ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('PassWord = "a1B2c3D4e5f6"', True),
        ('x["api_KEY"]: "a1B2c3D4e5f6"', True),
        ('authtoken="a1B2c3D4e5f6"', True),
        ('İ token="a1B2c3D4e5f6"', True),  # two letters in lower case
        ('monkey = "a1B2c3D4e5f6"', False),
        ('detoken = "a1B2c3D4e5f6"', False),
        ('pwd and secret, then key and token = "a1B2c3D4e5f6"', True),
    ],
)
def test_a_password_is_known_by_the_word_before_it(text: str, found: bool) -> None:
    assert kinds(text) == (("password",) if found else ())
