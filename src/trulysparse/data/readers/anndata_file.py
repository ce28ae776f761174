""".h5ad files of AnnData: cells x genes, with what is known about cells in obs."""

from __future__ import annotations

import scipy.sparse as sp

from trulysparse.data.readers.cells import cells_table, unique_names
from trulysparse.data.readers.guard import guarded
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError


def read_h5ad(request: Request) -> Table:
    """A table in memory: X stays CSR, genes are features, --target names a column of obs."""
    try:
        from anndata import read_h5ad as read
    except ImportError:
        raise MissingExtraError("reading .h5ad files", "anndata and h5py", "omics") from None
    with guarded(request.path, ".h5ad"):
        data = read(request.path)
        if data.X is None:
            raise InputError(f"DATA: '{request.path}' has no X, only layers; store the samples as X")
        genes = [str(name) for name in data.var_names]
        X = data.X if sp.issparse(data.X) or hasattr(data.X, "dtype") else data.X[:]
        if X.shape[0] == 0:
            raise InputError(f"DATA: '{request.path}' has no rows")
        numbers = [str(i) for i in range(len(genes))]
        return cells_table(request, X, unique_names(genes, numbers), data.obs, "obs")
