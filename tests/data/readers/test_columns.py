"""Which columns become features and which the target."""

from __future__ import annotations

from pathlib import Path

import pytest

import trulysparse as ts
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.readers.columns import Choice, choose
from trulysparse.data.readers.request import Request


def chosen(present, features=None, need_target=True, usual=(), **options) -> Choice:
    request = Request(Path("x.csv"), ReadOptions(**options), features=features, need_target=need_target)
    return choose(request, present, usual)


@pytest.mark.parametrize(
    ("present", "target", "features", "need_target", "wanted"),
    [
        (["a", "b", "c"], None, None, True, ("c", ["a", "b"])),
        (["a", "y", "c"], None, None, True, ("y", ["a", "c"])),
        (["class", "y", "label", "target"], None, None, True, ("target", ["class", "y", "label"])),
        (["a", "y", "c"], "a", None, True, ("a", ["y", "c"])),
        (["a", "b", "c"], None, ["b", "a"], True, ("c", ["b", "a"])),
        (["a", "b", "c"], None, ["c", "a"], False, (None, ["c", "a"])),
        (["a", "b"], None, ["a", "b"], True, (None, ["a", "b"])),
        (["a", "b"], "gone", ["a"], False, (None, ["a"])),
    ],
)
def test_choose_takes_the_named_target_else_a_known_name_else_the_last(present, target, features, need_target, wanted):
    found = chosen(present, features, need_target, target=target)
    assert (found.target, found.features) == wanted


@pytest.mark.parametrize(
    ("present", "target", "features", "match"),
    [
        (["a", "a", "y"], None, None, "two columns called 'a'"),
        (["a", "y"], "gone", None, "--target: there is no column 'gone'; the columns are a, y"),
        (["a", "y"], None, ["b"], "no column 'b', which the model was trained on"),
        (["y"], None, None, "no feature columns beside the target 'y'"),
    ],
)
def test_choose_without_the_columns_it_needs_is_refused(present, target, features, match):
    with pytest.raises(ts.InputError, match=match):
        chosen(present, features, target=target)


def test_a_target_that_is_named_must_be_there_unless_a_model_was_trained_on_it():
    with pytest.raises(ts.InputError, match="--target: there is no column 'gone'"):
        chosen(["a", "y"], need_target=False, target="gone")
    assert chosen(["a", "y"], ["a"], need_target=False, target="gone").targets == []


@pytest.mark.parametrize(
    ("present", "target", "doubt"),
    [
        (["a", "b"], "b", "the last column; give --target"),
        (["a", "y"], "y", "by its name"),
        (["class", "a"], "class", "guessed by its name, though the last column is 'a'; give --target"),
        (["x", "y", "z", "species"], "species", "seem to be coordinates; give --target"),
        (["z", "x", "y"], "y", "by its name"),
        (["x", "y", "w"], "y", "guessed by its name, though the last column is 'w'"),
        (["x", "y", "z", "label", "w"], "label", "though the last column is 'w'"),
    ],
)
def test_a_guessed_target_is_noted_and_doubted_where_it_is_not_the_last(present, target, doubt):
    found = chosen(present)
    assert found.targets == [target]
    (note,) = found.notes
    assert note.startswith(f"target: '{target}' (")
    assert doubt in note


def test_a_target_that_is_given_is_not_noted():
    assert chosen(["a", "b"], target="a").notes == []


@pytest.mark.parametrize(
    ("present", "target", "targets", "features"),
    [
        (["a", "b", "c"], "a,c", ["a", "c"], ["b"]),
        (["a", "b", "c"], "c, a", ["c", "a"], ["b"]),
        (["a", "b,c", "b", "c"], "b,c", ["b,c"], ["a", "b", "c"]),
    ],
)
def test_several_targets_are_joined_by_commas_unless_one_name_holds_them(present, target, targets, features):
    found = chosen(present, target=target)
    assert (found.targets, found.features) == (targets, features)


def test_group_and_time_are_neither_features_nor_guessed_as_target():
    found = chosen(["a", "b", "day", "patient"], group="patient", time="day")
    assert (found.features, found.targets, found.group, found.time) == (["a"], ["b"], "patient", "day")
    assert found.columns == ["a", "b", "patient", "day"]
    later = chosen(["a"], ["a"], need_target=False, target="b", group="patient", time="day")
    assert (later.targets, later.group, later.time) == ([], None, None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"group": "gone"}, "--group: there is no column 'gone'; the columns are a, b, c"),
        ({"time": "gone"}, "--time: there is no column 'gone'"),
        ({"target": "c", "group": "c"}, "--group: column 'c' is the target"),
        ({"target": "a,gone"}, "--target: there is no column 'gone'"),
        ({"target": "a,a"}, "names a column twice"),
    ],
)
def test_columns_that_cannot_have_the_use_they_are_given_are_refused(options, match):
    with pytest.raises(ts.InputError, match=match):
        chosen(["a", "b", "c"], **options)


def test_the_targets_that_a_source_names_come_before_a_guess():
    found = chosen(["a", "b", "y"], usual=["b"])
    assert (found.targets, found.features) == (["b"], ["a", "y"])


def test_unlabelled_tables_have_features_alone():
    present = ["a", "b", "target"]
    found = choose(Request(Path("d.csv"), unlabelled=True, need_target=False), present)
    assert (found.features, found.targets, found.notes) == (present, [], [])
    # A source that names its labels itself keeps them apart.
    found = choose(Request(Path("d.csv"), unlabelled=True, need_target=False), present, ["b"])
    assert (found.features, found.targets) == (["a", "target"], ["b"])
    aside = ReadOptions(group="a")
    assert choose(Request(Path("d.csv"), aside, unlabelled=True, need_target=False), present).features == [
        "b",
        "target",
    ]
