"""uv: how it gets into the build, and how it makes the environment out of the locks.

It asks for no dependencies (the locks are complete) and, save for what must be compiled, runs
no code of the packages that it installs.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..contents import layout
from ..environment.releases import BaseKind
from . import apt, locks, secrets
from .pip import FOLDER, WHEELS, Lock, bind
from .resolution import Resolution
from .steps import BindFile, Cache, Comment, Env, From, Run, SearchPath, Step

_WHEELS = BindFile(WHEELS, f"{layout.BUILD}/{WHEELS}")


def bring(kind: BaseKind, resolution: Resolution) -> list[Step]:
    """The stage ``uv``: uv itself, by hash.

    An official Python image has all that it needs, so it starts beside the stage ``base`` and does
    not wait for Debian's packages; elsewhere it stands on ``base``.
    """
    base = resolution.base
    handed = secrets.for_python(resolution)
    pip = "-m pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore"
    lock = f"--no-deps --require-hashes -r {layout.BUILD}/{FOLDER}/{locks.UV}"
    if kind == "python":
        setup = [f"python3 {pip}\n--target={layout.UV} {lock}"]
    else:
        setup = [
            f"{layout.DEBIAN_PYTHON} -m venv {layout.UV}",
            f"{layout.UV}/bin/python {pip}\n{lock}",
        ]
    if kind != "python":
        setup[:0] = apt.install(["ca-certificates", "python3-venv"]).lines
    return [
        Comment("uv, which installs the packages; the image does not keep it."),
        From(base.ref, base.digest, stage="uv") if kind == "python" else From("base", stage="uv"),
        Run((*secrets.trust(handed), *setup), secrets=handed, binds=(bind(locks.UV),)),
        SearchPath(f"{layout.UV}/bin"),
        Env("UV_CACHE_DIR", layout.UV_CACHE),
        Env("UV_LINK_MODE", "copy"),
        Env("UV_NO_PROGRESS", "1"),
        Env("UV_PYTHON_INSTALL_DIR", layout.PYTHON),
    ]


def make_environment(version: str, kind: BaseKind, resolution: Resolution) -> Run:
    """The empty environment, on exactly this Python; fails where the base has another."""
    if kind in ("python", "debian-python"):
        options = "--no-python-downloads"
    elif kind == "own":
        options = "--python-preference=system"
    else:
        options = "--python-preference=only-managed"
    handed = () if kind in ("python", "debian-python") else secrets.for_python(resolution)
    return Run(
        (
            *secrets.trust(handed),
            # Stays empty where the user's base has this Python, and is copied in any case.
            *((f"mkdir -p {layout.PYTHON}",) if kind == "own" else ()),
            f"uv venv --python={version} {options} {layout.ENVIRONMENT}",
        ),
        secrets=handed,
    )


def install(found: Iterable[Lock], interpreter: str, resolution: Resolution) -> list[Step]:
    """One step per lock, into the environment of ``interpreter``."""
    steps: list[Step] = []
    for lock in found:
        steps.append(Comment(_explain(lock)))
        steps.append(_install(lock, interpreter, resolution))
    return [*steps, Comment("Bytecode, so that imports are quick."), _compile(interpreter)] if steps else []


def install_server(python: str, resolution: Resolution) -> list[Step]:
    """The stage ``server``: our own lock of JupyterLab, on the interpreter ``python`` of the base."""
    return [
        Comment("The environment has no JupyterLab: a small server of its own, beside it."),
        From("uv", stage="server"),
        Run((f"uv venv --python={python} --no-python-downloads {layout.SERVER}",)),
        _install(Lock(locks.SERVER, ""), f"{layout.SERVER}/bin/python", resolution),
        _compile(f"{layout.SERVER}/bin/python"),
    ]


def files(*, server: bool) -> dict[str, bytes]:
    """Our own locks as files of the bundle: uv's, and the server's where there is one."""
    names = (locks.UV, locks.SERVER) if server else (locks.UV,)
    return {f"{FOLDER}/{name}": locks.read(name) for name in names}


def _compile(interpreter: str) -> Run:
    """Bytecode, so that imports are quick; of tests nobody needs it, and they are a third of all modules.

    Some packages hold templates that are no Python: they are passed over.
    """
    prefix = interpreter.removesuffix("/bin/python")
    return Run((f"{interpreter} -m compileall -q -j 0 -x '/tests?/' {prefix}/lib || true",))


def _explain(lock: Lock) -> str:
    if lock.carried:
        return "Python packages that no index gives back: wheels that come with this file."
    text = "Python packages of another index, and of that index only" if lock.other else "Python packages"
    text += ", each file by its hash." if lock.hashed else ", without hashes: no index answered for them."
    if lock.compiled:
        text += " There is no wheel for this platform: compiled here."
    return text


def _install(lock: Lock, interpreter: str, resolution: Resolution) -> Run:
    handed = () if lock.carried else secrets.for_python(resolution)
    options = ["--no-deps"]
    if lock.hashed:
        options.append("--require-hashes")
    if not lock.compiled:
        options.append("--no-build")
    if interpreter.startswith(layout.CONDA):
        options.append("--break-system-packages")
    return Run(
        (
            *secrets.trust(handed),
            f"uv pip install --python={interpreter} {' '.join(options)}"
            f"\n-r {layout.BUILD}/{FOLDER}/{lock.file}",
        ),
        secrets=handed,
        # What is compiled here fits this base; a cache that other builds share must not have it.
        caches=() if lock.compiled else (Cache(layout.UV_CACHE),),
        binds=(bind(lock.file), _WHEELS) if lock.carried else (bind(lock.file),),
    )
