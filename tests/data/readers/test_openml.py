"""Data sets of OpenML: from scikit-learn's cache, which is filled with its own test sets here, and refused offline."""

from __future__ import annotations

import urllib.error

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.datasets

from sample_files import read_as, refused
from trulysparse.data.files import fingerprint, lasting, read

pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
served = pytest.importorskip("sklearn.datasets.tests.test_openml", reason="scikit-learn is installed without its tests")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Puts sets into the cache; from then on nothing can be fetched."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))

    def fill(data_id: int, **names: object) -> None:
        with monkeypatch.context() as patch:
            served._monkey_patch_webbased_functions(patch, data_id, gzip_response=True)
            sklearn.datasets.fetch_openml(**(names or {"data_id": data_id}), as_frame="auto", parser="liac-arff")

    def offline(*args: object, **options: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(sklearn.datasets._openml, "urlopen", offline)
    return fill


def test_a_set_is_read_by_number_and_by_name_and_version(cache):
    cache(61)
    table = read("openml:61")
    wanted = sklearn.datasets.load_iris()
    np.testing.assert_allclose(table.X.to_numpy(), wanted.data, atol=0.51)  # scikit-learn's has two values corrected
    assert (table.target, table.y.tolist()[:2], len(table.y)) == ("class", ["Iris-setosa"] * 2, 150)
    assert table.notes == ["OpenML: 'iris', version 1, id 61", "target: 'class' (the source names it)"]
    cache(61, name="iris", version=1)
    again = read("openml:iris@1")
    np.testing.assert_array_equal(again.X.to_numpy(), table.X.to_numpy())
    assert read_as("openml:61", target="petallength").target == "petallength"
    assert (fingerprint("openml:61"), lasting("openml:61")) == ("openml:61", "openml:61")


def test_several_targets_are_a_frame(cache):
    cache(40589)
    table = read("openml:40589")
    assert table.y.shape == (13, 6)
    assert table.target == ",".join(table.y.columns)
    assert table.X.shape == (13, 72)


def test_a_sparse_set_stays_sparse(cache):
    cache(292)
    table = read("openml:292")
    assert isinstance(table.X, sp.csr_array)
    assert (table.X.shape, len(table.features), len(table.y)) == ((85, 14), 14, 85)
    some = read_as("openml:292", features=table.features[3:1:-1])
    np.testing.assert_array_equal(some.X.toarray(), table.X.toarray()[:, [3, 2]])


def test_offline_says_what_the_cache_holds(cache):
    refused_by = (
        r"'openml:adult' is not in scikit-learn's cache \('.*'; sets there by name: {}\), and openml.org cannot"
    )
    refused("openml:adult", refused_by.format("none"))
    cache(61, name="iris", version=1)
    refused("openml:adult", refused_by.format("iris"))


@pytest.mark.parametrize("source", ["openml:", "openml:iris@", "openml:iris@new"])
def test_names_that_are_none_are_refused(cache, source):
    refused(source, "must be openml:NAME, openml:NAME@VERSION or openml:ID|is not in scikit-learn's cache")


def test_it_cannot_be_streamed_and_is_no_text(cache):
    refused("openml:61", "--stream: 'openml:61' is read as a whole", stream=True)
    refused("openml:61", "--separator is for .csv files", separator=",")
