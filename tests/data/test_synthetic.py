"""MadelonLike: the same samples by block, in memory and in files, and a task that can be learned."""

from __future__ import annotations

import numpy as np

from trulysparse.data.synthetic import MadelonLike


def test_madelon_like_is_the_same_however_it_is_made(tmp_path):
    task = MadelonLike(600, 40, seed=3)
    X, y = task.arrays()
    task.write(tmp_path)
    np.testing.assert_array_equal(np.load(tmp_path / "X.npy"), X)
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), y)
    longer = MadelonLike(700, 40, seed=3).arrays()[0]
    np.testing.assert_array_equal(longer[:600], X)
    assert abs(y.mean() - 0.5) < 0.05
    assert (MadelonLike(600, 40, seed=4).arrays()[0] != X).any()


def test_madelon_like_can_be_learned():
    from sklearn.linear_model import LogisticRegression

    X, y = MadelonLike(2000, 400, separation=0.8).arrays()
    model = LogisticRegression(max_iter=500).fit(X[:1500], y[:1500])
    assert model.score(X[1500:], y[1500:]) > 0.8
    shuffled = LogisticRegression(max_iter=500).fit(X[:1500], np.roll(y[:1500], 1))
    assert shuffled.score(X[1500:], y[1500:]) < 0.4
