import pytest
from toy import toy_experiment

from jaxclr.experiment import as_code
from jaxclr.methods.fixclr import fixclr
from jaxclr.report.code import marked, setting_table


def code(**changes):
    return as_code(toy_experiment(**changes)) + "\n"


ONE, OTHER = code(), code(name="other", steps=8, method=fixclr(temperature=0.5))


def test_the_settings_that_differ_have_their_paths_and_both_values():
    table = setting_table(["a", "b"], [ONE, OTHER])
    assert table.header == ("setting", "a", "b")
    assert table.rows == (
        ("method.terms.repulsion.temperature", "0.2", "0.5"),
        ("steps", "6", "8"),
    )


def test_the_lines_that_differ_are_marked_and_no_other():
    for lines, name, temperature, steps in zip(
        marked([ONE, OTHER]), ("toy", "other"), (0.2, 0.5), (6, 8), strict=True
    ):
        found = [line.text.strip() for line in lines if line.differs]
        assert found == [f"name={name!r},", f"temperature={temperature},", f"steps={steps},"]


def test_lines_are_compared_by_their_setting_and_not_by_their_text():
    """Both have a line ``weight=1.0,`` and a line ``weight=2.0,``, of one term each."""
    text = (
        "E(\n    terms={{\n        'a': A(\n            weight={},\n        ),\n"
        "        'b': A(\n            weight={},\n        ),\n    }},\n)\n"
    )
    table = setting_table(["x", "y"], [text.format(1.0, 2.0), text.format(2.0, 1.0)])
    assert [row[0] for row in table.rows] == ["terms.a.weight", "terms.b.weight"]


def test_a_setting_that_one_lacks_differs():
    table = setting_table(["a", "b"], ["E(\n    x=1,\n    y=2,\n)\n", "E(\n    x=1,\n)\n"])
    assert table.rows == (("y", "2", "-"),)


@pytest.mark.parametrize("codes", [[ONE], [ONE, ONE, ONE]])
def test_nothing_is_marked_where_nothing_differs(codes):
    assert not any(line.differs for lines in marked(codes) for line in lines)
    assert ["\n".join(line.text for line in lines) + "\n" for lines in marked(codes)] == codes
