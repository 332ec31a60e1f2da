"""The table of several experiments, from summaries whose figures can be told in the head."""

import io
import json

from rich.console import Console

from jaxclr.comparison import Row, screens, write_comparison
from jaxclr.tables import summarise

DOMAINS = ("day", "dusk", "night")


def row(experiment, accuracies, asked, dataset="toy", domains=DOMAINS) -> Row:
    """``accuracies`` holds one for each finished (target, seed)."""
    results = [
        {"experiment": experiment, "target": target, "seed": seed, "accuracy": accuracy}
        for (target, seed), accuracy in accuracies.items()
    ]
    return Row(dataset, experiment, domains, summarise(results) if results else None, asked)


def lines(folder, *rows) -> list[str]:
    write_comparison(folder, rows)
    return (folder / "table.md").read_text().splitlines()


def test_a_row_has_means_and_deviations_of_targets_and_of_the_seeds_means(tmp_path):
    """Of seed 1, the mean over targets is 55, of seed 2 it is 65."""
    accuracies = {("day", 1): 50.0, ("day", 2): 70.0, ("night", 1): 60.0, ("night", 2): 60.0}
    asked = {"day": [1, 2], "night": [1, 2]}
    assert lines(tmp_path, row("one", accuracies, asked)) == [
        "| experiment | day | night | mean | runs |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| one | 60.0 ± 10.0 | 60.0 ± 0.0 | 60.0 ± 5.0 | 4 |",
    ]


def test_what_is_missing_is_counted_and_gives_no_mean_over_fewer_targets(tmp_path):
    asked = {"day": [1, 2], "dusk": [1, 2]}
    some = row("some", {("day", 1): 50.0, ("day", 2): 70.0, ("dusk", 2): 40.0}, asked)
    half = row("half", {("day", 1): 50.0}, asked)
    none = row("none", {}, asked)
    assert lines(tmp_path, some, half, none)[2:] == [
        "| some | 60.0 ± 10.0 | 40.0 ± 0.0 (1 of 2) | 50.0 ± 0.0 | 3 of 4 |",
        "| half | 50.0 ± 0.0 (1 of 2) | - | - | 1 of 4 |",
        "| none | - | - | - | 0 of 4 |",
    ]


def test_runs_that_were_not_asked_for_but_are_there_count_as_the_others(tmp_path):
    found = row("one", {("day", 1): 50.0, ("night", 7): 70.0}, {"day": [1]})
    assert lines(tmp_path, found)[2] == "| one | 50.0 ± 0.0 | 70.0 ± 0.0 | 60.0 | 2 |"


def test_each_data_set_has_a_table_of_its_own(tmp_path):
    asked = {"day": [1]}
    rows = [
        row("one", {("day", 1): 50.0}, asked),
        row("two", {("left", 1): 20.0}, {"left": [1]}, "other", ("left", "right")),
        row("three", {("day", 1): 30.0}, asked),
    ]
    text = "\n".join(lines(tmp_path, *rows))
    first, second = text.split("\n\n")
    assert "| one |" in first
    assert "| three |" in first
    assert second.startswith("| experiment | left | mean | runs |")
    assert [table.title for table in screens(rows)] == ["toy", "other"]


def test_the_record_tells_every_seeds_accuracy_and_how_many_are_missing(tmp_path):
    write_comparison(tmp_path, [row("one", {("day", 3): 50.0}, {"day": [3, 4]})])
    (record,) = json.loads((tmp_path / "table.json").read_text())
    assert record["targets"]["day"]["seeds"] == {"3": 50.0}
    assert (record["finished"], record["expected"]) == (1, 2)
    assert record["mean"] == 50.0


def test_the_table_on_the_screen_has_the_same_cells():
    console = Console(file=io.StringIO(), width=100)
    console.print(screens([row("one", {("day", 1): 50.0}, {"day": [1], "dusk": [1]})])[0])
    text = console.file.getvalue()
    words = [line.split() for line in text.splitlines() if "one" in line]
    assert words == [["one", "50.0", "±", "0.0", "-", "-", "1", "of", "2"]]
