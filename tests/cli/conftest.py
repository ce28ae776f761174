"""Data and runs that several tests of the command line share."""

from __future__ import annotations

import numpy as np
import pytest

from command import SMALL, run, signalled, train


@pytest.fixture
def table(rng):
    """150 samples of 6 features in three classes named by text."""
    y = rng.integers(0, 3, 150)
    X = rng.standard_normal((150, 6)) + 3 * y[:, None]
    X[:, 5] = 4.0  # constant
    return X, np.array(["low", "mid", "high"])[y]


@pytest.fixture
def trained(tmp_path, table):
    """A folder with a run (r), its data (d.npz), and other data: wide.npz, odd.npz, nolabels.npz."""
    X, y = table
    np.savez(tmp_path / "d.npz", X=X, y=y)
    run("train", tmp_path / "d.npz", "--out", tmp_path / "r", *SMALL)
    np.savez(tmp_path / "wide.npz", X=np.hstack([X, X]), y=y)
    np.savez(tmp_path / "odd.npz", X=X, y=np.full(150, "odd"))
    np.savez(tmp_path / "nolabels.npz", X=X)
    return tmp_path


@pytest.fixture
def broken_off(tmp_path, monkeypatch):
    """A run folder whose training was broken off after 8 updates."""
    signalled(monkeypatch, *train(tmp_path / "r", "--checkpoint-every", 4), at=8)
    return tmp_path / "r"
