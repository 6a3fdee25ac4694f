"""The same environment on another platform: what cannot come along, what has to be added.

macOS or Windows → Linux, amd64 → arm64, musl → glibc. Pins stay as constraints that `resolve`
asks the indexes about again. Where Requires-Dist was read, its markers are asked for both platforms;
names that exist on one platform only and that nobody's markers mention stand in a table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ...errors import UsageError
from ..choices import Choice
from ..interpret.machine import own_architecture
from ..model import CondaPackage, PipPackage, Snapshot, System
from .packages import CARRIED, added, changed, left_out
from .requires import Need, closure, marker_environment, needs

_MACOS = (
    "appnope", "jax-metal", "mlx", "mlx-*", "py2app", "pyobjc", "pyobjc-*", "rubicon-objc", "rumps",
    "tensorflow-macos", "tensorflow-metal",
)  # fmt: skip
_WINDOWS = (
    "comtypes", "pypiwin32", "pyreadline", "pyreadline3", "pywin32", "pywin32-ctypes", "pywinauto",
    "pywinpty", "tensorflow-directml*", "tensorflow-intel", "torch-directml", "triton-windows",
    "win-inet-pton", "win-unicode-console", "win32-setctime", "windows-curses", "winkerberos",
    "winrt-*", "wmi",
)  # fmt: skip
_X86 = (
    "dpcpp-cpp-rt", "intel-*", "mkl", "mkl-*", "nvidia-*-cu*", "onemkl-*", "onnxruntime-gpu", "tbb",
    "tcmlib", "tensorrt*", "triton", "umf", "xformers",
)  # fmt: skip
_REPLACED = {"tensorflow-macos": "tensorflow", "tensorflow-intel": "tensorflow", "triton-windows": "triton"}

_CONDA_SOURCE_ONLY = (
    "appnope", "cctools*", "clang*", "ld64*", "libcxx*", "libobjc*", "pyobjc-*", "python.app", "tapi",
    "m2-*", "m2w64-*", "msys2-*", "pywin32*", "pywinpty", "ucrt", "vc", "vc14_runtime", "vcomp14",
    "vs2015_runtime", "win_inet_pton", "winpty", "wincertstore", "__*",
)  # fmt: skip
_CONDA_X86 = ("_libgcc_mutex", "intel-openmp", "mkl", "mkl-*", "mkl_*")
_SUBDIR = re.compile(r"(?:linux|osx|win)-(?:\d{2}|aarch64|arm64|armv7l|ppc64le)")

_CUDA = ("torch", "jax-cuda12-plugin", "cupy-cuda12x")


@dataclass(frozen=True, slots=True)
class Target:
    """The platform of the image: always Linux with glibc, "amd64" or "arm64"."""

    arch: str

    def __str__(self) -> str:
        return f"linux/{self.arch}"

    @property
    def subdir(self) -> str:
        """Its name among conda's platforms."""
        return {"amd64": "linux-64", "arm64": "linux-aarch64"}[self.arch]


@dataclass(frozen=True, slots=True)
class Adapted:
    """What goes to the other platform; ``requirements`` (PEP 508) are what it needs beyond that."""

    pip: tuple[PipPackage, ...]
    conda: tuple[CondaPackage, ...]
    requirements: tuple[str, ...]
    choices: tuple[Choice, ...]


def target_of(system: System, wish: str | None) -> Target:
    """The platform asked for, else Linux on the source's machine. Raises `UsageError` for others."""
    if wish is None:
        if system.arch not in ("amd64", "arm64"):
            raise UsageError(
                f"no image can be planned for {system.arch}",
                why="images are made for linux/amd64 and linux/arm64",
                fix="choose one of them with --platform",
            )
        return Target(system.arch)
    return named(wish)


def named(wish: str) -> Target:
    """The platform that ``wish`` names. Raises `UsageError` where no image is made for it."""
    match = re.fullmatch(r"linux/(amd64|arm64)(?:/v8)?", wish)
    if match is None:
        near = f"linux/{'arm64' if re.search('arm|aarch', wish, re.I) else 'amd64'}"
        raise UsageError(
            f"{wish!r} is no platform that an image can be made for",
            fix="--platform linux/amd64 or --platform linux/arm64",
            instead=(wish, near) if wish else ("", "--platform", near),
        )
    return Target(match[1])


def is_another(wish: str | None) -> bool:
    """Whether the platform asked for is another one than that of this machine's own files."""
    return wish is not None and (sys.platform != "linux" or named(wish).arch != own_architecture())


def is_foreign(system: System, target: Target) -> bool:
    """Whether files of the source cannot run on the target: another system, machine or C library."""
    elsewhere = system.os in ("macos", "windows", "freebsd")
    return elsewhere or system.arch != target.arch or (system.libc or "").startswith("musl")


def adapt(
    snapshot: Snapshot,
    pip: Sequence[PipPackage],
    conda: Sequence[CondaPackage],
    target: Target,
    wanted: Collection[str] = (),
) -> Adapted:
    """``pip`` and ``conda`` as ``target`` can have them. ``wanted``: names that the notebook imports."""
    there = System(os="debian", arch=target.arch)
    here_markers = marker_environment(snapshot.python, snapshot.system)
    there_markers = marker_environment(snapshot.python, there)
    asked = closure(pip, (p.name for p in pip), here_markers)
    edges = [
        (
            need,
            any(need.holds(here_markers, extra) for extra in asked[need.by]),
            any(need.holds(there_markers, extra) for extra in asked[need.by]),
        )
        for need in needs(pip)
        if need.name != need.by
    ]
    gone = _gone(snapshot.system, target, pip, edges, wanted)
    kept = [p for p in pip if p.name not in gone]
    names = {p.name for p in kept}
    choices = [left_out(p, gone[p.name]) for p in pip if p.name in gone]

    requirements: dict[str, Choice] = {}
    for need, here, beyond in edges:
        if need.by in names and need.name not in names and beyond and (not here or need.name in gone):
            reason = f"{need.by} needs it on {target}"
            requirements.setdefault(need.requirement, added(need.name, reason, need.requirement))
    for old, new in _REPLACED.items():
        if old in gone and new not in names:
            version = next(p.version for p in pip if p.name == old)
            line = f"{new}=={version.partition('+')[0]}"
            requirements[line] = added(new, f"in the place of {old}", line)
    choices += requirements.values()
    if not any(p.requires for p in kept) and target.arch == "amd64":
        choices += [
            added("nvidia-*", f"CUDA wheels that {p.name} needs on {target}, where the resolver finds any")
            for p in kept
            if p.name in _CUDA
        ]

    moved_pip = [_pip(p, target) for p in kept]
    moved_conda = [_conda(c, snapshot.system, target) for c in conda]
    choices += [choice for _, choice in moved_pip if choice]
    choices += [choice for _, choice in moved_conda if choice]
    return Adapted(
        pip=tuple(p for p, _ in moved_pip),
        conda=tuple(c for c, _ in moved_conda if c),
        requirements=tuple(sorted(requirements)),
        choices=tuple(choices),
    )


def _gone(
    system: System,
    target: Target,
    pip: Sequence[PipPackage],
    edges: Iterable[tuple[Need, bool, bool]],
    wanted: Collection[str],
) -> dict[str, str]:
    """Name → why it does not come along.

    First those that nothing on the target needs any more though something here does, then those that
    only they need, and so on; and the table's, unless something that stays needs them there.
    """
    edges = list(edges)
    patterns = _only_on(system, target)
    asked = {p.name for p in pip if p.requested} | set(wanted)
    gone: dict[str, str] = {}
    more = True
    while more:
        more = False
        for package in pip:
            name = package.name
            if name in gone:
                continue
            needed_here = [n for n, here, _ in edges if n.name == name and here]
            if any(n.name == name and there and n.by not in gone for n, _, there in edges):
                continue
            if _matches(name, patterns):
                gone[name] = f"it exists for {_name(system, target)} only"
            elif needed_here and name not in asked:
                by = ", ".join(sorted({n.by for n in needed_here})[:3])
                gone[name] = f"{by} {'needs' if ',' not in by else 'need'} it on {_name(system, target)} only"
            else:
                continue
            more = True
    return gone


def _only_on(system: System, target: Target) -> tuple[str, ...]:
    if system.os == "macos":
        return _MACOS
    if system.os == "windows":
        return _WINDOWS + (_X86 if target.arch != "amd64" else ())
    return _X86 if system.arch == "amd64" and target.arch != "amd64" else ()


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _name(system: System, target: Target) -> str:
    named = {"macos": "macOS", "windows": "Windows"}.get(system.os)
    return named or (system.arch if system.arch != target.arch else system.os)


def _pip(package: PipPackage, target: Target) -> tuple[PipPackage, Choice | None]:
    """The pin as a constraint: a label such as +cu121 names a build for one platform."""
    kind = package.source.kind
    if kind == "conda" or (kind in CARRIED and package.pure):
        return package, None
    if kind in CARRIED:
        reason = f"has compiled parts: built again for {target}, carried as a wheel"
        return package, changed(package, kind, "wheel", reason)
    public, plus, label = package.version.partition("+")
    if plus:
        reason = f"+{label} names a build for the source's platform"
        moved = replace(package, version=public, built_locally=False, tags=())
        return moved, changed(package, package.version, public, reason)
    if package.built_locally:
        reason = f"compiled on the source's platform; compiled again for {target}"
        return replace(package, built_locally=False, tags=()), changed(package, "built here", "index", reason)
    return package, None


def _conda(
    package: CondaPackage, system: System, target: Target
) -> tuple[CondaPackage | None, Choice | None]:
    """Without its build, to be solved again; packages of no platform stay as they are."""
    if package.subdir == "noarch" and not _matches(package.name, _CONDA_SOURCE_ONLY):
        return package, None
    x86 = system.arch == "amd64" and target.arch != "amd64"
    of_platform = _SUBDIR.search(package.name)
    if (
        _matches(package.name, _CONDA_SOURCE_ONLY)
        or of_platform
        or (x86 and _matches(package.name, _CONDA_X86))
    ):
        return None, Choice(
            kind="left-out",
            manager="conda",
            name=package.name,
            reason=f"it exists for {of_platform[0] if of_platform else _name(system, target)} only",
            source=f"{package.version} {package.build}",
        )
    return replace(package, build="", url="", md5=None, sha256=None, subdir=target.subdir), Choice(
        kind="changed",
        manager="conda",
        name=package.name,
        reason=f"the build is one for {package.subdir}: solved again for {target.subdir}",
        source=f"{package.version} {package.build} {package.subdir}",
        planned=f"{package.version} {target.subdir}",
    )
