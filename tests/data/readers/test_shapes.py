"""Shapes of tables as they are published: each is read right, or refused in one sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file

from sample_files import read_as, refused

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")

NUMBERS = [[5.1, 3.5], [4.9, 3.0], [7.0, 3.2], [6.3, 3.3]]
KINDS = ["setosa", "setosa", "versicolor", "virginica"]
ROWS = [[*map(str, numbers), kind] for numbers, kind in zip(NUMBERS, KINDS, strict=True)]
HEADER = ["length", "width", "species"]


def text(rows, separator=",", end="\n"):
    return "".join(separator.join(row) + end for row in rows)


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def is_read_right(path: Path, names=("length", "width"), **options: object) -> None:
    table = read_as(path, **options)
    np.testing.assert_array_equal(table.X.to_numpy(dtype=float), NUMBERS)
    assert (table.features, table.y.tolist()) == (list(names), KINDS)


PLAIN = text([HEADER, *ROWS])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("semicolons.csv", text([HEADER, *ROWS], ";")),
        ("decimal_commas.csv", text([HEADER, *ROWS], ";").replace(".", ",")),
        ("tabs.csv", text([HEADER, *ROWS], "\t")),
        ("tabs.tsv", text([HEADER, *ROWS], "\t")),
        ("bars.csv", text([HEADER, *ROWS], "|")),
        ("spaces.txt", text([HEADER, *ROWS], "  ")),
        ("mark.csv", b"\xef\xbb\xbf" + PLAIN.encode()),
        ("utf16.csv", PLAIN.encode("utf-16")),
        ("windows.csv", PLAIN.replace("\n", "\r\n")),
        ("old_mac.csv", PLAIN.replace("\n", "\r")),
        ("quotes.csv", text([[f'"{field}"' for field in row] for row in (HEADER, *ROWS)])),
        ("packed.csv.gz", gzip.compress(PLAIN.encode(), mtime=0)),
        ("CAPITALS.CSV", PLAIN),
        ("excel.csv", "sep=;\n" + text([HEADER, *ROWS], ";")),
        ("commented.csv", "# from a meadow, 1936\n" + PLAIN),
        ("hash_header.csv", "#" + PLAIN),
        ("comma_at_the_end_of_lines.csv", PLAIN.replace("\n", ",\n")),
        ("comma_at_the_end_of_rows.csv", PLAIN.replace("\n", ",\n").replace(",\n", "\n", 1)),
        ("spaces_after_commas.csv", PLAIN.replace(",", ", ")),
        ("no_line_end.csv", PLAIN.rstrip()),
        ("blank_lines.csv", PLAIN.replace("\n", "\n\n")),
        ("row_numbers.csv", "".join(f"{i or ''},{line}\n" for i, line in enumerate(PLAIN.splitlines()))),
    ],
)
def test_tables_with_names_are_read(tmp_path, name, content):
    is_read_right(written(tmp_path / name, content))


@pytest.mark.parametrize("name", ["iris.data", "iris.csv"])
def test_a_table_without_names_needs_to_be_told(tmp_path, name):
    path = written(tmp_path / name, text(ROWS) + "\n\n")
    refused(path, "seems to have no header.*--no-header")
    is_read_right(path, ("0", "1"), header=False)


def test_accents_of_western_europe_are_read(tmp_path):
    path = written(tmp_path / "x.csv", "größe,art\n1,Erdbär\n2,Möwe\n".encode("cp1252"))
    table = read_as(path)
    assert (table.features, table.y.tolist()) == (["größe"], ["Erdbär", "Möwe"])
    assert "encoding: cp1252 (detected)" in table.notes


def test_quoted_fields_hold_separators_quotes_and_line_breaks(tmp_path):
    frame = pd.DataFrame({"note": ['a, "b"', "c\nd", "e;f"], "n": [1, 2, 3], "target": ["x, y", "z", "x, y"]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    table = read_as(tmp_path / "x.csv")
    assert table.X["note"].tolist() == frame["note"].tolist()
    assert table.y.tolist() == frame["target"].tolist()


def test_booleans_gaps_categories_and_dates_keep_their_kind(tmp_path):
    path = written(
        tmp_path / "bank.csv",
        "id,age,job,member,maybe,since,target\n"
        "a1,30,clerk,true,True,2020-01-31,no\n"
        "a2,,?,false,,2021-02-28,yes\n"
        "a3,41,,true,False,,no\n",
    )
    X = read_as(path).X
    kinds = {name: str(dtype).split("[")[0] for name, dtype in X.dtypes.items()}
    assert kinds["age"] == "float64"
    assert (kinds["member"], kinds["maybe"], kinds["since"]) == ("bool", "boolean", "datetime64")
    assert kinds["job"] in ("object", "str")
    assert X.isna().sum().to_dict() == {"id": 0, "age": 1, "job": 2, "member": 0, "maybe": 1, "since": 1}


def test_nullable_columns_of_parquet_keep_their_gaps(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], "Int64"),
            "b": pd.array([True, None, False], "boolean"),
            "c": pd.Categorical(["u", None, "v"]),
            "target": [0, 1, 0],
        }
    )
    frame.to_parquet(tmp_path / "x.parquet")
    X = read_as(tmp_path / "x.parquet").X
    assert X.isna().sum().tolist() == [1, 1, 1]
    assert [str(dtype) for dtype in X.dtypes[1:]] == ["boolean", "category"]


def test_a_wide_sparse_table_is_never_dense(tmp_path):
    rng = np.random.default_rng(0)
    X = sp.random_array((50, 2_000_000), density=1e-5, rng=rng, format="csr")
    dump_svmlight_file(X, np.arange(50) % 2, str(tmp_path / "x.svm"), zero_based=False)
    table = read_as(tmp_path / "x.svm", n_features=2_000_000, zero_based=False)
    assert isinstance(table.X, sp.csr_array)
    assert (table.X.shape, table.X.nnz) == (X.shape, X.nnz)
    np.testing.assert_allclose(table.X.data, X.data, rtol=1e-6)
