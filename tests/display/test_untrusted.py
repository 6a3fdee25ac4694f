"""What somebody else wrote is shown as text, and does nothing."""

import re

from hypothesis import given
from hypothesis import strategies as st

from jupyter_dockerize.display.untrusted import coloured, last_frame, plain

ANYTHING = st.text(
    alphabet=st.one_of(st.sampled_from("\x1b[]\x07\x9b\x9d\x9c\\m0;38PX^_?\rA\n"), st.characters())
)
DANGEROUS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@given(ANYTHING)
def test_plain_text_holds_no_control_character(text: str) -> None:
    assert not DANGEROUS.search(plain(text))


@given(ANYTHING)
def test_coloured_text_holds_nothing_but_colours(text: str) -> None:
    without_colours = re.sub(r"\x1b\[[0-9;:]*m", "", coloured(text))
    assert not DANGEROUS.search(without_colours)


@given(
    st.text(
        alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="\u200e\u200f\u061c")
    )
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == coloured(text) == text


def test_links_titles_and_clipboard_writes_are_cut_with_their_payload() -> None:
    assert plain("\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07") == "click"
    assert plain("\x1b]52;c;ZXZpbA==\x07x") == "x"
    assert plain("\x1b]0;title\x1b\\x") == "x"
    assert plain("a\x9d52;c;x\x9cb") == "ab"


def test_a_colour_that_was_left_open_is_closed() -> None:
    assert coloured("\x1b[31mred") == "\x1b[31mred\x1b[0m"
    assert coloured("\x1b[31mred\x1b[0m") == "\x1b[31mred\x1b[0m"


def test_of_a_redrawn_line_the_last_drawing_is_shown() -> None:
    assert last_frame("10%\r50%\r100%\r") == "100%"
