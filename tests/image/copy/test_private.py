"""No secret is copied: logins in installers' records, configuration of indexes, tokens in one's own files."""

from __future__ import annotations

import base64
import csv
import hashlib
import json

from jupyter_dockerize.image.copy import private
from jupyter_dockerize.image.tar import Member

SITE = "opt/venv/lib/python3.11/site-packages/x-1.dist-info"
CANARY = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"


def members(**files: bytes) -> dict[str, Member]:
    return {path: Member(path=path, data=data, size=len(data)) for path, data in files.items()}


def test_a_login_in_an_install_s_url_is_cut_and_its_record_agrees() -> None:
    direct = json.dumps({"url": "https://user:canary-word@example.org/x.zip", "archive_info": {}}).encode()
    record = (
        b"x/__init__.py,sha256=abc,3\nx-1.dist-info/direct_url.json,sha256=old,9\nx-1.dist-info/RECORD,,\n"
    )
    found = members(**{f"{SITE}/direct_url.json": direct, f"{SITE}/RECORD": record})
    private.cut(found)
    data = found[f"{SITE}/direct_url.json"].data
    assert data is not None and b"canary" not in data
    assert json.loads(data) == {"url": "https://example.org/x.zip", "archive_info": {}}
    rows = list(csv.reader((found[f"{SITE}/RECORD"].data or b"").decode().splitlines()))
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    assert rows[1] == ["x-1.dist-info/direct_url.json", f"sha256={digest}", str(len(data))]
    assert rows[0] == ["x/__init__.py", "sha256=abc", "3"]


def test_a_channel_s_token_is_cut_and_other_records_stay_as_they_are() -> None:
    secret = json.dumps({"url": "https://example.org/t/tk-canary/channel/linux-64/a.conda", "files": ["a"]})
    plain = json.dumps({"url": "https://conda.anaconda.org/conda-forge/linux-64/b.conda"})
    found = members(**{"opt/c/conda-meta/a.json": secret.encode(), "opt/c/conda-meta/b.json": plain.encode()})
    private.cut(found)
    assert b"canary" not in (found["opt/c/conda-meta/a.json"].data or b"")
    assert json.loads(found["opt/c/conda-meta/a.json"].data or b"")["files"] == ["a"]
    assert found["opt/c/conda-meta/b.json"].data == plain.encode()


def test_a_token_is_told_in_files_that_come_from_no_index() -> None:
    text = f"TOKEN = '{CANARY}'".encode()
    found = members(**{"p/own.py": text, "p/indexed.py": text, "p/nobody.py": text, "p/own.so": text})
    groups = {"p/own.py": "mine", "p/indexed.py": "theirs"}
    told = private.search(found, {"theirs"}, groups)
    assert {finding.code for finding in told} == {"secret-in-file"}
    assert sorted(finding.message.split(" ")[0] for finding in told) == ["/p/nobody.py", "/p/own.py"]


def test_of_conda_s_history_only_the_name_stays() -> None:
    """> conda: a folder with conda-meta/history is an environment."""
    text = b"==> 2026-01-01 <==\n# cmd: conda install -c https://u:canary@example.org/c --token canary\n"
    found = members(**{"opt/c/conda-meta/history": text})
    private.cut(found)
    assert (found["opt/c/conda-meta/history"].data, found["opt/c/conda-meta/history"].size) == (b"", 0)
