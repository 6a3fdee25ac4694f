"""Sizes are short, and in units that people know."""

from jupyter_dockerize.sizes import and_more, count, size


def test_sizes_read_as_people_say_them() -> None:
    assert [size(n) for n in (0, 999, 1500, 2_345_678, 713_000_000, 1_234_567_890)] == [
        "0 B", "999 B", "2 kB", "2.3 MB", "713 MB", "1.2 GB",
    ]  # fmt: skip


def test_one_is_told_in_the_singular() -> None:
    assert [count(n, "file") for n in (0, 1, 2, 12_345)] == ["0 files", "1 file", "2 files", "12,345 files"]
    assert [count(n, "file is", "files are") for n in (1, 2)] == ["1 file is", "2 files are"]


def test_many_names_are_the_first_and_how_many_more() -> None:
    said = [and_more(["a", "b", "c"], most) for most in (1, 2, 3, 4)]
    assert said == ["a and 2 more", "a, b and 1 more", "a, b, c", "a, b, c"]
    assert and_more((str(n) for n in range(1500)), 1) == "0 and 1,499 more"
    assert and_more((), 3) == ""
