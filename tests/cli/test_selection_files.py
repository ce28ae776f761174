"""Files that `select` writes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.cli._selection_files import check_data_out, chosen_features, write_samples
from trulysparse.data.files import read
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.table import Table


@pytest.fixture
def selector():
    """Chooses features 3 and 1, in this order."""

    def transform(X):
        return X[:, [1, 3]]

    support = np.array([1, 3])
    return SimpleNamespace(
        scores_=np.array([0.0, 2.0, 1.0, 3.0]),
        ranking_=np.array([4, 2, 3, 1]),
        get_support=lambda indices: support,
        transform=transform,
    )


def test_features_come_in_the_order_of_their_ranks(selector):
    assert chosen_features(selector, list("abcd")) == [
        {"rank": 1, "feature": "d", "index": 3, "score": 3.0},
        {"rank": 2, "feature": "b", "index": 1, "score": 2.0},
    ]


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_arrays_come_back(selector, tmp_path, rng, suffix):
    X, y = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    write_samples(tmp_path / f"d{suffix}", selector, Table(X, y), X, ["0", "1", "2", "3"])
    back = read(str(tmp_path / f"d{suffix}"), ReadOptions(header=True) if suffix == ".csv" else ReadOptions())
    np.testing.assert_array_equal(np.asarray(back.X), X[:, [1, 3]])
    np.testing.assert_array_equal(back.y, y)


def test_tables_come_back(selector, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x, y", None, 'q"'], "c": [1.5, 2, 3], "d": [True, False, None]})
    table = Table(frame, pd.Series(["u", "v", "u"], name="kind"), target="kind")
    write_samples(tmp_path / "d.csv", selector, table, frame, list("abcd"))
    assert (tmp_path / "d.csv").read_text().splitlines()[0] == "b,d,kind"
    back = read(str(tmp_path / "d.csv"), ReadOptions(target="kind"))
    assert back.X["b"].tolist()[0::2] == ["x, y", 'q"']
    assert back.X.isna().sum().tolist() == [1, 1]
    assert back.y.tolist() == ["u", "v", "u"]


def test_several_targets_and_none(selector, tmp_path, rng):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(rng.normal(size=(9, 4)), columns=list("abcd"))
    targets = pd.DataFrame({"u": np.arange(9.0), "v": np.arange(9.0) / 2})
    write_samples(tmp_path / "d.csv", selector, Table(frame, targets, target="u,v"), frame, list("abcd"))
    back = read(str(tmp_path / "d.csv"), ReadOptions(target="u,v"))
    assert list(back.X.columns) == ["b", "d"]
    np.testing.assert_array_equal(np.asarray(back.y), targets)
    write_samples(tmp_path / "e.csv", selector, Table(frame, None), frame, list("abcd"))
    assert (tmp_path / "e.csv").read_text().splitlines()[0] == "b,d"
    X = frame.to_numpy()
    write_samples(tmp_path / "f.csv", selector, Table(X, targets.to_numpy()), X, ["0", "target_0", "2", "3"])
    assert len(set((tmp_path / "f.csv").read_text().splitlines()[0].split(","))) == 4


def test_a_name_of_the_target_that_is_taken(selector, tmp_path, rng):
    X = rng.normal(size=(9, 4))
    write_samples(tmp_path / "d.csv", selector, Table(X, np.arange(9)), X, ["a", "target", "b", "c"])
    assert (tmp_path / "d.csv").read_text().splitlines()[0] == "target,c,target_"


def test_sparse_samples_stay_sparse(selector, tmp_path, rng):
    X, y = sp.random_array((20, 4), density=0.4, format="csr", rng=rng), np.array(["a", "b"] * 10, dtype=object)
    write_samples(tmp_path / "d.npz", selector, Table(X, y), X, list("0123"))
    back = read(str(tmp_path / "d.npz"))
    assert sp.issparse(back.X)
    np.testing.assert_array_equal(back.X.toarray(), X.toarray()[:, [1, 3]])
    assert back.y.tolist() == y.tolist()


def test_a_split_stays_a_split(selector, tmp_path, rng):
    X, X_test = rng.normal(size=(20, 4)), rng.normal(size=(5, 4))
    table = Table(X, np.arange(20) % 2, X_test, np.arange(5) % 2)
    write_samples(tmp_path / "d.npz", selector, table, X, list("0123"))
    back = read(str(tmp_path / "d.npz"))
    np.testing.assert_array_equal(back.X_test, X_test[:, [1, 3]])
    assert back.y_test.tolist() == [0, 1, 0, 1, 0]


def test_what_a_file_cannot_hold(tmp_path):
    pd = pytest.importorskip("pandas")
    X = np.ones((3, 2))
    csr = sp.csr_array(X)
    texts = pd.DataFrame({"a": ["x", "y", "z"]})
    for path, table, samples, aside, message in [
        ("d.csv", Table(csr, None), csr, (), "sparse samples need an .npz file"),
        ("d.csv", Table(X, None, X), X, (), "has a test set of its own, which needs an .npz file"),
        ("d.npz", Table(csr, None, csr), csr, (), "cannot hold sparse samples with a test set"),
        ("d.npz", Table(texts, None), texts, (), r"columns of text or with gaps need a \.csv file"),
        ("d.csv", Table(X, None), X, ("--group",), "cannot be combined with --group, whose column it would lack"),
        ("d.npz", Table(X, csr), X, (), "not for lists of labels"),
    ]:
        with pytest.raises(ts.InputError, match=message):
            check_data_out(tmp_path / path, table, samples, aside)
