"""The command line: what it says, what it gives to scripts, and how it ends."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_dockerize import api, cli
from jupyter_dockerize.arguments import VERBS
from jupyter_dockerize.environment.interpret.machine import own_architecture
from jupyter_dockerize.grammar import QUICK

from .commandline import argv, environment, listing, notebook, run

DEAD = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_teaches_by_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "-h"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"\n  jupyter dockerize {verb}" in said.partition("examples:")[2]
    assert max(map(len, said.splitlines())) < 80
    assert ("--progress" in said) is (verb not in QUICK)


def test_the_help_lists_every_verb_and_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["-h"])
    said = capsys.readouterr().out
    assert all(f"\n  {verb} " in said for verb in VERBS)
    assert all(f" {status} " in said for status in (0, 1, 2, 3, 4, 70, 130))
    assert max(map(len, said.splitlines())) < 80


def test_who_types_only_the_name_gets_the_help() -> None:
    done = run(env=DEAD)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: jupyter dockerize VERB")


def foreign() -> str:
    """A platform that is not this machine's."""
    return "linux/arm64" if own_architecture() == "amd64" else "linux/amd64"


# Bad input: what is typed, the exit status, and words of the message.
BAD: dict[str, tuple[Callable[[Path, Path], list[str | Path]], int, str]] = {
    "no verb": (lambda here, python: ["-t", "x"], 2, "`jupyter dockerize build -t x`"),
    "unknown verb": (lambda here, python: ["biuld", "-t", "x"], 2, "`jupyter dockerize build -t x`"),
    "unknown option": (lambda here, python: ["ps", "--al"], 2, "`jupyter dockerize ps -h` lists"),
    "another verb's option": (lambda here, python: ["ps", "--mount", "x"], 2, "an option of run"),
    "misspelt option": (
        lambda here, python: ["recipe", "good.ipynb", "--outptu", "new"],
        2,
        "did you mean: `jupyter dockerize recipe good.ipynb --output new`",
    ),
    "a word too many": (lambda here, python: ["stop", "x", "y"], 2, "'y' is a word too many for stop"),
    "a notebook without its ending": (lambda here, python: ["good"], 2, "`jupyter dockerize good.ipynb`"),
    "data as notebook": (
        lambda here, python: ["build", "coffee.csv"],
        2,
        "`jupyter dockerize build NOTEBOOK.ipynb --include coffee.csv`",
    ),
    "not JSON": (lambda here, python: ["build", here / "bad.ipynb"], 2, "is not JSON"),
    "no such notebook": (lambda here, python: ["build", "none.ipynb"], 2, "none.ipynb does not exist"),
    "a folder as notebook": (lambda here, python: ["build", here], 2, "is a folder"),
    "no such kernelspec": (lambda here, python: ["snapshot", "--kernel", "none"], 2, "no kernelspec 'none'"),
    "a script": (
        lambda here, python: ["snapshot", "--python", here / "script"],
        2,
        "not a Python interpreter",
    ),
    "a folder as interpreter": (lambda here, python: ["snapshot", "--python", here], 2, "is a folder"),
    "another program": (
        lambda here, python: ["snapshot", "--python", "/bin/cat"],
        2,
        "not a Python interpreter",
    ),
    "no such interpreter": (
        lambda here, python: ["snapshot", "--python", "/none"],
        2,
        "/none does not exist",
    ),
    "an empty name": (lambda here, python: ["snapshot", "--python", ""], 2, "--python names nothing"),
    "an empty output": (lambda here, python: ["recipe", "--python", python, "-o", ""], 2, "it names nothing"),
    "an archive that no loader takes": (
        lambda here, python: ["build", "--python", python, "-t", "x", "-o", here / "image.tar.gz"],
        2,
        "-o image.tar",
    ),
    "standard output for an image": (
        lambda here, python: ["build", "--python", python, "-t", "x", "-o", "-"],
        2,
        "name a file or a folder behind -o",
    ),
    "standard output for a recipe": (
        lambda here, python: ["recipe", "--python", python, "-o", "-"],
        2,
        "name a file or a folder behind -o",
    ),
    "an archive for another platform": (
        lambda here, python: [
            "build",
            "--python",
            python,
            "-t",
            "x",
            "-o",
            here / "x.tar",
            "--platform",
            foreign(),
        ],
        2,
        "fix: leave --platform out; or have it built by Docker, without --method copy and -o",
    ),
    "an unknown engine for an archive": (
        lambda here, python: [
            "build",
            "--python",
            python,
            "-t",
            "x",
            "-o",
            here / "x.tar",
            "--engine",
            "none",
        ],
        2,
        "there is no engine 'none'",
    ),
    "two environments": (
        lambda here, python: ["snapshot", "--python", python, "--kernel", "x"],
        2,
        "--kernel and --python name different environments",
    ),
    "a name with a space": (
        lambda here, python: ["build", "--python", python, "-t", "Bad Name"],
        2,
        "not an image reference: 'Bad Name'",
    ),
    "a name with a dash": (
        lambda here, python: ["build", "--python", python, "-t=-x"],
        2,
        "begins with a dash",
    ),
    "a digest for a name": (
        lambda here, python: [
            "build",
            "--python",
            python,
            "-t",
            f"x@sha256:{'0' * 64}",
            "-o",
            here / "x.tar",
        ],
        2,
        "it names a digest",
    ),
    "an option for a name": (lambda here, python: ["build", "-t", "-x"], 2, "expected one argument"),
    "no name": (lambda here, python: ["build", "--python", python], 2, "the image has no name"),
    "include without notebook": (
        lambda here, python: ["recipe", "--python", python, "--include", "x", "-o", "new"],
        2,
        "x cannot be included",
    ),
    "misspelt include": (
        lambda here, python: ["build", "good.ipynb", "--python", python, "--include=cofee.csv"],
        2,
        "--include=coffee.csv`",
    ),
    "include of nothing": (
        lambda here, python: [
            "recipe",
            here / "good.ipynb",
            "--python",
            python,
            "--include",
            "x",
            "-o",
            "new",
        ],
        2,
        "x",
    ),
    "a base with a space": (
        lambda here, python: ["recipe", "--python", python, "--base", "Bad Base", "-o", "new"],
        2,
        "not an image reference: 'Bad Base'",
    ),
    "a base with a space, before an engine is asked": (
        lambda here, python: ["build", "good.ipynb", "--python", python, "--base", "Bad Base"],
        2,
        "--base python:3.12-slim-bookworm`",
    ),
    "another system": (
        lambda here, python: ["recipe", "--python", python, "--platform", "windows/amd64", "-o", "new"],
        2,
        "--platform linux/amd64 -o new`",
    ),
    "another system, before an engine is asked": (
        lambda here, python: ["build", "good.ipynb", "--python", python, "--platform", "arm64"],
        2,
        "--platform linux/arm64`",
    ),
    "no such kernelspec, before an engine is asked": (
        lambda here, python: ["build", "good.ipynb", "--kernel", "none"],
        2,
        "no kernelspec 'none'",
    ),
    "the notebook's kernelspec, before an engine is asked": (
        lambda here, python: ["build", "foreign.ipynb"],
        2,
        "no kernelspec 'elsewhere', which foreign.ipynb names",
    ),
    "unknown target": (
        lambda here, python: ["recipe", "--python", python, "--to", "none", "-o", "new"],
        2,
        "no target is called 'none'",
    ),
    "a folder that is not empty": (
        lambda here, python: ["recipe", "--python", python, "-o", here],
        2,
        "is not empty",
    ),
    "a file as folder": (
        lambda here, python: ["recipe", "--python", python, "-o", here / "script"],
        2,
        "is not a folder",
    ),
    "a file where an image is to be a folder": (
        lambda here, python: ["build", "--python", python, "-t", "a", "-o", here / "script"],
        2,
        "neither a folder nor an archive by its name",
    ),
    "a folder that cannot be made": (
        lambda here, python: ["recipe", "--python", python, "-o", "/proc/new"],
        2,
        "/proc/new cannot be",
    ),
    "no environment": (lambda here, python: ["diff", "live", "venv:x"], 2, "'venv:x' names no environment"),
    "a verb of 300 letters": (lambda here, python: ["x" * 300], 2, "no verb is called 'xxx"),
    "a notebook of 300 letters": (
        lambda here, python: ["build", f"{'x' * 300}.ipynb"],
        2,
        "xxx… is too long for the name of a file\n  why: it has 306 characters",
    ),
    "an interpreter of 300 letters": (
        lambda here, python: ["snapshot", "--python", "x" * 300],
        2,
        "too long for the name of a file",
    ),
    "a connection file of 300 letters": (
        lambda here, python: ["snapshot", "--live", f"{'x' * 300}.json"],
        2,
        "too long for the name of a file",
    ),
    "a wish of 300 letters": (
        lambda here, python: ["build", "good.ipynb", "--python", python, "--include", "x" * 300],
        2,
        "cannot be included",
    ),
    "a source of 300 letters": (
        lambda here, python: ["diff", f"file:{'x' * 300}", "live"],
        2,
        "cannot be read",
    ),
    "a folder of 300 letters": (
        lambda here, python: ["recipe", "--python", python, "-o", "x" * 300],
        2,
        "xxx",
    ),
    "not a snapshot": (
        lambda here, python: ["diff", f"file:{here / 'bad.ipynb'}", "live"],
        2,
        "not a snapshot",
    ),
    "a snapshot that is not there": (
        lambda here, python: ["diff", "file:nope.json", "live"],
        2,
        "why: no such file or directory\n  fix: on the command line `snapshot --json > nope.json`",
    ),
    "unknown engine": (
        lambda here, python: ["build", "--python", python, "-t", "x", "--engine", "none"],
        2,
        "there is no engine 'none'",
    ),
    "no engine": (
        lambda here, python: ["build", "--python", python, "-t", "x", "--engine", "docker"],
        3,
        "no socket at /nonexistent",
    ),
    "no engine to run": (lambda here, python: ["run", "x", "--engine", "docker"], 3, "fix: "),
    "no engine to list": (lambda here, python: ["images", "--engine", "docker"], 3, "fix: "),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_gets_a_clear_error_and_leaves_nothing_behind(
    what: str, tmp_path: Path, tiny: Path
) -> None:
    typed, status, words = BAD[what]
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    for folder in (here, temporary):
        folder.mkdir()
    (here / "bad.ipynb").write_text("{not json")
    (here / "script").write_text("#!/bin/sh\necho hello\n")
    (here / "script").chmod(0o755)
    (here / "coffee.csv").write_text("cups\n3\n")
    notebook(here / "good.ipynb", "1 + 1")
    notebook(here / "foreign.ipynb", "1 + 1", kernel="elsewhere")
    before = listing(here)
    done = run(*typed(here, tiny), cwd=here, env={**DEAD, "TMPDIR": str(temporary)})
    assert done.status == status, done.stderr
    assert done.stdout == ""
    assert words in done.stderr
    assert "\n  fix: " in done.stderr or "\n  why: " in done.stderr
    assert "Traceback" not in done.stderr
    assert listing(here) == before
    assert listing(temporary) == {}


def test_a_time_that_is_none_is_refused_before_any_work(tiny: Path, tmp_path: Path) -> None:
    environ = {**DEAD, "SOURCE_DATE_EPOCH": "yesterday"}
    for verb in (
        ["build", "-t", "x", "--method", "copy", "-o", tmp_path / "x.tar"],
        ["recipe", "-o", tmp_path / "x"],
    ):
        done = run(*verb, "--python", tiny, env=environ)
        assert (done.status, list(tmp_path.iterdir())) == (2, [])
        assert "SOURCE_DATE_EPOCH is not a time: 'yesterday'" in done.stderr


def test_without_an_engine_the_diagnosis_says_what_to_do() -> None:
    done = run("engines", env=DEAD)
    assert done.status == 0
    assert "✗ docker: there is no socket at /nonexistent/docker.sock" in done.stdout
    assert "✓ builtin: " in done.stdout
    assert "chosen: builtin" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each platform of an image is another one")
def test_a_platform_that_is_this_machines_own_is_no_other_one(bare: Path) -> None:
    """Without an engine the environment is copied to it; what another one needs is installed anew."""
    own = f"linux/{own_architecture()}"
    typed = ["build", "--python", bare, "-t", "x", "--apt", "not-here", "--platform"]
    done = run(*typed, own, env=DEAD)
    assert (done.status, "a copy takes along what there is" in done.stderr) == (2, True), done.stderr
    done = run(*typed, foreign(), env=DEAD)
    assert (done.status, "no socket at /nonexistent" in done.stderr) == (3, True), done.stderr


def test_json_is_one_object_and_nothing_else(tiny: Path) -> None:
    done = run("snapshot", "--python", tiny, "--json")
    assert done.status == 0
    assert done.stdout.count("\n") == 1
    assert {"fingerprint", "system", "python", "packages", "findings", "schema"} <= done.json.keys()
    assert "ipykernel" in {package["name"] for package in done.json["packages"]["pip"]}


def test_a_snapshot_that_was_written_is_an_environment_to_compare_with(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "then.json").write_text(run("snapshot", "--python", tiny, "--json").stdout)
    same = run("diff", "file:then.json", f"python:{tiny}", cwd=tmp_path)
    assert same.status == 0
    assert same.stdout.startswith("✓ A and B: identical: ")
    assert f"\nA: file:then.json\nB: python:{tiny}\n" in same.stdout
    other = run("diff", "file:then.json", f"python:{sys.executable}", "--json", cwd=tmp_path)
    assert (other.status, other.json["verdict"]) == (1, "different")
    assert "class" in other.json["differences"][0]


def test_progress_goes_to_stderr_in_the_form_that_was_asked_for(tiny: Path) -> None:
    plain = run("snapshot", "--python", tiny, "--progress", "plain")
    assert f"looking at the environment of {tiny}" in plain.stderr
    assert run("snapshot", "--python", tiny, "--progress", "none").stderr == ""
    lines = run("snapshot", "--python", tiny, "--progress=jsonl").stderr.splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "result"


def test_an_error_among_json_lines_is_a_json_line() -> None:
    done = run("snapshot", "--python", "/none", "--progress", "jsonl")
    last = json.loads(done.stderr.splitlines()[-1])
    assert (last["event"], last["status"], last["kind"]) == ("error", 2, "InterpreterError")
    assert last["what"] == "/none does not exist"


def test_a_recipe_is_written_and_says_how_to_build_it(tiny: Path, tmp_path: Path) -> None:
    done = run("recipe", "--python", tiny, "-o", "my image", cwd=tmp_path)
    assert done.status == 0, done.stderr
    assert (tmp_path / "my image" / "Dockerfile").is_file()
    assert "docker build" in done.stdout and done.stdout.rstrip().endswith("'my image'")
    assert len(done.stdout.splitlines()) < 40  # a line per reason, not per package


def test_a_finding_of_severity_error_stops_until_it_is_allowed(tiny: Path, tmp_path: Path) -> None:
    notebook(tmp_path / "n.ipynb", "1 + 1")
    (tmp_path / ".env").write_text("PASSWORD=hunter2hunter2\n")
    typed = ["recipe", "n.ipynb", "--python", tiny, "--include", ".env", "-o", "out"]
    refused = run(*typed, cwd=tmp_path)
    assert refused.status == 1
    assert not (tmp_path / "out").exists()
    code = refused.stderr.rpartition("--allow ")[2].strip("`\n")
    allowed = run(*typed, "--allow", code, cwd=tmp_path)
    assert allowed.status == 0, allowed.stderr
    assert (tmp_path / "out" / "Dockerfile").is_file()


def test_defaults_come_from_the_configuration_and_options_go_first(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "jupyter_dockerize_config.py").write_text('c.Dockerize.platform = "windows/amd64"\n')
    env = {"JUPYTER_CONFIG_DIR": str(tmp_path)}
    typed = ["recipe", "--python", tiny, "-o", tmp_path / "out"]
    assert "windows/amd64" in run(*typed, env=env).stderr
    assert run(*typed, "--platform", "linux/amd64", env=env).status == 0


def test_a_configuration_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "jupyter_dockerize_config.py").write_text("c.Dockerize.progress = 'loud'\n")
    done = run("ps", env={"JUPYTER_CONFIG_DIR": str(tmp_path)})
    assert (done.status, "Dockerize" in done.stderr, "loud" in done.stderr) == (2, True, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_result_that_cannot_be_written_is_an_error(tiny: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            argv("snapshot", "--python", tiny),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            check=False,
        )
    assert done.returncode == 2
    assert b"the result cannot be written" in done.stderr
    assert b"No space left" in done.stderr and b"Traceback" not in done.stderr


def test_a_reader_who_has_gone_is_no_error(tiny: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        argv("snapshot", "--python", tiny),
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment(),
        check=False,
    )
    os.close(writing)
    assert (done.returncode, b"Traceback" in done.stderr, b"Broken" in done.stderr) == (0, False, False)


def test_a_terminal_without_our_signs_gets_the_rest() -> None:
    done = run("engines", env={**DEAD, "PYTHONIOENCODING": "ascii"})
    assert done.status == 0
    assert "docker: there is no socket" in done.stdout


def test_what_others_wrote_does_nothing_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = [
        "\x1b]52;c;ZXZpbA==\x07wrote",
        "\x1b[2Jcleared",
        "\x1b]8;;javascript:alert(1)\x07link\x1b]8;;\x07",
    ]
    monkeypatch.setattr(api, "logs", lambda name, tail, engine: hostile)
    assert cli.main(["logs", "x"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines() == ["wrote", "cleared", "link"]
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert cli.main(["snapshot", "--python", "/none\x1b]0;owned\x07"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_fault_of_ours_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("that was not meant")

    monkeypatch.setattr(api, "ps", broken)
    assert cli.main(["ps"]) == 70
    said = capsys.readouterr().err
    assert "that was not meant" in said and "please report it" in said


def test_the_command_line_starts_without_its_engines() -> None:
    heavy = {"docker", "rich", "requests", "jupyter_client", "traitlets"}
    code = f"import sys; from jupyter_dockerize import cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_shell_completes_verbs_and_options() -> None:
    """argcomplete's protocol: the words so far in COMP_LINE, what may follow on file descriptor 8."""
    line = "jupyter-dockerize build --mini"
    done = subprocess.run(
        ["bash", "-c", 'exec 8>&1; exec "$0" -m jupyter_dockerize 9>/dev/null', sys.executable],
        env=environment(
            {
                "_ARGCOMPLETE": "1",
                "_ARGCOMPLETE_IFS": "\n",
                "_ARGCOMPLETE_SHELL": "bash",
                "COMP_LINE": line,
                "COMP_POINT": str(len(line)),
            }
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "--minimal"


def test_an_interrupt_after_the_work_comes_too_late() -> None:
    """A finished build whose process is interrupted while it or Python ends was not killed."""
    code = """
import atexit, os, signal, sys
from jupyter_dockerize import __main__, cli

def interrupted(text, show=cli._show):
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)
    show(text)

class Last:
    def __del__(self, kill=os.kill, own=os.getpid()):
        kill(own, 2)

cli._show, last = interrupted, Last()
sys.exit(__main__.main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "engines", "--json"],
        env=environment(DEAD),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["engines"]


def test_streams_that_are_no_files_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(api, "ps", lambda engine: [])
    assert cli.main(["ps"]) == 0
    assert "nothing is open" in stream.getvalue()
