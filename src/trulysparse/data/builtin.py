"""Data that needs no file: real sets that come with scikit-learn, and a synthetic one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, make_classification

NAMES = ("digits", "breast_cancer", "madelon-like")


def load_builtin(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """(X, y) of a built-in set, always the same.

    digits: 1,797 images of 8 x 8, 10 classes. breast_cancer: 569 x 30, 'malignant' or 'benign'. madelon-like:
    2,600 x 500, 2 classes, made like Madelon (Guyon 2003): 5 informative, 15 redundant features, the rest noise,
    clusters on the corners of a hypercube.
    """
    if name == "digits":
        digits = load_digits()
        return digits.data, digits.target
    if name == "breast_cancer":
        cancer = load_breast_cancer()
        return cancer.data, np.asarray(cancer.target_names)[cancer.target]
    X, y = make_classification(
        n_samples=2600,
        n_features=500,
        n_informative=5,
        n_redundant=15,
        n_clusters_per_class=16,
        class_sep=2.0,
        flip_y=0.01,
        random_state=0,
    )
    return X.astype(np.float32), y
