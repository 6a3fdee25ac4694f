"""The card says what happened, and no word of it is markup."""

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.display import card, text
from jupyter_dockerize.display.live import Live
from jupyter_dockerize.environment.compare import Difference
from jupyter_dockerize.events import Finding, Log, Progress, Step
from jupyter_dockerize.export.build import Built

BUILT = Built(
    ref="penguins",
    digest=None,
    image_id="sha256:" + "0" * 64,
    engine="docker",
    method="rebuild",
    verdict="identical",
    summary="identical: 162 packages",
    fingerprint="sha256:" + "1" * 64,
    packages=162,
    differences=(),
    findings=(),
    size=1_234_567_890,
    seconds=61.4,
)
ALLOWED = {"style", "div", "h4", "b", "span", "code", "ul", "ol", "li", "br", "details", "summary", "pre", "table", "tr", "td", "th", "progress"}  # fmt: skip


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)


def tags_of(html: str) -> Tags:
    parser = Tags()
    parser.feed(html)
    return parser


def test_it_shows_image_verdict_size_and_the_one_line_that_opens_it() -> None:
    html = card.built(BUILT)
    for part in ("penguins", "Same environment", "1.2 GB", "162 packages", "docker run --rm -p 8888:8888 penguins"):
        assert part in html


@given(st.text())
def test_no_data_becomes_markup(hostile: str) -> None:
    value = replace(
        BUILT,
        summary=hostile,
        findings=(Finding(hostile, "warning", hostile, hostile),),
        differences=(Difference(manager="pip", name=hostile, field="version", expected=hostile, found=hostile, class_="unexpected"),),  # fmt: skip
    )
    seen = tags_of(card.built(value))
    assert seen.tags <= ALLOWED
    assert seen.attributes <= {"class", "title", "open", "max", "value"}


def test_hostile_names_are_shown_as_text() -> None:
    evil = "<img src=x onerror=alert(1)></script><a data-commandlinker-command=x>"
    html = card.built(replace(BUILT, findings=(Finding("x", "error", evil, evil),)))
    assert "<img" not in html
    assert "&lt;img" in html


def test_progress_names_the_step_the_log_and_what_went_wrong() -> None:
    drawn: list[str] = []
    live = Live("Building penguins", lambda state: drawn.append(card.progress(state)))
    live.report(Step(1, 4, "Reading the environment"))
    live.report(Step(3, 4, "Building the image"))
    live.report(Step(2, 9, "apt-get", within="Building the image"))
    live.report(Log("\x1b[31mdownloading\x1b[0m 10%\r20%"))
    live.report(Progress("sending", 2_000_000, 0))
    live.finish("the disk is full\nfix: make room")
    assert "Reading the environment" in drawn[-1]
    assert "the disk is full" in drawn[-1]
    assert "20%" in drawn[-1] and "10%" not in drawn[-1]
    assert tags_of(drawn[-1]).tags <= ALLOWED


def test_drawing_is_throttled_but_no_step_and_no_end_is_missed() -> None:
    drawn: list[int] = []
    live = Live("x", lambda state: drawn.append(len(state.log)))
    live.report(Step(1, 1, "one"))
    for number in range(10_000):
        live.report(Log(str(number)))
    live.finish()
    assert len(drawn) < 100
    assert drawn[-1] == 200


def test_sizes_read_as_people_say_them() -> None:
    assert [text.size(n) for n in (0, 999, 1500, 2_345_678, 713_000_000, 1_234_567_890)] == [
        "0 B", "999 B", "2 kB", "2.3 MB", "713 MB", "1.2 GB",
    ]  # fmt: skip
