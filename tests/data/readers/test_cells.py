"""What readers of single cells share: names of genes, and which column is the target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.readers.cells import cells_table, labels_file, unique_names
from trulysparse.data.readers.request import Request

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def table(cells, need_target=True, features=None, X=None, **options):
    request = Request(Path("x.h5ad"), ReadOptions(**options), features, None, need_target)
    return cells_table(request, sp.csr_array(np.eye(3)) if X is None else X, ["a", "b", "c"], cells, "obs")


def test_names_that_several_genes_have_are_told_apart_by_their_ids():
    assert unique_names(["A", "B", "A"], ["1", "2", "3"]) == ["A (1)", "B", "A (3)"]


def test_a_target_is_guessed_by_its_name_alone():
    assert table(pd.DataFrame({"n": [1, 2, 3], "label": ["u", "v", "u"], "m": [1, 2, 3]})).target == "label"
    with pytest.raises(ts.InputError, match=r"--target must name a column of obs \(n, m\)"):
        table(pd.DataFrame({"n": [1, 2, 3], "m": [1, 2, 3]}))
    assert table(pd.DataFrame({"n": [1, 2, 3]}), need_target=False).y is None
    assert table(None, need_target=False, target="gone").y is None


def test_features_are_taken_in_the_order_asked_for_and_stay_sparse():
    found = table(None, need_target=False, features=["c", "a"])
    assert isinstance(found.X, sp.csr_array)
    np.testing.assert_array_equal(found.X.toarray(), [[0, 1], [0, 0], [1, 0]])
    dense = table(None, need_target=False, features=["c", "a"], X=np.eye(3))
    np.testing.assert_array_equal(dense.X, found.X.toarray())
    with pytest.raises(ts.InputError, match="has no gene 'z'"):
        table(None, need_target=False, features=["z"])


def test_labels_are_in_a_file_of_that_name(tmp_path):
    assert labels_file(tmp_path) is None
    (tmp_path / "labels.tsv").write_text("x\ty\n")
    assert labels_file(tmp_path) == tmp_path / "labels.tsv"
