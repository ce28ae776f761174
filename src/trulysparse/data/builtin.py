"""Data sets without files: two that come with scikit-learn, and a synthetic one."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, make_classification

from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.synthetic import MadelonLike

NAMES = ("digits", "breast_cancer", "madelon-like")
_ANY_SIZE = re.compile(r"madelon-like:([0-9]{1,18})x([0-9]{1,18})")


def is_builtin(name: str) -> bool:
    """Whether `name` names a built-in set; madelon-like:2000x65536 has that many samples and features."""
    return name in NAMES or _ANY_SIZE.fullmatch(name) is not None


def load_builtin(name: str) -> tuple[Any, NDArray[Any]]:
    """(X, y) of a built-in set, always the same.

    digits: 1,797 images of 8 x 8, 10 classes. breast_cancer: 569 x 30, 'malignant' or 'benign'. madelon-like:
    2,600 x 500, 2 classes, made like Madelon (Guyon 2003): 5 informative, 15 redundant features, the rest noise,
    clusters on the corners of a hypercube. madelon-like:NxM: n_samples x n_features of MadelonLike, made while they are
    read.

    Args:
        name: one of those above.

    Returns:
        (X, y): the samples, and their labels (n_samples,).

    Example:
        >>> X, y = load_builtin("madelon-like:300x40")
        >>> X.shape, len(y)
        ((300, 40), 300)
    """
    sized = _ANY_SIZE.fullmatch(name)
    if sized is not None:
        task = MadelonLike(int(sized[1]), int(sized[2]))
        return StreamMatrix(task), task.y
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
