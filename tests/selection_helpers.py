"""Data and calls that several tests of feature selection share."""

from __future__ import annotations

from typing import Any

import numpy as np

from trulysparse.unsupervised.selection import SelectionData, make_method

SMALL: dict[str, dict[str, Any]] = {
    "attribution": {"hidden_layer_sizes": (40, 20), "density": 0.3, "learning_rate": 0.01, "epochs": 15},
    "gradient": {"hidden_layer_sizes": (40, 20), "epsilon": 4, "learning_rate": 0.01, "epochs": 15},
    "neurofs": {"hidden_layer_sizes": (40, 30, 20), "epsilon": 5, "epochs": 20, "batch_size": 20},
}
"""Settings of small networks, by method."""


def silent(what: str, done: float, total: float) -> None:
    """Shows nothing."""


def scored(
    method: str, data: SelectionData, n_keep: int = 1, seed: int = 0, threads: int = 1, **settings: Any
) -> np.ndarray:
    """Scores by a small network."""
    made = make_method(method, **(SMALL[method] | settings))
    return made.scores(data, n_keep=n_keep, seed=seed, threads=threads, progress=silent)


def planted(n_classes: int = 2, n: int = 300, n_features: int = 12) -> SelectionData:
    """Samples whose classes depend on features 2 and 7."""
    X = np.random.default_rng(0).standard_normal((n, n_features)) * 5 + 1
    z = X[:, 2] + X[:, 7]
    return SelectionData.of(X, np.searchsorted(np.quantile(z, np.arange(1, n_classes) / n_classes), z))
