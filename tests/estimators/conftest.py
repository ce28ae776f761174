"""Data that several tests of estimators share."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, random_state=0, stratify=y)


@pytest.fixture
def task(rng):
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 4))
    X[:, 1] += 4 * y
    return X, y
