"""One CSV file as columns, with errors that name file and line."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.grid.readers.table import Table, same_length


def table(tmp_path, text, name="a.csv"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return Table(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "x,y\n1,2.5\n3,4\n",
        "x;y\n1;2,5\n3;4\n",
        "x\ty\n1\t2.5\n3\t4\n\n",
        '\ufeff"x", y\r\n"1",2.5\r\n3, 4\r\n',
        "x,y\n1,2.5\n3,4",
    ],
)
def test_columns_are_read_whatever_separates_them(tmp_path, text):
    found = table(tmp_path, text)
    assert len(found) == 2
    np.testing.assert_array_equal(found.numbers("x"), [1, 3])
    np.testing.assert_array_equal(found.numbers("y"), [2.5, 4])
    assert found.text("x") == ("1", "3")


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty: it must begin with a line of column names"),
        ("  \n1,2\n", "is empty"),
        ("x,y\n", "has a header and no rows"),
        ("x,y\n1,2\n3\n", "line 3 has 1 fields where the header has 2; the file is truncated there"),
        ("x,y\n1\n3,4\n", "line 2 has 1 fields where the header has 2$"),
        ("x,y\n1,2\n3,4,5\n", "line 3 has 3 fields where the header has 2$"),
        ("x,x\n1,2\n", "has the column 'x' twice"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        table(tmp_path, text)
    assert "a.csv" in str(error.value)


@pytest.mark.parametrize("bad", ["", "nan", "inf", "n/a", "1,5"])
def test_a_column_must_be_finite_numbers(tmp_path, bad):
    found = table(tmp_path, f'x,y\n1,2\n3,"{bad}"\n5,6\n')
    with pytest.raises(InputError, match=r"a.csv' line 3, column 'y': .* is not a finite number \(1 of 3 rows"):
        found.numbers("y")


def test_files_and_columns_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        Table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="is a folder"):
        Table(tmp_path)
    (tmp_path / "b.csv").write_bytes(b"x\n\xff\xfe\n")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        Table(tmp_path / "b.csv")
    with pytest.raises(InputError, match="has no column 'z'; it has x, y"):
        table(tmp_path, "x,y\n1,2\n").numbers("z")


def test_lengths_must_agree(tmp_path):
    tables = [table(tmp_path, "x\n1\n2\n"), table(tmp_path, "x\n1\n", "b.csv")]
    same_length(tables[:1])
    with pytest.raises(InputError, match=r"b.csv' has 1 rows and 'a.csv' has 2"):
        same_length(tables)
