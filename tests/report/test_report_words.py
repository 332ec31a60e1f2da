import pytest

from jaxclr.report.words import counted, joined, shortened


@pytest.mark.parametrize(
    "parts, told", [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")]
)  # fmt: skip
def test_an_and_stands_before_the_last(parts, told):
    assert joined(list(parts)) == told


def test_only_one_is_singular():
    assert [counted(i, "run") for i in range(3)] == ["0 runs", "1 run", "2 runs"]


def test_of_many_the_first_are_named_and_the_others_counted():
    assert shortened(list("abc"), 3) == "a, b, c"
    assert shortened(list("abcde"), 3) == "a, b, c and 2 more"
