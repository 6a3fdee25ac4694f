"""The journal: ``dockerize/<name>/`` beside the notebook, to be committed with it.

It is declarative, and each layer is a folder of its own: what two people add to it merges. The Dockerfile of
the whole image is written anew each time, from the recipe of the first layer and the steps of the others;
git is told to take the lines of both where two have changed it, and nobody reads it back.

    journal.json            which image this is
    Dockerfile, env/ …      the recipe: the first layer's, and a step for each other one
    recipe/                 Dockerfile, README and snapshot of the first layer alone
    layers/0002-…-3f9a2c/   layer.json: what was typed and what it changed; locks and script beside it
    snapshot.json           what the image holds
    README.md               what it takes to build it, and its layers
    .gitattributes          how these three merge
    .gitignore              nothing of it is left out, whatever the project leaves out

What else lies in the folder is somebody's own, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..environment.model import SCHEMA, dump, parse
from ..errors import OutputError, UsageError
from ..export.recipes import OURS, SNAPSHOT
from ..image import disk
from ..image.placed import placed
from ..image.reference import Reference
from ..recipe.bundle import DOCKERFILE
from ..recipe.readme import README
from .model import LAYER, Layer, identity

FOLDER = "dockerize"
JOURNAL = "journal.json"
LAYERS = "layers"
FIRST = "recipe"  # what is written anew for all layers, as it is of the first
_OF_ALL = (DOCKERFILE, README, SNAPSHOT)
# gitattributes(5), "Built-in merge drivers": a conflict in what is written anew is nobody's work.
_ATTRIBUTES = ".gitattributes"
_MERGED = "".join(f"/{name} merge=union\n" for name in _OF_ALL).encode()
# gitignore(5), "Pattern format": the last pattern decides, those of the deeper folder last. The locks lie in
# env/ and wheels/, which most lists of what is left out of a Python project name.
_IGNORE = ".gitignore"
_NOT_IGNORED = b"!*\n.ipynb_checkpoints/\n"
_NAMES = OURS | {JOURNAL, LAYERS, FIRST, _ATTRIBUTES, _IGNORE}
LARGEST = 64 << 20  # bytes of one file
_NAME = re.compile(r"(\d{4})-[a-z0-9-]*[0-9a-f]{12}")
_SLUG = 40  # characters of a command in a folder's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A layer, and the files that it takes along: relative path → bytes."""

    layer: Layer
    files: Mapping[str, bytes]

    @property
    def id(self) -> str:
        """12 hex digits of all that it is."""
        return identity(self.layer, self.files)

    @property
    def name(self) -> str:
        """What its folder is called: by command and files alone, which are known before it has run."""
        slug = re.sub(r"[^a-z0-9]+", "-", self.layer.command.lower())[:_SLUG].strip("-")
        mark = identity(Layer(command=self.layer.command, origin="exec"), self.files)
        return f"{slug}-{mark}" if slug else mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """``image`` is the name; ``base`` the files of the first layer's recipe, ``entries`` the layers from the
    second on."""

    image: str
    notebook: str | None = None  # its file name
    method: str = "rebuild"
    base: Mapping[str, bytes]
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Which image the journal is of; ``notebook`` is its file name."""

    image: str
    method: str = "rebuild"
    notebook: str | None = None
    schema: int = SCHEMA


def place(notebook: Path | None, ref: str) -> Path:
    """The journal's folder: beside the notebook, or here."""
    folder = notebook.absolute().parent if notebook else Path.cwd()
    return folder / FOLDER / folder_name(ref)


def folder_name(ref: str) -> str:
    """ "ghcr.io/me/analysis" → "analysis", "analysis:2026" → "analysis-2026"."""
    reference = Reference.parse(ref)
    name = reference.path.rpartition("/")[2]
    return name if reference.tag in (None, "latest") else f"{name}-{reference.tag}"


def header(folder: Path) -> Header:
    """Which image the journal in ``folder`` is of. Raises `UsageError` where there is none."""
    found = parse(_bytes(folder / JOURNAL), Header)
    assert isinstance(found, Header)
    return found


def read(folder: Path) -> Journal:
    """The journal in ``folder``. Raises `UsageError` where there is none, or what is there is none.

    Layers of the same number, as a merge leaves them, stand in the order of their names.
    """
    said = header(folder)
    entries = []
    layers = folder / LAYERS
    try:
        names = sorted(path.name for path in layers.iterdir()) if layers.is_dir() else []
        for name in names:
            if _NAME.fullmatch(name):
                files = files_below(layers / name)
                layer = parse(files.pop(LAYER, b""), Layer)
                entries.append(Entry(layer=layer, files=files))
        base = dict[str, bytes]()
        for name in sorted(OURS - {*_OF_ALL}):
            if (folder / name).is_file():
                base[name] = _bytes(folder / name)
            base |= {f"{name}/{below}": data for below, data in files_below(folder / name).items()}
    except OSError as error:
        raise UsageError(f"{folder} cannot be read", why=error.strerror or str(error)) from error
    # Of a copy whose recipe could not be locked there is no Dockerfile.
    base |= {name: _bytes(folder / FIRST / name) for name in _OF_ALL if (folder / FIRST / name).is_file()}
    return Journal(
        image=said.image,
        notebook=said.notebook,
        method=said.method,
        base=base,
        entries=tuple(entries),
    )


def write(folder: Path, journal: Journal, of_all: Mapping[str, bytes]) -> None:
    """The journal takes the place of what it was before: all of it or nothing. What others put beside its
    files stays. Raises `OutputError`.

    ``of_all`` are the Dockerfile (where the first layer has one), the README and the snapshot of all layers.
    """
    said = Header(image=journal.image, method=journal.method, notebook=journal.notebook)
    files = {f"{FIRST}/{name}" if name in _OF_ALL else name: data for name, data in journal.base.items()}
    files |= {**of_all, JOURNAL: dump(said), _ATTRIBUTES: _MERGED, _IGNORE: _NOT_IGNORED}
    for number, entry in enumerate(journal.entries, 2):
        at = layer_folder(number, entry)
        files[f"{at}/{LAYER}"] = dump(entry.layer)
        files |= {f"{at}/{name}": data for name, data in entry.files.items()}
    check(folder, journal.image)
    disk.make_folder(folder.parent)
    with placed(folder, files, ours=_NAMES):
        pass


def check(folder: Path, image: str) -> None:
    """Raises `OutputError` where something else than the journal of ``image`` is at its place."""
    if (folder / JOURNAL).is_file():
        other = header(folder).image
        if other != image:
            raise OutputError(
                f"{folder} is the journal of {other}",
                why=f"that of {image} would take its place",
                fix="give the image another name: -t NAME",
            )
        return
    if not folder.exists():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise OutputError(
            f"{folder} is not ours to write",
            why="the journal of the image goes there, and something else is there",
            fix="move it away, or give the image another name: -t NAME",
        )


def layer_folder(number: int, entry: Entry) -> str:
    """Where a layer's files are: "layers/0002-pip-install-humanize-3f9a2c4d5e6f"."""
    return f"{LAYERS}/{number:04d}-{entry.name}"


def files_below(folder: Path) -> dict[str, bytes]:
    """All files of a folder: relative path → bytes. What is a link, or leads out of it, is none of ours."""
    return {
        path.relative_to(folder).as_posix(): _bytes(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is too large for a journal")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(
            f"{path.parent} is no journal", why=f"it has no {path.name}", fix="name the folder that has one"
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error


__all__ = [
    "FOLDER",
    "JOURNAL",
    "Entry",
    "Journal",
    "check",
    "files_below",
    "folder_name",
    "header",
    "layer_folder",
    "place",
    "read",
    "write",
]
