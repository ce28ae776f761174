""".arff files: dense ones as SciPy reads them, those in braces kept sparse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io.arff
import scipy.sparse as sp

import trulysparse as ts
from sample_files import read_as, refused, write
from trulysparse.data.files import read

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")

HEAD = """% made for a test
@RELATION flowers
@ATTRIBUTE sepal REAL
@attribute 'petal width' numeric
@attribute colour {red, 'dark blue', "it's"}
@attribute note string
@attribute day date "yyyy-MM-dd"
@attribute class {a,b}
@DATA
"""


def test_attributes_have_the_types_that_they_declare(tmp_path):
    rows = "% no row\n5.1, 2, red, 'a, b', 2024-01-02, a\n\n?,3,'dark blue',?,?,b\n1e3,4,'it\\'s','NA',2024-01-03,?\n"
    table = read(write(tmp_path / "x.arff", HEAD + rows))
    assert (table.features, table.target) == (["sepal", "petal width", "colour", "note", "day"], "class")
    np.testing.assert_array_equal(table.X["sepal"], [5.1, np.nan, 1000])
    assert table.X["colour"].dtype == pd.CategoricalDtype(["red", "dark blue", "it's"])
    assert table.X["colour"].tolist() == ["red", "dark blue", "it's"]
    assert [None if pd.isna(text) else text for text in table.X["note"]] == ["a, b", None, "NA"]
    assert str(table.X["day"].dtype).startswith("datetime64")
    assert table.y.tolist()[:2] == ["a", "b"]
    assert pd.isna(table.y[2])


def test_dense_rows_are_those_that_scipy_reads(tmp_path, rng):
    values, kinds = rng.normal(size=(50, 3)), rng.choice(["u", "v"], 50)
    head = "@relation x\n" + "".join(f"@attribute f{i} numeric\n" for i in range(3)) + "@attribute k {u,v}\n@data\n"
    rows = "".join(",".join(map(repr, row)) + f",{kind}\n" for row, kind in zip(values.tolist(), kinds, strict=True))
    table = read(write(tmp_path / "x.arff", head + rows))
    wanted, _ = scipy.io.arff.loadarff(tmp_path / "x.arff")
    numbers = np.array([list(row)[:3] for row in wanted.tolist()])
    np.testing.assert_allclose(table.X.to_numpy(), numbers, rtol=1e-14, atol=0)  # pandas before 3 rounds some otherwise
    assert table.y.tolist() == [row[3].decode() for row in wanted.tolist()]


SPARSE = """@relation x
@attribute a numeric
@attribute b {0,1}
@attribute 'c d' real
@attribute class {n,'y e'}
@attribute who string
@data
{0 1.5, 3 'y e', 4 p}
{1 1,2 -3e1, 4 q}
{ 4 p }
{0 ?, 3 n, 4 'r s'}
"""


def test_rows_in_braces_stay_sparse(tmp_path):
    table = read_as(write(tmp_path / "x.arff", SPARSE), target="class", group="who")
    assert isinstance(table.X, sp.csr_array)
    assert table.X.nnz == 4
    np.testing.assert_array_equal(table.X.toarray(), [[1.5, 0, 0], [0, 1, -30], [0, 0, 0], [np.nan, 0, 0]])
    assert (table.features, table.y.tolist()) == (["a", "b", "c d"], ["y e", "n", "n", "n"])
    assert table.groups.tolist() == ["p", "q", "p", "r s"]
    several = read_as(tmp_path / "x.arff", target="b,class", group="who", features=["c d", "a"])
    np.testing.assert_array_equal(several.X.toarray(), [[0, 1.5], [-30, 0], [0, 0], [0, np.nan]])
    assert several.y["b"].tolist() == ["0", "1", "0", "0"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("@relation x\n@attribute a numeric\n1\n", "has no line @data"),
        ("@relation x\n@data\n1\n", "declares no attributes"),
        ("@attribute a relational\n@attribute b numeric\n@data\n1,2\n", "attribute 'a' is of type relational"),
        ("@attribute a\n@data\n1\n", "has an attribute that cannot be read"),
        (HEAD, "has no rows"),
        ("@attribute a numeric\n@attribute y {u,v}\n@data\n1,u\n2\n", "line 5 has 1 field, but the header has 2"),
        ("@attribute a numeric\n@attribute y {u,v}\n@data\n1,u\n2,v,3\n", "line 5 has 3 fields"),
        (
            "@attribute a numeric\n@attribute y {u,v}\n@data\n1,u\nq,v\n",
            "attribute 'a' holds 'q' in row 1, which is not",
        ),
        (
            "@attribute a numeric\n@attribute y {u,v}\n@data\n1,u\n2,w\n",
            "attribute 'y' holds 'w' in row 1, which is not",
        ),
        ("@attribute a {u,v}\n@attribute y {u,v}\n@data\n{0 v}\n", "attribute 'a' is nominal; in rows in braces"),
        ("@attribute a numeric\n@attribute y {u,v}\n@data\n{0 1}\n1,u\n", "has rows in braces and others"),
        ("@attribute a numeric\n@attribute y {u,v}\n@data\n{0 x}\n", "not a whole .arff file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, match):
    refused_by = write(tmp_path / "x.arff", text)
    with pytest.raises(ts.InputError, match=match) as caught:
        read(refused_by)
    assert len(str(caught.value).splitlines()) == 1


def test_it_cannot_be_streamed(tmp_path):
    refused(write(tmp_path / "x.arff", SPARSE), "--stream: .* is read as a whole", stream=True)
