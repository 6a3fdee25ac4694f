"""Sizes are short, and in units that people know."""

from jupyter_dockerize.sizes import size


def test_sizes_read_as_people_say_them() -> None:
    assert [size(n) for n in (0, 999, 1500, 2_345_678, 713_000_000, 1_234_567_890)] == [
        "0 B", "999 B", "2 kB", "2.3 MB", "713 MB", "1.2 GB",
    ]  # fmt: skip
