"""Facts → Snapshot: what the probe saw becomes what the environment is.

Facts may come from an image that a stranger made, or from a kernel elsewhere: their shape is
checked, their sizes are bounded, and what is not a name, version or URL by its specification
becomes a finding instead of a package. What each package manager's facts mean is in its own
file; here they are put together.

The findings, by code:

    pip-duplicate           one name twice in one folder; the newest is taken
    pip-edited              files were edited after they were installed (with the option hashes)
    pip-egg-info            installed the old way, origin unknown
    pip-half-removed        a metadata folder with neither METADATA nor RECORD
    pip-invalid             an entry that belongs to no folder
    pip-invalid-name        not a name by PEP 508
    pip-invalid-requirement a Requires-Dist that is too long or not printable
    pip-invalid-version     not a version by PEP 440
    pip-leftover            "~umpy": pip was interrupted
    pip-missing-files       files of RECORD are gone (with the option hashes)
    pip-no-metadata         RECORD without METADATA
    pip-no-record           METADATA without RECORD
    pip-over-conda          pip has overwritten a conda package
    pip-shadowed            a package of ~/.local hides another one
    index-invalid           a configured index is not a URL
    conda-duplicate         two records of one name
    conda-invalid-record    a record that is not well-formed
    conda-record-missing    conda installed it and has no record of it
    conda-removed           conda has a record of it and its files are gone
    conda-unfinished        a transaction was stopped halfway (error)
    apt-half-installed      dpkg did not finish with it
    apt-invalid             not a Debian package's name, version or architecture
    library-driver          a library of the NVIDIA driver is not here
    library-missing         a shared library is not here
    environ-invalid         a variable whose name or value cannot be carried over
    machine-unknown         neither amd64 nor arm64
    unreadable              something could not be read
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ...events import Finding
from ..facts import EnvironFacts, Fault
from ..model import Kernel, Packages, Snapshot
from ..names import PATH_LENGTH, clean, printable, project_name, shown
from . import apt, conda, libraries, machine, pip
from .shape import checked

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SEVERITY = {"error": 0, "warning": 1, "info": 2}
_PER_CODE = 20  # findings of one code that are listed; the rest is counted
_VALUE_LENGTH = 4096


def interpret(facts: object, *, kernel: Kernel | None = None) -> Snapshot:
    """The snapshot that ``facts`` (of the probe, as JSON types) describe.

    The same facts in any order give the same snapshot, except for what sys.path's order decides.
    ``kernel``: the kernelspec that led there. Raises `UsageError` where ``facts`` have not the
    shape of `facts.Facts`, are too large to be an environment, or were written by a newer probe.
    """
    known = checked(facts)
    python, system = machine.python(known["python"]), machine.system(known["system"])
    findings = [*machine.unknown_machine(system), *_unreadable(known["probe"]["faults"])]
    imported = None
    if (modules := known["modules"]) is not None:
        imported = frozenset(name for n in modules["distributions"] if (name := project_name(n)))
    pip_packages, found = pip.packages(known["pip"], conda=conda.ownership(known["conda"]), imported=imported)
    findings += found
    indexes, found = pip.indexes(known["pip"])
    findings += found
    conda_packages, found = conda.packages(known["conda"], pip_packages) if known["conda"] else ((), [])
    findings += found
    apt_packages, found = apt.packages(known["apt"]) if known["apt"] else ((), [])
    findings += found
    needed = None
    if known["libraries"] is not None:
        needed, found = libraries.libraries(
            known["libraries"], known["pip"]["paths"], known["apt"], system.codename
        )
        findings += found
    environ, found = _environ(known["environ"])
    findings += found
    return Snapshot(
        system=system,
        python=python,
        packages=Packages(pip=pip_packages, conda=conda_packages, apt=apt_packages),
        kernel=_kernel(kernel),
        environ=environ,
        withheld=tuple(sorted(n for n in set(known["environ"]["withheld"]) if _VARIABLE.fullmatch(n))),
        indexes=indexes,
        ca=clean(known["pip"]["ca"], PATH_LENGTH),
        conda_prefix=clean(known["conda"]["prefix"], PATH_LENGTH) if known["conda"] else None,
        libraries=needed,
        imported=None if imported is None else tuple(sorted(imported)),
        modules=_files(modules["files"]) if modules is not None else (),
        executed=max(0, modules["executed"]) if modules is not None else 0,
        findings=_settled(findings),
    )


def _kernel(kernel: Kernel | None) -> Kernel | None:
    if kernel is None:
        return None
    return Kernel(
        name=printable(kernel.name, 200),
        display_name=printable(kernel.display_name, 200),
        language=printable(kernel.language, 60),
    )


def _environ(facts: EnvironFacts) -> tuple[tuple[tuple[str, str], ...], list[Finding]]:
    """The variables that can be carried over, sorted, and what cannot."""
    kept, findings = [], []
    for name, value in sorted(facts["kept"].items()):
        if _VARIABLE.fullmatch(name) and len(value) <= _VALUE_LENGTH and value == printable(value):
            kept.append((name, value))
        else:
            findings.append(
                Finding(
                    "environ-invalid",
                    "warning",
                    f"the environment variable {shown(name)} stays out: control characters, or too long",
                    "unset it, or set it inside the notebook",
                )
            )
    return tuple(kept), findings


def _files(modules: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((printable(name, 500), printable(file)) for name, file in modules.items()))


def _unreadable(faults: Sequence[Fault]) -> list[Finding]:
    return [
        Finding(
            "unreadable",
            "warning",
            f"{shown(fault['what'])} could not be read: {shown(fault['error'])}",
            "what it holds is missing here; make it readable and look again",
        )
        for fault in faults
    ]


def _settled(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, the gravest first; of many of one kind the first ones, and how many more."""
    by_code: dict[tuple[int, str], set[Finding]] = {}
    for finding in findings:
        by_code.setdefault((_SEVERITY[finding.severity], finding.code), set()).add(finding)
    settled: list[Finding] = []
    for key in sorted(by_code):
        same = sorted(by_code[key], key=lambda finding: (finding.message, finding.fix))
        settled += same[:_PER_CODE]
        if len(same) > _PER_CODE:
            first = same[0]
            more = f"and {len(same) - _PER_CODE} more of the same kind ({first.code})"
            settled.append(Finding(first.code, first.severity, more, first.fix))
    return tuple(settled)
