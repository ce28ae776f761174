"""The dispatcher over formats: options of one format are refused for the others."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

import trulysparse as ts
from sample_files import read_as, refused
from trulysparse.data.files import read, takes


@pytest.fixture
def table(rng):
    X = rng.normal(size=(103, 7)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(np.int64)


def test_options_of_another_format_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", X=np.ones((2, 1)), y=[0, 1])
    refused(tmp_path / "x.npz", "--no-header is for .csv files", header=False)
    refused(tmp_path / "x.npz", "--one-based is for .libsvm files", zero_based=False)
    refused("digits", "--zero-based is for .libsvm files", zero_based=True)


def test_stream_of_formats_that_can_or_cannot_be_streamed(tmp_path, table):
    X, y = table
    csr_file = tmp_path / "x.libsvm"
    dump_svmlight_file(X, y, str(csr_file))
    assert read_as(str(csr_file), stream=True).X.shape == X.shape
    csr_file.write_text("1 1:2\n0 what\n")
    with pytest.raises(ts.InputError, match="line 2"):
        read_as(str(csr_file), stream=True)
    np.savez(tmp_path / "x.npz", X=X, y=y)
    with pytest.raises(ts.InputError, match="read as a whole"):
        read_as(str(tmp_path / "x.npz"), stream=True)


@pytest.mark.parametrize(
    ("source", "option", "taken"),
    [
        ("x.csv", "header", True),
        ("x.TSV.gz", "separator", True),
        ("x.txt", "zero_based", True),
        ("x.svm", "zero_based", True),
        ("x.libsvm", "header", False),
        ("x.parquet", "group", True),
        ("openml:iris", "time", True),
        ("digits", "group", False),
        ("x.npz", "group", False),
        ("x", "header", False),
    ],
)
def test_a_source_takes_the_options_of_its_format(source, option, taken):
    assert takes(source, option) is taken


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"group": "a"}, "--group is for tables with named columns, not for 'digits'"),
        ({"time": "a"}, "--time is for tables with named columns"),
        ({"separator": ";"}, "--separator is for .csv files and their like"),
        ({"encoding": "utf-8"}, "--encoding is for .csv files and their like"),
    ],
)
def test_options_that_have_no_use_are_refused(options, match):
    refused("digits", match, **options)


def test_unlabelled_data_have_no_labels_whatever_the_file_holds(tmp_path, table):
    X, y = table
    np.savez(tmp_path / "d.npz", X_train=X, y_train=y, X_test=X, y_test=y)
    found = read(str(tmp_path / "d.npz"), unlabelled=True)
    assert (found.y, found.y_test) == (None, None)
    np.testing.assert_array_equal(found.X_test, X)
    assert read("digits", unlabelled=True).y is None
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    (tmp_path / "d.csv").write_text("a,target\n1,2\n3,4\n")
    assert list(read(str(tmp_path / "d.csv"), unlabelled=True).X.columns) == ["a", "target"]
