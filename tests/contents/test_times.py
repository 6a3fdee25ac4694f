"""What time an image says that it is of."""

from __future__ import annotations

import pytest

from jupyter_dockerize.contents import times
from jupyter_dockerize.errors import UsageError


@pytest.mark.parametrize("said", ["0", "1700000000", "0001700000000"[1:], str(times.LATEST)])
def test_the_user_says_it_in_seconds(said: str) -> None:
    assert times.source_date_epoch({times.VARIABLE: said}) == int(said)


@pytest.mark.parametrize("environ", [{}, {times.VARIABLE: ""}])
def test_nothing_is_said(environ: dict[str, str]) -> None:
    assert times.source_date_epoch(environ) is None


@pytest.mark.parametrize(
    "said",
    [
        "now", "-1", "1.5", " 1", "1\n", "0x10", "1_000", "+1", "١٢", "1e9", "2026-11-21",
        str(times.LATEST + 1), "9" * 40,
    ],
)  # fmt: skip
def test_what_is_no_such_number_is_refused_by_name(said: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH is not a time") as caught:
        times.source_date_epoch({times.VARIABLE: said})
    assert caught.value.exit_status == 2
    assert caught.value.fix


def test_the_newest_input_that_is_not_of_the_future() -> None:
    assert times.newest([5.9, 3, 1_000, 11], now=10) == 5
    assert times.newest([-3.5, 0], now=10) == 0
    assert times.newest([], now=10) == 0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1700000000, "2023-11-14T22:13:20Z"),
        (times.LATEST, "9999-12-31T23:59:59Z"),
    ],
)
def test_it_is_written_as_images_write_it(seconds: int, said: str) -> None:
    assert times.rfc3339(seconds) == said
