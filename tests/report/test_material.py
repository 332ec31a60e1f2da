import json
import shutil
from pathlib import Path

import pytest
from imaginary import record
from report_runs import finish

from jaxclr.errors import InputError
from jaxclr.report import groups
from jaxclr.report.material import gather
from jaxclr.report.summary import difference_table


def pair_of(workdir, **other):
    return [finish(workdir, "base"), finish(workdir, "mine", **other)]


def only_note(folders, baseline=None):
    (note,) = (n for n in gather(folders, baseline).notes if "Means over targets" not in n)
    return note


def test_the_first_of_several_is_the_baseline_and_a_single_one_has_none(tmp_path):
    folders = pair_of(tmp_path)
    assert gather(folders).baseline.name == "base"
    assert gather(folders, folders[1]).baseline.name == "mine"
    assert gather(folders[:1]).baseline is None


def test_targets_stand_in_the_order_of_the_domains(tmp_path):
    for target in ("night", "dusk", "day"):
        folder = finish(tmp_path, target=target)
    assert gather([folder]).targets == ("day", "dusk", "night")


def test_runs_of_one_experiment_given_one_by_one_are_one_experiment(tmp_path):
    runs = [finish(tmp_path, seed=seed) / f"night/seed{seed}" for seed in (1, 2)]
    (group,) = gather([*runs, runs[0]]).groups
    assert [record.results["seed"] for record in group.records] == [1, 2]


def test_two_experiments_of_one_name_are_told_apart_by_their_folders(tmp_path):
    folders = [finish(tmp_path / place, "base") for place in ("here", "there")]
    names = [group.name for group in gather(folders).groups]
    assert names == ["base (here/base)", "base (there/base)"]


def test_folders_of_one_name_too_are_told_apart_and_compared_the_right_way(
    tmp_path,
):
    places = {"x": 60.0, "y": 67.5}
    folders = [finish(tmp_path / f"{p}/runs", accuracy=told) for p, told in places.items()]
    material = gather(folders, folders[1])
    names = ["base (x/runs/base)", "base (y/runs/base)"]
    assert [group.name for group in material.groups] == names
    assert material.baseline.name == names[1]
    assert difference_table(material).rows == ((names[0], "-7.5", "-", "1"),)


def copied(folder, name, accuracy):
    """The run once more, in another folder, with another result."""
    copy = shutil.copytree(folder / "night/seed1", folder / name)
    results = json.loads((copy / "results.json").read_text())
    (copy / "results.json").write_text(json.dumps(results | {"accuracy": accuracy}))


def test_of_two_runs_of_one_target_and_seed_that_in_its_own_folder_counts(tmp_path):
    folder = finish(tmp_path, accuracy=60.0)
    copied(folder, "night/seed1_old", 1.0)
    copied(folder, "dark/seed1", 2.0)
    assert only_note([folder]) == (
        "base has several runs of one target and seed, of which one counts: dark/seed1, "
        "night/seed1_old are left out."
    )
    (group,) = gather([folder]).groups
    assert [record.results["accuracy"] for record in group.records] == [60.0]


def test_a_run_right_beneath_the_root_of_all_folders_has_a_report_too(monkeypatch):
    run = record()._replace(folder=Path("/run"))
    monkeypatch.setattr(groups, "read_records", lambda folder: [run])
    (group,) = gather([run.folder]).groups
    assert (group.name, group.folder) == ("fixclr", Path("/"))


def test_what_is_large_is_not_kept_of_all_runs_but_what_it_tells(tmp_path):
    (run,) = gather([finish(tmp_path)]).records
    assert run.features is None and run.mistakes is None
    assert run.predictions is not None and run.results["uniformity"] < 0


def test_a_run_that_others_have_is_missed(tmp_path):
    folders = pair_of(tmp_path)
    finish(tmp_path, "base", seed=2)
    assert only_note(folders) == "mine lacks 1 run of 2: night seed 2."


def test_other_data_are_left_out_and_named(tmp_path):
    folders = pair_of(tmp_path, dataset="moons", classes=("full", "new"))
    note = only_note(folders)
    assert "mine is left out" in note and "moons with 2 classes, not toy with 3" in note
    assert [group.name for group in gather(folders).groups] == ["base"]


def test_other_labels_of_the_same_target_and_seed_are_told(tmp_path):
    folders = pair_of(tmp_path, labels="b")
    note = "mine and base learned from different splits in 1 run of 1 (night seed 1)"
    assert only_note(folders).startswith(note)


def test_runs_of_older_versions_are_told(tmp_path):
    folder = finish(tmp_path, seed=2)
    finish(tmp_path, seed=1, old=True)
    told = "Without tested.npz, as of older versions: 1 run of base (night seed 1)."
    assert only_note([folder]).startswith(told)
    older = finish(tmp_path, "older", old=True)
    assert "1 run of base (night seed 1), all runs of older." in " ".join(
        gather([folder, older]).notes
    )


def test_domains_that_no_run_holds_out_are_told(tmp_path):
    (note,) = gather([finish(tmp_path)]).notes
    assert note.endswith("over 1 of the 3 domains: no run holds out day, dusk.")


def test_different_versions_are_told(tmp_path):
    folders = pair_of(tmp_path, versions={"jaxclr": "0.1.0", "jax": "0.7.2"})
    assert "different versions of jax 0.10.2, 0.7.2" in only_note(folders)


def test_a_baseline_that_is_not_among_them_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"--baseline: .*other is not among the experiments"):
        gather(pair_of(tmp_path), tmp_path / "other")
