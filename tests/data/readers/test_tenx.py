"""10x matrices: folders and .h5 files, with labels beside them."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

import trulysparse as ts
from sample_files import read_as, refused
from trulysparse.data.files import fingerprint, read

pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
BARCODES = ["AA-1", "BB-1", "CC-1"]
NAMES = ["G0", "G1", "G2", "G3", "G3"]
LABELS = "barcode,cell_type,batch\nCC-1,T,2\nAA-1,B,1\nBB-1,NA,1\n"


@pytest.fixture
def counts(rng):
    return sp.csc_array(rng.poisson(1, (5, 3)))


@pytest.fixture(params=["v2", "v3", "h5"])
def source(request, tmp_path, counts):
    """The path of a matrix in one of its forms, its labels beside it."""
    (tmp_path / "labels.csv").write_text(LABELS)
    rows = [f"E{i}\t{name}" for i, name in enumerate(NAMES)]
    if request.param == "h5":
        h5py = pytest.importorskip("h5py", reason="h5py comes with the extra trulysparse[omics]")
        with h5py.File(tmp_path / "x.h5", "w") as file:
            group = file.create_group("matrix")
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(counts, name)
            group["shape"], group["barcodes"] = np.array(counts.shape, np.int32), np.array(BARCODES, "S")
            group["features/name"] = np.array(NAMES, "S")
            group["features/id"] = np.array([row.split("\t")[0] for row in rows], "S")
        return tmp_path / "x.h5"
    files = {"barcodes.tsv": "\n".join(BARCODES) + "\n"}
    text = io.BytesIO()
    scipy.io.mmwrite(text, counts.tocoo())
    files["matrix.mtx"] = text.getvalue().decode()
    files["genes.tsv" if request.param == "v2" else "features.tsv"] = "\n".join(rows) + "\n"
    for name, content in files.items():
        if request.param == "v2":
            (tmp_path / name).write_text(content)
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content.encode()))
    return tmp_path


def test_cells_are_samples_and_genes_features(source, counts):
    table = read(str(source))
    assert isinstance(table.X, sp.csr_array)
    np.testing.assert_array_equal(table.X.toarray(), counts.toarray().T)
    assert table.features == ["G0", "G1", "G2", "G3 (E3)", "G3 (E4)"]
    assert (table.y.tolist(), table.target) == (["B", "NA", "T"], "cell_type")
    assert "'cell_type' (a column of" in table.notes[0]


def test_columns_of_labels_may_be_target_or_group(source, counts):
    table = read_as(source, target="batch", group="cell_type", features=["G2", "G0"])
    np.testing.assert_array_equal(table.X.toarray(), counts.toarray()[[2, 0]].T)
    assert (table.y.tolist(), table.groups.tolist()) == ([1, 1, 2], ["B", "NA", "T"])


def test_labels_that_are_missing_are_named(source):
    folder = source if source.is_dir() else source.parent
    before = fingerprint(str(source))
    (folder / "labels.csv").write_text(LABELS.replace("BB-1", "ZZ-1"))
    with pytest.raises(ts.InputError, match=r"no label for barcode 'BB-1' \(1 of 3 cells have none\)"):
        read(str(source))
    assert fingerprint(str(source)) != before
    (folder / "labels.csv").unlink()
    refused(source, r"holds no labels; they must be in '.*labels\.csv'")
    table = read_as(source, need_target=False)
    assert (table.X.shape, table.y) == ((3, 5), None)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"target": "gone"}, "--target: there is no column 'gone'; the columns are cell_type, batch"),
        ({"features": ["gone"]}, "has no gene 'gone', which the model was trained on"),
    ],
)
def test_columns_and_genes_that_are_not_there_are_named(source, options, match):
    with pytest.raises(ts.InputError, match=match) as caught:
        read_as(source, **options)
    assert len(str(caught.value).splitlines()) == 1


def test_other_h5_files_and_cut_off_ones_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py", reason="h5py comes with the extra trulysparse[omics]")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["other"] = np.ones(1000)
    refused(tmp_path / "x.h5", r"not a matrix as Cell Ranger writes it.*\(it holds other\)")
    (tmp_path / "x.h5").write_bytes((tmp_path / "x.h5").read_bytes()[:900])
    refused(tmp_path / "x.h5", "not a whole .h5 file")


def test_parts_that_are_missing_or_do_not_fit_are_named(tmp_path, counts):
    scipy.io.mmwrite(tmp_path / "matrix.mtx", counts.tocoo())
    refused(tmp_path, "has matrix.mtx, but no barcodes.tsv")
    (tmp_path / "barcodes.tsv").write_text("A\nB\n")
    (tmp_path / "features.tsv").write_text("".join(f"E{i}\n" for i in range(5)))
    with pytest.raises(ts.InputError, match=r"is of shape \(5, 3\), but 'features.tsv' names 5 genes and .* 2 cells"):
        read(str(tmp_path))
