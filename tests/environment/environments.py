"""Environments made up for tests, and the image that a build of a plan would leave behind."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from jupyter_dockerize.environment.model import (
    AptPackage,
    CondaPackage,
    Index,
    Kernel,
    Libraries,
    Library,
    MissingLibrary,
    Packages,
    PipPackage,
    Python,
    Snapshot,
    Source,
    System,
    ordered,
)
from jupyter_dockerize.environment.plan.planning import Plan

BOOKWORM = System(os="debian", version="12", codename="bookworm", arch="amd64", libc="glibc 2.36")
NOBLE = System(os="ubuntu", version="24.04", codename="noble", arch="amd64", libc="glibc 2.39")
MACOS = System(os="macos", version="14.5", arch="arm64")
WINDOWS = System(os="windows", version="11", arch="amd64")
FEDORA = System(os="fedora", version="40", arch="amd64", libc="glibc 2.39")
ALPINE = System(os="alpine", version="3.20", arch="amd64", libc="musl 1.2.5")
PYTHON = Python(implementation="cpython", version="3.11.7", prefix="/home/ada/.venv", venv=True)


def pip(name: str, version: str = "1.0", kind: str = "index", **more: object) -> PipPackage:
    """A Python package; ``kind`` is its source's."""
    source = more.pop("source", Source(kind=kind))  # type: ignore[arg-type]
    return PipPackage(name=name, version=version, source=source, **more)  # type: ignore[arg-type]


def conda(
    name: str, version: str = "1.0", build: str = "py311_0", subdir: str = "linux-64", **more: object
) -> CondaPackage:
    channel = "conda-forge"
    url = f"https://conda.anaconda.org/{channel}/{subdir}/{name}-{version}-{build}.conda"
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        channel=channel,
        subdir=subdir,
        url=url,
        sha256="a" * 64,
        **more,  # type: ignore[arg-type]
    )


def apt(name: str, version: str = "1.0-1", *, manual: bool = True, **more: object) -> AptPackage:
    return AptPackage(name=name, version=version, arch="amd64", manual=manual, **more)  # type: ignore[arg-type]


def snapshot(*packages: PipPackage, system: System = BOOKWORM, **more: object) -> Snapshot:
    """A snapshot; ipykernel is in it, so that nothing has to be added."""
    kernel = () if any(p.name == "ipykernel" for p in packages) else (pip("ipykernel", "6.29.5"),)
    rest = {"conda": more.pop("conda", ()), "apt": more.pop("apt", ())}
    more.setdefault("libraries", Libraries(files=1))
    return Snapshot(
        system=system,
        python=PYTHON,
        packages=Packages(pip=ordered([*packages, *kernel]), **rest),  # type: ignore[arg-type]
        kernel=Kernel(name="python3"),
        **more,  # type: ignore[arg-type]
    )


def image_of(plan: Plan) -> Snapshot:
    """What the probe finds in a faultless image of the plan: wheels come from files, apt brings more."""
    chosen = {c.name for c in plan.choices if c.manager == "pip" and c.planned == "wheel"}
    wheel = Source(kind="local", url="file:///opt/bundle/wheel.whl")
    packages = Packages(
        pip=tuple(
            replace(p, source=wheel if p.name in chosen else p.source, edited=(), lost=())
            for p in plan.packages.pip
        ),
        conda=plan.packages.conda,
        apt=(*plan.packages.apt, apt("base-files", "12.4", essential=True)),
    )
    return Snapshot(
        system=replace(BOOKWORM, arch=plan.platform.partition("/")[2]),
        python=plan.python,
        packages=packages,
        libraries=Libraries(files=1, missing=plan.missing),
    )


_NAMES = (
    "appnope", "colorama", "comm", "cupy", "docker", "ipykernel", "ipython", "jupyter-dockerize",
    "jupyter-server", "jupyterlab", "mkl", "numpy", "nvidia-cublas-cu12", "pandas", "pexpect",
    "pyobjc-core", "pywin32", "requests", "tensorflow-macos", "torch", "traitlets", "uv",
    "weasyprint",
)  # fmt: skip
_MARKERS = (
    "",
    "; sys_platform == 'darwin'",
    "; sys_platform == 'win32'",
    "; platform_system == 'Linux' and platform_machine == 'x86_64'",
    "; python_version < '3.12'",
    "; extra == 'test'",
    "; extra == 'http' and os_name != 'nt'",
    "; this is no marker",
)
_SCOPES = ("env", "user", "system", "path", "debian")
_KINDS = ("index", "vcs", "archive", "local", "editable", "conda", "unknown")
_APT = ("git", "graphviz", "libgl1", "libpango-1.0-0", "libpq5", "texlive", "tzdata", "vim")
_SONAMES = ("libGL.so.1", "libpq.so.5", "libweird.so.3")


@st.composite
def _installed(draw: st.DrawFn) -> tuple[PipPackage, ...]:
    found = []
    for name in draw(st.lists(st.sampled_from(_NAMES), unique=True, max_size=12)):
        scopes = draw(st.lists(st.sampled_from(_SCOPES), min_size=1, max_size=3, unique=True))
        requires = draw(st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_MARKERS)), max_size=4))
        for place, scope in enumerate(scopes):
            kind = "apt" if scope == "debian" else draw(st.sampled_from(_KINDS))
            version = draw(st.sampled_from(("1.0", "2.3.0+cu121", "0.9.1rc1")))
            source = Source(
                kind=kind, url=f"file:///home/ada/{name}" if kind in ("local", "editable") else None
            )  # type: ignore[arg-type]
            found.append(
                PipPackage(
                    name=name,
                    version=version,
                    scope=scope,  # type: ignore[arg-type]
                    source=source,
                    shadows="1 (system)" if place == 0 and len(scopes) > 1 else None,
                    built_locally=draw(st.booleans()),
                    pure=draw(st.booleans()),
                    requires=tuple(f"{other} {marker}" for other, marker in requires),
                    requested=draw(st.sampled_from((None, True, False))),
                    used=draw(st.sampled_from((None, True, False))),
                    dist_info=f"/home/ada/.venv/{name}-{version}.dist-info",
                )
            )
    return ordered(found)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any environment: every system, scope, origin; packages that need each other in every way."""
    system = draw(st.sampled_from((BOOKWORM, NOBLE, MACOS, WINDOWS, FEDORA, ALPINE)))
    with_apt = system in (BOOKWORM, NOBLE)
    debian = draw(st.lists(st.sampled_from(_APT), unique=True)) if with_apt else []
    records = draw(
        st.lists(st.sampled_from(("numpy", "mkl", "appnope", "python", "sysroot_linux-64")), unique=True)
    )
    sonames = draw(st.lists(st.sampled_from(_SONAMES), unique=True))
    owners = {"libGL.so.1": "libgl1", "libpq.so.5": "libpq5"}
    needed = tuple(
        Library(soname=s, owner=owners.get(s) if owners.get(s) in debian else None) for s in sorted(sonames)
    )
    libraries = Libraries(
        files=3,
        needed=needed,
        missing=(MissingLibrary(file="site-packages/cv2/cv2.so", soname="libGL.so.1"),)
        if draw(st.booleans())
        else (),
        roots=tuple(sorted({lib.owner for lib in needed if lib.owner})),
    )
    return Snapshot(
        system=system,
        python=PYTHON,
        packages=Packages(
            pip=draw(_installed()),
            conda=tuple(
                conda(n, subdir=draw(st.sampled_from(("noarch", "linux-64")))) for n in sorted(records)
            ),
            apt=tuple(apt(n, manual=draw(st.booleans())) for n in sorted(debian)),
        ),
        environ=tuple(
            sorted(
                draw(
                    st.dictionaries(
                        st.sampled_from(("LANG", "TZ", "OMP_NUM_THREADS", "MPLBACKEND")),
                        st.sampled_from(("C.UTF-8", "Agg", "4")),
                    )
                ).items()
            )
        ),
        indexes=draw(
            st.sampled_from(
                (
                    (),
                    (Index(url="file:///srv/wheels", kind="find-links", local=True),),
                    (Index(url="https://pypi.corp.local/simple", kind="index"),),
                )
            )
        ),
        libraries=draw(st.sampled_from((None, libraries))),
        imported=None,
    )
