"""Where samples come from, as a value."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data.read_options import ReadOptions
from trulysparse.task.options import TaskOptions
from trulysparse.task.source import DataSource


@pytest.fixture
def files(tmp_path, rng):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    for name, n in (("train.csv", 40), ("test.csv", 10)):
        rows = [f"{rng.normal():.3f},{rng.choice(['a', 'b'])},{i % 2}" for i in range(n)]
        (tmp_path / name).write_text("x,kind,label\n" + "\n".join(rows) + "\n")
    return tmp_path


def test_a_worker_reads_the_same_training_samples(files):
    source = DataSource(data=str(files / "train.csv"), reading=ReadOptions(target="label"))
    data = source.dataset(source.table())
    X, y = pickle.loads(pickle.dumps(source))()
    np.testing.assert_array_equal(X, data.train.X)
    np.testing.assert_array_equal(y, data.train.y)
    assert hash(source) == hash(pickle.loads(pickle.dumps(source)))  # workers keep what they have read by it


def test_test_samples_from_a_file_of_their_own(files):
    source = DataSource(data=str(files / "train.csv"), test=str(files / "test.csv"))
    data = source.dataset(source.table())
    assert (len(data.train), len(data.test)) == (40, 10)
    alone = DataSource(data=str(files / "train.csv"))
    assert source.fingerprint() != alone.fingerprint()
    before = source.fingerprint()
    (files / "test.csv").write_text((files / "test.csv").read_text() + "0.5,a,1\n")
    assert source.fingerprint() != before


def test_a_fold_and_the_whole(files):
    fold = DataSource(data=str(files / "train.csv"), fold=(1, 4))
    assert len(fold.dataset(fold.table()).test) == 10
    whole = DataSource(data=str(files / "train.csv"), whole=True)
    assert whole.dataset(whole.table()).test is None


def test_two_test_sets_are_refused(tmp_path, rng):
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    np.savez(tmp_path / "d.npz", X_train=X, y_train=y, X_test=X, y_test=y)
    np.savez(tmp_path / "t.npz", X=X, y=y)
    source = DataSource(data=str(tmp_path / "d.npz"), test=str(tmp_path / "t.npz"), options=TaskOptions())
    with pytest.raises(ts.InputError, match=r"--test: '.*d.npz' has a test set of its own"):
        source.dataset(source.table())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (None, r"^--test: file '.*other.csv' does not exist"),
        ("x,label\n1,0\n", r"^--test: '.*other.csv' has no column 'kind'"),
        ("x,kind\n1,a\n", r"^--test: '.*other.csv': --target: there is no column 'label'"),
    ],
)
def test_what_is_wrong_with_a_test_file_is_said_of_it(files, text, match):
    if text is not None:
        (files / "other.csv").write_text(text)
    source = DataSource(data=str(files / "train.csv"), test=str(files / "other.csv"))
    with pytest.raises(ts.InputError, match=match):
        source.dataset(source.table())
