from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.preprocessing import encode
from trulysparse.preprocessing.fit_columns import ColumnFitter

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def table(rng, n=200):
    return pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.2, np.nan, rng.integers(-2, 3, n)),
            "c": rng.choice(["a", "b", "c", None], n),
            "flag": rng.random(n) < 0.5,
            "rare": rng.choice(list("pqrstuvw"), n, p=[0.6, 0.2, 0.1, 0.02, 0.02, 0.02, 0.02, 0.02]),
        }
    )


def naive(columns, frame):
    """The outputs by their names, value by value."""
    out = np.zeros((len(frame), columns.n_outputs))
    names = columns.output_names
    for row, (_, values) in enumerate(frame.iterrows()):
        for column, value in values.items():
            gap = bool(pd.isna(value))
            at = columns.names.index(column)
            if column in names:
                out[row, names.index(column)] = columns.fill[at] if gap else value
            wanted = f"{column} (missing)" if gap else f"{column}={value}"
            if not gap and wanted not in names:
                wanted = f"{column} (other)"
            if gap and wanted not in names and columns.categories[at]:
                wanted = f"{column} (other)"
            if wanted in names:
                out[row, names.index(wanted)] = 1
    return out


@pytest.mark.parametrize("most", [None, 2])
@pytest.mark.parametrize("group", [1, 3, 64])
def test_dense_and_sparse_are_what_a_loop_finds(rng, most, group, monkeypatch):
    monkeypatch.setattr(encode, "_GROUP", group)
    monkeypatch.setattr(encode, "_BLOCK_BYTES", 1000)  # a few rows at a time
    columns = ColumnFitter("X", True, most).fit(table(rng))
    other = table(rng)
    other.loc[::7, "c"] = "never seen"
    other.loc[::5, "rare"] = None  # there were no gaps in fitting
    wanted = naive(columns, other)
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        each = [list(encode.parts(columns, other, "X", dtype, False)) for _ in range(2)]
        dense = encode.dense(columns, iter(each[0]), len(other), dtype)
        csr = encode.csr(columns, iter(each[1]), len(other), dtype)
        assert dense.dtype == csr.dtype == dtype
        np.testing.assert_array_equal(dense, wanted)
        np.testing.assert_array_equal(csr.toarray(), wanted)
        csr.check_format(full_check=True)
        assert csr.has_canonical_format
        assert (csr.data != 0).all()


def test_gaps_that_are_refused(rng):
    columns = ColumnFitter("X", False, None).fit(pd.DataFrame({"x": [1, 2], "c": ["a", "b"]}))
    for frame, column in (({"x": [1, None], "c": ["a", "a"]}, "x"), ({"x": [1, 2], "c": ["a", None]}, "c")):
        with pytest.raises(InputError, match=rf"rows\[1, '{column}'\] is missing"):
            list(encode.parts(columns, pd.DataFrame(frame), "rows", np.dtype(float), True))


def test_numbers_beyond_the_range_of_the_output():
    columns = ColumnFitter("X", True, None).fit(pd.DataFrame({"x": [1, 2]}))
    frame = pd.DataFrame({"x": [1, 1e300]})
    with pytest.raises(InputError, match=r"X\[1, 'x'\] is 1e\+300; features must lie within the range of float32"):
        list(encode.parts(columns, frame, "X", np.dtype(np.float32), False))
    assert len(list(encode.parts(columns, frame, "X", np.dtype(np.float64), False))) == 1
