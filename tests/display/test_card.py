"""The card says what happened, and no word of it is markup."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.api import Recipe
from jupyter_dockerize.display import card, text
from jupyter_dockerize.display.live import Live
from jupyter_dockerize.engines.base import Container
from jupyter_dockerize.environment.choices import Wishes
from jupyter_dockerize.environment.plan.planning import make_plan
from jupyter_dockerize.errors import FindingsError
from jupyter_dockerize.events import Finding, Log, Progress, Step

from .samples import BUILT, COMPARED, LIBRARY, PATCH, PLANNED, PUSHED, SNAPSHOT, difference_of

ALLOWED = {
    "style", "div", "h4", "p", "b", "span", "code", "ul", "li", "br", "details", "summary", "pre",
    "table", "tr", "td", "progress", "a",
}  # fmt: skip
ATTRIBUTES = {"class", "title", "open", "max", "value", "href", "target", "rel"}
CONTAINER = Container(
    name="p-1", id="1", ref="penguins", status="running", url="http://127.0.0.1:1/lab?token=t"
)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def tags_of(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    return parser


def assert_harmless(html: str) -> None:
    seen = tags_of(html)
    assert seen.tags <= ALLOWED
    assert seen.attributes <= ATTRIBUTES
    assert all(link.startswith(("http://", "https://")) for link in seen.links)


def test_it_shows_verdict_image_size_and_the_one_line_that_opens_it() -> None:
    said = tags_of(card.built(BUILT)).text
    parts = (
        "penguins", "Same environment", "1.2 GB", "identical: 162 packages", "%dockerize run penguins",
        "docker run --rm -p 8888:8888 penguins", "695 Debian packages", "recipe /home/ada/recipes/penguins",
    )  # fmt: skip
    places = [said.index(part) for part in parts]
    assert places == sorted(places)


def test_data_that_is_not_in_it_comes_with_the_line_that_takes_it_along_before_it_is_opened() -> None:
    data = Finding("data-not-included", "warning", "names a.csv", "`%dockerize --include a.csv`")
    said = tags_of(card.built(replace(BUILT, findings=(data,)))).text
    parts = ("names a.csv", "take it along", "%dockerize --include a.csv", "%dockerize run penguins")
    places = [said.index(part) for part in parts]
    assert places == sorted(places)
    assert said.count("names a.csv") == 1


def test_a_minimal_image_says_so() -> None:
    kept = Finding("minimal-kept", "info", "keeps what the notebook uses")
    assert " · minimal · " not in tags_of(card.built(BUILT)).text
    minimal = replace(BUILT, findings=(kept,))
    assert "minimal · 61 s" in tags_of(card.built(minimal)).text
    assert "162 packages, minimal, 61 s" in text.build(minimal)


def test_what_nobody_planned_is_in_sight_with_its_fix_and_the_rest_is_folded() -> None:
    html = card.built(replace(BUILT, verdict="different", differences=(LIBRARY, PATCH, *PLANNED)))
    sight, _, folded = html.partition("<details>")
    assert "Not the same environment" in sight
    assert "libGL.so.1 is missing" in sight and "--apt libgl1" in sight
    assert "libssl3" not in sight and "libssl3" in folded
    assert "lib0, lib1" in folded and "and 172 more" in folded


def test_an_image_that_is_not_the_same_says_why_before_how_to_open_it() -> None:
    said = tags_of(card.built(replace(BUILT, verdict="different", differences=(LIBRARY,)))).text
    assert said.index("libGL.so.1 is missing") < said.index("docker run")


def test_errors_and_the_first_warnings_are_in_sight_and_notes_are_folded() -> None:
    notes = tuple(Finding(f"c{n}", "info", f"note {n}") for n in range(5))
    sight, _, folded = card.built(replace(BUILT, findings=notes)).partition("<details>")
    assert "note 0" not in sight and folded.startswith("<summary>5 notes</summary>")
    worse = (
        *notes,
        *(Finding(f"w{n}", "warning", f"warning {n}") for n in range(4)),
        Finding("e", "error", "bad"),
    )
    sight, _, folded = card.built(replace(BUILT, findings=worse)).partition("<details>")
    assert sight.index("bad") < sight.index("warning 0") and "warning 1" in sight
    assert "warning 2" not in sight and folded.startswith("<summary>7 more findings</summary>")


def test_it_reads_well_where_a_page_takes_the_styles_away() -> None:
    html = card.built(BUILT)
    said = tags_of(html[html.index("</style>") :]).text
    assert said.startswith("✓\xa0penguins · Same environment · 1.2 GB")
    assert "<pre" in html.partition("docker run")[0].rpartition("anywhere")[2]


EVIL = (
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    '"><a href=javascript:alert(1)>x',
    "' onmouseover='alert(1)",
    "<a data-commandlinker-command=x>",
    "</pre></details></div><iframe>",
)


@given(st.text() | st.sampled_from(EVIL))
def test_no_data_becomes_markup(hostile: str) -> None:
    finding = Finding(hostile, "warning", hostile, hostile)
    difference = difference_of(hostile)
    differences = (difference, replace(difference, class_="tolerated"), replace(difference, class_="planned"))
    (numpy, mine), (zlib,) = SNAPSHOT.packages.pip, SNAPSHOT.packages.conda
    packages = replace(
        SNAPSHOT.packages,
        pip=(
            replace(numpy, name=hostile, version=hostile),
            replace(mine, name=hostile, version=hostile, source=replace(mine.source, url=hostile)),
        ),
        conda=(replace(zlib, name=hostile, version=hostile),),
    )
    looked_at = replace(
        SNAPSHOT,
        system=replace(SNAPSHOT.system, os=hostile, version=hostile, libc=hostile),
        python=replace(SNAPSHOT.python, version=hostile, prefix=hostile),
        packages=packages,
        findings=(finding,),
    )
    plan = make_plan(SNAPSHOT, Wishes())
    live = Live(hostile, lambda state: None)
    live.report(Step(1, 1, hostile))
    live.report(Step(1, 2, hostile, within="x"))
    live.report(finding)
    live.report(Log(hostile))
    live.report(Progress(hostile, 1, 2))
    running = card.progress(live)
    live.finish("failed", hostile)
    for html in (
        running,
        card.progress(live),
        card.built(
            replace(BUILT, ref=hostile, summary=hostile, findings=(finding,), differences=differences,
                    engine=hostile, digest=f"sha256:{hostile}")
        ),
        card.compared(replace(COMPARED, differences=differences, expected=hostile, found=hostile)),
        card.opened(replace(CONTAINER, url=hostile, name=hostile, ref=hostile, note=hostile)),
        card.pushed(replace(PUSHED, ref=hostile, digest=hostile)),
        card.looked(looked_at),
        card.written(
            Recipe(folder=Path("x" + hostile.replace("\0", "")), files=(hostile,), plan=plan, base=hostile,
                   secrets=(), findings=(finding,))
        ),
    ):  # fmt: skip
        assert_harmless(html)


def test_what_was_pushed_shows_its_name_and_its_digest() -> None:
    html = card.of(PUSHED)
    for word in (PUSHED.ref, PUSHED.digest, "2 layers sent"):
        assert word in html
    assert "2 layers sent" in card.of(replace(BUILT, pushed=PUSHED))


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil", None, ""])
def test_only_an_address_of_the_web_becomes_a_link(url: str | None) -> None:
    assert tags_of(card.opened(replace(CONTAINER, url=url))).links == []


def test_an_image_that_is_open_is_a_link_that_opens_beside_the_notebook() -> None:
    html = card.opened(CONTAINER)
    assert tags_of(html).links == ["http://127.0.0.1:1/lab?token=t"]
    assert 'target="_blank" rel="noopener"' in html


def test_hostile_names_are_shown_as_text() -> None:
    evil = "<img src=x onerror=alert(1)></script><a data-commandlinker-command=x>"
    html = card.built(replace(BUILT, findings=(Finding("x", "error", evil, evil),)))
    assert "<img" not in html
    assert "&lt;img" in html


def test_progress_shows_the_step_its_time_the_bar_and_the_last_line_of_the_log() -> None:
    live = Live("Building penguins", lambda state: None)
    live.report(Step(1, 4, "Reading the environment"))
    live.report(Step(3, 4, "Building the image"))
    live.report(Step(2, 9, "RUN apt-get", within="Building the image"))
    live.report(Log("\x1b[31mdownloading\x1b[0m 10%\r20%"))
    html = card.progress(live)
    assert "3 of 4" in html and '<progress max="9" value="1">' in html
    assert "RUN apt-get" in html
    assert "20%" in html and "10%" not in html
    assert_harmless(html)


def test_progress_shows_how_much_is_done_and_how_long_the_rest_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    live = Live("Building penguins", lambda state: None)
    live.report(Step(2, 3, "Copying the files"))
    for second in range(10):
        now[0] += 1
        live.report(Progress("copied", second * 10_000_000, 390_000_000))
    html = card.progress(live)
    assert '<progress max="390000000" value="90000000">' in html
    assert "copied: 90.0 MB of 390 MB, about 30 s left" in html
    now[0] += 60
    assert "left" not in card.progress(live).rpartition("</style>")[2]  # nothing moves: nobody knows
    live.report(Step(3, 3, "Verifying"))
    assert "copied" not in card.progress(live)


def test_a_failure_shows_where_why_and_the_end_of_the_log() -> None:
    live = Live("Building penguins", lambda state: None)
    live.report(Step(1, 4, "Reading the environment"))
    for number in range(100):
        live.report(Log(f"line {number};"))
    live.report(Progress("sending", 2_000_000, 0))
    live.finish("failed", "the disk is full\nwhy: it is\nfix: make room", "penguins was not built")
    html = card.progress(live)
    words = re.sub(r"<style>.*?</style>|<[^>]+>", "|", html, flags=re.S)
    assert re.sub(r"[\s|]+", " ", words).startswith(
        " ✗ penguins was not built the disk is full why it is what to do make room"
    )
    assert "line 99;" in html and "line 79;" not in html
    assert "<details><summary>the end of the log" in html
    assert live.as_text().endswith("the disk is full\nwhy: it is\nfix: make room")


def test_the_log_of_a_failure_is_that_of_the_step_that_failed() -> None:
    live = Live("Building penguins", lambda state: None)
    live.report(Step(2, 4, "Locking packages"))
    live.report(Log("locking 123 packages"))
    live.report(Step(3, 4, "Building the image"))
    live.finish("failed", "the base cannot be pulled", "penguins was not built")
    assert "the end of the log" not in card.progress(live)


def test_a_finding_that_stopped_the_work_is_told_once() -> None:
    live = Live("Building penguins", lambda state: None)
    stopping, other = (
        Finding("a", "error", "a secret is in it", "take it out"),
        Finding("b", "error", "one more"),
    )
    live.report(stopping)
    live.report(other)
    live.finish("failed", str(FindingsError([stopping, other])), "penguins was not built")
    html = card.progress(live)
    assert html.count("a secret is in it") == 1 and "(and 1 more)" in html and html.count("one more") == 1
