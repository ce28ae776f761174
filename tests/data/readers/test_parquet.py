""".parquet files, whole and streamed: what is read, and what is refused in one sentence."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pytest

import trulysparse as ts
from sample_files import fails, parquet_table, read_as, refused
from trulysparse.data.files import read
from trulysparse.task.dataset import make_dataset
from trulysparse.task.options import TaskOptions


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([np.datetime64("2024-01-01", "ns")] * 2, "datetime64[ns]"),
        ([np.timedelta64(5, "s")] * 2, "timedelta64[s]"),
        ([datetime.date(2024, 1, 1), None], "datetime64[s]"),
        (["1", None], "str|object"),
        (["2024-01-01", "2024-01-02"], "str|object"),
        ([None, None], "float64"),
        ([True, None], "boolean"),
        ([True, False], "bool"),
        ([1, None], "float64"),
        ([Decimal("1.50"), None], "float64"),
        ("dictionary", "category"),
    ],
)
def test_columns_of_any_kind_keep_their_types_in_memory_and_are_refused_streamed(tmp_path, values, dtype):
    pa = pytest.importorskip("pyarrow")
    array = pa.array(["a", "b"]).dictionary_encode() if values == "dictionary" else pa.array(values)
    path = parquet_table(tmp_path, odd=array, other=[True, False], target=[0, 1])
    X = read(str(path)).X
    assert str(X["odd"].dtype) in dtype.split("|")
    assert (str(X["other"].dtype), X["odd"].isna().sum()) == ("bool", array.null_count)
    if not (pa.types.is_boolean(array.type) or pa.types.is_integer(array.type) or pa.types.is_decimal(array.type)):
        refused(path, "--stream: column 'odd' must hold numbers only, but it is of type", stream=True)


@pytest.mark.parametrize("values", [[b"1", b"2"], [[1.0], [2.0]], [{"a": 1}, {"a": 2}]])
@pytest.mark.parametrize("name", ["odd", "target"])
def test_columns_of_lists_records_and_bytes_are_refused(tmp_path, values, name):
    pa = pytest.importorskip("pyarrow")
    columns = {"a": [1, 2], "odd": [3, 4], "target": [0, 1], name: pa.array(values)}
    refused(parquet_table(tmp_path, **columns), f"column '{name}' is of type .*; a column must hold a number, text")


@pytest.mark.parametrize("stream", [False, True])
def test_groups_times_and_several_targets_leave_the_samples(tmp_path, stream):
    days = [np.datetime64("2024-01-02", "s"), np.datetime64("2024-01-01", "s"), np.datetime64("1969-12-31", "s")]
    path = parquet_table(tmp_path, a=[1.0, 2.0, 3.0], who=["u", "v", "u"], day=days, p=[1, 2, 3], q=[0.5, 1.5, 2.5])
    table = read_as(path, target="p,q", group="who", time="day", stream=stream)
    assert (table.features, table.target, table.X.shape) == (["a"], "p,q", (3, 1))
    assert table.groups.tolist() == ["u", "v", "u"]
    np.testing.assert_array_equal(table.order, np.array(days).astype("datetime64[ns]").astype(np.int64))
    np.testing.assert_array_equal(table.y.to_numpy(), [[1, 0.5], [2, 1.5], [3, 2.5]])


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
    np.testing.assert_array_equal(whole.X.to_numpy(dtype=float, na_value=np.nan), wanted)
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
