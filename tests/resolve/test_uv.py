"""What uv answers is parsed strictly, and what it is told is ours alone."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.errors import CancelledError, EngineError, RegistryError
from jupyter_dockerize.resolve.credentials import Access
from jupyter_dockerize.resolve.indexes import own_index
from jupyter_dockerize.resolve.uv import Served, Target, compile_pins, parse

from .index import private_index

TARGET = Target("3.11.7", "x86_64-manylinux_2_36")
HASH = "sha256:" + "0" * 63


def test_a_lock_is_read() -> None:
    text = (
        f"six==1.16.0 \\\n    --hash={HASH}b \\\n    --hash={HASH}a\n    # from https://index.example.org/simple\n"
        "numpy==1.26.4+local\n"
    )
    assert parse(text) == [
        Served("six", "1.16.0", (f"{HASH}a", f"{HASH}b"), "https://index.example.org/simple"),
        Served("numpy", "1.26.4+local", (), None),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "six @ https://example.org/six.whl",
        "--index-url https://example.org",
        "-e .",
        "six==1.0 ; evil",
        "    --hash=md5:0",
        "six==1.0 && rm",
        "# from https://example.org",
    ],
)
def test_any_other_line_is_refused(line: str) -> None:
    with pytest.raises(EngineError, match="not understood"):
        parse(f"a==1\n{line}\n")


@given(st.text())
def test_whatever_comes_is_a_lock_or_a_named_refusal(text: str) -> None:
    try:
        served = parse(text)
    except EngineError:
        return
    assert all(s.name and s.version and "\n" not in s.name + s.version for s in served)


def test_variables_and_files_of_uv_have_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    with private_index() as wrong:
        wrong.add("humanize", "4.9.0")
        for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX", "UV_FIND_LINKS"):
            monkeypatch.setenv(name, wrong.url)
        (served,) = compile_pins(["humanize==4.9.0"], TARGET, cancel=Cancel())
    assert served.index == own_index()
    assert wrong.seen == []


def test_logins_reach_uv_and_lie_in_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process that is killed clears nothing away: what it never wrote need not be."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    seen: list[bytes] = []
    with private_index(login=("user", "canary")) as private:
        private.add("humanize", "4.9.0")
        answer = private.answer

        def look(*args: Any) -> Any:
            seen.extend(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
            return answer(*args)

        monkeypatch.setattr(private, "answer", look)
        host = private.url.partition("//")[2].partition(":")[0]
        access = Access(logins={host: ("user", "canary")})
        (served,) = compile_pins(
            ["humanize==4.9.0"], TARGET, default=private.url, access=access, cancel=Cancel()
        )
    assert served.name == "humanize"
    assert seen
    assert not any(b"canary" in data for data in seen)


def test_an_index_out_of_reach_is_a_named_error_without_addresses() -> None:
    with pytest.raises(RegistryError, match="could not ask") as error:
        compile_pins(
            ["nothing-of-this-name==1"], TARGET, default="http://127.0.0.1:9/simple", cancel=Cancel()
        )
    assert error.value.why
    assert "http" not in error.value.why


def test_a_certificate_authority_that_does_not_fit_is_named(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.pem"  # type: ignore[operator]
    bundle.write_text("")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))  # type: ignore[operator]
    with pytest.raises(RegistryError) as error:
        compile_pins(["humanize==4.9.0"], TARGET, access=Access(ca=str(bundle)), cancel=Cancel())
    assert "certificate" in error.value.why


def test_cancelling_kills_it() -> None:
    cancel = Cancel()
    with private_index() as silent:
        waiting = threading.Event()
        silent.answer = lambda *_: (waiting.wait(60), (404, b""))[1]  # type: ignore[method-assign, assignment]
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(CancelledError):
            compile_pins(["a==1"], TARGET, default=silent.url, cancel=cancel)
        waiting.set()
