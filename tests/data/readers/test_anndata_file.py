""".h5ad files: as AnnData writes them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sample_files import read_as, refused
from trulysparse.data.files import read

ad = pytest.importorskip("anndata", reason="anndata comes with the extra trulysparse[omics]")
pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


@pytest.fixture(params=["csr", "csc", "dense"])
def path(request, tmp_path, rng):
    X = sp.random(6, 4, density=0.5, random_state=0, dtype=np.float32, format="csr")
    obs = pd.DataFrame(
        {"cell_type": pd.Categorical(list("aabbcc")), "batch": [1, 1, 2, 2, 3, 3], "age": np.arange(6.0)}
    )
    obs.index = [f"c{i}" for i in range(6)]
    stored = X.toarray() if request.param == "dense" else X.asformat(request.param)
    ad.AnnData(X=stored, obs=obs, var=pd.DataFrame(index=["g1", "g2", "g3", "g4"])).write_h5ad(tmp_path / "x.h5ad")
    return tmp_path / "x.h5ad", X


def test_genes_are_features_and_obs_holds_the_target(path):
    file, X = path
    table = read(str(file))
    assert isinstance(table.X, (sp.csr_array, np.ndarray))
    found = table.X.toarray() if sp.issparse(table.X) else table.X
    np.testing.assert_array_equal(found, X.toarray())
    assert (table.features, table.target, table.y.tolist()) == (["g1", "g2", "g3", "g4"], "cell_type", list("aabbcc"))
    table = read_as(file, target="age", group="batch", features=["g3", "g1"])
    assert (table.y.tolist(), table.groups.tolist(), table.X.shape) == ([0, 1, 2, 3, 4, 5], [1, 1, 2, 2, 3, 3], (6, 2))


def test_what_is_not_there_is_named(path):
    file, _ = path
    with pytest.raises(ValueError, match="--target: there is no column 'gone'; the columns are cell_type, batch, age"):
        read_as(file, target="gone")
    file.write_bytes(file.read_bytes()[:3000])
    refused(file, "not a whole .h5ad file")
