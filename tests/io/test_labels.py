"""Labels in files: they come back the same or are refused."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from sample_files import rewritten

NOT_KEPT = [
    (np.array([1 + 2j, 3, 4]), "complex128"),
    (np.array([(1, 2), (3, 4), (5, 6)], "i4,i4"), "cannot be kept"),
    (np.array([b"a", "b", 3], object), "cannot be kept"),
    (np.array(["a", 1, (2, 3)], object), "one-dimensional|cannot be kept"),
    (np.array([1.0, 2.0, np.nan]), "do not fit|cannot be kept"),
    (np.array([1, 2, 3], np.longdouble), "cannot be kept"),
    (np.array([["a"], ["b"], ["c"]]), "one-dimensional"),
    (np.array("a"), "list of values"),
    (np.array(["a", "b"]), "2 labels for 3"),
    (np.array(["a", "b", "a"]), "'a' is there more than once"),
]


@pytest.mark.parametrize(("labels", "message"), NOT_KEPT, ids=lambda v: v if isinstance(v, str) else str(v.dtype))
def test_save_labels_that_cannot_be_kept_are_refused_before_writing(tmp_path, labels, message):
    net = ts.SparseMLP((5, 3))
    ts.save(net, tmp_path / "m")
    old = (tmp_path / "m").read_bytes()
    net.labels = labels
    with pytest.raises(ts.InputError, match=message):
        ts.save(net, tmp_path / "m")
    assert (tmp_path / "m").read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "M8[D]"),
        np.array([1, 2, 3], "m8[ns]"),
        np.array(["ä", "b", ""]),
        np.array(["a", "b", None], object),
        np.array([1, 2, 3], ">i8"),
        np.array([0, 1, 2**64 - 1], np.uint64),
        np.array([0.1, 0.2, 0.3], np.float16),
    ],
    ids=lambda v: v.dtype.str,
)
def test_save_labels_of_other_types_come_back_the_same(tmp_path, labels):
    net = ts.SparseMLP((5, 3))
    net.labels = labels
    ts.save(net, tmp_path / "m")
    back = ts.load(tmp_path / "m").labels
    assert back.dtype == labels.dtype
    assert back.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"dtype": "<U1", "values": ["apple", "bean", "corn"]}, "do not fit their type"),
        ({"dtype": "<U5", "values": ["a", "b", "a"]}, "'a' is there more than once"),
        ({"dtype": "<U5", "values": ["a", "b"]}, "2 labels for 3"),
        ({"dtype": "<U5", "values": [["a"], ["b"], ["c"]]}, "one-dimensional"),
        ({"dtype": "<i8", "values": [1, 2.5, 3]}, "do not fit"),
        ({"dtype": "|i1", "values": [1, 300, 3]}, "damaged settings"),
        ({"dtype": "<U199999999", "values": ["a", "b", "c"]}, "more than 1024 MiB"),
        ({"dtype": "no type", "values": ["a", "b", "c"]}, "damaged settings"),
        ({"dtype": "i4,i4", "values": ["a", "b", "c"]}, "cannot be kept"),
        ({"dtype": "<U5"}, "a type and a list"),
        ("abc", "a type and a list"),
    ],
)
def test_load_labels_that_are_not_sound_are_refused(tmp_path, labels, message):
    ts.save(ts.SparseMLP((5, 3)), tmp_path / "m")
    rewritten(tmp_path / "m", lambda config: config.update(labels=labels))
    with pytest.raises(ts.InputError, match=message):
        ts.load(tmp_path / "m")
