"""The Debian packages that the image needs beyond its base: what is linked, loaded, called, asked for.

Most come from the ELF files (`libraries`). Some programs and libraries are found by no link: Python
packages call them by name or open them while they run; those are the table's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ...errors import UsageError
from ...events import Finding
from ...sizes import count
from ..choices import Choice, Wishes
from ..model import AptPackage, PipPackage, Snapshot
from ..names import debian_name, shown
from ..sonames import RELEASES, in_release, of_driver, package_of
from .platform import Target

# Python package → Debian packages, in the names of Debian 12, that it calls or opens while it runs.
# Taken over where the source has them; where the source has no Debian packages at all, all of them.
_CALLED: dict[str, tuple[str, ...]] = {
    "cairocffi": ("libcairo2",),
    "cairosvg": ("libcairo2",),
    "camelot-py": ("ghostscript",),
    "ffmpeg-python": ("ffmpeg",),
    "gitpython": ("git",),
    "graphviz": ("graphviz",),
    "img2pdf": ("ghostscript",),
    "mne": ("libgl1",),
    "moviepy": ("ffmpeg",),
    "nbdime": ("git",),
    "ocrmypdf": ("ghostscript", "tesseract-ocr"),
    "openai-whisper": ("ffmpeg",),
    "oct2py": ("octave",),
    "pdf2image": ("poppler-utils",),
    "pydot": ("graphviz",),
    "pydub": ("ffmpeg",),
    "pyodbc": ("unixodbc", "msodbcsql17", "msodbcsql18", "odbc-postgresql", "tdsodbc"),
    "pypandoc": ("pandoc",),
    "pyspark": ("openjdk-*-jre-headless", "openjdk-*-jre", "default-jre-headless", "default-jre"),
    "pytesseract": ("tesseract-ocr", "tesseract-ocr-*"),
    "python-magic": ("libmagic1",),
    "pyttsx3": ("espeak-ng",),
    "pyzbar": ("libzbar0",),
    "rpy2": ("r-base-core", "r-base"),
    "sounddevice": ("libportaudio2",),
    "tabula-py": ("openjdk-*-jre-headless", "openjdk-*-jre", "default-jre-headless", "default-jre"),
    "wand": ("libmagickwand-6.q16-6",),
    "weasyprint": ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0"),
    "xhtml2pdf": ("libcairo2",),
    "yt-dlp": ("ffmpeg",),
}

# Where nobody can look (a pattern, several of a kind): the one to take.
_ELSEWHERE: dict[str, tuple[str, ...]] = {
    "pyodbc": ("unixodbc",),
    "pyspark": ("default-jre-headless",),
    "pytesseract": ("tesseract-ocr",),
    "rpy2": ("r-base-core",),
    "tabula-py": ("default-jre-headless",),
}

# What Linux wheels leave to the system. Only for sources whose files say nothing about Linux: macOS, Windows.
_LINKED_ON_LINUX: dict[str, tuple[str, ...]] = {
    "glfw": ("libglfw3",),
    "mayavi": ("libgl1", "libxrender1"),
    "open3d": ("libegl1", "libgl1", "libgomp1", "libx11-6"),
    "opencv-contrib-python": ("libgl1", "libglib2.0-0"),
    "opencv-python": ("libgl1", "libglib2.0-0"),
    "pyqt5": ("libdbus-1-3", "libegl1", "libfontconfig1", "libgl1", "libglib2.0-0", "libxkbcommon0"),
    "pyqt6": ("libdbus-1-3", "libegl1", "libfontconfig1", "libgl1", "libglib2.0-0", "libxkbcommon0"),
    "pyside6": ("libdbus-1-3", "libegl1", "libfontconfig1", "libgl1", "libglib2.0-0", "libxkbcommon0"),
    "soundfile": ("libsndfile1",),
    "lightgbm": ("libgomp1",),
    "vtk": ("libgl1", "libxrender1"),
    "pyvista": ("libgl1", "libxrender1"),
    "psycopg2": ("libpq5",),
    "mysqlclient": ("libmariadb3",),
}

# The C library's, the compiler's and Python's own: the base has them.
_PROVIDED = re.compile(
    r"(?:ld-|libc|libm|libdl|libpthread|librt|libutil|libresolv|libnsl|libcrypt|libanl|libmvec|libthread_db)"
    r"(?:[-.]musl)?[-.\w]*\.so(?:\.\d+)*|libc\.musl-.*|(?:libgcc_s|libstdc\+\+|libgomp|libatomic)\.so\.\d+|libz\.so\.1"
    r"|libpython[0-9.]+[a-z]*\.so[0-9.]*|linux-vdso\.so\.1"
)
# Debian's Python, and the modules of the standard library that it packs apart.
_PYTHON = ("python3", "python3-distutils", "python3-gdbm", "python3-lib2to3", "python3-tk")
_SYSTEM = frozenset({"required", "important", "standard"})


def debian_packages(
    snapshot: Snapshot,
    pip: Iterable[PipPackage],
    wishes: Wishes,
    target: Target,
    *,
    release: str,
    python: bool = False,
) -> tuple[tuple[AptPackage, ...], list[Choice], list[Finding]]:
    """The roots to install, what was installed by hand and is not needed, and what is not known.

    ``release`` is the image's, ``python`` whether the environment runs on that release's own.
    Raises `UsageError` for a wish that is not the name of a Debian package.
    """
    installed = {p.name: p for p in snapshot.packages.apt}
    wanted: dict[str, str] = {}  # name in the image's release → name in the source, "" where it has none
    choices: list[Choice] = []
    findings: list[Finding] = []
    elsewhere = snapshot.system.os in ("macos", "windows")  # its files say nothing about Linux
    if elsewhere:
        pass
    elif snapshot.libraries is None:
        findings.append(
            Finding(
                "libraries-unknown",
                "warning",
                "nobody looked at which system libraries the environment needs",
                "name them with --apt, where importing fails in the image",
            )
        )
    else:
        findings += _unowned(snapshot, release)
        for source, planned in _linked(snapshot, release).items():
            if planned:
                wanted[planned] = source
            if planned != source:
                choices.append(_renamed(source, planned, release))
            if not planned:
                findings.append(_not_in(release, source))
    for name in _PYTHON if python else ():
        if name in installed:
            wanted[name] = name
        elif name == "python3":
            wanted[name] = ""
            choices.append(_added(name, f"the environment's Python is {release}'s own"))
    names = [p.name for p in pip]
    for name, by in _called(names, snapshot, elsewhere=elsewhere).items():
        planned = in_release(name, release)
        if planned not in wanted:
            wanted[planned] = name if name in installed else ""
            if name not in installed:
                choices.append(_added(planned, f"{by} needs it on Linux"))
    for wish in wishes.apt:
        if debian_name(wish) != wish:
            raise UsageError(f"{shown(wish)} is not the name of a Debian package", fix="--apt NAME")
        planned = in_release(wish, release)
        if planned not in wanted:
            wanted[planned] = wish if wish in installed else ""
            if wish not in installed:
                choices.append(_added(planned, "asked for"))
    told = {*wanted, *wanted.values(), *(c.name for c in choices), *(c.source for c in choices)}
    choices += _left_out(installed.values(), told)
    return (
        tuple(_root(name, installed.get(wanted[name]), target) for name in sorted(wanted)),
        choices,
        findings,
    )


def _linked(snapshot: Snapshot, release: str) -> dict[str, str]:
    """Root of the source → what the image's release calls it.

    The same release: the same names. Another one: by the sonames that each root brings, because
    names change with them; "" where that release has another version of the library.
    """
    assert snapshot.libraries is not None
    roots = snapshot.libraries.roots
    if not snapshot.packages.apt or snapshot.system.codename == release:
        return {root: root for root in roots}
    sonames: dict[str, list[str]] = {}
    for library in snapshot.libraries.needed:
        if library.owner in roots:
            sonames.setdefault(library.owner, []).append(library.soname)
    found = {}
    for root in roots:
        there = sorted({p for soname in sonames.get(root, ()) if (p := package_of(soname, release))})
        known = any(package_of(soname, r) for soname in sonames.get(root, ()) for r in RELEASES)
        found[root] = there[0] if there else "" if known else in_release(root, release)
    return found


def _unowned(snapshot: Snapshot, release: str) -> Iterable[Finding]:
    """Libraries that no package holds: somebody put them there by hand, or our table does not know them."""
    assert snapshot.libraries is not None
    for library in snapshot.libraries.needed:
        if library.owner or _PROVIDED.fullmatch(library.soname) or of_driver(library.soname):
            continue
        if not snapshot.packages.apt and package_of(library.soname, release):
            continue
        by = f"{shown(library.by[0])} needs" if library.by else "the environment has loaded"
        yield Finding(
            "library-unowned",
            "warning",
            f"{by} {library.soname}, and no Debian package is known to hold it",
            "start from an image that has it (--base), or name the package that has it (--apt)",
        )


def _called(names: Iterable[str], snapshot: Snapshot, *, elsewhere: bool) -> dict[str, str]:
    """Debian package → the Python package that calls it or opens it."""
    installed = {p.name: p.name.removesuffix("t64") for p in snapshot.packages.apt}
    found: dict[str, str] = {}
    for name in names:
        patterns = _CALLED.get(name, ())
        if installed:
            here = [n for n, plain in installed.items() if any(fnmatchcase(plain, x) for x in patterns)]
        else:
            here = list(_ELSEWHERE.get(name, patterns))
        if elsewhere:
            here += _LINKED_ON_LINUX.get(name, ())
        for package in here:
            found.setdefault(package, name)
    return found


def _root(name: str, source: AptPackage | None, target: Target) -> AptPackage:
    """``version`` is the source's, to be compared; "" where there is none to compare with."""
    version = source.version if source else ""
    return AptPackage(name=name, version=version, arch=target.arch, manual=True)


def _left_out(installed: Iterable[AptPackage], kept: set[str]) -> Iterable[Choice]:
    """By name what somebody installed by hand; in one line what came along with other packages."""
    others = [p for p in installed if p.name not in kept]
    by_hand = [p for p in others if p.manual and not p.essential and p.priority not in _SYSTEM]
    for package in by_hand:
        yield Choice(
            kind="left-out",
            manager="apt",
            name=package.name,
            reason="no package here links to it or is known to call it; --apt NAME takes it along",
            source=package.version,
        )
    rest = len(others) - len(by_hand)
    if rest:
        yield Choice(
            kind="left-out",
            manager="apt",
            name="*",
            reason="part of the system, or there because something depends on it: the base brings its own",
            source=count(rest, "package"),
        )


def _not_in(release: str, package: str) -> Finding:
    return Finding(
        "library-not-in-base",
        "warning",
        f"the environment links to libraries of {package}, and {release} has another version of them",
        "start from an image of the source's release with --base",
    )


def _renamed(source: str, planned: str, release: str) -> Choice:
    return Choice(
        kind="changed" if planned else "left-out",
        manager="apt",
        name=planned or source,
        reason=f"its name in {release}" if planned else f"{release} does not have it",
        source=source,
        planned=planned,
    )


def _added(name: str, reason: str) -> Choice:
    return Choice(kind="added", manager="apt", name=name, reason=reason, planned=name)
