"""README.md of the bundle: the two commands, and what a reader of the image wants to know.

Texts of the plan are data: they stand in code spans, which nothing in them can end.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..contents import layout
from ..contents.identity import run_line
from ..environment.choices import Choice
from ..environment.comparison import counted
from ..environment.plan.planning import Plan
from . import secrets
from .resolution import Resolution
from .steps import SecretId

README = "README.md"
_ROOM = 100  # characters of a command

_KINDS = {"left-out": "Left out", "offered": "Not taken along", "added": "Added", "changed": "Changed"}


def write(plan: Plan, resolution: Resolution) -> bytes:
    """The text of a plan in its stored form, without anything that depends on when or where it was made."""
    parts = [
        _title(plan),
        _commands(plan, resolution),
        _facts(plan, resolution),
        *_choices(plan.choices),
    ]
    return ("\n\n".join(part for part in parts if part) + "\n").encode()


def of_layers(
    first: str,
    image: str,
    layers: Sequence[tuple[int, str, str]],
    fingerprint: str,
    wanted: Sequence[SecretId],
) -> str:
    """The README of a journal: what ``first`` says of the first layer, and a line for each of the others.

    Each of ``layers`` is its number, its command and what it changed; ``fingerprint`` is that of all of them,
    ``wanted`` what their builds are handed. ``first`` is "" where the first layer has no recipe.
    """
    if not layers:
        return first or _without_recipe(image)
    lines = (first or _without_recipe(image)).rstrip("\n").split("\n")
    more = [name for name in wanted if not any(f"--secret id={name}," in line for line in lines)]
    for at, line in enumerate(lines):
        if line.startswith("docker build"):
            options = "".join(f" --secret id={name},src={secrets.FILES[name]}" for name in more)
            lines[at] = line.replace("docker build", f"docker build{options}", 1)
        elif line.startswith("| packages |"):
            lines[at] = f"{line.removesuffix(' |')}, and what the layers below changed |"
        elif line.startswith("| fingerprint |"):
            lines[at] = f"| fingerprint | {code(fingerprint)} |"
    lines += ["", "## Layers", "", _IN_FOLDERS.format(image=image)]
    if first and more:
        lines += ["", "They need these files, too:", ""]
        lines += [f"- `{secrets.FILES[name]}`: {secrets.CONTENTS[name]}" for name in more]
    lines += ["", "| layer | command | changed |", "|---|---|---|"]
    lines += [
        f"| {number} | {code(_short(command))} | {code(what) if what else 'no package'} |"
        for number, command, what in layers
    ]
    return "\n".join(lines) + "\n"


_IN_FOLDERS = """\
Layer 1 is the image without them; each other one has a folder in `layers/`. `jupyter dockerize rebuild` with
this folder makes the images of all of them, and `jupyter dockerize history {image}` lists them."""


def _without_recipe(image: str) -> str:
    return (
        f"# The image {code(image)}\n\n"
        "Made by jupyter-dockerize. There is no recipe of its first layer: the image travels by a registry.\n"
    )


def _short(command: str) -> str:
    """Its first line, as far as a cell of a table has room."""
    line, *more = command.splitlines() or [""]
    return line[:_ROOM] + (" …" if more or line[_ROOM:] else "")


def _title(plan: Plan) -> str:
    what = code(plan.notebook) if plan.notebook else "an environment"
    return (
        f"# The image of {what}\n\n"
        "Made by jupyter-dockerize. The Dockerfile and the files beside it are all that it takes."
    )


def _commands(plan: Plan, resolution: Resolution) -> str:
    options = "".join(f" --secret id={name},src={secrets.FILES[name]}" for name in resolution.secrets)
    if plan.build_platform:
        options += f" --platform {plan.build_platform}"
    lines = [
        "```sh",
        f"docker build{options} -t analysis .",
        run_line("analysis"),
        "```",
        "",
        "Type them in this folder. The second prints the address to open. Where something else has port "
        f"{layout.PORT},",
        f"`-p {layout.PORT + 1}:{layout.PORT}` takes another; {layout.PORT + 1} is then in the address, too.",
    ]
    if resolution.secrets:
        lines += ["", "These files have to be there first; what is in them stays in no layer:", ""]
        lines += [f"- `{secrets.FILES[name]}`: {secrets.CONTENTS[name]}" for name in resolution.secrets]
    return "\n".join(lines)


def _facts(plan: Plan, resolution: Resolution) -> str:
    base = resolution.base
    rows = [
        ("base", f"{code(base.ref)}: {code(base.reason)}"),
        ("pinned", code(base.digest) if base.digest else "no registry answered: the base's name may move"),
        ("Python", code(f"{plan.python.implementation} {plan.python.version}")),
        ("packages", _counts(plan, resolution)),
        ("server", "the environment's own JupyterLab" if plan.server == "environment" else _OWN),
        ("platform", code(plan.platform)),
        ("fingerprint", code(plan.fingerprint)),
    ]
    if plan.system.image and not plan.wishes.base:
        rows.append(("instead", f"`--base` takes the image that this ran in: {code(plan.system.image)}"))
    if resolution.wheels:
        carried = ", ".join(code(f"{wheel.name} ({wheel.reason})") for wheel in resolution.wheels)
        rows.append(("carried", carried))
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows)])


_OWN = f"a small JupyterLab of its own in `{layout.SERVER}`, because the environment has none"


def _counts(plan: Plan, resolution: Resolution) -> str:
    unhashed = sum(1 for package in resolution.pip if not package.hashes)
    counts = [
        (len(plan.packages.conda), "conda"),
        (len(resolution.pip), "pip"),
        (len(resolution.wheels), "as wheels in this folder"),
        (len(plan.packages.apt), "Debian"),
        (unhashed, "without hashes"),
    ]
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "none"


def _choices(choices: tuple[Choice, ...]) -> list[str]:
    parts = []
    for kind, title in _KINDS.items():
        reasons: dict[tuple[str, str], list[Choice]] = {}
        for choice in choices:
            if choice.kind == kind:
                # "--apt curl takes it along" is one reason for all of them.
                words = ("NAME" if word == choice.name else word for word in choice.reason.split(" "))
                reasons.setdefault((choice.manager, " ".join(words)), []).append(choice)
        if reasons:
            lines = (_alike(manager, reason, alike) for (manager, reason), alike in reasons.items())
            parts.append(f"## {title}\n\n" + "\n".join(lines))
    return parts


def _alike(manager: str, reason: str, choices: list[Choice]) -> str:
    """One item for all that were chosen for one reason."""
    named = ", ".join(f"{code(choice.name)}{_change(choice)}" for choice in choices)
    if len(choices) == 1:
        return f"- {named}: {code(choices[0].reason)}"
    return f"- {counted(manager, len(choices))}, {code(reason)}: {named}"


def _change(choice: Choice) -> str:
    if choice.source and choice.planned:
        return f" {code(choice.source)} → {code(choice.planned)}"
    value = choice.source or choice.planned
    return f" {code(value)}" if value else ""


def code(text: str) -> str:
    """``text`` as a code span on one line: backticks and ``|`` become what cannot end it or its cell."""
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    shown = shown.replace("`", "'").replace("|", "\N{BROKEN BAR}").strip()
    return f"`{shown}`" if shown else "``` ```"
