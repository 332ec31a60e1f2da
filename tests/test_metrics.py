import json

import pytest

from jaxclr.errors import JaxclrError
from jaxclr.metrics import PARTS, Journal, Window, late_pseudo_labels, mean_gradient_norms


def guesses(kept, right, unlabeled=10.0):
    return {"unlabeled": unlabeled, "kept": kept, "known": kept, "right": right}


def test_a_window_averages_terms_and_pools_counts():
    window = Window()
    window.add(1, {"loss": 1.0, "supervised": 0.5, **guesses(1.0, 1.0)})
    window.add(2, {"loss": 3.0, "supervised": 1.5, **guesses(9.0, 4.0)})
    assert window.close() == {
        "loss": 2.0,
        "supervised": 1.0,
        "pseudo_label_keep_rate": 50.0,
        "pseudo_label_accuracy": 50.0,
    }
    window.add(3, {"loss": 7.0})
    assert window.close() == {"loss": 7.0}


def test_a_window_left_open_is_closed_by_another_as_if_it_had_not_been():
    steps = [{"loss": 0.1 * i, "supervised": 0.7 / i, **guesses(i, i - 1)} for i in (1, 2, 3)]
    whole, first = Window(), Window()
    for i, values in enumerate(steps):
        whole.add(i, values)
    first.add(0, steps[0])
    first.add(1, steps[1])
    second = Window(json.loads(json.dumps(dict(first.sums))))
    second.add(2, steps[2])
    assert second.close() == whole.close()
    assert not second.sums


def test_rates_of_a_domain_and_of_a_class_are_pooled_over_steps():
    # Two domains, classes a and b, and images of no known class: seen, kept, right of each.
    first = [[[4, 2, 1], [2, 0, 0], [2, 2, 0]], [[1, 1, 1], [0, 0, 0], [3, 0, 0]]]
    second = [[[0, 0, 0], [2, 2, 1], [0, 0, 0]], [[3, 1, 0], [0, 0, 0], [1, 1, 0]]]
    window = Window(domains=["day", "dusk"], classes=["a", "b"])
    window.add(1, {"loss": 1.0, PARTS: first})
    assert window.close() == {"loss": 1.0}
    window = Window(json.loads(json.dumps(window.sums)), domains=["day", "dusk"], classes="ab")
    window.add(2, {"loss": 1.0, PARTS: second})
    assert window.close_parts() == {
        "pseudo_label_keep_rate_by_domain": {"day": 100 * 6 / 10, "dusk": 100 * 3 / 8},
        "pseudo_label_accuracy_by_domain": {"day": 100 * 2 / 4, "dusk": 100 * 1 / 2},
        "pseudo_label_keep_rate_by_class": {"a": 100 * 4 / 8, "b": 100 * 2 / 4},
        "pseudo_label_accuracy_by_class": {"a": 100 * 2 / 4, "b": 100 * 1 / 2},
    }
    assert window.close_parts() == {} and window.close() == {"loss": 1.0}
    window.add(3, {"loss": 1.0, PARTS: [[[0, 0, 0]] * 3, [[1, 0, 0]] * 3]})
    nothing = window.close_parts()
    assert nothing["pseudo_label_keep_rate_by_domain"] == {"day": None, "dusk": 0.0}
    assert nothing["pseudo_label_accuracy_by_class"] == {"a": None, "b": None}


def test_no_guess_kept_has_no_accuracy():
    window = Window()
    window.add(1, {"loss": 1.0, **guesses(0.0, 0.0)})
    assert window.close()["pseudo_label_accuracy"] is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_the_term_and_the_step(bad):
    values = {"loss": bad, "supervised": 1.0, "repulsion": bad}
    with pytest.raises(JaxclrError, match=r"at step 17; not finite: repulsion\."):
        Window().add(17, values)


def test_a_journal_forgets_what_came_after_the_step_it_is_cut_back_to(tmp_path):
    journal = Journal(tmp_path / "metrics.jsonl")
    for step in (10, 20, 30):
        journal.write(step, {"loss": step / 3})
    with journal.path.open("a") as file:
        file.write('{"step": 40, "lo')
    assert [line["step"] for line in journal.lines()] == [10, 20, 30]
    journal.rewind(20)
    text = journal.path.read_text()
    assert [json.loads(line)["loss"] for line in text.splitlines()] == [10 / 3, 20 / 3]


def test_a_journal_that_does_not_write_leaves_the_file_as_it_is(tmp_path):
    path = tmp_path / "metrics.jsonl"
    Journal(path).write(10, {"loss": 1.0})
    silent = Journal(path, writes=False)
    silent.write(20, {"loss": 2.0})
    silent.rewind(0)
    assert Journal(path).lines() == [{"step": 10, "loss": 1.0}]


def test_late_pseudo_labels_are_weighted_by_how_many_were_kept():
    lines = [
        {"step": 50, "pseudo_label_keep_rate": 1.0, "pseudo_label_accuracy": 1.0},
        {"step": 100, "pseudo_label_keep_rate": 20.0, "pseudo_label_accuracy": 100.0},
        {"step": 150, "pseudo_label_keep_rate": 60.0, "pseudo_label_accuracy": 50.0},
        {"step": 150, "accuracy": 3.0},
    ]
    late = late_pseudo_labels(lines)
    assert late["pseudo_label_keep_rate"] == pytest.approx(40.0)
    assert late["pseudo_label_accuracy"] == pytest.approx((20 * 100 + 60 * 50) / 80)


def test_a_method_that_guesses_nothing_reports_nothing():
    assert late_pseudo_labels([{"step": 5, "loss": 1.0}]) == {
        "pseudo_label_keep_rate": None,
        "pseudo_label_accuracy": None,
    }


def test_gradient_norms_are_averaged_over_all_steps():
    lines = [
        {"step": 10, "loss": 1.0, "supervised_gradient": 1.0, "repulsion_gradient": 4.0},
        {"step": 10, "accuracy": 3.0},
        {"step": 15, "loss": 1.0, "supervised_gradient": 4.0, "repulsion_gradient": 1.0},
    ]
    assert mean_gradient_norms(lines) == {"supervised": 2.0, "repulsion": 3.0}
    assert mean_gradient_norms([{"step": 5, "loss": 1.0}]) is None
