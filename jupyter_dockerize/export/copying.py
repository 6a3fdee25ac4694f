"""Plan → copy: the environment's own files become the layers, without a builder and without a network."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ..cancel import Cancel
from ..contents import identity, init, jupyter, layout, project, standin
from ..environment.choices import Choice
from ..environment.model import Snapshot, dump
from ..environment.plan.planning import Plan, redacted, refuse, sorted_choices
from ..errors import CancelledError
from ..events import Finding, Progress, Report
from ..image.copy.capture import Captured, capture
from ..image.copy.grouping import Group
from ..image.copy.python import USER
from ..image.copy.trees import DATE
from ..image.layer import Compression, write_layer
from ..image.layout import Layout
from ..image.manifest import Config, ImageValue, Layer
from ..image.tar import Member

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WORKERS = 4  # layers that are written side by side: more only seek
REPORTED = 8 << 20  # bytes between two reports of progress

NO_SERVER = Finding(
    "no-server",
    "warning",
    "the environment has no JupyterLab: the image opens Python instead",
    "install jupyterlab into the environment; --method rebuild adds a server of its own",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What is to be copied, and how its image starts."""

    plan: Plan
    captured: Captured
    config: Config
    findings: tuple[Finding, ...]


def plan_copy(plan: Plan, snapshot: Snapshot, allow: tuple[str, ...]) -> Copy:
    """Which files make the image ``FROM scratch``. Raises `FindingsError` for those that cannot be read."""
    python = snapshot.python.executable
    prefix = snapshot.conda_prefix or snapshot.python.prefix
    final = plan

    def ours(packages: frozenset[str]) -> dict[str, Member]:
        nonlocal final
        final = _with_packages(plan, snapshot, packages)
        return _ours(final, python)

    captured = capture(plan, snapshot, ours, _project(plan))
    plan = final
    findings = (*captured.findings, *((NO_SERVER,) if plan.server == "own" else ()))
    refuse(findings, allow)
    variables = {
        **dict(plan.environ),
        **dict(captured.variables),
        "PATH": f"{prefix}/bin:{SYSTEM_PATH}",
        "HOME": layout.HOME,
        "SHELL": "/bin/bash",
    }
    config = Config(
        platform=plan.platform,
        env=tuple(f"{name}={value}" for name, value in sorted(variables.items())),
        entrypoint=init.entrypoint(python),
        cmd=jupyter.command(plan, prefix) if plan.server == "environment" else (python,),
        user=str(layout.UID),
        folder=layout.WORK,
        ports=(f"{layout.PORT}/tcp",),
        labels=identity.labels(redacted(plan), "copy", python=python),
    )
    return Copy(plan=plan, captured=captured, config=config, findings=findings)


def _with_packages(plan: Plan, snapshot: Snapshot, packages: frozenset[str]) -> Plan:
    """The plan with the Debian packages that are really left out: no base brings its own here."""
    choices = [choice for choice in plan.choices if choice.manager != "apt"]
    choices += [
        Choice(
            kind="left-out",
            manager="apt",
            name=package.name,
            reason="nothing in the image links to it or depends on it; --apt NAME takes it along",
            source=package.version,
        )
        for package in snapshot.packages.apt
        if package.name not in packages
    ]
    return replace(plan, choices=sorted_choices(choices))


def _ours(plan: Plan, python: str) -> dict[str, Member]:
    files = {identity.PLAN_PATH: dump(redacted(plan)), **init.files(), **jupyter.kernelspecs(plan, python)}
    files |= standin.files() if plan.magics else {}
    return {
        path.lstrip("/"): Member(path=path.lstrip("/"), data=data, size=len(data), mtime=DATE)
        for path, data in files.items()
    }


def _project(plan: Plan) -> dict[str, Member]:
    found = {}
    for file in plan.files:
        path, data = project.place(file).lstrip("/"), project.read(file)
        found[path] = Member(
            path=path,
            source=os.path.realpath(str(file.source)),
            size=len(data),
            uid=USER.uid,
            gid=USER.gid,
            mtime=DATE,
        )
    return found


def write(copy: Copy, to: Layout, *, compression: Compression, report: Report, cancel: Cancel) -> ImageValue:
    """Writes the layers into ``to``, several at once, and returns the image, which has no name yet.

    Raises `ChangedError` for files that are written meanwhile, `OutputError`, `CancelledError`.
    """
    total = copy.captured.size
    read = _Counter(total, report)

    stop = Cancel()
    forget = cancel.on_cancel(stop.cancel)

    def one(group: Group) -> Layer:
        try:
            with to.writing() as file:
                layer = write_layer(
                    group.members,
                    file.write,
                    group.title,
                    compression=compression,
                    progress=read.add,
                    cancel=stop,
                )
                to.keep(file, layer.descriptor.digest)
            return layer
        except BaseException:
            stop.cancel()  # what the others do is of no use any more
            raise

    groups = copy.captured.groups
    # The largest first: the last one to end should be a small one.
    order = sorted(range(len(groups)), key=lambda number: -groups[number].size)
    try:
        with ThreadPoolExecutor(max(1, min(WORKERS, os.cpu_count() or 1))) as pool:
            running = {number: pool.submit(one, groups[number]) for number in order}
        failed = [error for each in running.values() if (error := each.exception())]
        if failed:
            raise next((e for e in failed if not isinstance(e, CancelledError)), failed[0])
    finally:
        forget()
    return ImageValue(config=copy.config).append(*(running[n].result() for n in range(len(groups))))


class _Counter:
    """Adds up what several threads read, and tells of it now and then."""

    def __init__(self, total: int, report: Report) -> None:
        self._total, self._report = total, report
        self._done = self._told = 0
        self._lock = threading.Lock()

    def add(self, size: int) -> None:
        with self._lock:
            self._done += size
            if self._done - self._told < REPORTED:
                return
            self._told = self._done
        self._report(Progress("copied", min(self._done, self._total), self._total))


__all__ = ["Copy", "plan_copy", "write"]
