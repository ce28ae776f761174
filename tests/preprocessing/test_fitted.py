from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trulysparse.errors import InputError
from trulysparse.preprocessing.fitted import ARRAYS, MISSING, OTHER, VALUE, FittedColumns
from trulysparse.preprocessing.kinds import BOOLEAN, CATEGORY, LEFT_OUT, NUMBER


def example() -> FittedColumns:
    """A number with gaps, one that is left out, a boolean, categories with everything, a column of gaps alone."""
    return FittedColumns(
        ["age", "id", "flag", "city", "lost"],
        np.array([NUMBER, LEFT_OUT, BOOLEAN, CATEGORY, NUMBER], np.uint8),
        np.array([VALUE | MISSING, 0, VALUE, OTHER | MISSING, MISSING], np.uint8),
        np.array([30.5, 0, 1, 0, 0]),
        [[], [], [], ["Oslo", "Rome"], []],
    )


def test_layout():
    columns = example()
    assert columns.output_names == [
        "age",
        "age (missing)",
        "flag",
        "city=Oslo",
        "city=Rome",
        "city (other)",
        "city (missing)",
        "lost (missing)",
    ]
    assert columns.n_outputs == 8
    assert columns.sources.tolist() == [0, 0, 2, 3, 3, 3, 3, 4]
    assert columns.scaled.tolist() == [True] + [False] * 7
    assert columns.used.tolist() == [0, 2, 3, 4]
    assert [columns.positions(at) for at in columns.used] == [(0, -1, 1), (2, -1, -1), (3, 5, 6), (-1, -1, 7)]


def test_names_that_would_be_there_twice_are_numbered():
    columns = FittedColumns(
        ["a=x", "a", "a=x (2)"],
        np.array([NUMBER, CATEGORY, NUMBER], np.uint8),
        np.array([VALUE, 0, VALUE], np.uint8),
        np.zeros(3),
        [[], ["x", "y"], []],
    )
    names = columns.output_names
    assert len(set(names)) == 4
    assert names[:3] == ["a=x", "a=x (2)", "a=y"]


def test_pickles_without_the_index():
    columns = example()
    columns.lookup(3)
    again = pickle.loads(pickle.dumps(columns))
    assert again._lookups == {}
    assert again.output_names == columns.output_names
    assert again.lookup(3).tolist() == ["Oslo", "Rome"]


texts = st.text(st.characters(exclude_categories=()), max_size=3)


@given(
    st.dictionaries(
        texts,
        st.one_of(
            st.tuples(st.just(LEFT_OUT), st.just(0), st.just([])),
            st.tuples(st.sampled_from([NUMBER, BOOLEAN]), st.integers(1, 3), st.just([])),
            st.tuples(
                st.just(CATEGORY), st.sampled_from([0, MISSING, OTHER, 6]), st.lists(texts, unique=True, min_size=1)
            ),
        ),
        min_size=1,
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_arrays_give_back_the_same(table, fill):
    kind, outputs, categories = zip(*table.values(), strict=True)
    columns = FittedColumns(
        list(table), np.array(kind, np.uint8), np.array(outputs, np.uint8), np.full(len(table), fill), list(categories)
    )
    arrays = columns.to_arrays()
    assert {name: str(array.dtype) for name, array in arrays.items()} == ARRAYS
    if not columns.n_outputs:
        with pytest.raises(InputError, match="no column has an output"):
            FittedColumns.from_arrays(arrays)
        return
    again = FittedColumns.from_arrays(arrays)
    assert (again.names, again.categories) == (columns.names, columns.categories)
    for name in ("kind", "outputs", "fill", "starts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(columns, name))


@pytest.mark.parametrize(
    "name, at, value",
    [
        ("kind", 0, 9),
        ("kind", 3, NUMBER),
        ("kind", 0, LEFT_OUT),
        ("outputs", 0, 8),
        ("outputs", 0, OTHER),
        ("outputs", 3, VALUE),
        ("fill", 0, np.nan),
        ("n_categories", 0, 1),
        ("n_categories", 3, -2),
        ("n_categories", 3, 3),
        ("name_offsets", 1, 100),
        ("category_offsets", -1, 3),
        ("names", 0, 255),
        ("categories", 0, 255),
    ],
)
def test_damaged_arrays(name, at, value):
    arrays = {key: array.copy() for key, array in example().to_arrays().items()}
    arrays[name][at] = value
    with pytest.raises(InputError, match="preprocessing"):
        FittedColumns.from_arrays(arrays)


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_missing_or_of_another_form(name):
    arrays = example().to_arrays()
    for wrong in (None, arrays[name].astype(np.float32), arrays[name].reshape(1, -1), arrays[name][:-1]):
        with pytest.raises(InputError, match="preprocessing"):
            FittedColumns.from_arrays(arrays | {name: wrong})


def test_a_name_or_category_twice():
    columns = example()
    columns.categories[3] = ["Rome", "Rome"]
    with pytest.raises(InputError, match="column 'city' has a category twice"):
        FittedColumns.from_arrays(columns.to_arrays())
    columns = example()
    columns.names[1] = "age"
    with pytest.raises(InputError, match="name of its own"):
        FittedColumns.from_arrays(columns.to_arrays())
