"""The shape of what the probe gives: raw facts, already free of secrets.

Written for type checkers and readers. The probe itself stands alone (it runs where this
package is not), so nothing here is imported by it; a test holds the two against each other.
Facts that come from an image or a remote kernel are hostile until `interpret` has parsed them.

``options`` say what was asked beyond the fast part: ``libraries`` walks the ELF files of the
environment, ``modules`` lists what is imported in this process, ``hashes`` compares files
with RECORD, ``requires`` reads each METADATA to the end of its headers.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

SCHEMA = 1


class Fault(TypedDict):
    """Something that could not be read: the probe goes on, and says so."""

    where: str  # python, pip, conda, apt, environ, libraries, modules, system
    what: str  # a path or name
    error: str  # the exception's type and message


class ProbeFacts(TypedDict):
    options: list[str]
    pid: int  # of the process whose memory was looked at
    seconds: float
    faults: list[Fault]


class PythonFacts(TypedDict):
    implementation: str  # cpython, pypy
    version: str  # "3.11.7", with the pre-release suffix where there is one
    executable: str
    prefix: str
    base_prefix: str
    soabi: str | None  # "cpython-311-x86_64-linux-gnu"
    platform: str  # sysconfig.get_platform(): "linux-x86_64", "macosx-11.0-arm64"
    path: list[str]  # sys.path as it stands
    purelib: str
    platlib: str
    scripts: str
    data: str
    user_site: str | None  # None where user site-packages are off
    venv: bool


class GpuFacts(TypedDict):
    model: str
    driver: str | None


class SystemFacts(TypedDict):
    os: str  # sys.platform's word: linux, darwin, win32
    machine: str  # x86_64, aarch64, arm64, AMD64
    kernel: str
    os_release: dict[str, str]  # /etc/os-release, or {"ID": "macos", "VERSION_ID": "14.5"}
    libc: list[str] | None  # ["glibc", "2.36"], ["musl", "1.2.4"]
    locale: str | None  # LC_ALL, LC_CTYPE or LANG
    timezone: str | None
    cpus: int
    cpu_model: str | None
    gpus: list[GpuFacts]
    cuda: str | None  # of the system (/usr/local/cuda/version.json …), not of wheels
    container: str | None  # docker, podman, kubernetes, lxc …, None on a machine
    image: str | None  # JUPYTER_IMAGE_SPEC and the like


class PathFacts(TypedDict):
    path: str
    scope: Literal["env", "user", "system", "path", "debian"]


class WheelFacts(TypedDict):
    tags: list[str]  # ["cp311-cp311-manylinux_2_17_x86_64"]
    purelib: bool


class DirectUrlFacts(TypedDict):
    """PEP 610's direct_url.json after the secrets were cut."""

    url: str
    kind: Literal["vcs", "archive", "dir"]
    editable: bool
    vcs: str | None
    commit: str | None
    hash: str | None  # "sha256=…"
    subdirectory: str | None


class CheckoutFacts(TypedDict):
    """The git checkout that an editable project lives in, read from .git without git."""

    root: str
    remote: str | None  # redacted
    commit: str | None
    branch: str | None


class DigestFacts(TypedDict, total=False):
    content: str | None  # with ``hashes``: one digest of the recorded files as they are


class DistributionFacts(DigestFacts):
    at: int  # index into pip.paths
    entry: str  # the folder's or file's name: "numpy-1.26.4.dist-info"
    form: Literal["dist-info", "egg-info", "egg-link", "develop"]
    name: str | None  # as METADATA says; None where it says nothing
    version: str | None
    installer: str | None
    requested: bool
    record: bool  # there is a RECORD (or installed-files.txt)
    wheel: WheelFacts | None
    direct_url: DirectUrlFacts | None
    location: str | None  # where an editable's or egg-link's source is
    checkout: CheckoutFacts | None
    requires: list[str] | None  # Requires-Dist, with the option ``requires``
    edited: list[str] | None  # with ``hashes``: files whose digest is not RECORD's
    missing: list[str] | None  # with ``hashes``: files that RECORD has and the disk lacks


class IndexFacts(TypedDict):
    """A package index that pip or uv is configured with."""

    url: str  # redacted; a token given as user name is gone too
    kind: Literal["index", "extra", "find-links"]
    tool: Literal["pip", "uv"]
    local: bool  # a folder or file: URL; nobody else can reach it
    credentials: bool  # there were some


class PipFacts(TypedDict):
    paths: list[PathFacts]  # in sys.path's order: what comes first shadows
    distributions: list[DistributionFacts]
    indexes: list[IndexFacts]
    ca: str | None  # path of the CA bundle that pip, uv or requests is configured with
    leftovers: list[str]  # "~umpy": what pip leaves when it is interrupted


class CondaRecordFacts(TypedDict):
    """One conda-meta/*.json, cut to what is needed."""

    name: str
    version: str
    build: str
    channel: str  # redacted; "https://conda.anaconda.org/conda-forge"
    subdir: str
    fn: str
    url: str  # redacted
    md5: str | None
    sha256: str | None
    noarch: str | None
    dist_infos: list[str]  # the dist-info folders that its files list
    gone: list[str]  # of these, the ones that the disk lacks: overwritten by pip, or removed


class CondaFacts(TypedDict):
    prefix: str
    records: list[CondaRecordFacts]
    channels: list[str]  # of .condarc, redacted
    unfinished: list[str]  # traces of a transaction that was killed


class AptPackageFacts(TypedDict):
    name: str
    version: str
    arch: str
    status: str  # "install ok installed", "deinstall ok config-files" …
    manual: bool
    essential: bool
    priority: str
    source: str | None  # the source package, where it has another name
    section: str


class AptFacts(TypedDict):
    packages: list[AptPackageFacts]
    depends: dict[str, list[str]] | None  # with ``libraries``: name → names that it depends on


class SystemLibraryFacts(TypedDict):
    """A shared library outside the environment that something inside it links to."""

    path: str
    owner: str | None  # the Debian package, where dpkg knows
    loaded: bool  # it is mapped into this process
    by: list[str]  # at most 3 files that need it, relative to their scope's path


class MissingLibraryFacts(TypedDict):
    at: int  # index into pip.paths, -1 for the interpreter and its own modules
    file: str  # relative to that path
    soname: str


class LibraryFacts(TypedDict):
    files: int  # ELF files looked at
    system: dict[str, SystemLibraryFacts]  # soname → …
    missing: list[MissingLibraryFacts]
    loaded: list[str]  # other libraries in /proc/self/maps outside the environment (dlopen)
    owners: dict[str, str]  # path in ``loaded`` → Debian package


class ModuleFacts(TypedDict):
    """What ``sys.modules`` holds, by the distribution that RECORD says owns the file."""

    distributions: list[str]  # names as METADATA gives them
    files: dict[str, str]  # module → file, for modules outside every site-packages and stdlib
    executed: int  # how many cells this kernel has run; 0 where there is no IPython


class EnvironFacts(TypedDict):
    kept: dict[str, str]  # the allow-list's
    withheld: list[str]  # names only


class Facts(TypedDict):
    schema: Literal[1]
    probe: ProbeFacts
    python: PythonFacts
    system: SystemFacts
    environ: EnvironFacts
    pip: PipFacts
    conda: CondaFacts | None
    apt: AptFacts | None
    libraries: LibraryFacts | None
    modules: ModuleFacts | None


AnyFacts = dict[str, Any]
