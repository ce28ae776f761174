""".parquet files, whole and streamed: what is read, and what is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from sample_files import fails, parquet_table, read_as, refused
from trulysparse.data.files import read
from trulysparse.task.dataset import make_dataset
from trulysparse.task.options import TaskOptions


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([np.datetime64("2024-01-01", "ns")] * 2, None),
        ([np.timedelta64(5, "s")] * 2, None),
        (["1", "2"], None),
        ([b"1", b"2"], None),
        ([[1.0], [2.0]], None),
        ([{"a": 1}, {"a": 2}], None),
        ([None, None], None),
        (["a", "b"], "dictionary"),
    ],
)
def test_columns_that_hold_no_numbers_are_refused_streamed_or_not(tmp_path, values, kind, stream):
    pa = pytest.importorskip("pyarrow")
    array = pa.array(values)
    path = parquet_table(tmp_path, odd=array.dictionary_encode() if kind else array, target=[0, 1])
    refused(path, "column 'odd' must hold numbers only, but it is of type", stream=stream)


def test_numbers_of_every_type_are_the_same_streamed_or_not(tmp_path):
    pa = pytest.importorskip("pyarrow")
    path = parquet_table(
        tmp_path,
        small=pa.array([1, 2, None], pa.int8()),
        yes=pa.array([True, False, None]),
        price=pa.array([1, 2, None], pa.decimal128(6, 2)),
        half=pa.array(np.array([1, 2, 3], np.float16)),
        large=pa.array([1, 2, 3], pa.uint64()),
        target=["a", "b", "a"],
    )
    wanted = [[1, 1, 1, 1, 1], [2, 0, 2, 2, 2], [np.nan, np.nan, np.nan, 3, 3]]
    whole, streamed = read(str(path)), read_as(str(path), stream=True)
    assert whole.features == streamed.features == ["small", "yes", "price", "half", "large"]
    np.testing.assert_array_equal(whole.X.to_numpy(dtype=float), wanted)
    np.testing.assert_array_equal(streamed.X.chunk(0, 3), wanted)
    assert whole.y.tolist() == streamed.y.tolist() == ["a", "b", "a"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["sample", None])
def test_an_index_is_not_a_feature(tmp_path, name, stream):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    frame = pd.DataFrame({"a": [1.0, 2.0], "target": [0, 1]}, index=pd.Index(["r", "s"], name=name))
    frame.to_parquet(tmp_path / "x.parquet")
    table = read_as(str(tmp_path / "x.parquet"), stream=stream)
    assert (table.features, table.target) == (["a"], "target")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["string", "Int64", "boolean", "category", "datetime64[ns]", "object"])
def test_a_missing_label_of_any_type_is_named(tmp_path, kind, stream):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    values = {"Int64": [0, 1], "boolean": [True, False], "datetime64[ns]": ["2024-01-01", "2024-01-02"]}
    labels = pd.Series([*(values.get(kind, ["a", "b"]) * 4), None], dtype=kind)
    pd.DataFrame({"x": np.arange(9.0), "target": labels}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ts.InputError, match=r"y\[8\] is missing; every sample needs a label"):
        make_dataset(read_as(str(tmp_path / "x.parquet"), stream=stream), TaskOptions(test_size=0.3))


@pytest.mark.parametrize("stream", [False, True])
def test_two_columns_of_one_name_are_refused(tmp_path, stream):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(pa.table([pa.array([1]), pa.array([2]), pa.array([0])], names=["a", "a", "y"]), tmp_path / "x.parquet")
    refused(tmp_path / "x.parquet", "two columns called 'a'", stream=stream)


@pytest.mark.parametrize("stream", [False, True])
def test_damage_ends_in_one_sentence(tmp_path, rng, stream):
    path = parquet_table(tmp_path, a=np.arange(200.0), b=rng.normal(size=200), target=np.arange(200) % 2)
    good, failed = path.read_bytes(), 0
    for _ in range(60):
        bad = bytearray(good)
        for at in rng.integers(0, len(bad), 3):
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad))
        failed += fails(path, stream=stream)
    assert failed > 5


@pytest.mark.parametrize("metadata", [b"{", b"[]", b"null", b'{"index_columns": 3}'])
def test_metadata_that_is_not_pandas_own_does_no_harm(tmp_path, metadata):
    pa = pytest.importorskip("pyarrow")
    path = parquet_table(tmp_path, a=[1.0, 2.0], target=[0, 1])
    from pyarrow.parquet import read_table, write_table

    write_table(read_table(path).replace_schema_metadata({b"pandas": metadata}), path)
    answers = []
    for stream in (False, True):
        try:
            answers.append(read_as(str(path), stream=stream).features)
        except ts.InputError as error:
            answers.append(str(error))
    assert answers[0] == answers[1]
    assert pa
