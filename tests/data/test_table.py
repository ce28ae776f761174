"""The result of every reader: it says what the file holds, and no more."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from trulysparse.data.files import read

X, Y = np.ones((2, 2)), np.array([0, 1])
TEST = dict(X_test=np.zeros((3, 2)), y_test=np.array([0, 1, 0]))


@pytest.mark.parametrize(
    "name, content, held",
    [
        ("x.csv", "a,b,kind\n1,2,x\n3,4,y\n", dict(features=["a", "b"], target="kind", columns=["a", "b", "kind"])),
        ("x.libsvm", "1 1:2\n0 2:1\n", dict(zero_based=False)),
        ("x.libsvm", "1 0:2\n0 1:1\n", dict(zero_based=True)),
        ("x.npz", dict(X=X, y=Y), dict()),
        ("x.npz", dict(X_train=X, y_train=Y, **TEST), TEST),
    ],
)
def test_table_holds_what_its_file_has(tmp_path, name, content, held):
    path = tmp_path / name
    if name == "x.csv":
        pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    if isinstance(content, dict):
        np.savez(path, **content)
    else:
        path.write_text(content)
    table = read(str(path))
    assert (table.X.shape, len(table.y)) == ((2, 2), 2)
    names = {each.name for each in fields(table)[2:]} - {"notes", "layout"}
    values = {name: getattr(table, name) for name in names}
    assert {part for part, value in values.items() if value is not None} == set(held)
    for part, value in held.items():
        np.testing.assert_array_equal(values[part], value)
