"""How good chosen features are: two classifiers, k-means, and the relevant features among them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from _data import Split, relevant
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.svm import SVC

MOST_ROWS = 8_000
"""An SVM's time grows with the square of the rows: it learns from at most so many, drawn once. So does k-means."""


def extra_trees(split: Split, features: NDArray[np.intp], seed: int) -> float:
    """Test accuracy of 50 extremely randomised trees."""
    model = ExtraTreesClassifier(50, random_state=seed).fit(split.X_train[:, features], split.y_train)
    return float(model.score(split.X_test[:, features], split.y_test))


def _rows(split: Split) -> NDArray[np.intp]:
    rows = np.arange(len(split.y_train))
    return rows if len(rows) <= MOST_ROWS else np.random.default_rng(0).permutation(rows)[:MOST_ROWS]


def svc(split: Split, features: NDArray[np.intp]) -> float:
    """Test accuracy of scikit-learn's SVC with its defaults (RBF kernel)."""
    rows = _rows(split)
    model = SVC().fit(split.X_train[np.ix_(rows, features)], split.y_train[rows])
    return float(model.score(split.X_test[:, features], split.y_test))


def matched_accuracy(y: NDArray[np.int64], clusters: NDArray[np.int32]) -> float:
    """Share of samples in the right cluster, with the best matching of clusters to classes (Hungarian method)."""
    size = int(max(y.max(), clusters.max())) + 1
    table = np.zeros((size, size), np.int64)
    np.add.at(table, (clusters, y), 1)
    return float(table[linear_sum_assignment(table, maximize=True)].sum() / len(y))


def k_means(split: Split, features: NDArray[np.intp], seed: int) -> float:
    """Accuracy of k-means on the training rows: as many clusters as classes, the best of 10 starts."""
    rows = _rows(split)
    model = KMeans(int(split.y_train.max()) + 1, n_init=10, random_state=seed)
    return matched_accuracy(split.y_train[rows], model.fit_predict(split.X_train[np.ix_(rows, features)]))


@dataclass
class Judges:
    """Of one set; what does not depend on a seed is worked out once for the same features."""

    split: Split
    _svc: dict[bytes, float] = field(default_factory=dict)

    def __call__(self, features: NDArray[np.intp], seed: int) -> dict[str, float]:
        """Accuracies; `hits`, of Madelon alone: how many of its 20 relevant features were chosen."""
        features = np.sort(np.asarray(features, np.intp))
        key = features.tobytes()
        if key not in self._svc:
            self._svc[key] = svc(self.split, features)
        found = {
            "extra_trees": extra_trees(self.split, features, seed),
            "svc": self._svc[key],
            "k_means": k_means(self.split, features, seed),
        }
        if self.split.name == "madelon":
            found["hits"] = float(len(np.intersect1d(features, relevant(self.split.X_train))))
        return found
