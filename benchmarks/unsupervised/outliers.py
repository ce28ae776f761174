"""Outliers among samples of one class, found without labels: reconstruction error beside scikit-learn's detectors.

Of digits, each of the ten classes in turn, and of breast_cancer, the benign samples, with 5 % of as many samples of
other classes among them. Each model is fitted to all of these rows, outliers included, and scores the same rows; what
is one is looked at for the ROC AUC alone. There is nothing to choose settings by, so all are fixed: those of the
detectors are their defaults; those of the autoencoder, a code of a quarter of the features with sigmoid activation,
were found on wine and iris. Each seed draws other outliers. Seconds are of the processor, all rows of a seed together.

    python benchmarks/unsupervised/outliers.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from _measure import measured
from _results import keep, read
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

import trulysparse as ts
from trulysparse.bench.report import table

SETS: dict[str, tuple[Callable[..., Any], tuple[int, ...] | None]] = {
    "digits": (load_digits, None),
    "breast_cancer": (load_breast_cancer, (1,)),
    "wine": (load_wine, None),
    "iris": (load_iris, None),
}
"""Loader, and the classes that are inliers in turn (None: each)."""

REPORTED = ("digits", "breast_cancer")
SHARE = 0.05


def mixtures(name: str, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(rows, whether each is an outlier) for each class of inliers."""
    load, classes = SETS[name]
    X, y = load(return_X_y=True)
    rng = np.random.default_rng(seed)
    for inlier in np.unique(y) if classes is None else classes:
        inside, others = np.flatnonzero(y == inlier), rng.permutation(np.flatnonzero(y != inlier))
        outside = others[: max(5, round(SHARE * len(inside)))]
        order = rng.permutation(len(inside) + len(outside))
        yield X[np.r_[inside, outside][order]], np.r_[np.zeros(len(inside)), np.ones(len(outside))][order]


def autoencoder(X: np.ndarray, seed: int) -> np.ndarray:
    hidden = (max(1, X.shape[1] // 4),)
    model = ts.SparseAutoencoder(hidden, activation="sigmoid", random_state=seed, n_jobs=1)
    return model.fit(X).score_samples(X)


def default_autoencoder(X: np.ndarray, seed: int) -> np.ndarray:
    return ts.SparseAutoencoder(random_state=seed, n_jobs=1).fit(X).score_samples(X)


def principal_components(X: np.ndarray, seed: int) -> np.ndarray:
    """The error of as many components as the code has neurons."""
    X = StandardScaler().fit_transform(X)
    model = PCA(max(1, X.shape[1] // 4), random_state=seed).fit(X)
    return -np.square(model.inverse_transform(model.transform(X)) - X).mean(axis=1)


def isolation_forest(X: np.ndarray, seed: int) -> np.ndarray:
    return IsolationForest(random_state=seed).fit(X).score_samples(X)


def local_outlier_factor(X: np.ndarray, seed: int) -> np.ndarray:
    return LocalOutlierFactor().fit(StandardScaler().fit_transform(X)).negative_outlier_factor_


MODELS = {
    "SparseAutoencoder, narrow code": autoencoder,
    "SparseAutoencoder()": default_autoencoder,
    "PCA, as narrow": principal_components,
    "IsolationForest": isolation_forest,
    "LocalOutlierFactor": local_outlier_factor,
}


def run(name: str, model: str, seed: int) -> tuple[float, float]:
    """(ROC AUC, mean over classes of inliers; seconds of the processor)."""
    scores, seconds = [], 0.0
    for X, outlier in mixtures(name, seed):
        began = time.process_time()
        found = MODELS[model](X, seed)
        seconds += time.process_time() - began
        scores.append(roc_auc_score(outlier, -found))
    return float(np.mean(scores)), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=REPORTED, choices=SETS)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    for name in given.sets:
        for model in MODELS:
            for seed in range(given.seeds):
                auc, seconds = measured(run, name, model, seed).result
                row = {"set": name, "model": model, "seed": seed, "auc": auc, "seconds": seconds}
                keep("outliers", row, ("set", "model", "seed"))
    rows = []
    for name in REPORTED:
        for model in MODELS:
            found = [row for row in read("outliers") if (row["set"], row["model"]) == (name, model)]
            if found:
                auc = [row["auc"] for row in found]
                seconds = float(np.median([row["seconds"] for row in found]))
                rows.append((name, model, f"{np.mean(auc):.3f} ± {np.std(auc):.3f}", seconds, len(found)))
    table("Outliers without labels", ("data", "model", "ROC AUC", "seconds", "seeds"), rows)


if __name__ == "__main__":
    main()
