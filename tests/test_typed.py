"""What is typed means what it looks like, and an error says what to type instead, as it is typed there."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.arguments import VERBS
from jupyter_dockerize.errors import DockerizeError, FindingsError, UsageError
from jupyter_dockerize.events import Finding
from jupyter_dockerize.typed import as_typed, parse, told, whole

SHELL, MAGIC = "jupyter dockerize", "%dockerize"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    (tmp_path / "penguins.ipynb").touch()


@pytest.mark.parametrize("program", [SHELL, MAGIC])
def test_a_notebook_and_no_verb_means_build(program: str) -> None:
    args = parse(["a.ipynb", "-t", "x"], program, magic=program == MAGIC)
    assert (args.verb, args.notebook, args.tag) == ("build", Path("a.ipynb"), "x")


def test_in_a_notebook_nothing_and_an_option_mean_build_too() -> None:
    assert parse([], MAGIC, magic=True).verb == "build"
    assert parse(["--minimal"], MAGIC, magic=True).minimal


def test_a_verb_may_be_what_an_option_or_a_file_is_called() -> None:
    assert parse(["-t", "images"], MAGIC, magic=True).tag == "images"
    Path("run").touch()
    assert parse(["--minimal", "run"], MAGIC, magic=True).notebook == Path("run")


def refused(*words: str, program: str) -> str:
    with pytest.raises(UsageError) as error:
        parse(words, program, magic=program == MAGIC)
    return str(error.value)


@pytest.mark.parametrize("program", [SHELL, MAGIC])
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("biuld a.ipynb", "did you mean: `{} build a.ipynb`"),
        ("penguins", "did you mean: `{} penguins.ipynb`"),
        ("what", "`{} -h` lists the verbs"),
        ("build a.ipynb --includ 'a b'", "did you mean: `{} build a.ipynb --include 'a b'`"),
        ("build --includ=x a.ipynb", "did you mean: `{} build --include=x a.ipynb`"),
        ("recipe --outptu d", "did you mean: `{} recipe --output d`"),
        ("run penguins --nonsense", "`{} run -h` lists its options"),
        ("run penguins --include x", "it is an option of build, recipe"),
        ("run penguins x", "`{} run -h` shows how it is typed"),
        ("run", "`{} run -h` shows how it is typed"),
        ("run -t", "`{} run -h` "),
        ("--json images", "no verb stands before --json\nfix: did you mean: `{} images --json`"),
        ("--json run penguins", "did you mean: `{} run --json penguins`"),
    ],
)
def test_both_faces_say_the_same_as_each_is_typed(program: str, typed: str, said: str) -> None:
    text = refused(*shlex.split(typed), program=program)
    assert said.format(program) in text
    assert (SHELL in text) is (program == SHELL)


def shown(error: DockerizeError, program: str, *words: str) -> str:
    told(error, program, words)
    return str(error)


def test_the_whole_line_is_there_to_be_typed() -> None:
    def error() -> UsageError:
        return UsageError("no", fix="choose another", instead=("x/y", "linux/amd64"))

    line = ("build", "my notebook.ipynb", "--platform", "x/y")
    whole = "build 'my notebook.ipynb' --platform linux/amd64"
    assert shown(error(), SHELL, *line) == f"no\nfix: choose another: `jupyter dockerize {whole}`"
    assert shown(error(), MAGIC, *line) == f"no\nfix: choose another: `%dockerize {whole}`"
    assert shown(error(), SHELL, "build", "--platform=x/y").endswith("build --platform=linux/amd64`")
    assert shown(error(), SHELL, "build") == "no\nfix: choose another", "it is a default: nothing to retype"


def test_a_finding_that_stops_says_the_line_that_accepts_it() -> None:
    error = FindingsError([Finding("secret-file", "error", ".env would enter", "leave it out")])
    said = shown(error, MAGIC, "--include", ".env")
    assert said.endswith("leave it out; or accept it with --allow secret-file: "
                         "`%dockerize --include .env --allow secret-file`")  # fmt: skip


def test_what_accepts_a_finding_stands_before_the_command() -> None:
    error = FindingsError([Finding("secret-in-notebook", "error", "cell 1 holds a token", "take it out")])
    said = shown(error, SHELL, "exec", "--image", "a", "--", "pip", "install", "six")
    assert said.endswith("`jupyter dockerize exec --image a --allow secret-in-notebook -- pip install six`")


def test_options_that_mend_a_finding_come_with_the_line_that_was_typed() -> None:
    finding = Finding("data-not-included", "warning", "names a.csv", "`--include a.csv`")
    assert whole(finding, MAGIC, []).fix == "`%dockerize --include a.csv`"
    typed = ["build", "my notebook.ipynb", "-t", "x"]
    line = "`jupyter dockerize build 'my notebook.ipynb' -t x --include a.csv`"
    assert whole(finding, SHELL, typed).fix == line
    other = replace(finding, fix="`jupyter dockerize run REF --mount DIR`")
    assert whole(other, MAGIC, []).fix == "`%dockerize run REF --mount DIR`"


def test_commands_in_texts_are_typed_as_the_reader_types_them() -> None:
    text = "`jupyter dockerize ps` lists them; jupyter dockerize is a package"
    assert as_typed(text, SHELL) == text
    assert as_typed(text, MAGIC) == "`%dockerize ps` lists them; jupyter dockerize is a package"


def test_an_error_is_told_once_and_as_plain_text() -> None:
    error = UsageError("\x1b[2Jno", why="one\ntwo\x07", instead=("", "-t", "x"))
    told(error, SHELL, ["build"])
    told(error, SHELL, ["build"])
    assert str(error) == "no\nwhy: one\n  two \nfix: type `jupyter dockerize build -t x`"


@given(
    st.lists(st.text() | st.sampled_from([*VERBS, "-t", "--includ", "--json", "--", "x.ipynb"]), max_size=5)
)
@pytest.mark.parametrize("magic", [False, True])
def test_whatever_is_typed_is_parsed_or_refused_by_name(magic: bool, words: list[str]) -> None:
    try:
        args = parse(words, MAGIC if magic else SHELL, magic=magic)
    except (UsageError, SystemExit):
        return
    assert args.verb in VERBS
