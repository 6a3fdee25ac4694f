"""The documents say what is: commands parse, links lead somewhere, figures and findings are the real ones."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_dockerize.arguments import VERBS, parser
from jupyter_dockerize.codes import CODES
from jupyter_dockerize.config import Dockerize

PROJECT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    *(PROJECT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((PROJECT / "docs").glob("*.md")),
)
ids = [document.name for document in DOCUMENTS]


def code(document: Path) -> str:
    """Everything that stands in code blocks and code spans."""
    text = document.read_text()
    blocks = re.findall(r"(?ms)^ *```[^\n]*\n(.*?)^ *```", text)
    prose = re.sub(r"(?ms)^ *```[^\n]*\n.*?^ *```", "", text)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", prose)])


def commands() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for line in code(document).splitlines():
            found = re.search(r"(?:\$ |- run: |^)jupyter[ -]dockerize(?: (\S.*))?$", line.strip())
            if found:
                yield document.name, f"jupyter dockerize {found[1] or ''}".strip()
            if magic := re.search(r"(?:^|= )(%dockerize.*)$", line.strip()):
                yield document.name, magic[1]


def words_of(line: str) -> list[str]:
    """The words after the program's name, without what the shell does itself."""
    line = re.sub(r"\s+(>|<|\|).*$", "", line)
    return shlex.split(line.partition("dockerize")[2], comments=True)


def test_there_are_commands_in_readme_and_guide() -> None:
    found = [name for name, _ in commands()]
    assert found.count("README.md") >= 5
    assert found.count("guide.md") >= 25


@pytest.mark.parametrize(("document", "line"), sorted(set(commands())))
def test_a_command_is_typed_as_the_parser_takes_it(document: str, line: str) -> None:
    words = words_of(line)
    if "VERB" in words or "…" in words or words == ["?"]:
        return  # not a command but the way commands are written
    if not words and not line.startswith("%"):
        return
    magic = line.startswith("%")
    if magic and (not words or words[0] not in (*VERBS, "-h", "--version")):
        words = ["build", *words]
    if "-h" in words:
        with pytest.raises(SystemExit):
            parser("x", magic=magic).parse_args(words)
        return
    parser("x", magic=magic).parse_args(words)


def test_the_guide_shows_every_verb() -> None:
    guide = code(PROJECT / "docs" / "guide.md")
    for verb in VERBS:
        assert f"jupyter dockerize {verb}" in guide, verb


def test_readme_names_every_verb_and_every_option_of_build() -> None:
    readme = code(PROJECT / "README.md")
    for verb in VERBS:
        assert re.search(rf"\b{verb}\b", readme), verb
    guide = readme + code(PROJECT / "docs" / "guide.md")
    for action in parser("x").verbs["build"]._actions:
        option = action.option_strings[0] if action.option_strings else ""
        assert option in guide or option in ("-h", "--engine"), option


def test_the_guide_names_every_default_that_can_be_configured() -> None:
    guide = code(PROJECT / "docs" / "guide.md")
    for name in Dockerize.class_trait_names(config=True):
        assert re.search(rf"\b{name}\b", guide), name


def links(document: Path) -> Iterator[str]:
    text = re.sub(r"(?ms)^ *```[^\n]*\n.*?^ *```", "", document.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            yield target


def anchors(document: Path) -> set[str]:
    """The anchors of headings, as the usual renderers make them."""
    titles = re.findall(r"(?m)^#+ (.*)$", document.read_text())
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_relative_links_lead_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def codes(tree: ast.AST) -> Iterator[str]:
    """The codes of the findings that a module makes: `Finding(code, …)`, or `invalid(code, …)` for short."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in ("Finding", "invalid"):
                code = node.args[0]
                for part in (code.body, code.orelse) if isinstance(code, ast.IfExp) else (code,):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.value


def test_every_finding_is_explained_and_no_other() -> None:
    package = PROJECT / "jupyter_dockerize"
    made = {code for path in package.rglob("*.py") for code in codes(ast.parse(path.read_text()))}
    explained = re.findall(r"(?m)^\| `([a-z-]+)` \|", (PROJECT / "docs" / "findings.md").read_text())
    assert len(made) > 40
    assert sorted(explained) == sorted(made)
    assert made == CODES, "the codes that --allow takes"


def test_readme_quotes_figures_from_the_results_only() -> None:
    readme, results = (PROJECT / "README.md").read_text(), (PROJECT / "benchmarks" / "RESULTS.md").read_text()
    table = readme.partition("<!-- figures")[2].partition("<!-- end of figures")[0]
    figures = re.findall(r"(?m)^\| (?!what|---)[^|]+ \| ([^|]+) \|$", table)
    assert len(figures) == 4
    for figure in figures:
        assert f"**{figure}" in results, figure


def test_pictures_are_small() -> None:
    for picture in (PROJECT / "docs" / "images").glob("*.png"):
        assert picture.stat().st_size < 200_000, picture.name
