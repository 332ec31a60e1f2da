import io
import json

import numpy as np
import pytest
from rich.console import Console

from jaxclr.tables import markdown, screen, summarise, write_table

RESULTS = [
    {"experiment": "toy", "target": target, "seed": seed, "accuracy": accuracy}
    for target, seed, accuracy in [
        ("day", 1, 60.0), ("day", 2, 70.0), ("night", 1, 20.0), ("night", 2, 50.0)
    ]
]  # fmt: skip


def test_a_target_has_mean_and_population_deviation_over_seeds():
    table = summarise(RESULTS)
    for target, values in {"day": [60.0, 70.0], "night": [20.0, 50.0]}.items():
        assert table["targets"][target]["mean"] == pytest.approx(np.mean(values))
        assert table["targets"][target]["std"] == pytest.approx(np.std(values))
    assert table["mean"] == pytest.approx(50.0)
    assert table["std"] == pytest.approx(np.std([40.0, 60.0]))


def test_the_table_is_written_as_json_and_as_markdown(tmp_path):
    write_table(tmp_path, summarise(RESULTS))
    assert json.loads((tmp_path / "table.json").read_text())["targets"]["day"]["mean"] == 65.0
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[0] == "| experiment | day | night | mean | seeds |"
    assert lines[2] == "| toy | 65.0 ± 5.0 | 35.0 ± 15.0 | 50.0 | 2 |"


def test_one_seed_has_no_spread():
    assert "60.0 ± 0.0" in markdown(summarise(RESULTS[:1]))


def test_a_narrow_terminal_shows_every_figure_on_one_line():
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(screen(summarise(RESULTS)))
    lines = console.export_text().splitlines()
    for name, figures in (("day", "65.0 ± 5.0"), ("night", "35.0 ± 15.0"), ("mean", "50.0")):
        assert any(name in line and figures in line for line in lines)
