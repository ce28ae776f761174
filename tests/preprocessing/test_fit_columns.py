from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from trulysparse.errors import InputError
from trulysparse.preprocessing.fit_columns import ColumnFitter

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def fitted(frame, impute=True, most=None):
    fitter = ColumnFitter("X", impute, most)
    return fitter.fit(pd.DataFrame(frame)), fitter


@pytest.mark.parametrize("most", [1, 2, 3, 5, 6, 7])
def test_most_frequent_categories_are_kept(rng, most):
    """As scikit-learn's infrequent categories, which count the common output among the most."""
    letters = rng.choice(list("abcdef"), 200, p=[0.05, 0.3, 0.2, 0.25, 0.15, 0.05])
    columns, fitter = fitted({"c": letters}, most=most)
    encoder = OneHotEncoder(max_categories=most + 1, handle_unknown="infrequent_if_exist").fit(letters[:, None])
    rare = encoder.infrequent_categories_[0]
    wanted = sorted({*letters} - set(() if rare is None else rare))
    assert columns.categories == [wanted]
    assert columns.output_names[len(wanted) :] == ([] if rare is None else ["c (other)"])
    assert any("'c' has more than" in note for note in fitter.notes()) == (rare is not None)


def test_of_equally_frequent_ones_the_first_by_name_is_kept_whatever_the_order_of_rows(rng):
    values = np.repeat(list("dcba"), [3, 2, 2, 2])
    for _ in range(5):
        assert fitted({"c": rng.permutation(values)}, most=2)[0].categories == [["a", "d"]]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 101])
def test_gaps_become_the_median(rng, n):
    values = rng.standard_normal(n)
    columns, _ = fitted({"x": [np.nan, *values], "y": np.arange(n + 1)})
    assert columns.fill[0] == np.median(values)
    assert columns.output_names[:-1] == (["x"] if n > 1 else []) + ["x (missing)"]


def test_median_of_the_largest_numbers():
    big = np.finfo(np.float64).max
    for values in ([big, big / 2], [-big, big], [-big, -big / 2]):
        fill = fitted({"x": [None, *values]})[0].fill[0]
        assert min(values) <= fill <= max(values)


def test_columns_that_say_nothing_are_left_out_and_named():
    n = 25
    columns, fitter = fitted(
        {
            "x": np.arange(n) ** 2.0,
            "one": 1,
            "two": "b",
            "none": None,
            "nan": np.nan,
            "again": np.arange(n) ** 2,
            "word": list("ab") * 12 + ["a"],
            "words": pd.Categorical(list("ab") * 12 + ["a"]),
            "name": [f"n{i}" for i in range(n)],
            "minus": -(np.arange(n) ** 2.0),
        }
    )
    assert columns.output_names == ["x", "word=a", "word=b", "minus"]
    assert fitter.notes() == [
        "columns 'none' and 'nan' have no values; left out",
        "columns 'one' and 'two' have the same value in every row; left out",
        "column 'name' has another text in every row, as names and ids have; left out",
        "column 'again' equals column 'x'; left out",
        "column 'words' equals column 'word'; left out",
    ]


def test_gaps_in_other_rows_make_columns_differ():
    columns, fitter = fitted({"a": [1, 2, None], "b": [1, None, 2], "c": ["x", "y", None], "d": ["x", None, "y"]})
    assert set(columns.sources) == {0, 1, 2, 3}
    assert fitter.notes() == []


def test_texts_are_not_run_together():
    columns, _ = fitted({"a": ["xy", "z"], "b": ["x", "yz"]})
    assert columns.output_names == ["a=xy", "a=z", "b=x", "b=yz"]


def test_zero_and_minus_zero_are_equal():
    assert fitted({"a": [0.0, 1.0], "b": [-0.0, 1.0]})[0].output_names == ["a"]


def test_row_numbers_and_free_text_are_kept_and_named(rng):
    text = [f"patient {i % 30} came in with a cough and some fever" for i in range(40)]
    columns, fitter = fitted({"row": np.arange(1, 41), "text": text})
    assert columns.n_outputs == 31
    assert [note.split(" ")[1] for note in fitter.notes()] == ["'row'", "'text'"]
    assert "counts the rows" in fitter.notes()[0]
    assert "has sentences" in fitter.notes()[1]


def test_one_row():
    with pytest.raises(InputError, match="no column to learn from: columns 'a' and 'b' have the same value"):
        fitted({"a": [1.0], "b": ["x"]})


@pytest.mark.parametrize("values", [[1, None], ["a", None], [True, None], pd.array([1, None], dtype="Int64")])
def test_gaps_that_are_refused(values):
    with pytest.raises(InputError, match=r"X\[1, 'c'\] is missing"):
        fitted({"c": values}, impute=False)


@pytest.mark.parametrize(
    "values, narrow",
    [([1, 2], True), ([0.5, 0.25], True), ([0.1, 0.2], False), ([2**24 + 1, 0], False), ([1e300, 0], False)],
)
def test_whether_float32_holds_the_values(values, narrow):
    assert fitted({"x": values})[1].narrow is narrow


def test_a_column_of_every_kind_of_gap():
    columns, _ = fitted({"c": pd.Series([None, np.nan, pd.NA, pd.NaT, "a", "a"], dtype=object)})
    assert columns.output_names == ["c=a", "c (missing)"]
