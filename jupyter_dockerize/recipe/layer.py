"""One layer on a rebuilt image: what it adds, replaces and takes away, as one step.

Everything that it reads (locks, wheels, a script) is in one folder of the bundle, which is mounted under its
own name, so that the history of the image reads well. It runs as root, for Debian's packages and for scripts
that were root's here; what comes into the environment by that becomes its user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..contents import identity, layout
from ..environment.names import debian_name
from ..environment.plan.planning import Plan
from ..errors import UsageError
from ..sizes import and_more
from . import apt, conda, dockerfile, pip, secrets, uv
from .bundle import DOCKERFILE, Bundle
from .pip import Lock
from .resolution import Base, Resolution
from .steps import BindFile, Comment, Feature, From, Label, Run, Secret, SecretId, Step, User

SCRIPT = "run.sh"  # among the layer's files: what was typed
LAYER = "layer.json"  # and what it is
KEPT = f"{identity.PLAN_PATH.rpartition('/')[0]}/layers"  # in the image: the files of its layers, but wheels
_CA = "ca.pem"  # in the context of an increment
WRITTEN = f"{identity.PLAN_PATH.rpartition('/')[0]}/written"  # what its command wrote: a list for each layer
_BEGAN = "/tmp/began"  # noqa: S108 - in the image, and gone when the step ends
_NO_LISTS = "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb"
# Nobody answers questions: as `layers.programs` has it where the command is typed.
_ANSWERED = (
    "DEBIAN_FRONTEND=noninteractive PIP_YES=1 PIP_DISABLE_PIP_VERSION_CHECK=1"
    " CONDA_ALWAYS_YES=1 MAMBA_ALWAYS_YES=1"
)
_SHOWN = 4  # packages that a comment names


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """What a layer does. ``name`` is the folder of its files, ``plan`` the image's with it."""

    number: int
    name: str  # "layers/0002-pip-install-humanize-3f9a2c4d5e6f"
    plan: Plan
    base: Base
    files: Mapping[str, bytes]
    locks: tuple[Lock, ...] = ()
    added: tuple[tuple[str, str], ...] = ()  # names and versions, for the comment above it
    apt: tuple[str, ...] = ()
    gone_pip: tuple[str, ...] = ()
    gone_conda: tuple[str, ...] = ()
    gone_apt: tuple[str, ...] = ()
    labels: Mapping[str, str]
    secrets: tuple[SecretId, ...] = ()

    @property
    def place(self) -> str:
        """Where its files are while it is built."""
        return f"{layout.BUILD}/{self.name.rpartition('/')[2]}"

    @property
    def uses_uv(self) -> bool:
        return bool(self.locks or self.gone_pip)


def written(name: str) -> str:
    """Where the image has the list of files that a layer's command wrote, each with a NUL behind it.

    An engine gives the bytes of one layer only together with those of all others (10 s for 500 MB, seen).
    """
    return f"{WRITTEN}/{name.rpartition('/')[2]}"


def files_of(resolution: Resolution, locks: Iterable[Lock], explicit: bytes | None) -> dict[str, bytes]:
    """The locks, the wheels and the explicit list of a layer, by their names among its files."""
    found = {lock.file: lock.text.encode() for lock in locks}
    found |= {f"{pip.WHEELS}/{wheel.filename}": wheel.data for wheel in resolution.wheels}
    if explicit:
        found[conda.EXPLICIT] = explicit
    return found


def increment(
    head: str, addition: Addition, features: frozenset[Feature], certificates: bytes = b""
) -> Bundle:
    """The build context that makes the layer on the image ``head``.

    ``certificates`` are those of this network's CA, in PEM. They are no secret, and what is mounted stays in
    no layer; a secret mount takes Docker 26 seconds. Raises `UsageError` and `NoEngineError` as
    `recipe.render` does.
    """
    base, bring = addition.base, list[Step]()
    if addition.uses_uv:
        bring = uv.bring(base.kind, Resolution(base=base, secrets=addition.secrets))
        if base.kind != "python":
            bring = [From(base.ref, base.digest, stage="base"), User("0"), *bring]
    title = Comment(f"Layer {addition.number:d}, on the image of those below it.")
    context = {f"{addition.name}/{name}": data for name, data in addition.files.items()}
    context |= uv.files(server=False) if addition.uses_uv else {}
    own = steps(addition)
    if certificates and "mounts" in features:
        context[_CA] = certificates
        own = [_with_certificates(step) if isinstance(step, Run) else step for step in own]
    context[DOCKERFILE] = dockerfile.write([title, *bring, From(head), *own], features).encode()
    return Bundle(context, secrets=addition.secrets, platform=addition.plan.build_platform)


def _with_certificates(step: Run) -> Run:
    target = next((each.target for each in step.secrets if each.id == "ca"), None)
    if target is None:
        return step
    rest = tuple(each for each in step.secrets if each.id != "ca")
    return replace(step, secrets=rest, binds=(*step.binds, BindFile(_CA, target)))


def whole(
    first: str, additions: Sequence[Addition], features: frozenset[Feature]
) -> tuple[str, dict[str, bytes]]:
    """The Dockerfile of all layers: that of the first, and the steps of the others. With the files that the
    first does not need.

    A conda environment without pip's packages has no stage ``uv`` until a layer uses it.
    """
    files = dict[str, bytes]()
    uses = next((each for each in additions if each.uses_uv), None)
    if uses and " AS uv\n" not in first:
        stage = uv.bring(uses.base.kind, Resolution(base=uses.base, secrets=uses.secrets))
        stages, _, image = first.rpartition("\nFROM ")
        first = f"{stages}\n\n{dockerfile.write(stage, features)}\nFROM {image}"
        files = uv.files(server=False)
    return "\n".join([first, *(dockerfile.write(steps(each), features) for each in additions)]), files


def steps(addition: Addition) -> list[Step]:
    """What stands in a Dockerfile for the layer, behind all that is below it."""
    return [
        Comment(_title(addition)),
        User("0"),
        _run(addition),
        *(Label(name, value) for name, value in addition.labels.items()),
        User(str(layout.UID)),
    ]


def _run(addition: Addition) -> Run:
    kind = bool(addition.plan.packages.conda)
    prefix, python, place = layout.prefix(kind), layout.interpreter(kind), addition.place
    resolution = Resolution(base=addition.base, secrets=addition.secrets)
    handed = secrets.for_python(resolution) if addition.uses_uv or SCRIPT in addition.files else ()
    if addition.gone_conda or conda.EXPLICIT in addition.files:
        handed = tuple(dict.fromkeys((*handed, *secrets.for_conda(resolution))))
    lines = [
        f": '{_title(addition)}'",  # what `docker history` has room for
        f"touch -d '1 second ago' {_BEGAN}",  # of what was made in one tick nothing is newer
        *_script(addition, prefix, handed),
        *_debian(addition),
        *_conda(addition, prefix, handed),
        *_pip(addition, python, prefix, handed),
        # Bytecode of what is new; some packages hold templates that are no Python.
        f"{{ find {prefix}/lib -name '*.py' -cnewer {_BEGAN} -not -path '*/test*'"
        f" -exec {python} -m compileall -q {{}} + >/dev/null || true; }}",
        f"find {prefix} {layout.HOME} -xdev -user 0 -cnewer {_BEGAN}"
        f" -exec chown -h {layout.UID}:{layout.UID} {{}} +",
    ]
    if addition.files:
        lines += [f"mkdir -p {KEPT}", f"cp -R {place} {KEPT}", f"rm -rf {KEPT}/*/{pip.WHEELS}"]
    if SCRIPT in addition.files:
        lines += [
            f"mkdir -p {WRITTEN}",
            f"find / -xdev -type f -cnewer {_BEGAN} -not -path {_BEGAN} -not -path '{KEPT}/*' -print0"
            f" >{written(addition.name)}",
        ]
    lines.append(f"rm -f {_BEGAN}")
    return Run(tuple(lines), secrets=handed, binds=tuple(_binds(addition)))


def _binds(addition: Addition) -> Iterator[BindFile]:
    if addition.files:
        yield BindFile(addition.name, addition.place)
    if any(lock.carried for lock in addition.locks):
        yield BindFile(f"{addition.name}/{pip.WHEELS}", f"{layout.BUILD}/{pip.WHEELS}")
    if addition.uses_uv:
        yield BindFile(layout.UV, layout.UV, stage="uv")


def _script(addition: Addition, prefix: str, handed: tuple[Secret, ...]) -> Iterator[str]:
    """As it ran in the environment: which that is, and whom to trust, its programs read in variables."""
    if SCRIPT in addition.files:
        active = "CONDA_PREFIX" if prefix == layout.CONDA else "VIRTUAL_ENV"
        yield from secrets.trust(handed)
        script = f"{addition.place}/{SCRIPT}"
        # Where it was typed there are lists of packages; images keep none.
        yield f"if grep -qwE 'apt|apt-get' {script}; then apt-get update; fi"
        yield f"env {active}={prefix} {_ANSWERED} sh -e {script}"
        yield _NO_LISTS


def _debian(addition: Addition) -> Iterator[str]:
    """What a script did itself is not done again."""
    if SCRIPT in addition.files:
        return
    if addition.gone_apt:
        yield "\n".join(["apt-get purge -y", *(_checked_debian(each) for each in sorted(addition.gone_apt))])
    if addition.apt:
        yield from apt.install(addition.apt).lines
    if addition.gone_apt or addition.apt:
        yield _NO_LISTS


def _conda(addition: Addition, prefix: str, handed: tuple[Secret, ...]) -> Iterator[str]:
    """By the micromamba of the image, whose base is conda's."""
    if not addition.gone_conda and conda.EXPLICIT not in addition.files:
        return
    if addition.base.kind != "conda":
        raise UsageError(
            f"conda packages cannot be added to an image on {addition.base.ref}",
            why="it has no micromamba",
            fix="leave --base out when the image is made",
        )
    yield from secrets.trust(handed, conda=True)
    yield f"export MAMBA_ROOT_PREFIX={layout.MAMBA_CACHE}"
    if addition.gone_conda:
        names = " ".join(_checked_conda(name) for name in sorted(addition.gone_conda))
        yield f"micromamba remove -y -p {prefix} --force {names}"
    if conda.EXPLICIT in addition.files:
        yield f"micromamba install -y -p {prefix} -f {addition.place}/{conda.EXPLICIT}"
    yield f"rm -rf {layout.MAMBA_CACHE}"


def _pip(addition: Addition, python: str, prefix: str, handed: tuple[Secret, ...]) -> Iterator[str]:
    if not addition.uses_uv:
        return
    if SCRIPT not in addition.files:
        yield from secrets.trust(handed)
    yield f"export UV_LINK_MODE=copy UV_NO_PROGRESS=1 PATH={layout.UV}/bin:$PATH"
    whose = f"--python={python}" + (" --break-system-packages" if prefix == layout.CONDA else "")
    if addition.gone_pip:
        names = " ".join(pip.checked(name, "0").partition("==")[0] for name in sorted(addition.gone_pip))
        yield f"uv pip uninstall {whose} {names}"
    for lock in addition.locks:
        options = ["--no-deps", "--no-cache"]
        options += ["--require-hashes"] if lock.hashed else []
        options += [] if lock.compiled else ["--no-build"]
        yield f"uv pip install {whose} {' '.join(options)}\n-r {addition.place}/{lock.file}"


def _title(addition: Addition) -> str:
    """Numbers and checked names only."""
    named = [pip.checked(name, version).replace("==", " ") for name, version in addition.added]
    named += [_checked_debian(name) for name in addition.apt]
    shown = and_more(named, _SHOWN)
    what = "a command, run as it was typed" if SCRIPT in addition.files else ""
    gone = len(addition.gone_pip) + len(addition.gone_conda) + len(addition.gone_apt)
    parts = [part for part in (what, shown, f"{gone} removed" if gone else "") if part]
    return f"Layer {addition.number:d}: {'; '.join(parts) or 'nothing of packages'}."


def _checked_debian(name: str) -> str:
    if debian_name(name) != name:
        raise UsageError(f"not the name of a Debian package: {name!r}", fix="leave it out")
    return name


def _checked_conda(name: str) -> str:
    if not name or not all(char.isascii() and (char.isalnum() or char in "._-") for char in name):
        raise UsageError(f"not the name of a conda package: {name!r}", fix="leave it out")
    return name


__all__ = ["KEPT", "LAYER", "SCRIPT", "Addition", "files_of", "increment", "steps", "whole", "written"]
