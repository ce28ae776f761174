"""Which columns become features and which the target."""

from __future__ import annotations

from pathlib import Path

import pytest

import trulysparse as ts
from trulysparse.data.readers.columns import choose

PATH = Path("x.csv")


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
    assert choose(PATH, present, target, features, need_target) == wanted


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
        choose(PATH, present, target, features, True)
