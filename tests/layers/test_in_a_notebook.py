"""The magics of layers in a real kernel; and a notebook of them, run by nbclient."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator

import nbformat
import pytest
from nbclient import NotebookClient
from uv import find_uv_bin

from jupyter_dockerize import api
from jupyter_dockerize.layers import pending

from ..kernels import Outputs, Session
from .conftest import Own, session, with_magics

pytestmark = pytest.mark.engine

VERSION = (
    "import importlib.metadata as m; print({p.name: p.version for p in m.distributions()}.get('humanize'))"
)


def said(kernel: Session, cell: str) -> str:
    """What a cell that does not fail prints."""
    out = kernel.run(cell)
    assert out.error is None, out.error
    return out.stdout


def failed(out: Outputs) -> str:
    assert out.error is not None
    return f"{out.error['ename']}: {out.error['evalue']}"


def test_the_story_of_layers_is_told_cell_by_cell(kernel: Session, own: Own) -> None:
    first = said(kernel, "%docker_exec pip install humanize==4.8.0")
    assert first.splitlines()[0] == f"here: env + image {own.ref}, layer 2"  # the image itself comes before
    assert "Successfully installed humanize-4.8.0" in first
    assert re.search(rf"\nlayer 2 of {own.ref}: humanize 4\.8\.0 · .* · ✓ same environment \(", first)
    assert (own.imports("humanize", "cowsay"), own.here("humanize", "cowsay")) == ([True, False],) * 2

    lines = '%%docker_exec\npip install cowsay==6.0\necho "it\'s $((6 * 7))" > $VIRTUAL_ENV/said'
    second = said(kernel, lines)
    assert second.splitlines()[0] == f"here: env + image {own.ref}, layer 3"
    assert "layer 3 of" in second and "kept as it was typed" in second
    assert own.engine.execute(own.ref, ["cat", "/opt/env/said"]) == b"it's 42\n"

    listed = said(kernel, "%docker_history").splitlines()
    assert [re.split(r"\s{2,}", line.strip("→ "))[2:4] for line in listed[1:]] == [
        ["%dockerize", "the environment as it was"],
        ["pip install humanize==4.8.0", "humanize 4.8.0"],
        ["pip install cowsay==6.0…", "cowsay 6.0"],
    ]
    assert [line[0] for line in listed[1:]] == [" ", " ", "→"]

    undone = said(kernel, "%docker_undo")
    assert undone.splitlines()[:2] == [
        f"{own.ref} is at layer 2: pip install humanize==4.8.0",
        "only in the environment: cowsay 6.0",
    ]
    assert "`%dockerize rollback 2 --env`" in undone
    assert (own.imports("cowsay"), own.here("cowsay")) == ([False], [True])
    assert f"↶ undone: `%dockerize redo {own.ref}` brings it back" in said(kernel, "%docker_history")
    assert f"{own.ref} is at layer 3" in said(kernel, "%dockerize redo")
    assert own.imports("cowsay") == [True]
    back = said(kernel, "%docker_rollback 1 --env")
    assert "uninstalling here: cowsay, humanize" in back
    assert "the environment has the same packages\nrestart the kernel" in back
    assert (own.imports("humanize", "cowsay"), own.here("humanize", "cowsay")) == ([False, False],) * 2


def test_how_the_environment_is_to_follow_is_said_before_it_does(kernel: Session, own: Own) -> None:
    """With what cannot follow, and with who else sees it."""
    assert own.where.notebook
    said(kernel, "%docker_exec pip install --no-deps ipykernel==6.29.5 humanize==4.8.0")
    beside = own.where.notebook.parents[1] / "beside"
    beside.mkdir()
    with Session(own.python, beside):
        back = [line.strip() for line in said(kernel, "%docker_undo --env").splitlines()]
    told = [
        re.sub(r"\d+\.\S+ → 6.29.5", "A → B", line) for line in back if " kernel" in line or "manize" in line
    ]
    assert told == [
        "uninstalling here: humanize",
        "! ipykernel A → B stays as it is here: this kernel runs on it",
        "1 other kernel runs in this environment, too",
        "- humanize==4.8.0",
        "restart the kernel: what it has imported is still the old one",
    ]
    assert own.here("humanize") == [False]


def test_a_command_that_fails_raises_and_makes_no_layer(kernel: Session, own: Own) -> None:
    out = kernel.run("%docker_exec pip install humanize==99")
    assert failed(out) == "CommandError: the command failed with status 1"
    assert f"no layer was made: {own.ref} is at layer 1" in out.stdout
    assert "No matching distribution found for humanize==99" in out.stdout
    assert failed(kernel.run("%docker_exec exit 7")) == "CommandError: the command failed with status 7"
    assert pending.of(own.ref) is None
    assert failed(kernel.run("%docker_rollback 9")).startswith(f"UsageError: {own.ref} has no layer 9")
    assert failed(kernel.run("%docker_rollback")).startswith("UsageError: ")
    assert failed(kernel.run("%docker_undo")).startswith(f"UsageError: {own.ref} has only its first layer")
    out = kernel.run("%docker_exec --retry")
    assert failed(out).startswith(f"UsageError: nothing of {own.ref} is pending")
    assert "`%dockerize history`" in failed(out)
    assert "usage: %dockerize exec" in said(kernel, "%docker_exec -h")


def test_an_interrupt_of_the_kernel_ends_the_command_and_makes_no_layer(kernel: Session, own: Own) -> None:
    said(kernel, "%dockerize")
    cell = kernel.begin("%docker_exec echo begun; sleep 600")
    kernel.until(lambda: "begun" in kernel.cells[cell].stdout)
    kernel.manager.interrupt_kernel()
    kernel.until(lambda: cell in kernel.idle)
    assert failed(kernel.cells[cell]).startswith("CancelledError")
    assert pending.of(own.ref) is None
    assert "layer 2 of" in said(kernel, "%docker_exec pip install humanize==4.8.0")


def test_a_kernel_that_died_says_what_is_pending_when_it_is_back(kernel: Session, own: Own) -> None:
    kernel.run("%docker_exec pip install humanize==4.8.0")
    kernel.run(
        "import os\nfrom jupyter_dockerize.engines.docker import DockerEngine\n"
        "DockerEngine.build = lambda *args, **options: os.kill(os.getpid(), 9)"
    )
    kernel.begin("%docker_exec pip install cowsay==6.0")
    while kernel.manager.is_alive():
        time.sleep(0.05)
    with session(own.python, own.where.notebook) as back:
        (first,) = back.cells.values()
        assert first.stdout.splitlines() == [
            "“pip install cowsay==6.0” is in no image yet — `%docker_exec --retry` makes its layer, "
            "`%docker_undo` gives it up"
        ]
        assert "layer 3 of" in said(back, "%docker_exec --retry")
    assert own.imports("humanize", "cowsay") == [True, True]


def test_what_went_past_while_no_kernel_ran_is_noted_at_once(kernel: Session, own: Own) -> None:
    kernel.run("%docker_exec pip install humanize==4.8.0")
    install = [find_uv_bin(), "pip", "install", "-q", "--python", own.python, "cowsay==6.0"]
    kernel.manager.shutdown_kernel(now=True)
    subprocess.run(install, check=True)
    with session(own.python, own.where.notebook) as later:
        (first,) = later.cells.values()
        assert first.stdout.startswith(f"1 package is not in the image {own.ref}, layer 2: cowsay 6.0")


class TestByNbclient:
    """The kernel of nbclient is not told its notebook: it is named once."""

    @pytest.fixture
    def notebook(self, own: Own) -> Iterator[NotebookClient]:
        with_magics(own.python)
        path = own.where.notebook
        assert path
        client = NotebookClient(
            nbformat.read(path, as_version=4),
            timeout=600,
            resources={"metadata": {"path": str(path.parent)}},
        )
        manager = client.create_kernel_manager()
        manager.kernel_spec.argv[0] = str(own.python)
        with client.setup_kernel():
            yield client

    def test_each_head_has_what_it_should_and_the_environment_follows_when_asked(
        self, notebook: NotebookClient, own: Own
    ) -> None:
        def cell(source: str) -> str:
            notebook.nb.cells.append(nbformat.v4.new_code_cell(source))
            done = notebook.execute_cell(notebook.nb.cells[-1], len(notebook.nb.cells) - 1)
            return "".join(each.get("text", "") for each in done.outputs)

        def image() -> tuple[str, bool]:
            """The version of humanize, and whether the program tree is there, in a fresh container."""
            version = own.engine.execute(own.ref, ["/opt/env/bin/python", "-c", VERSION]).decode().strip()
            tree = own.engine.execute(own.ref, ["sh", "-c", "command -v tree || echo none"])
            return version, tree == b"/usr/bin/tree\n"

        def here() -> str:
            return subprocess.check_output([own.python, "-c", VERSION], text=True).strip()

        cell("%load_ext jupyter_dockerize")
        cell(f"%dockerize {own.ref}.ipynb")
        assert image() == ("None", False)
        assert "layer 2 of" in cell("%docker_exec pip install humanize==4.8.0")
        assert (image(), here()) == (("4.8.0", False), "4.8.0")
        said = cell("%docker_exec --image-only apt-get install -y tree")
        assert f"here: image {own.ref}, layer 3, and not the environment\n" in said
        assert f"layer 3 of {own.ref}: tree 2." in said
        assert (image(), here()) == (("4.8.0", True), "4.8.0")
        assert "humanize 4.8.0 → 4.9.0" in cell("%docker_exec pip install -U humanize==4.9.0")
        assert (image(), here()) == (("4.9.0", True), "4.9.0")
        assert [line[:6].split() for line in cell("%docker_history").splitlines()[1:]] == [
            ["1"],
            ["2"],
            ["3"],
            ["→", "4"],
        ]
        assert "otherwise: humanize 4.8.0 → 4.9.0" in cell("%docker_rollback 2")
        assert (image(), here()) == (("4.8.0", False), "4.9.0")
        cell("%dockerize redo")
        assert image() == ("4.8.0", True)
        assert "the environment has the same packages" in cell("%dockerize redo")
        assert (image(), here()) == (("4.9.0", True), "4.9.0")
        assert "installing here: humanize==4.8.0" in cell("%docker_undo --env")
        assert (image(), here()) == (("4.8.0", True), "4.8.0")
        assert "uninstalling here: humanize" in cell("%docker_rollback 1 --env")
        assert (image(), here()) == (("None", False), "None")
        assert api.verify(own.ref, engine="docker").verdict in ("identical", "equivalent")
        for made in api.history(own.where, own.ref).rows:
            assert made.number == 1 or made.undone
        assert json.loads((own.journal / "journal.json").read_text())["image"] == own.ref
