"""What the user gets from facts: the snapshot, whoever sent them."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import random
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_dockerize.environment.interpret.snapshot import interpret
from jupyter_dockerize.environment.model import Kernel, Snapshot, dump, parse
from jupyter_dockerize.errors import UsageError

FACTS = Path(__file__).parents[1] / "facts"
CASES = sorted(path.stem for path in FACTS.glob("*.json"))


def facts_of(case: str) -> dict[str, Any]:
    return json.loads((FACTS / f"{case}.json").read_text())


def codes(snapshot: Snapshot) -> set[str]:
    return {finding.code for finding in snapshot.findings}


def test_the_machine_in_the_words_of_images() -> None:
    system = interpret(facts_of("linux-venv")).system
    assert (system.os, system.version, system.codename, system.arch) == ("debian", "12", "bookworm", "amd64")
    assert system.libc == "glibc 2.36"
    mac = interpret(facts_of("macos-arm64")).system
    assert (mac.os, mac.version, mac.arch, mac.libc) == ("macos", "14.5", "arm64", None)
    fedora = interpret(facts_of("fedora-no-dpkg")).system
    assert (fedora.os, fedora.version, fedora.cuda, fedora.driver) == ("fedora", "40", "12.4", "550.54.15")


@pytest.mark.parametrize(
    ("os", "machine", "expected"),
    [
        ("linux", "x86_64", ("linux", "amd64")),
        ("linux", "aarch64", ("linux", "arm64")),
        ("darwin", "arm64", ("macos", "arm64")),
        ("win32", "AMD64", ("windows", "amd64")),
        ("win32", "ARM64", ("windows", "arm64")),
    ],
)
def test_every_spelling_of_a_machine(os: str, machine: str, expected: tuple[str, str]) -> None:
    facts = facts_of("fedora-no-dpkg")
    facts["system"] |= {"os": os, "machine": machine, "os_release": {}}
    system = interpret(facts).system
    assert (system.os, system.arch) == expected


def test_a_machine_that_images_are_not_made_for_is_named() -> None:
    facts = facts_of("fedora-no-dpkg")
    facts["system"]["machine"] = "ppc64le"
    (finding,) = [f for f in interpret(facts).findings if f.code == "machine-unknown"]
    assert "ppc64le" in finding.message
    assert "--platform" in finding.fix


def test_python_kernel_and_what_ran() -> None:
    kernel = Kernel(name="penguins", display_name="Penguins")
    snapshot = interpret(facts_of("linux-venv"), kernel=kernel)
    assert snapshot.kernel == kernel
    assert (snapshot.python.implementation, snapshot.python.version) == ("cpython", "3.11.7")
    assert snapshot.python.venv
    assert snapshot.executed == 14
    assert snapshot.imported == ("numpy", "pandas", "penguins", "psycopg2", "six")
    assert snapshot.modules == (("helpers_of_ada", "/home/ada/work/helpers_of_ada.py"),)


def test_a_python_built_from_a_checkout_counts_as_its_version() -> None:
    facts = facts_of("linux-venv")
    facts["python"]["version"] = "3.14.0a1+"
    assert interpret(facts).python.version == "3.14.0a1"


def test_variables_stay_out_by_name_and_go_in_sorted() -> None:
    snapshot = interpret(facts_of("linux-venv"))
    assert snapshot.environ == (("LANG", "C.UTF-8"), ("OMP_NUM_THREADS", "4"), ("TZ", "Europe/Zurich"))
    assert snapshot.withheld == ("AWS_SECRET_ACCESS_KEY", "HF_TOKEN")
    assert "environ-withheld" not in codes(snapshot)  # nobody knows yet who needs them
    assert "environ-invalid" in codes(interpret(facts_of("broken")))


def test_what_could_not_be_read_is_said() -> None:
    messages = [f.message for f in interpret(facts_of("broken")).findings if f.code == "unreadable"]
    assert any("/var/lib/dpkg/status" in message for message in messages)
    assert any("Permission denied" in message for message in messages)


def test_errors_come_before_warnings_before_notes() -> None:
    rank = {"error": 0, "warning": 1, "info": 2}
    for case in CASES:
        order = [rank[f.severity] for f in interpret(facts_of(case)).findings]
        assert order == sorted(order)


def test_a_thousand_findings_of_one_kind_are_counted() -> None:
    facts = facts_of("broken")
    facts["pip"]["leftovers"] = [f"~pkg{n}" for n in range(1000)]
    found = [f for f in interpret(facts).findings if f.code == "pip-leftover"]
    assert len(found) == 21
    assert "980 more" in found[-1].message


def test_every_code_is_kebab_case_and_in_the_list() -> None:
    from jupyter_dockerize.environment.interpret import snapshot as module

    listed = {line.split()[0] for line in (module.__doc__ or "").splitlines() if line.startswith("    ")}
    given_out = {code for case in CASES for code in codes(interpret(facts_of(case)))}
    assert given_out <= listed
    assert len(given_out) >= 20


# --- the same facts, the same snapshot ------------------------------------------------------


def shuffled(facts: dict[str, Any], seed: int) -> dict[str, Any]:
    """The same facts as another file system or dict would have listed them."""
    order = random.Random(seed)
    facts = copy.deepcopy(facts)
    order.shuffle(facts["pip"]["distributions"])
    order.shuffle(facts["pip"]["leftovers"])
    order.shuffle(facts["probe"]["faults"])
    order.shuffle(facts["environ"]["withheld"])
    if facts["conda"]:
        order.shuffle(facts["conda"]["records"])
        order.shuffle(facts["conda"]["unfinished"])
    if facts["apt"]:
        order.shuffle(facts["apt"]["packages"])
    if facts["libraries"]:
        order.shuffle(facts["libraries"]["missing"])
        order.shuffle(facts["libraries"]["loaded"])
    if facts["modules"]:
        order.shuffle(facts["modules"]["distributions"])

    def mixed(value: Any) -> Any:
        if isinstance(value, dict):
            items = list(value.items())
            order.shuffle(items)
            return {key: mixed(item) for key, item in items}
        return [mixed(item) for item in value] if isinstance(value, list) else value

    return mixed(facts)


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_folders_and_records_does_not_matter(case: str) -> None:
    facts = facts_of(case)
    expected = interpret(facts)
    for seed in range(20):
        assert interpret(shuffled(facts, seed)) == expected


def test_the_order_of_sys_path_does() -> None:
    facts = facts_of("broken")
    before = {(p.version, p.shadows) for p in interpret(facts).packages.pip if p.name == "urllib3"}
    facts["pip"]["paths"].reverse()
    for entry in facts["pip"]["distributions"]:
        entry["at"] = 1 - entry["at"]
    after = {(p.version, p.shadows) for p in interpret(facts).packages.pip if p.name == "urllib3"}
    assert before == {("1.26.18", "2.2.1 (env)"), ("2.2.1", None)}
    assert after == {("2.2.1", "1.26.18 (user)"), ("1.26.18", None)}


@pytest.mark.parametrize("case", CASES)
def test_another_hash_seed_and_locale_give_the_same_bytes(case: str) -> None:
    program = (
        "import json, sys\n"
        "from jupyter_dockerize.environment.interpret.snapshot import interpret\n"
        "from jupyter_dockerize.environment.model import dump\n"
        "facts = json.load(open(sys.argv[1], encoding='utf-8'))\n"
        "sys.stdout.buffer.write(dump(interpret(facts)))\n"
    )
    expected = dump(interpret(facts_of(case)))
    for seed, locale in (("1", "C"), ("4711", "C.UTF-8")):
        done = subprocess.run(
            [sys.executable, "-c", program, str(FACTS / f"{case}.json")],
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale},
            stdout=subprocess.PIPE,
            check=True,
        )
        assert done.stdout == expected


@pytest.mark.parametrize("case", CASES)
def test_the_snapshot_survives_its_file(case: str) -> None:
    snapshot = interpret(facts_of(case))
    again = parse(dump(snapshot), Snapshot)
    assert again == snapshot
    assert again.fingerprint == snapshot.fingerprint


def test_the_fingerprint_is_of_packages_not_of_places() -> None:
    facts = facts_of("linux-venv")
    expected = interpret(facts).fingerprint
    elsewhere = json.loads(json.dumps(facts).replace("/home/ada/work/.venv", "/opt/elsewhere"))
    elsewhere["system"]["cpus"] = 64
    elsewhere["apt"] = None
    assert interpret(elsewhere).fingerprint == expected
    elsewhere["pip"]["distributions"][0]["version"] = "1.26.3"
    assert interpret(elsewhere).fingerprint != expected


# --- facts from strangers --------------------------------------------------------------------


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [s for f in dataclasses.fields(value) for s in strings(getattr(value, f.name))]
    return [s for item in value for s in strings(item)] if isinstance(value, (tuple, list)) else []


def harmless(snapshot: Snapshot) -> None:
    for text in strings(snapshot):
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")], repr(text)
        assert len(text) <= 4200, len(text)
    assert len(dump(snapshot)) < 10_000_000


NASTY = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "x\nRUN evil",
            "a\x00b",
            "\x1b]52;c;aGk=\x07",
            "\u202etxt.exe",
            "\u2028",
            "\ud800",
            "$(id)",
            "--from=x",
            "../../etc/passwd",
            "http://[::1",
            "https://user@[",
            "n" * 10_000,
            "1." * 3000,
            "9" * 5000,
            "~",
            "",
            "-",
            ".dist-info",
            "\u212a",
            "http://\u2100.example.org/",
        ]
    ),
    st.integers(-(10**30), 10**30),
    st.none(),
    st.booleans(),
    st.floats(),
    st.lists(st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The address of every value inside ``value``."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for key, item in items for p in [(*path, key), *places(item, (*path, key))]]


PLACES = {case: places(facts_of(case)) for case in CASES}


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_anything_put_anywhere_gives_a_clean_snapshot_or_a_named_error(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    facts = facts_of(case)
    for address in data.draw(st.lists(st.sampled_from(PLACES[case]), min_size=1, max_size=4)):
        inner: Any = facts
        try:
            for key in address[:-1]:
                inner = inner[key]
            inner[address[-1]] = data.draw(NASTY)
        except (TypeError, KeyError, IndexError):
            continue  # an earlier change took that place away
    try:
        snapshot = interpret(facts)
    except UsageError as error:
        assert str(error).isprintable() or "\n" in str(error)
        assert "\x1b" not in str(error)
        assert "\x00" not in str(error)
    else:
        harmless(snapshot)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_hostile_text_where_text_belongs_never_comes_through(data: st.DataObject) -> None:
    """The shape holds, so that every string reaches the code behind the shape check."""
    case = data.draw(st.sampled_from(CASES))
    facts = facts_of(case)
    hostile = st.sampled_from(
        ["\x00", "\x1b[2J", "a\rb", "\u202e", "\ud83d", "x\nFROM evil", "'\"`$;|&", "é", "\x85", "\u2066a"]
    )
    kept = ("form", "scope", "kind", "tool")  # one of a few words, each by the shape

    def poison(value: Any, key: Any = None) -> Any:
        if isinstance(value, dict):
            return {k: poison(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [poison(item, key) for item in value]
        if isinstance(value, str) and key not in kept and data.draw(st.integers(0, 9)) == 0:
            return value + data.draw(hostile)
        return value

    facts["pip"]["distributions"] = facts["pip"]["distributions"][:5]
    if facts["apt"]:
        facts["apt"]["packages"] = facts["apt"]["packages"][:5]
    try:
        harmless(interpret(poison(facts)))
    except UsageError as error:
        assert "version of Python" in str(error)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        NASTY,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    )
)
def test_what_are_no_facts_is_refused(value: Any) -> None:
    with pytest.raises(UsageError) as refused:
        interpret(value)
    assert refused.value.exit_status == 2


def test_facts_of_a_newer_probe_are_refused_with_what_to_do() -> None:
    with pytest.raises(UsageError, match="upgrade"):
        interpret({**facts_of("linux-venv"), "schema": 2})


def test_a_circle_is_refused() -> None:
    circle: dict[str, Any] = {}
    circle["schema"] = 1
    circle["pip"] = circle
    with pytest.raises(UsageError):
        interpret(circle)


def test_more_than_an_environment_can_hold_is_refused() -> None:
    facts = facts_of("broken")
    facts["pip"]["distributions"] = facts["pip"]["distributions"][:1] * 20_001
    with pytest.raises(UsageError, match="too large"):
        interpret(facts)


def test_unknown_keys_of_a_later_probe_are_passed_over() -> None:
    facts = facts_of("linux-venv")
    facts["weather"] = "\x00"
    facts["pip"]["distributions"][0]["weather"] = ["\x00"]
    assert interpret(facts) == interpret(facts_of("linux-venv"))


# --- the real probe --------------------------------------------------------------------------


def test_this_environment_as_the_real_probe_sees_it() -> None:
    from importlib.metadata import version

    from jupyter_dockerize.environment import probe

    facts = json.loads(json.dumps(probe.gather(["modules"])))
    snapshot = interpret(facts)
    harmless(snapshot)
    found = {p.name: p.version for p in snapshot.packages.pip}
    assert found["pytest"] == version("pytest")
    assert snapshot.imported is not None
    assert "pytest" in snapshot.imported
