"""Plan against found: is the image what it was meant to be? And two environments against each other.

Every difference has one of three classes. *planned*: a choice of the plan; it never lowers the verdict.
*tolerated*: Debian patch versions, the base's own extras, what only a machine's driver brings. *unexpected*:
everything else. No tolerated or unexpected difference: identical. Only tolerated ones: equivalent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from ..sizes import and_more
from .choices import Choice
from .comparison import MANAGERS, Class, Comparison, Difference, DifferenceManager, Verdict, counted
from .model import AptPackage, CondaPackage, MissingLibrary, PipPackage, Python, Snapshot
from .plan import redact
from .plan.packages import AS_IT_IS, EDITED, as_imported
from .plan.planning import Plan
from .sonames import likely_package_of, of_driver

_RANK: dict[Class, int] = {"unexpected": 0, "tolerated": 1, "planned": 2}
_ORDER = list(MANAGERS)
_BASES_OWN = frozenset({"system", "debian"})  # scopes that come with the base image

# Files that load only where somebody installed what they link to, and whose package works without them.
_OPTIONAL = (
    ("*/numba/np/ufunc/tbbpool.*", "libtbb.so*", "numba does without it: it has threads of its own"),
    # The official images hold Python's window toolkit module without the libraries that draw windows.
    ("python/lib-dynload/_tkinter.*", "lib*8.6.so*", "only windows (tkinter) need it: --apt libtk8.6"),
)


def compare(plan: Plan, found: Snapshot) -> Comparison:
    """What ``found`` (the probe's view of the image) has and the plan has not, and the reverse.

    Debian: the planned roots have to be there; what the base and their dependencies bring is part of the
    plan, so it stands in one planned line. Libraries are compared where ``found`` has looked at them: what
    resolved in the source has to resolve.
    """
    lost = list(_edits(plan, found))
    other = {d.name for d in lost}
    versions = {p.name: p.version for p in as_imported(found.packages.pip)[0]}
    differences = lost + list(_chosen((c for c in plan.choices if not _of_edits(c, other)), versions))
    chosen = {(c.kind, c.name) for c in plan.choices if c.manager == "pip"}
    as_is = {c.name for c in plan.choices if (c.manager, c.source, c.planned) == ("pip", EDITED, AS_IT_IS)}
    differences += _python(plan.python, found.python)
    differences += _pip(plan.packages.pip, found.packages.pip, chosen, as_is)
    differences += _conda(plan.packages.conda, found.packages.conda)
    differences += _roots(plan.packages.apt, found.packages.apt)
    differences += _libraries(plan.missing, found)
    return _judged(differences, _packages(plan))


def compare_files(plan: Plan, differences: Iterable[Difference]) -> Comparison:
    """An image whose files were compared with those that ``plan`` is of: ``differences`` are theirs."""
    return _judged([*_chosen(plan.choices, {}), *differences], _packages(plan))


def compare_snapshots(a: Snapshot, b: Snapshot) -> Comparison:
    """Two environments as they are. Every difference of packages counts; Debian patch versions are tolerated.

    ``expected`` is ``a``'s, ``found`` is ``b``'s.
    """
    mine, _ = as_imported(a.packages.pip)
    differences = list(_python(a.python, b.python))
    differences += _pip(mine, b.packages.pip, frozenset(), strict=True)
    differences += _conda(a.packages.conda, b.packages.conda)
    same_release = (a.system.os, a.system.codename) == (b.system.os, b.system.codename)
    if not same_release or a.system.arch != b.system.arch:
        differences.append(_different("system", "system", "version", _system(a), _system(b), "unexpected"))
    differences += _debian(a.packages.apt, b.packages.apt, same_release=same_release)
    if a.libraries is not None:
        differences += _libraries(a.libraries.missing, b)
    return _judged(differences, len(mine) + _only_conda(a.packages.conda, mine))


def _judged(differences: Iterable[Difference], packages: int) -> Comparison:
    ordered = tuple(
        sorted(
            set(differences),
            key=lambda d: (_RANK[d.class_], _ORDER.index(d.manager), d.name, d.field, d.expected, d.found),
        )
    )
    classes = {d.class_ for d in ordered}
    verdict: Verdict = (
        "different" if "unexpected" in classes else "equivalent" if "tolerated" in classes else "identical"
    )
    return Comparison(verdict=verdict, differences=ordered, packages=packages)


def _different(
    manager: DifferenceManager,
    name: str,
    field: str,
    expected: str,
    found: str,
    class_: Class,
    note: str = "",
) -> Difference:
    return Difference(
        manager=manager, name=name, field=field, expected=expected, found=found, class_=class_, note=note
    )


def _chosen(choices: Iterable[Choice], versions: Mapping[str, str]) -> Iterator[Difference]:
    """What the plan chose, each as a planned difference: what the source has, what is there instead."""
    for choice in choices:
        there = choice.planned
        if choice.manager == "pip" and choice.kind == "added":
            there = versions.get(choice.name, there)
        yield _different(
            choice.manager, choice.name, choice.kind, choice.source, there, "planned", choice.reason
        )


def _packages(plan: Plan) -> int:
    return len(plan.packages.pip) + _only_conda(plan.packages.conda, plan.packages.pip)


def _edits(plan: Plan, found: Snapshot) -> Iterator[Difference]:
    """Packages that were edited in the source and are carried or copied, whose files are others in ``found``.

    Only where the files of both were read.
    """
    there = {p.name: p for p in as_imported(found.packages.pip)[0]}
    carried = {c.name for c in plan.choices if c.manager == "pip" and c.planned in ("wheel", AS_IT_IS)}
    for package in plan.packages.pip:
        other = there.get(package.name)
        odd = (*package.edited, *package.lost)
        if not odd or package.name not in carried or other is None:
            continue
        read = other.version == package.version and None not in (package.content, other.content)
        if read and other.content != package.content:
            mine, theirs = f"edited: {and_more(odd, 1)}", "without these changes"
            note = "build the image again, with --hashes"
            yield _different("pip", package.name, "files", mine, theirs, "unexpected", note)


def _of_edits(choice: Choice, names: Collection[str]) -> bool:
    return choice.manager == "pip" and choice.source == EDITED and choice.name in names


def _python(expected: Python, found: Python) -> Iterator[Difference]:
    if expected.implementation != found.implementation:
        yield _different(
            "python", "python", "implementation", expected.implementation, found.implementation, "unexpected"
        )
    if expected.version != found.version:
        yield _different("python", "python", "version", expected.version, found.version, "unexpected")


def _pip(
    expected: Iterable[PipPackage],
    found: Iterable[PipPackage],
    chosen: Collection[tuple[str, str]],
    as_is: Collection[str] = (),
    *,
    strict: bool = False,
) -> Iterator[Difference]:
    there = {p.name: p for p in as_imported(found)[0]}
    planned = {p.name: p for p in expected}
    for name, package in planned.items():
        other = there.get(name)
        if other is None:
            yield _different("pip", name, "package", package.version, "", "unexpected")
            continue
        if other.version != package.version:
            yield _different("pip", name, "version", package.version, other.version, "unexpected")
        if ("changed", name) not in chosen:
            yield from _origins(package, other, strict=strict)
        odd = () if name in as_is else (*other.edited, *other.lost)
        same = package.content is not None and package.content == other.content
        if odd and not same and not strict and other.source.kind not in ("conda", "apt"):
            found_files = f"edited or gone: {and_more(odd, 1)}"
            yield _different("pip", name, "files", "as installed", found_files, "unexpected")
    for name, other in there.items():
        if other.others and not strict and other.scope not in _BASES_OWN and other.source.kind != "conda":
            both = ", ".join((*other.others, other.version))
            note = "Python's own tools may take either for the one that is installed"
            yield _different("pip", name, "records", other.version, both, "unexpected", note)
        if name not in planned:
            left = ("left-out", name) in chosen
            own = other.scope in _BASES_OWN and not strict
            note = "it comes with the base" if own else "it was meant to be left out" if left else ""
            class_: Class = "tolerated" if own or left else "unexpected"
            yield _different("pip", name, "package", "", f"{other.version} ({other.scope})", class_, note)


def _origins(expected: PipPackage, found: PipPackage, *, strict: bool) -> Iterator[Difference]:
    """Another origin under the same name and version; nothing where one of them is not known.

    A wheel that travelled in the bundle, because the index no longer had it, is tolerated.
    """
    kinds = (expected.source.kind, found.source.kind)
    if "unknown" in kinds or _origin(expected) == _origin(found):
        return
    carried = not strict and kinds[0] == "index" and kinds[1] in ("local", "archive")
    yield _different(
        "pip",
        expected.name,
        "source",
        _origin(expected),
        _origin(found),
        "tolerated" if carried else "unexpected",
        "carried as a wheel" if carried else "",
    )


def _origin(package: PipPackage) -> str:
    """Kind, URL and commit, with private hosts and folders redacted on both sides alike."""
    source = package.source
    url = redact.url(source.url) if source.url else ""
    return " ".join(part for part in (source.kind, url, source.commit or "") if part)


def _conda(expected: Iterable[CondaPackage], found: Iterable[CondaPackage]) -> Iterator[Difference]:
    there = {c.name: c for c in found}
    planned = {c.name: c for c in expected}
    for name, record in planned.items():
        other = there.get(name)
        if other is None:
            yield _different(
                "conda", name, "package", f"{record.version} {record.build}".strip(), "", "unexpected"
            )
            continue
        for field, mine, theirs in (
            ("version", record.version, other.version),
            ("build", record.build, other.build),
            ("channel", redact.channel(record.channel), redact.channel(other.channel)),
            ("subdir", record.subdir, other.subdir),
            ("sha256", record.sha256 or "", other.sha256 or ""),
            ("md5", record.md5 or "", other.md5 or ""),
        ):
            if mine != theirs and mine and theirs:
                yield _different("conda", name, field, mine, theirs, "unexpected")
    for name, other in there.items():
        if name not in planned:
            yield _different(
                "conda", name, "package", "", f"{other.version} {other.build}".strip(), "unexpected"
            )


def _roots(expected: Iterable[AptPackage], found: Iterable[AptPackage]) -> Iterator[Difference]:
    """The roots by name; their names with and without "t64" are one."""
    there = {_plain(p.name): p for p in found}
    planned = {_plain(p.name): p for p in expected}
    for name, package in planned.items():
        other = there.get(name)
        if other is None:
            yield _different("apt", package.name, "package", package.version, "", "unexpected")
        elif package.version and other.version != package.version:
            note = "Debian keeps one version of a package"
            yield _different(
                "apt", package.name, "version", package.version, other.version, "tolerated", note
            )
    rest = len(there.keys() - planned.keys())
    if rest:
        note = "the base's own, and what the planned ones depend on"
        yield _different("apt", "*", "package", "", counted("pip", rest), "planned", note)


def _debian(
    mine: Iterable[AptPackage], theirs: Iterable[AptPackage], *, same_release: bool
) -> Iterator[Difference]:
    """Every Debian package of both; within one release another version is a patch."""
    a = {p.name: p for p in mine}
    b = {p.name: p for p in theirs}
    for name in a.keys() | b.keys():
        expected, found = a.get(name), b.get(name)
        if expected is None or found is None:
            have = (expected.version if expected else "", found.version if found else "")
            yield _different("apt", name, "package", *have, "unexpected")
        elif expected.version != found.version:
            class_: Class = "tolerated" if same_release else "unexpected"
            yield _different("apt", name, "version", expected.version, found.version, class_)


def _plain(name: str) -> str:
    return name.removesuffix("t64")


def _libraries(known: Iterable[MissingLibrary], found: Snapshot) -> Iterator[Difference]:
    """What resolved in the source and does not here, by file; the package that has it in ``note``."""
    if found.libraries is None:
        return
    before = {(_below(m.file), m.soname) for m in known}
    for missing in found.libraries.missing:
        if (_below(missing.file), missing.soname) in before:
            continue
        soname = missing.soname
        package = likely_package_of(soname, found.system.codename)
        note = (
            f"the Debian package {package} has it: --apt {package}"
            if package
            else "no Debian package is known"
        )
        class_: Class = "unexpected"
        if of_driver(soname):
            class_, note = "tolerated", "it comes with the GPU's driver when the image is run with --gpus"
        else:
            for file, library, reason in _OPTIONAL:
                if fnmatchcase(missing.file, file) and fnmatchcase(soname, library):
                    class_, note = "tolerated", reason
        yield _different("library", missing.file, "soname", soname, "", class_, note)


def _below(file: str) -> str:
    """Without the first folder: what was in dist-packages there is in site-packages here."""
    room, _, rest = file.partition("/")
    return rest if room in ("site-packages", "dist-packages") else file


def _system(snapshot: Snapshot) -> str:
    system = snapshot.system
    return " ".join(part for part in (system.os, system.version, system.codename, system.arch) if part)


def _only_conda(conda: Iterable[CondaPackage], pip: Iterable[PipPackage]) -> int:
    """conda packages that are not Python packages too, so that each is counted once."""
    names = {p.name for p in pip}
    return sum(c.name.lower().replace("_", "-").replace(".", "-") not in names for c in conda)
