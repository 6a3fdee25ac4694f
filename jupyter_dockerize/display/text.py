"""Results as plain text, for terminals and for notebooks without HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..environment.model import PipPackage, Snapshot
from ..environment.plan import Choice
from ..events import Finding
from .untrusted import plain

if TYPE_CHECKING:
    from ..api import Engines, Recipe
    from ..engines.base import Container, Image
    from ..environment.compare import Comparison, Difference
    from ..export.build import Built

MARKS = {"identical": "✓", "equivalent": "✓", "different": "✗", "skipped": "–", "impossible": "?"}
SIGNS = {"info": "i", "warning": "!", "error": "✗"}
PORT = 8888


def run_line(ref: str) -> str:
    """The one line that opens the image anywhere."""
    return f"docker run --rm -p {PORT}:{PORT} {plain(ref)}"


def size(count: int) -> str:
    """Bytes as people say them: ``1.2 GB`` (powers of ten, as docker writes them)."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit in ("B", "kB") or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = ()) -> str:
    """Left-aligned columns; every cell is made plain. ``head`` alone where there are no rows."""
    lines = [[plain(cell) for cell in row] for row in ([head] if head else [])]
    lines += [[plain(cell) for cell in row] for row in rows]
    if not lines:
        return ""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in lines
    )


def findings(values: Iterable[Finding]) -> str:
    """A line per finding, its fix on the next."""
    lines = []
    for value in values:
        lines.append(f"{SIGNS[value.severity]} {plain(value.message)} [{plain(value.code)}]")
        if value.fix:
            lines.append(f"    → {plain(value.fix)}")
    return "\n".join(lines)


def choices(values: Sequence[Choice], *, most: int = 8) -> str:
    """What the image is meant to have otherwise, grouped by reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for value in values:
        groups.setdefault((value.kind, value.reason), []).append(value.name)
    lines = []
    for (kind, reason), names in groups.items():
        shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
        lines.append(f"{kind}: {plain(shown)} ({plain(reason)})")
    return "\n".join(lines)


def differences(values: Sequence[Difference]) -> str:
    """One line per difference that nobody planned, and a count of the planned ones."""
    planned = sum(d.class_ == "planned" for d in values)
    rows = [
        (d.class_, d.manager, d.name, d.field, d.expected or "–", "→", d.found or "–")
        for d in values
        if d.class_ != "planned"
    ]
    lines = [table(rows)] if rows else []
    if planned:
        lines.append(f"({planned} planned: `--json` lists them)")
    return "\n".join(lines)


def snapshot(value: Snapshot) -> str:
    """What is running, the packages as a table."""
    packages = value.packages
    head = [
        f"Python {plain(value.python.version)} in {plain(value.python.prefix)}",
        f"{plain(value.system.os)} {plain(value.system.version)} {value.system.arch}"
        + (f", {plain(value.system.libc)}" if value.system.libc else ""),
        f"{len(packages.pip)} pip, {len(packages.conda)} conda, {len(packages.apt)} apt packages",
        f"fingerprint {value.fingerprint}",
    ]
    rows: list[tuple[str, str, str, str]] = [(p.name, p.version, p.scope, origin(p)) for p in packages.pip]
    rows += [(c.name, c.version, "conda", f"{c.channel} {c.build}") for c in packages.conda]
    parts = ["\n".join(head), table(rows, head=("package", "version", "scope", "origin"))]
    return "\n\n".join(part for part in (*parts, findings(value.findings)) if part)


def origin(package: PipPackage) -> str:
    """Where a package came from, in a few words."""
    source = package.source
    where = source.url or source.index or ""
    commit = f" @ {source.commit[:12]}" if source.commit else ""
    built = " (built here)" if package.built_locally else ""
    return f"{source.kind} {where}{commit}{built}".strip()


def build(value: Built) -> str:
    """The result of a build: image, verdict, what to know, how to open it."""
    lines = [
        f"{MARKS[value.verdict]} {plain(value.ref)}: {plain(value.summary)}",
        f"  {size(value.size)}, {value.packages} packages, {value.seconds:.0f} s, by {value.engine}",
        f"  {value.digest or value.image_id}",
    ]
    parts = ["\n".join(lines), differences(value.differences), findings(value.findings)]
    parts.append(f"open it:  {run_line(value.ref)}")
    return "\n\n".join(part for part in parts if part)


def recipe(value: Recipe) -> str:
    """Where the recipe is, what it leaves out, how to build it."""
    secrets = "".join(f" --secret id={name},src=FILE" for name in value.secrets)
    head = [
        f"{len(value.files)} files in {plain(str(value.folder))}",
        f"base {plain(value.base)}, {value.plan.platform}",
    ]
    parts = ["\n".join(head), choices(value.plan.choices), findings(value.findings)]
    parts.append(f"build it:  docker build{secrets} -t NAME {plain(str(value.folder))}")
    return "\n\n".join(part for part in parts if part)


def comparison(value: Comparison) -> str:
    """The verdict, then the differences."""
    head = f"{MARKS[value.verdict]} {plain(value.summary())}"
    return "\n\n".join(part for part in (head, differences(value.differences)) if part)


def engines(value: Engines) -> str:
    """Each engine with its diagnosis."""
    lines = []
    for status in value.statuses:
        mark = "✓" if status.available else "✗"
        about = ", ".join(part for part in (status.flavour, status.version, status.builder) if part)
        lines.append(f"{mark} {status.name}: {plain(about if status.available else status.reason)}")
        if status.endpoint:
            lines.append(f"    at {plain(status.endpoint)}")
        if not status.available and status.fix:
            lines.append(f"    → {plain(status.fix)}")
    lines.append(f"chosen: {value.chosen or 'none'}")
    return "\n".join(lines)


def images(values: Sequence[Image]) -> str:
    """A table of images, newest first."""
    if not values:
        return "no images yet: `jupyter dockerize build NOTEBOOK` makes one"
    rows = [(", ".join(i.refs) or i.id[:19], size(i.size), i.platform, i.created[:16]) for i in values]
    return table(rows, head=("image", "size", "platform", "created"))


def containers(values: Sequence[Container]) -> str:
    """A table of what is open."""
    if not values:
        return "nothing is open: `jupyter dockerize run REF` opens an image"
    rows = [(c.name, c.ref, c.status, c.url or "") for c in values]
    return table(rows, head=("name", "image", "status", "address"))
