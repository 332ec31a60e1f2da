import pytest
from things import NAMES, Things, fill, pack

from jaxclr.errors import InputError


@pytest.mark.parametrize("zipped", [False, True])
def test_lists_say_what_is_trained_on_whatever_the_extension(tmp_path, zipped):
    names = [
        "ink/cat/a.png",
        "ink/cat/b.png",
        "ink/cat/unlisted.png",
        "ink/dog/a.png",
        "oil/cat/a.png",
    ]
    pack(tmp_path / "ink.zip", names) if zipped else fill(tmp_path / "images", names)
    lists = {
        "train": "ink/cat/a.jpg 1\nink/dog/a.png 2\n",
        "crossval": "ink/cat/b.png 1\n\n",
        "test": "ink/cat/a.jpg 1\nink/cat/b.png 1\nink/dog/a.png 2\n",
    }
    (tmp_path / "splits").mkdir()
    for fold, lines in lists.items():
        (tmp_path / "splits" / f"ink_{fold}_kfold.txt").write_text(lines)
    roots = [tmp_path, tmp_path / "ink.zip" if zipped else tmp_path / "images"]
    for root in roots:
        ink, oil = Things(root=str(root)).load().domains
        assert ink.paths == ("ink/cat/a.png", "ink/cat/b.png", "ink/dog/a.png")
        assert ink.train.tolist() == [True, False, True] and oil.train.tolist() == [True]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("ink/cat/a.png 1\nink/cat/gone.png 1\n", "1 listed images are not there.*ink/cat/gone"),
        ("ink/cat/a.png 0\n", "labels other than their folders.*ink/cat/a.png"),
        ("ink/cat/a.png\n", "ink_train_kfold.txt, line 1"),
    ],
)
def test_lists_that_do_not_fit_are_reported(tmp_path, lines, message):
    fill(tmp_path)
    (tmp_path / "ink_train_kfold.txt").write_text(lines)
    with pytest.raises(InputError, match=message):
        Things(root=str(tmp_path)).load()


def test_a_byte_order_mark_is_no_part_of_the_first_path(tmp_path):
    fill(tmp_path)
    (tmp_path / "ink_train_kfold.txt").write_text("ink/cat/a.png 1\n", encoding="utf-8-sig")
    ink, _ = Things(root=str(tmp_path)).load().domains
    assert ink.train.tolist() == [True, False, False]


def test_paths_that_would_break_a_message_are_escaped(tmp_path):
    fill(tmp_path)
    (tmp_path / "ink_train_kfold.txt").write_text("ink/cat/\x1b[2J.png 1\n")
    with pytest.raises(InputError, match=r"ink/cat/\\x1b\[2J\.png\.") as caught:
        Things(root=str(tmp_path)).load()
    assert str(caught.value).isprintable()


def test_without_a_list_of_all_images_the_unlisted_stay_but_are_not_trained_on(tmp_path):
    fill(tmp_path)
    (tmp_path / "ink_train_kfold.txt").write_text("ink/cat/b.png 1\nink/dog/a.png 2\n")
    ink, _ = Things(root=str(tmp_path)).load().domains
    assert ink.paths == tuple(NAMES[:3]) and ink.train.tolist() == [False, True, True]
