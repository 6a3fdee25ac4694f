"""Layers of a copied environment: whatever happens to it, all layers together are a whole copy of it."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jupyter_dockerize.environment.model import Packages, Snapshot
from jupyter_dockerize.environment.plan.planning import Plan
from jupyter_dockerize.image.copy.changed import Above, Stamps, difference, members, stamps
from jupyter_dockerize.image.copy.leading import leading
from jupyter_dockerize.image.copy.python import python_files, taken
from jupyter_dockerize.image.copy.trees import DATE, with_folders
from jupyter_dockerize.image.layer import write_layer
from jupyter_dockerize.image.layout import Layout
from jupyter_dockerize.image.manifest import Layer
from jupyter_dockerize.image.tar import Member
from jupyter_dockerize.image.unpack import unpack

from .environments import install, planned, project, site, venv

FOLDER = leading(())


def whole(plan: Plan, snapshot: Snapshot) -> dict[str, Member]:
    """What a copy takes of the environment, without its interpreter's own files, which stay the same."""
    found = python_files(plan, snapshot).environment
    return {each.path: each for each in with_folders(found.values(), FOLDER)}


@dataclass
class Image:
    """Layers of an environment; the first is a whole copy."""

    python: Path
    layout: Layout
    layers: list[Layer] = field(default_factory=list)
    moment: Stamps = field(default_factory=lambda: Stamps({}))
    above: Above = field(default_factory=lambda: Above(()))
    look: Callable[[Path], tuple[Plan, Snapshot]] = planned

    def begin(self) -> Image:
        seen = self.look(self.python)
        self._write(tuple(whole(*seen).values()))
        self.moment = stamps(taken(*seen))
        return self

    def add(self) -> set[str]:
        """One layer more; the paths in it that are no folders, relative to the environment."""
        plan, snapshot = self.look(self.python)
        found = taken(plan, snapshot)
        now = stamps(found)
        self.above = members(difference(self.moment, now), self.moment, found, plan, FOLDER)
        self.moment = now
        self._write(self.above.members)
        prefix = f"{self.python.parents[1]}/".lstrip("/")
        return {m.path.removeprefix(prefix) for m in self.above.members if m.kind != "folder"}

    def _write(self, written: tuple[Member, ...]) -> None:
        with self.layout.writing() as file:
            self.layers.append(write_layer(written, file.write, "a layer"))
            self.layout.keep(file)

    def unpacked(self, to: Path) -> dict[str, tuple[object, ...]]:
        to.mkdir()
        unpack([layer.descriptor for layer in self.layers], self.layout, to)
        found = tree(to)
        shutil.rmtree(to)
        return found


def tree(folder: Path) -> dict[str, tuple[object, ...]]:
    """Path → kind, mode, bytes or target, date of what is in it."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status, name = path.lstat(), path.relative_to(folder).as_posix()
        if stat.S_ISLNK(status.st_mode):
            found[name] = ("link", os.readlink(path))
        elif stat.S_ISDIR(status.st_mode):
            found[name] = ("folder", stat.S_IMODE(status.st_mode))
        else:
            found[name] = ("file", stat.S_IMODE(status.st_mode), path.read_bytes(), int(status.st_mtime))
    return found


@pytest.fixture
def image(python: Path, tmp_path: Path) -> Image:
    return Image(python, Layout.create(tmp_path / "layout")).begin()


def same(image: Image, tmp_path: Path) -> None:
    """The layers hold what a whole copy of the environment would hold now, file by file."""
    fresh = Image(image.python, Layout.create(tmp_path / "fresh"), look=image.look).begin()
    there, planned_ = image.unpacked(tmp_path / "there"), fresh.unpacked(tmp_path / "planned")
    shutil.rmtree(tmp_path / "fresh")
    assert {path for path in there.keys() | planned_.keys() if there.get(path) != planned_.get(path)} == set()


def test_an_install_an_upgrade_and_a_removal_are_a_layer_each(image: Image, tmp_path: Path) -> None:
    python = image.python
    lib = f"lib/{site(python).parent.name}/site-packages"
    install(python, "six==1.16.0")
    assert {path for path in image.add() if "__pycache__" not in path} == {
        f"{lib}/six.py",
        *(f"{lib}/six-1.16.0.dist-info/{name}" for name in DIST_INFO),
    }
    same(image, tmp_path)
    install(python, "six==1.17.0")
    changed = {path for path in image.add() if "__pycache__" not in path}
    assert {f"{lib}/six.py", f"{lib}/.wh.six-1.16.0.dist-info"} <= changed
    assert not any("1.16" in path and ".wh." not in path for path in changed)
    same(image, tmp_path)
    install(python, "six", verb="uninstall")
    gone = {path for path in image.add() if "__pycache__" not in path}
    assert gone == {f"{lib}/.wh.six.py", f"{lib}/.wh.six-1.17.0.dist-info"}
    same(image, tmp_path)


DIST_INFO = ("INSTALLER", "LICENSE", "METADATA", "RECORD", "REQUESTED", "WHEEL", "top_level.txt")


def test_nothing_changed_is_nothing_to_write(image: Image) -> None:
    subprocess.run([image.python, "-c", "pass"], check=True)
    assert image.add() == set()
    assert image.above.members == ()


def test_what_was_installed_into_another_environment_from_one_cache_changes_nothing(
    python: Path, tmp_path: Path
) -> None:
    """uv links files of its cache into environments: each link more gives all of them a new ctime."""
    module = site(python) / "toolz" / "__init__.py"
    os.link(module, tmp_path / "cached")
    image = Image(python, Layout.create(tmp_path / "layout")).begin()
    os.link(module, tmp_path / "another environment's")
    assert image.add() == set()
    (tmp_path / "cached").unlink()
    (tmp_path / "another environment's").unlink()
    assert image.add() == set()


def test_bytecode_follows_its_source(image: Image, tmp_path: Path) -> None:
    """What became stale is taken away; what is valid again comes back with the source's new date."""
    module = site(image.python) / "toolz" / "recipes.py"
    for _ in range(2):
        subprocess.run([image.python, "-m", "compileall", "-q", module.parent], check=True)
        image.add()
        same(image, tmp_path)
        module.write_text(module.read_text() + "\n")
        assert {Path(path).name.replace(".wh.", "") for path in image.add()} == {
            "recipes.py",
            next(module.parent.glob("__pycache__/recipes.*")).name,
        }
        same(image, tmp_path)


def test_what_stays_out_of_a_copy_stays_out_of_its_layers(image: Image, tmp_path: Path) -> None:
    prefix = image.python.parents[1]
    for name in (".env", "pip.conf", "id_rsa", ".ssh/key", ".git/config", "share/notes.txt"):
        (prefix / name).parent.mkdir(exist_ok=True, parents=True)
        (prefix / name).write_text("secret")
    assert image.add() == {"share/notes.txt"}
    [found] = image.above.findings
    assert (found.code, ".env" in found.message) == ("private-files-left-out", True)
    for name in (".env", "pip.conf", "share/notes.txt"):
        (prefix / name).unlink()
    assert image.add() == {"share/.wh.notes.txt"}
    assert image.above.findings == ()
    same(image, tmp_path)


def test_a_login_in_the_address_that_a_package_came_from_is_cut(image: Image, tmp_path: Path) -> None:
    info = next(site(image.python).glob("toolz-*.dist-info"))
    url = "https://user:ghp_0123456789abcdefghijklmnopqrstuvwxyz@example.org/toolz.whl"
    (info / "direct_url.json").write_text(json.dumps({"url": url, "archive_info": {}}))
    record = info / "RECORD"
    record.write_text(record.read_text() + f"{info.name}/direct_url.json,sha256=AAAA,9\n")
    image.add()
    assert b"ghp_" not in b"".join(member.data or b"" for member in image.above.members)
    same(image, tmp_path)
    # The one of them that changes brings the other along, as its digest is in it.
    (info / "direct_url.json").write_text(json.dumps({"url": f"{url}?x", "archive_info": {}}))
    assert {Path(path).name for path in image.add()} == {"direct_url.json", "RECORD"}
    same(image, tmp_path)


def test_folders_that_lead_there_stay_as_the_image_has_them(image: Image) -> None:
    """A layer that says /tmp to be anything but everybody's takes it from everybody."""
    (image.python.parents[1] / "new.txt").write_text("")
    image.add()
    modes = {member.path: member.mode for member in image.above.members if member.kind == "folder"}
    assert modes["tmp"] == 0o1777
    assert all(member.mtime == DATE for member in image.above.members)


def test_an_editable_project_changes_by_what_git_tracks(image: Image, tmp_path: Path) -> None:
    where = project(tmp_path / "project")
    install(image.python, "-e", str(where))
    image.add()
    same(image, tmp_path)
    (where / "src/mine/more.py").write_text("more = 1\n")
    (where / "notes.txt").write_text("other")
    assert image.add() == set()
    subprocess.run(["git", "add", "src/mine/more.py"], cwd=where, check=True)
    assert [path for path in image.add() if path.endswith("src/mine/more.py")]
    same(image, tmp_path)
    (where / "src/mine/__init__.py").unlink()
    subprocess.run(["git", "rm", "-q", "--cached", "src/mine/more.py"], cwd=where, check=True)
    assert {Path(path).name for path in image.add()} == {".wh.src"}  # nothing is left in it
    same(image, tmp_path)


def of_the_user(python: Path) -> tuple[Plan, Snapshot]:
    """As if its packages were in ~/.local."""
    plan, snapshot = planned(python)
    moved = tuple(dataclasses.replace(package, scope="user") for package in snapshot.packages.pip)
    elsewhere = dataclasses.replace(snapshot.python, prefix=str(python.parents[2] / "none"))
    return plan, dataclasses.replace(snapshot, python=elsewhere, packages=Packages(pip=moved))


def test_packages_of_the_user_move_in_layers_as_in_copies(python: Path, tmp_path: Path) -> None:
    """They are in ~/.local here, and in the image where no home hides them."""
    image = Image(python, Layout.create(tmp_path / "layout"), look=of_the_user).begin()
    place = f"opt/user/lib/{site(python).parent.name}/site-packages"
    install(python, "six==1.16.0")
    image.add()
    added = {member.path for member in image.above.members if member.kind == "file"}
    assert f"{place}/six.py" in added
    assert all(path.startswith("opt/user/") for path in added)
    same(image, tmp_path)
    install(python, "six", verb="uninstall")
    image.add()
    assert f"{place}/.wh.six.py" in {member.path for member in image.above.members}
    same(image, tmp_path)


Operation = Callable[[random.Random, Path, list[Path]], None]


def edit(dice: random.Random, root: Path, paths: list[Path]) -> None:
    path = dice.choice([each for each in paths if each.is_file() and not each.is_symlink()])
    path.write_bytes(path.read_bytes()[: dice.randrange(50)] + dice.randbytes(dice.randrange(20)))


def touch(dice: random.Random, root: Path, paths: list[Path]) -> None:
    path = dice.choice([each for each in paths if each.is_file()])
    os.utime(path, (dice.randrange(10**9), dice.randrange(10**9)))


def mode(dice: random.Random, root: Path, paths: list[Path]) -> None:
    path = dice.choice([each for each in paths if not each.is_symlink()])
    path.chmod(dice.choice([0o755, 0o700, 0o777]) if path.is_dir() else dice.choice([0o644, 0o755, 0o600]))


def remove(dice: random.Random, root: Path, paths: list[Path]) -> None:
    _remove(dice.choice(paths))


def make(dice: random.Random, root: Path, paths: list[Path]) -> None:
    folder = dice.choice([each for each in paths if each.is_dir() and not each.is_symlink()])
    target = folder / dice.choice(["a", "b-", ".env", "c.py", "__pycache__", "ü", "a b", ".wh"])
    _fill(dice, target if not target.exists() else folder / f"n{dice.randrange(99)}")


def swap(dice: random.Random, root: Path, paths: list[Path]) -> None:
    """A file becomes a folder, a folder a link, a link a file …"""
    path = dice.choice(paths)
    _remove(path)
    _fill(dice, path)


def move(dice: random.Random, root: Path, paths: list[Path]) -> None:
    path = dice.choice(paths)
    target = path.with_name(f"m{dice.randrange(999)}")
    path.rename(target)


def again(dice: random.Random, root: Path, paths: list[Path]) -> None:
    """A folder is removed, and one of the same name made with something else in it."""
    folder = dice.choice([each for each in paths if each.is_dir() and not each.is_symlink()])
    _remove(folder)
    folder.mkdir()
    _fill(dice, folder / "other")


def package(dice: random.Random, root: Path, paths: list[Path]) -> None:
    name = dice.choice(["six==1.16.0", "six==1.17.0", "toolz==0.12.1", "toolz==1.0.0"])
    install(root / "bin/python", "--reinstall", name)


def unpackage(dice: random.Random, root: Path, paths: list[Path]) -> None:
    install(root / "bin/python", dice.choice(["six", "toolz"]), verb="uninstall")


def compiled(dice: random.Random, root: Path, paths: list[Path]) -> None:
    subprocess.run([root / "bin/python", "-m", "compileall", "-q", root], check=False, capture_output=True)


OPERATIONS: tuple[Operation, ...] = (
    edit, touch, mode, remove, make, make, swap, swap, move, again, package, unpackage, compiled,
)  # fmt: skip


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _fill(dice: random.Random, path: Path) -> None:
    kind = dice.choice(["file", "folder", "empty", "link", "away"])
    if kind == "file":
        path.write_bytes(dice.randbytes(dice.randrange(100)))
    elif kind == "folder":
        (path / "x" / "y").mkdir(parents=True)
        (path / "x" / "z.py").write_text("z = 1\n")
    elif kind == "empty":
        path.mkdir()
    else:
        path.symlink_to(".." if kind == "link" else "/nowhere")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_all_layers_together_are_a_whole_copy(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    python = venv(tmp_path / "env", "humanize", "toolz")
    root = python.parents[1]
    image = Image(python, Layout.create(tmp_path / "layout")).begin()
    for _ in range(4):
        for _ in range(dice.randrange(1, 8)):
            # What makes an environment one stays: without it nobody could be asked.
            kept = {root, root / "pyvenv.cfg", root / "bin", root / "lib", root / "lib64", site(python)}
            kept |= {site(python).parent, *(root / "bin").glob("python*")}
            paths = sorted(path for path in root.rglob("*") if path not in kept)
            dice.choice(OPERATIONS)(dice, root, paths)
        image.add()
        same(image, tmp_path)
