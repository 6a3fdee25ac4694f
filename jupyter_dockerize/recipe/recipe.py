"""Plan + resolution → bundle: the stages of the Dockerfile, in order.

    base     the base image and Debian packages
    uv       base + uv
    build    uv + the environment               ┐ made side by side by builders that can,
    server   uv + a JupyterLab of its own       ┘ left behind
    (last)   base + environment + notebook

Pure: the same plan, resolution and features give the same bytes. The only files that are read are
the plan's own, and they must have the digest that the plan says.
"""

from __future__ import annotations

from .. import __version__
from ..contents import identity, jupyter, layout, standin
from ..environment.model import dump
from ..environment.plan.planning import Plan, redacted
from ..errors import NoEngineError
from ..sizes import count
from . import apt, conda, dockerfile, pip, project, readme, uv
from .base import python_version
from .bundle import DOCKERFILE, Bundle
from .resolution import Resolution
from .steps import (
    Cmd,
    Comment,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Feature,
    From,
    Label,
    NoHealthcheck,
    Run,
    SearchPath,
    Step,
    Unpack,
    User,
    Workdir,
)

INIT = "tini"  # the Debian package; an init reaps what kernels leave behind
SYSTEM = "system.tar"  # in the bundle: files of ours outside the project

_LOWEST_SERVER = (3, 9)  # the oldest Python that the server's lock is for


def render(plan: Plan, resolution: Resolution, features: frozenset[Feature]) -> Bundle:
    """The build context for a builder that has ``features``.

    Raises `UsageError` for anything in plan or resolution that is not what it should be, and
    `NoEngineError` where secrets are needed and the builder cannot take them.
    """
    if resolution.secrets and "mounts" not in features:
        raise NoEngineError(
            "this builder cannot be handed a secret",
            why=f"the build needs {' and '.join(resolution.secrets)}, and build arguments stay in images",
            fix="use an engine with BuildKit",
        )
    packages = pip.locks_of(resolution)
    stored = redacted(plan)
    files = {
        **pip.files(packages, resolution),
        identity.PLAN: dump(stored),
        readme.README: readme.write(stored, resolution),
    }
    if plan.packages.conda:
        files |= conda.files(plan.packages.conda, plan.platform)
    if _uses_uv(plan, resolution):
        files |= uv.files(server=plan.server == "own")
    python = layout.interpreter(bool(plan.packages.conda))
    kernels = jupyter.kernelspecs(plan, python)
    system = kernels | (standin.files() if plan.magics else {})
    if system:
        files[SYSTEM] = project.tar(system, owner=0, tops=_SYSTEM_FOLDERS)
    if plan.files:
        files[project.ARCHIVE] = project.archive(plan.files)
    steps = [
        *_base(plan, resolution),
        *_build(plan, resolution, packages),
        *_image(plan, resolution, _labels(stored, resolution, python), kernels=bool(kernels)),
    ]
    files[DOCKERFILE] = dockerfile.write(steps, features).encode()
    return Bundle(files, secrets=resolution.secrets, platform=plan.build_platform)


def _base(plan: Plan, resolution: Resolution) -> list[Step]:
    base = resolution.base
    debian = {package.name for package in plan.packages.apt} | {INIT}
    if _debian_python(plan, resolution):
        debian.add("python3")
    steps: list[Step] = [
        Comment(_title(plan, resolution)),
        From(base.ref, base.digest, stage="base"),
    ]
    if base.kind in ("conda", "own"):
        steps.append(User("0"))
    why = "An init" if len(debian) == 1 else "Debian packages that the environment needs, and an init"
    steps += [Comment(f"{why}."), apt.install(debian)]
    if base.kind in ("conda", "own"):
        # COPY would merge into what is there, and leave it to its owner.
        folders = [
            layout.prefix(bool(plan.packages.conda)),
            *([layout.SERVER] if plan.server == "own" else []),
        ]
        steps += [Comment("Room for the environment."), Run((f"rm -rf {' '.join(folders)}",))]
    return steps


def _title(plan: Plan, resolution: Resolution) -> str:
    counts = [(len(plan.packages.conda), "conda"), (len(resolution.pip) + len(resolution.wheels), "pip")]
    packages = " and ".join(count(number, f"{what} package") for number, what in counts if number)
    version = python_version(plan.python.version)
    return (
        f"Made by jupyter-dockerize {__version__}: Python {version}"
        + (f" with {packages}" if packages else "")
        + ".\nREADME.md says how to build and run it, and what was left out or added."
    )


def _build(plan: Plan, resolution: Resolution, packages: tuple[pip.Lock, ...]) -> list[Step]:
    kind = resolution.base.kind
    steps: list[Step] = []
    stage = "base"
    if _uses_uv(plan, resolution):
        steps += uv.bring(kind, resolution)
        stage = "uv"
    compiled = [package.name for package in resolution.pip if package.sdist]
    if plan.packages.conda:
        steps += conda.environment(resolution, stage)
    else:
        steps += [Comment("The environment."), From(stage, stage="build")]
        steps.append(uv.make_environment(str(python_version(plan.python.version)), kind, resolution))
    if compiled:
        steps.append(Comment("A compiler, for packages that have no wheel; the image does not keep it."))
        compilers = {*apt.compilers(compiled), *(["python3-dev"] if kind == "debian-python" else [])}
        steps.append(apt.install(compilers))
    steps += uv.install(packages, layout.interpreter(bool(plan.packages.conda)), resolution)
    if plan.server == "own":
        steps += uv.install_server(_server_python(plan, resolution), resolution)
    return steps


def _image(plan: Plan, resolution: Resolution, labels: list[Label], *, kernels: bool) -> list[Step]:
    prefix = layout.prefix(bool(plan.packages.conda))
    steps: list[Step] = [
        Comment("The image: the environment belongs to its user, who may install there."),
        From("base"),
        Run(
            (
                f"{{ getent group {layout.UID} || groupadd --gid {layout.UID} {layout.USER_NAME}; }}",
                f"{{ getent passwd {layout.UID} || useradd --no-log-init --uid {layout.UID}"
                f" --gid {layout.UID} --home-dir {layout.HOME} --shell /bin/bash {layout.USER_NAME}; }}",
                f"install -d -o {layout.UID} -g {layout.UID} {layout.HOME} {layout.WORK}",
            )
        ),
    ]
    if not plan.packages.conda and resolution.base.kind not in ("python", "debian-python"):
        steps.append(Copy(layout.PYTHON, layout.PYTHON, stage="build"))
    if plan.server == "own":
        steps.append(Copy(layout.SERVER, layout.SERVER, stage="server"))
    steps.append(Copy(prefix, prefix, stage="build", owner=layout.UID))
    steps += [Env(name, value) for name, value in plan.environ if name not in _OURS]
    steps += [SearchPath(f"{prefix}/bin"), Env("HOME", layout.HOME), Env("SHELL", "/bin/bash")]
    if resolution.base.kind == "conda":
        steps.append(Env("MAMBA_ROOT_PREFIX", layout.CONDA))
    names = ("Kernels by the names that the notebook knows.",) if kernels else ()
    magics = ("Magics that do nothing, for cells that type %dockerize.",) if plan.magics else ()
    if names or magics:
        steps += [Comment("\n".join(names + magics)), Unpack(SYSTEM, "/")]
    if plan.files:
        steps += [Comment("The notebook and what belongs to it."), Unpack(project.ARCHIVE, "/")]
    return [
        *steps,
        Comment("What this image is: its plan as a file, its fingerprint as a label."),
        Copy(identity.PLAN, identity.PLAN_PATH),
        *labels,
        User(str(layout.UID)),
        Workdir(layout.WORK),
        *([NoHealthcheck()] if resolution.base.kind == "own" else []),
        Expose(layout.PORT),
        Entrypoint((f"/usr/bin/{INIT}", "--")),
        Cmd(jupyter.command(plan, layout.SERVER if plan.server == "own" else prefix)),
    ]


def _labels(stored: Plan, resolution: Resolution, python: str) -> list[Label]:
    base = resolution.base
    found = identity.labels(stored, "rebuild", python=python, base=base.ref, digest=base.digest)
    return [Label(name, value) for name, value in found.items()]


_SYSTEM_FOLDERS = (layout.KERNELSPECS, layout.IPYTHON_STARTUP, standin.FOLDER)
_OURS = frozenset({"PATH", "HOME", "SHELL", "MAMBA_ROOT_PREFIX"})


def _uses_uv(plan: Plan, resolution: Resolution) -> bool:
    return not plan.packages.conda or bool(resolution.pip or resolution.wheels) or plan.server == "own"


def _debian_python(plan: Plan, resolution: Resolution) -> bool:
    """The server runs on Debian's interpreter, because the base has none that it could run on."""
    if plan.server != "own":
        return False
    version = python_version(plan.python.version)
    return resolution.base.kind != "python" or (version.major, version.minor) < _LOWEST_SERVER


def _server_python(plan: Plan, resolution: Resolution) -> str:
    if _debian_python(plan, resolution):
        return layout.DEBIAN_PYTHON
    return str(python_version(plan.python.version))


__all__ = ["render"]
