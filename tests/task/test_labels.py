"""Labels as they enter: known to be savable, complete, and found again."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.task.labels import code_labels, raw_labels


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.array([b"ham", b"spam"]), ["ham", "spam"]),
        (np.array([b"ham", "\u00e9".encode()], object), ["ham", "\u00e9"]),
        (np.array(["a", "b"], np.dtypes.StringDType()), ["a", "b"]),
        (np.array([Decimal("1.5"), 2], object), ["1.5", "2"]),
        (np.array([datetime.date(2024, 1, 2), "x"], object), ["2024-01-02", "x"]),
        (np.array(["2024-01-02", "2024-01-03"], "M8[D]"), ["2024-01-02", "2024-01-03"]),
        (np.array([1.0, 2.0], np.float32), [1, 2]),
        (np.array([[True], [False]]), [True, False]),
    ],
)
def test_labels_become_what_a_model_file_can_hold(tmp_path, given, wanted):
    labels = raw_labels(given, "y")
    assert labels.tolist() == wanted
    net = ts.SparseMLP((3, 2), seed=0)
    net.labels = np.unique(labels)
    ts.save(net, tmp_path / "m.safetensors")
    assert ts.load(tmp_path / "m.safetensors").labels.tolist() == sorted(wanted)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (np.array([1, 2], "m8[s]"), "y holds time spans; labels must be text, whole numbers or booleans"),
        (np.array([1j, 2]), "y holds complex numbers"),
        (np.array([(1, 2.0)], "i4,f4"), "y holds records of several fields"),
        (np.array([b"a", b"\xff"]), r"y\[1\] is b'\\xff', bytes that are not text in UTF-8"),
        (np.array(["a", [1, 2]], object), r"y\[1\] is of type list; labels must be"),
        (np.array(["a", 1j], object), r"y\[1\] is of type complex"),
        (np.array(["a", datetime.timedelta(1)], object), r"y\[1\] is of type timedelta"),
        (np.array(["a", np.timedelta64(1, "s")], object), r"y\[1\] is of type timedelta"),
        (np.array(["a", None], object), r"y\[1\] is missing; every sample needs a label"),
        (np.array(["a", np.nan], object), r"y\[1\] is missing"),
        (np.array(["a", np.float32("nan")], object), r"y\[1\] is missing"),
        (np.array(["a", np.datetime64("NaT")], object), r"y\[1\] is missing"),
        (np.array(["2024-01-02", "NaT"], "M8[ns]"), r"y\[1\] is missing"),
        (np.array([1, np.nan]), r"y\[1\] is missing"),
        (np.array([1, np.inf]), r"y\[1\] is inf, not a label"),
        (np.array([1, 1e300]), r"y\[1\] is 1e\+300, not a class|y\[1\] is 1e\+300"),
        (np.array([1, 0.5]), "numbers as targets are a regression"),
        (np.array(3), "one label per sample"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_labels_that_cannot_be_classes_are_refused(given, match):
    with pytest.raises(ts.InputError, match=match):
        raw_labels(given, "y")


@pytest.mark.parametrize("dtype", ["string", "Int64", "boolean", "category", "datetime64[ns]", "object"])
def test_gaps_of_pandas_own_kinds_are_missing(dtype):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    values = {"Int64": [0, 1], "boolean": [True, False], "datetime64[ns]": ["2024-01-01", "2024-01-02"]}
    for gap in (None, pd.NA, np.nan) if dtype != "datetime64[ns]" else (None, pd.NaT):
        labels = pd.Series([*values.get(dtype, ["a", "b"]), gap], dtype=dtype)
        for y in (labels, labels.to_numpy(), labels.array):
            with pytest.raises(ts.InputError, match=r"y\[2\] is missing"):
                raw_labels(y, "y")


@pytest.mark.parametrize(
    ("y", "labels", "wanted"),
    [
        (np.array([10, 2]), np.array([2, 9, 10]), [2, 0]),
        (np.array(["10", "2"]), np.array([2, 9, 10]), [2, 0]),  # as text 10 comes before 2
        (np.array([10, 2]), np.array(["10", "2", "9"]), [0, 1]),
        (np.array(["True"]), np.array([False, True]), [1]),
        (np.array(["b"]), np.array(["c", "b"]), [1]),
    ],
)
def test_codes_are_positions_among_the_labels_whatever_their_type(y, labels, wanted):
    assert code_labels(y, labels, "y").tolist() == wanted


def test_messages_spell_labels_as_python_does():
    with pytest.raises(ts.InputError, match=r"y\[0\] is 'd', which is not one of the training labels \(1, 2\)"):
        code_labels(np.array(["d"]), np.array([1, 2]), "y")
    classifier = ts.SparseMLPClassifier((4,), epochs=1)
    X = np.ones((4, 2))
    with pytest.raises(ts.InputError, match=r"only one class, 2\.0; a classifier"):
        classifier.fit(X, np.full(4, 2.0))
    with pytest.raises(ts.InputError, match="only one class, 'a'; a classifier"):
        classifier.partial_fit(X, np.full(4, "a"), classes=np.array(["a"]))
    with pytest.raises(ts.InputError, match=r"y\[0\] is 'd', which is not among classes"):
        classifier.partial_fit(X, np.full(4, "d"), classes=np.array(["a", "b"]))
    with pytest.raises(ts.InputError, match=r"must be at least 1, not 0$"):
        ts.SparseMLPClassifier((np.int64(0),)).fit(X, [0, 1, 0, 1])


@pytest.mark.filterwarnings("error")
def test_labels_of_half_precision_are_coded_without_a_warning():
    assert raw_labels(np.array([0, 1, 2048], np.float16), "y").tolist() == [0, 1, 2048]
