"""``%dockerize`` in a kernel, in a terminal, and while it is being typed."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_dockerize import api
from jupyter_dockerize.engines.base import Image
from jupyter_dockerize.engines.docker import DockerEngine

from .commandline import notebook
from .kernels import Session

HEAVY = {"docker", "requests", "msgspec", "rich", "nbformat", "jupyter_client", "tornado", "argparse"}


@pytest.fixture(params=["ipykernel 7", "ipykernel 6"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """A kernel of each generation."""
    newer = request.param == "ipykernel 7"
    with Session(Path(sys.executable) if newer else request.getfixturevalue("older"), tmp_path) as found:
        major = found.run("import ipykernel; ipykernel.version_info[0]").value
        assert major == ("7" if newer else "6")
        yield found


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InteractiveShell:
    """An IPython as in a terminal, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    InteractiveShell.clear_instance()
    found = InteractiveShell.instance()
    found.run_line_magic("load_ext", "jupyter_dockerize")
    return found


def test_loading_the_extension_imports_next_to_nothing() -> None:
    code = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "jupyter_dockerize")
print(sorted({HEAVY!r} & (set(sys.modules) - before)))
print(sorted(m for m in set(sys.modules) - before if m.startswith("jupyter_dockerize")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, ours = done.stdout.splitlines()
    assert heavy == "[]"
    # The magics, and what notes when each cell ended.
    rooms = ["jupyter_dockerize", "jupyter_dockerize.environment", "jupyter_dockerize.environment.observe"]
    noted = [f"jupyter_dockerize.environment.observe.{name}" for name in ("session", "watch")]
    assert ours == str([*rooms, *noted, "jupyter_dockerize.magics"])


def test_a_card_shows_the_work_and_then_its_result(session: Session) -> None:
    out = session.run("%dockerize snapshot")
    assert out.error is None
    assert sum(out.redrawn.values()) >= 1
    assert "jd-card" in out.card["text/html"] and "Python 3" in out.card["text/html"]
    assert out.card["text/plain"].startswith("Python 3")
    assert (out.stdout, out.stderr, out.value) == ("", "", None)


def test_with_json_the_value_of_the_cell_is_the_result(session: Session) -> None:
    assert (
        session.run("found = %dockerize snapshot --json\nfound['python']['version'].split('.')[0]").value
        == "'3'"
    )


@pytest.mark.parametrize(
    ("typed", "kind", "words"),
    [
        (
            "%dockerize",
            "UsageError",
            ["the image has no name", "name the notebook, `%dockerize NOTEBOOK.ipynb`"],
        ),
        ("%dockerize none.ipynb", "NotebookError", ["none.ipynb does not exist"]),
        ("%dockerize --json images", "UsageError", ["did you mean: `%dockerize images --json`"]),
        ("%dockerize biuld", "UsageError", ["no verb is called 'biuld'", "build, snapshot"]),
        ("%dockerize -t 'x", "UsageError", ["cannot be split into words"]),
        ("%dockerize -t 'Bad Name'", "ReferenceError", ["not an image reference: 'Bad Name'"]),
        ("%dockerize run -- -x", "ReferenceError", ["begins with a dash"]),
        ("%dockerize snapshot --python /none", "InterpreterError", ["/none does not exist"]),
    ],
)
def test_a_failure_raises_with_our_message_and_without_our_stack(
    typed: str, kind: str, words: list[str], tmp_path: Path
) -> None:
    with Session(Path(sys.executable), tmp_path) as session:
        error = session.run(typed).error
    assert error is not None
    assert error["ename"] == kind
    assert all(word in error["evalue"] for word in words), error["evalue"]
    assert "File" not in "".join(error["traceback"])
    assert error["traceback"][0].startswith(f"{kind}: ")


def test_help_is_printed(session: Session) -> None:
    said = session.run("%dockerize -h").stdout
    assert "usage: %dockerize [VERB] [options]" in said
    assert "examples:" in session.run("%dockerize run -h").stdout
    taught = session.run("print(get_ipython().find_line_magic('dockerize').__doc__)").stdout
    assert "%dockerize verify penguins live" in taught


def test_what_work_prints_lands_in_its_cell(session: Session) -> None:
    code = (
        "from jupyter_dockerize.foreground import wait_for\nwait_for(lambda cancel: print('from the thread'))"
    )
    assert session.run(code).stdout == "from the thread\n"


def test_the_kernel_is_not_left_with_our_names_or_threads(session: Session) -> None:
    session.run("import threading\nbefore = {'before', *dir()}, threading.active_count()")
    session.run("%dockerize snapshot")
    code = "[n for n in dir() if n not in before[0] and n[0] != '_'], threading.active_count() - before[1]"
    assert session.run(code).value == "([], 0)"


class TestInATerminal:
    def test_the_result_is_plain_text(
        self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert shell.run_line_magic("dockerize", "snapshot") is None
        said = capsys.readouterr().out
        assert said.startswith("Python 3") and "fingerprint sha256:" in said
        assert "<" not in said

    def test_quoted_words_stay_together(self, shell: InteractiveShell, tmp_path: Path) -> None:
        notebook(tmp_path / "my notebook.ipynb", "1")
        args = shell.find_line_magic("dockerize").__self__._parse('"my notebook.ipynb" --include "a b" -t x')
        assert (args.verb, args.notebook, args.include) == ("build", Path("my notebook.ipynb"), ["a b"])

    def test_the_notebook_is_known_from_the_server_and_from_vs_code(
        self, shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        magics = shell.find_line_magic("dockerize").__self__
        assert magics._parse("").notebook is None
        monkeypatch.setenv("JPY_SESSION_NAME", str(notebook(tmp_path / "a.ipynb", "1")))
        assert magics._parse("").notebook == tmp_path / "a.ipynb"
        shell.user_ns["__vsc_ipynb_file__"] = str(notebook(tmp_path / "b.ipynb", "1"))
        assert magics._parse("").notebook == tmp_path / "b.ipynb"
        assert magics._parse("c.ipynb").notebook == Path("c.ipynb")

    @pytest.mark.parametrize(
        ("line", "some"),
        [
            ("%dockerize ru", ["run"]),
            ("dockerize ru", ["run"]),
            ("%dockerize --pl", ["--platform"]),
            ("%dockerize build --mini", ["--minimal"]),
            ("%dockerize run pen", ["penguins:2026", "penguins:latest"]),
            ("%dockerize run penguins:2", ["2026"]),  # IPython ends a word at the colon
            ("%dockerize verify penguins image:", ["penguins:2026", "penguins:latest"]),
            ("%dockerize verify x kern", ["kernel:"]),
            ("%dockerize pen", ["penguins.ipynb"]),
            ("%dockerize --include pen", ["penguins.csv", "penguins.ipynb"]),
            ("%dockerize run penguins --mou", ["--mount"]),
        ],
    )
    def test_tab_completes(
        self,
        line: str,
        some: list[str],
        shell: InteractiveShell,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        image = Image(
            id="sha256:1", refs=("penguins:2026", "penguins:latest"), size=1, created="", platform=""
        )
        monkeypatch.setattr(api, "images", lambda: [image])
        for name in ("penguins.ipynb", "penguins.csv"):
            (tmp_path / name).touch()
        _, found = shell.complete("", line, len(line))
        assert set(some) <= set(found)

    def test_tab_is_silent_where_there_is_no_engine(
        self, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        line = "%dockerize stop pen"
        assert shell.complete("", line, len(line))[1] == []
        assert capsys.readouterr() == ("", "")


@pytest.mark.engine
class TestWithAnEngine:
    @pytest.fixture
    def named(self, tmp_path: Path, engine: DockerEngine, tiny: Path) -> Iterator[str]:
        """A fresh name, for a notebook and its image; ``build`` is what is typed for it."""
        name = f"nb-{secrets.token_hex(6)}"
        notebook(tmp_path / f"{name}.ipynb", f"print({secrets.randbits(64)})")
        yield name
        for container in engine.containers():
            if container.ref == name:
                engine.stop(container.name)
        engine.remove(name)

    def test_a_notebook_becomes_an_image_that_is_opened_and_closed(
        self, session: Session, named: str, tiny: Path
    ) -> None:
        built = session.run(f"%dockerize {named}.ipynb --python {tiny}")
        assert built.error is None, built.error
        assert "Same environment" in built.card["text/html"]
        assert f"docker run --rm -p 8888:8888 {named}" in built.card["text/html"]
        opened = session.run(f"%dockerize run {named}")
        assert '<a href="http://127.0.0.1:' in opened.card["text/html"]
        assert named in session.run("%dockerize ps").stdout
        assert "stopped" in session.run(f"%dockerize stop {named}").stdout

    def test_in_the_background_the_cell_is_given_back_and_its_card_keeps_up(
        self, session: Session, named: str, tiny: Path
    ) -> None:
        cell = session.begin(f"build = %dockerize {named}.ipynb --python {tiny} --background\nbuild.running")
        session.until(lambda: cell in session.idle)
        out = session.cells[cell]
        assert out.value == "True"
        drawn = sum(out.redrawn.values())
        assert session.run("6 * 7").value == "42"
        session.until(lambda: "Same environment" in out.card["text/html"])
        assert sum(out.redrawn.values()) > drawn
        assert re.fullmatch(rf"Built\({named}, \w+, \d+ MB\)", session.run("build.wait()").value or "")
        assert session.run("build.wait()\nbuild.result['ref'], build.running").value == f"('{named}', False)"

    def test_what_runs_in_the_background_can_be_cancelled(
        self, session: Session, named: str, tiny: Path, engine: DockerEngine
    ) -> None:
        cell = session.begin(f"build = %dockerize {named}.ipynb --python {tiny} --background")
        session.until(lambda: cell in session.idle)
        assert session.run("build.cancel()\nbuild.running").value == "False"
        session.until(lambda: "cancelled" in session.cells[cell].card["text/html"])
        assert session.run("build").value == f"Building {named}: cancelled"
        error = session.run("build.wait()").error
        assert error is not None
        assert error["ename"] == "CancelledError"
        assert engine.inspect(named) is None

    def test_an_interrupt_of_the_kernel_cancels_and_leaves_nothing(
        self, session: Session, named: str, tiny: Path, engine: DockerEngine
    ) -> None:
        cell = session.begin(f"%dockerize {named}.ipynb --python {tiny}")
        out = session.cells[cell]
        session.until(lambda: bool(out.displays) and "Building the image" in out.card["text/html"])
        session.manager.interrupt_kernel()
        session.until(lambda: cell in session.idle)
        assert out.error is not None
        assert out.error["ename"] == "CancelledError"
        assert "cancelled" in out.card["text/html"]
        assert engine.inspect(named) is None
        assert session.run("6 * 7").value == "42"
