"""Copy: a stack of 2 GB to a layout and into an engine, against what the machine and others can do."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jupyter_dockerize import api
from jupyter_dockerize.cancel import Cancel
from jupyter_dockerize.environment.model import Snapshot
from jupyter_dockerize.environment.plan.planning import Plan, make_plan
from jupyter_dockerize.events import ignore
from jupyter_dockerize.export.copy import compared
from jupyter_dockerize.export.copying import Copy, plan_copy, write
from jupyter_dockerize.image.cache import LayerCache
from jupyter_dockerize.image.copy.grouping import Group
from jupyter_dockerize.image.layer import Compression
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import ImageValue
from jupyter_dockerize.image.reference import Reference
from jupyter_dockerize.image.side_by_side import side_by_side

from .environment import PLACE, python
from .packers import conda_pack, conda_stack, venv_pack
from .recipe_build import build_cold, plain_dockerfile
from .timing import Figure, in_turn, met, ratio, show, table

RUNS, ENGINE_RUNS, SLOW_RUNS = 5, 3, 1
FLOORS, IMPORTS, MEMORY = 2.0, 1.0, 300_000_000
NAME = "jd-bench-copy"
CHUNK = 1 << 20
PEAK = """
import resource, sys
from pathlib import Path
from jupyter_dockerize import api
api.build(api.Where(python=sys.argv[1]), api.Wishes(), "peak", method="copy", output=Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class Stack:
    """An environment that is copied, from its snapshot on."""

    def __init__(self, interpreter: Path) -> None:
        self.interpreter = interpreter
        self.plan, self.snapshot = self._planned()
        self.copy = self.look()

    def _planned(self) -> tuple[Plan, Snapshot]:
        snapshot = api.snapshot(api.Where(python=str(self.interpreter)))
        return make_plan(snapshot, api.Wishes()), snapshot

    def look(self) -> Copy:
        """Which files make the image."""
        return plan_copy(self.plan, self.snapshot, ("no-server",))

    def write(
        self, to: Path, compression: Compression = "gzip", known: LayerCache | None = None
    ) -> ImageValue:
        """The whole way from the snapshot to a layout."""
        layout = Layout.create(to)
        value = write(
            self.look(), layout, compression=compression, report=ignore, cancel=Cancel(), known=known
        )
        layout.name(value, Reference.parse(NAME))
        return value

    @property
    def size(self) -> int:
        return self.copy.captured.size

    @property
    def files(self) -> int:
        return sum(len(group.members) for group in self.copy.captured.groups)


def run() -> str:
    """The section of the report."""
    stack = Stack(python("stack"))
    parts = [
        _to_a_layout(stack),
        _after_an_install(stack),
        _into_an_engine(stack),
        _others(stack),
        _peak(stack),
    ]
    head = (
        f"{stack.size / 1e9:.1f} GB in {stack.files:,} files, folders and links, warm: "
        f"{len(stack.plan.packages.pip)} packages, their interpreter, and the Debian packages that both need."
    )
    return "\n\n".join(["## Copy", head, *parts])


def _to_a_layout(stack: Stack) -> str:
    with _folder() as folder:
        works = iter(range(1000))

        def fresh() -> Path:
            return folder / str(next(works))

        last: list[tuple[Path, ImageValue]] = []

        def ours() -> None:
            path = fresh()
            last[:] = [(path, stack.write(path))]

        def uncompressed() -> None:
            path = fresh()
            stack.write(path, "none")
            _remove(path)

        def compare() -> None:
            path, value = last[0]
            found = compared(stack.copy, value, path, report=ignore, cancel=Cancel())
            assert found.verdict == "identical"
            _remove(path)

        floor, plain, copy, back = in_turn(
            {
                "floor": lambda: _floor(stack.copy, fresh()),
                "uncompressed": uncompressed,
                "copy": ours,
                "compare": compare,
            },
            runs=RUNS,
        )
    times, compressed = ratio(plain, floor), ratio(copy, floor)
    rows = [
        ["the floor: the same files read, hashed and written, as many at once", str(floor)],
        ["copied: files chosen, packed, hashed and written, as for an engine", str(plain)],
        ["and compressed, as for files", str(copy)],
        ["read back, each file compared with the environment", str(back)],
    ]
    return "\n".join(
        [
            "### To an OCI layout",
            "",
            f"The target is {FLOORS:g} times the floor, for the same bytes: uncompressed.",
            "",
            table(rows, ("what", "median")),
            "",
            f"**{times:.2f} times the floor** (median of the pairs). {met(times <= FLOORS)} "
            f"Compressed, which the floor is not, {compressed:.2f} times.",
        ]
    )


def _floor(copy: Copy, to: Path) -> None:
    to.mkdir()

    def one(group: Group, cancel: Cancel) -> str:
        total = hashlib.sha256()
        with tempfile.TemporaryFile(dir=to, buffering=0) as out:
            for member in group.members:
                if member.source and member.kind == "file":
                    descriptor = os.open(member.source, os.O_RDONLY)
                    while data := os.read(descriptor, CHUNK):
                        total.update(data)
                        out.write(data)
                    os.close(descriptor)
            os.fsync(out.fileno())
        return total.hexdigest()

    side_by_side(one, copy.captured.groups, size=lambda group: group.size, cancel=Cancel())
    to.rmdir()


def _after_an_install(stack: Stack) -> str:
    pip = [sys.executable, "-m", "uv", "pip"]
    target = ["--quiet", "--python", str(stack.interpreter), "humanize"]
    with _folder() as folder:
        first = stack.write(folder, known=LayerCache(folder))
        subprocess.run([*pip, "install", "--link-mode", "copy", *target], check=True)
        try:
            changed = Stack(stack.interpreter)
            (again,) = in_turn(
                {"again": lambda: changed.write(folder, known=LayerCache(folder))}, runs=1, warm=0
            )
            second = changed.write(folder, known=LayerCache(folder))
        finally:
            subprocess.run([*pip, "uninstall", *target], check=True)
    before = {layer.descriptor.digest for layer in first.layers}
    new = [layer.descriptor.size for layer in second.layers if layer.descriptor.digest not in before]
    whole = sum(layer.descriptor.size for layer in second.layers)
    return "\n".join(
        [
            "### Once more after `pip install humanize`",
            "",
            f"**{show(again.median)}**; {len(new)} of {len(second.layers)} layers are new, "
            f"{sum(new) / 1e6:.1f} MB of {whole / 1e6:.0f} MB.",
        ]
    )


def _into_an_engine(stack: Stack) -> str:
    where = api.Where(python=str(stack.interpreter))

    def ours() -> None:
        api.build(where, api.Wishes(), NAME, method="copy", verify=False)

    def imported() -> None:
        names = [m.source for group in stack.copy.captured.groups for m in group.members if m.source]
        with tempfile.NamedTemporaryFile(dir=PLACE) as listed:
            listed.write(b"\0".join(map(os.fsencode, names)))
            listed.flush()
            tar = [
                "tar",
                "--create",
                "--absolute-names",
                "--no-recursion",
                "--null",
                f"--files-from={listed.name}",
            ]
            with subprocess.Popen(tar, stdout=subprocess.PIPE) as process:
                docker = ["docker", "import", "-", NAME]
                subprocess.run(docker, stdin=process.stdout, check=True, stdout=subprocess.DEVNULL)
            assert process.returncode == 0

    theirs, copy = in_turn({"import": imported, "copy": ours}, runs=ENGINE_RUNS, warm=0, after=_forget)
    times = ratio(theirs, copy)
    rows = [
        ["`--method copy`, in layers, from the first look on", str(copy)],
        ["`tar … \\| docker import` of the same files, in one layer", str(theirs)],
    ]
    return "\n".join(
        [
            "### Into an engine",
            "",
            "The target is not to be slower.",
            "",
            table(rows, ("what", "median")),
            "",
            f"**{times:.2f} times faster** (median of the pairs). {met(times >= IMPORTS)}",
        ]
    )


def _others(stack: Stack) -> str:
    conda = Stack(conda_stack())
    with _folder() as folder, plain_dockerfile(stack.interpreter) as plain:
        archive = folder / "image.tar"

        def copied(of: Stack) -> None:
            api.build(
                api.Where(python=str(of.interpreter)), api.Wishes(), NAME, method="copy", output=archive
            )
            archive.unlink()

        mine, venv, mine_conda, condas, docker = in_turn(
            {
                "copy": lambda: copied(stack),
                "venv-pack": lambda: venv_pack(stack.interpreter, folder / "venv.tar.gz"),
                "copy of conda": lambda: copied(conda),
                "conda-pack": lambda: conda_pack(conda.interpreter, folder / "conda.tar.gz"),
                "docker build": lambda: build_cold(plain),
            },
            runs=SLOW_RUNS,
            warm=0,
        )

    def row(what: str, figure: Figure, against: Figure) -> list[str]:
        return [what, str(figure), f"{ratio(figure, against):.1f}"]

    rows = [
        row("`--method copy -o image.tar`, from the first look to the verdict", mine, mine),
        row("`venv-pack`: the environment without its interpreter, not compared", venv, mine),
        row("`docker build` of `pip install -r` of the same freeze", docker, mine),
        row(
            f"`--method copy -o image.tar` of a conda prefix of {conda.size / 1e9:.1f} GB",
            mine_conda,
            mine_conda,
        ),
        row("`conda-pack` of the same prefix, not compared", condas, mine_conda),
    ]
    return "\n".join(["### Neighbours", "", table(rows, ("what", "median", "times ours"))])


def _peak(stack: Stack) -> str:
    with _folder() as folder:
        argv = [sys.executable, "-c", PEAK, str(stack.interpreter), str(folder / "image.tar")]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
    peak = int(done.stdout.split()[-1]) * 1024
    return "\n".join(
        [
            "### Memory",
            "",
            f"**{peak / 1e6:.0f} MB** at most, from the first look to the verdict; the target is "
            f"{MEMORY / 1e6:.0f} MB, whatever the environment's size. {met(peak <= MEMORY)}",
        ]
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder on the disk of the environments: /tmp may be memory."""
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        yield Path(folder)


def _remove(path: Path) -> None:
    subprocess.run(["rm", "-r", path], check=True)


def _forget() -> None:
    """The image goes, and what was written of it reaches the disk: nobody pays for who came before."""
    subprocess.run(["docker", "rmi", "--force", NAME], check=True, stdout=subprocess.DEVNULL)
    os.sync()
