"""Results as plain text, for terminals and for notebooks without HTML."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from ..contents.identity import LABEL_NOTEBOOK, run_line
from ..environment.choices import Choice
from ..environment.model import PipPackage, Snapshot
from ..events import Finding
from ..recipe.secrets import CONTENTS, FILES
from ..sizes import size
from .differences import PLAN, Group, Sides, legend, lines, meant, of_choices, of_planned, sides_of
from .untrusted import plain

if TYPE_CHECKING:
    from ..api import Recipe
    from ..engines import Survey
    from ..engines.base import Container, Image, Pushed
    from ..engines.registry.login import LoggedIn
    from ..environment.comparison import Comparison, Difference
    from ..export.build import Built
    from ..image.store import Pruned

MARKS = {"identical": "✓", "equivalent": "✓", "different": "✗", "skipped": "–", "impossible": "?"}
VERDICTS = {
    "identical": "same environment",
    "equivalent": "same environment",
    "different": "not the same environment",
    "skipped": "not compared",
    "impossible": "could not be compared",
}
REPLACED = "(replaced)"  # stands for the name of an image that lost it to another
SIGNS = {"info": "i", "warning": "!", "error": "✗"}
COMMAND = "jupyter dockerize"
WIDTH = 100  # characters of a line of package names


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


def choices(values: Sequence[Choice]) -> str:
    """What the image is meant to have otherwise: a line per reason, not per package."""
    return _planned(of_choices(values))


def differences(values: Sequence[Difference], sides: Sides = PLAN) -> str:
    """A line for each that nobody planned, with what to do; many of a kind are cut short."""
    said = []
    for line in lines(values, sides):
        said.append(f"{'✗' if line.class_ == 'unexpected' else '~'} {line.text}")
        if line.note:
            said.append(f"    → {line.note}")
    return "\n".join(said)


def planned(values: Sequence[Difference]) -> str:
    """One line for all that was meant."""
    said = meant(of_planned(values))
    return f"{said} (`--json` lists them)" if said else ""


def _planned(groups: Sequence[Group]) -> str:
    lines = []
    for group in groups:
        lines.append(f"{group.kind}: {group.counted}{': ' if group.names else ''}{group.shown}")
        lines.append(f"    {group.reason}")
    return "\n".join(lines)


def snapshot(value: Snapshot) -> str:
    """What is running: in a few lines, the packages that stand out as a table, what is wrong with them."""
    held = value.packages
    head = [
        f"Python {plain(value.python.version)} in {plain(value.python.prefix)}",
        system(value),
        f"{len(held.pip)} pip, {len(held.conda)} conda, {len(held.apt)} Debian packages",
        f"fingerprint {value.fingerprint}",
    ]
    special, usual = packages(value)
    parts = [
        "\n".join(head),
        table(special, head=("not from an index", "version", "scope", "origin")) if special else "",
        _paragraph(usual),
        findings(value.findings),
    ]
    return "\n\n".join(part for part in parts if part)


def _paragraph(names: Iterable[str]) -> str:
    """Names with commas between; a line never ends between a name and its version."""
    kept = ", ".join(plain(name).replace(" ", "\xa0") for name in names)
    return fill(kept, WIDTH, break_on_hyphens=False, break_long_words=False).replace("\xa0", " ")


def system(value: Snapshot) -> str:
    """The machine in a few words: "debian 12 amd64, glibc 2.36"."""
    of = value.system
    return plain(f"{of.os} {of.version} {of.arch}" + (f", {of.libc}" if of.libc else ""))


def packages(value: Snapshot) -> tuple[list[tuple[str, str, str, str]], list[str]]:
    """What would not come back by name and version alone (name, version, scope, origin); and the others."""
    pip, conda = value.packages.pip, value.packages.conda
    special = [(p.name, p.version, str(p.scope), origin(p)) for p in pip if _special(p)]
    usual = [f"{p.name} {p.version}" for p in pip if not _special(p)]
    return special, usual + [f"{c.name} {c.version}" for c in conda]


def _special(package: PipPackage) -> bool:
    """Worth a line of its own: it would not come back by its name and version alone."""
    own = package.source.kind not in ("index", "conda") or package.scope != "env"
    return own or package.built_locally or bool(package.shadows)


def origin(package: PipPackage) -> str:
    """Where a package came from, in a few words."""
    source = package.source
    where = source.url or source.index or ""
    commit = f" @ {source.commit[:12]}" if source.commit else ""
    built = " (built here)" if package.built_locally else ""
    return f"{source.kind} {where}{commit}{built}".strip()


def build(value: Built, program: str = COMMAND) -> str:
    """The result of a build: image, verdict, what to know, how to open it.

    ``program`` is how the reader types us.
    """
    minimal = ", minimal" if is_minimal(value) else ""
    lines = [
        f"{MARKS[value.verdict]} {plain(value.ref)}: {plain(value.summary)}",
        f"  {size(value.size)}, {value.packages} packages{minimal}, {value.seconds:.0f} s, by {value.engine}",
        f"  {value.digest or value.image_id}",
        *([f"  {in_registry(value.pushed)}"] if value.pushed else []),
    ]
    parts = ["\n".join(lines), differences(value.differences), findings(value.findings)]
    parts += [
        planned(value.differences),
        "\n".join(
            f"{label + ':':<10} {plain(line)}" for label, line in (*ways(value, program), *rebuilds(value))
        ),
    ]
    return "\n\n".join(part for part in parts if part)


def rebuilds(value: Built) -> tuple[tuple[str, str], ...]:
    """Where that is which rebuilds it."""
    return (("recipe", str(value.recipe)),) if value.recipe else ()


def ways(value: Built, program: str) -> tuple[tuple[str, str], ...]:
    """What opens the image: what it is for, and the line to type."""
    if not value.kept:
        return (("open it", run_line(value.ref)),) if value.pushed else ()
    here = ("open it", f"{program} run {value.ref}")
    if value.output is None and value.engine == "builtin":
        file = f"{value.ref.rpartition('/')[2].partition(':')[0]}.tar"
        elsewhere = ("elsewhere", f"the same with -o {file}, which `docker load -i {file}` takes")
        # Without a JupyterLab in it there is nothing that this engine could open.
        return (elsewhere,) if any(f.code == "no-server" for f in value.findings) else (here, elsewhere)
    if value.output is None:
        return here, ("anywhere", run_line(value.ref))
    place = shlex.quote(str(value.output))
    if value.output.is_dir():
        name = value.ref if ":" in value.ref.rpartition("/")[2] else f"{value.ref}:latest"
        tag = name.rpartition(":")[2]
        load = f"skopeo copy oci:{place}:{tag} docker-daemon:{name}"
    else:
        load = f"docker load -i {place}"
    return ("load it", load), ("open it", run_line(value.ref))


def pushed(value: Pushed) -> str:
    """What the registry has now."""
    return f"{plain(value.ref)}: {in_registry(value)}\n  {value.digest}"


def in_registry(value: Pushed) -> str:
    """How the layers came there: "pushed: 2 layers sent, 5 there already"."""
    counts = (
        (value.uploaded, "sent"),
        (value.mounted, "taken from another repository there"),
        (value.skipped, "there already"),
    )
    told = [(count, how) for count, how in counts if count]
    layers = [f"{count}{' layers' if count > 1 else ' layer'} {how}" if number == 0 else f"{count} {how}"
              for number, (count, how) in enumerate(told)]  # fmt: skip
    return f"pushed: {', '.join(layers)}" if layers else "pushed"


def logged_in(value: LoggedIn) -> str:
    """Who is known where, and who keeps it."""
    keeper = f"docker-credential-{value.helper}" if value.helper else str(value.file)
    said = f"{plain(value.registry)} knows you as {plain(value.user)}; kept by {plain(keeper)}"
    return "\n\n".join(part for part in (said, findings(value.findings)) if part)


def is_minimal(value: Built) -> bool:
    """Whether it holds only what the notebook uses; a finding says what that leaves out."""
    return any(finding.code == "minimal-kept" for finding in value.findings)


def recipe(value: Recipe) -> str:
    """What was written, what it leaves out, how to build it."""
    head = [
        f"{len(value.files)} files are written: {plain(', '.join(value.files))}",
        f"base {plain(value.base)}, {value.plan.platform}",
    ]
    parts = ["\n".join(head), choices(value.plan.choices), findings(value.findings)]
    parts.append("\n".join((f"build it:  {build_line(value)}", *secrets(value))))
    return "\n\n".join(part for part in parts if part)


def recovered(value: Recipe) -> str:
    """What of an image's journal was written, what is missing, and what makes its images."""
    said = f"the journal of {plain(value.name)} is in {plain(str(value.folder))}: {len(value.files)} files"
    again = f"`jupyter dockerize rebuild {plain(str(value.folder))}` makes the images of all layers"
    return "\n\n".join(filter(None, (said, findings(value.findings) or again)))


def build_line(value: Recipe) -> str:
    """The line that builds the recipe's image."""
    files = (f"id={name},src={plain(value.secret_files.get(name, FILES[name]))}" for name in value.secrets)
    platform = ["--platform", value.plan.build_platform] if value.plan.build_platform else []
    handed = [word for file in files for word in ("--secret", file)]
    folder = plain(str(value.folder))
    return shlex.join(["docker", "build", *platform, *handed, "-t", value.name, folder])


def secrets(value: Recipe) -> list[str]:
    """What to put into the files that the build line names and that are not there yet."""
    return [
        f"    {FILES[name]}: {CONTENTS[name]}" for name in value.secrets if name not in value.secret_files
    ]


def comparison(value: Comparison) -> str:
    """What was compared and the verdict, then the differences."""
    if value.image:
        said = f"image {plain(value.found)}: {VERDICTS[value.verdict]} ({plain(value.summary())})"
    else:
        both = "A and B" if legend(value) else f"{plain(value.expected)} and {plain(value.found)}"
        said = f"{both}: {plain(value.summary())}"
    parts = (
        f"{MARKS[value.verdict]} {said}",
        legend(value),
        differences(value.differences, sides_of(value)),
        planned(value.differences),
    )
    return "\n\n".join(part for part in parts if part)


def opened(value: Container, program: str = COMMAND) -> str:
    """What to know first, then the address, and how to stop it."""
    name = plain(value.name)
    lines = [f"! {plain(value.note)}"] if value.note else []
    lines += [plain(value.url or f"{name} runs, and has no address"), f"stop it:  {program} stop {name}"]
    lines += ["  it was open already"] if value.already else []
    return "\n".join(lines)


def engines(value: Survey) -> str:
    """Each engine with its diagnosis."""
    lines = []
    for status in value.engines:
        mark = "✓" if status.available else "✗"
        about = ", ".join(part for part in (status.flavour, status.version, status.builder) if part)
        lines.append(f"{mark} {plain(status.name)}: {plain(about if status.available else status.reason)}")
        if status.available and status.name == "builtin":
            lines.append(f"    {plain(status.reason)}")
        elif status.endpoint:
            lines.append(f"    at {plain(status.endpoint)}")
        if not status.available and status.fix:
            lines.append(f"    → {plain(status.fix)}")
    lines.append(f"chosen: {value.chosen or 'none'}")
    return "\n".join(lines)


def images(values: Sequence[Image]) -> str:
    """A table of images, newest first; those whose name another one took have none."""
    if not values:
        return "no images yet: `jupyter dockerize build NOTEBOOK` makes one"
    rows = [
        (
            ", ".join(i.refs) or REPLACED,
            i.labels.get(LABEL_NOTEBOOK) or "–",
            size(i.size),
            i.platform,
            i.created[:16],
        )
        for i in values
    ]
    said = table(rows, head=("image", "notebook", "size", "platform", "created"))
    if all(i.refs for i in values):
        return said
    gone = f"{REPLACED}: a newer build took its name; `docker image prune` removes these"
    return f"{said}\n\n{gone}, `jupyter dockerize prune` those of the builtin engine"


def pruned(value: Pruned, *, dry_run: bool) -> str:
    """What went, or would go."""
    counts = {"image": len(value.images), "layer": len(value.layers), "recipe": len(value.recipes)}
    count = sum(counts.values())
    would = "would be" if dry_run else "is" if count == 1 else "are"
    left = [f"! {plain(name)} is left alone: {plain(why)}" for name, why in value.left]
    if not count and not value.forgotten and not value.freed:
        return "\n".join(("nothing to remove: every image in the store has a name", *left))
    lines = [f"  {plain(name)}" for name in value.images]
    lines += [
        f"  of {plain(each.image)}, {size(each.size)}: {plain(each.command.splitlines()[0][:60])}"
        for each in value.layers
    ]
    lines += [f"  the recipe of {plain(name)}" for name in value.recipes]
    lines += [f"  what is known here of the layers of {plain(name)}" for name in value.forgotten]
    parts = [f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts.items() if n] or ["0 images"]
    what = " and ".join((", ".join(parts[:-1]), parts[-1])) if parts[1:] else parts[0]
    lines += left
    freed = f"{size(value.freed)} {'would be' if dry_run else 'are'} free"
    return "\n".join((f"{what} {would} removed, {freed}", *lines))


def containers(values: Sequence[Container]) -> str:
    """A table of what is open."""
    if not values:
        return "nothing is open: `jupyter dockerize run REF` opens an image"
    rows = [(c.name, f"{c.ref} {REPLACED}" if c.replaced else c.ref, c.status, c.url or "") for c in values]
    return table(rows, head=("name", "image", "status", "address"))
