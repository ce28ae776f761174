"""Other libraries' feature selection: from training rows to the chosen features, each as its authors meant it.

scikit-feature (`pip install skfeature-chappers`), skrebate and lassonet are asked for where they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import SelectFromModel, chi2, f_classif, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

Chosen = NDArray[np.intp]
NEIGHBOURS = 5
RELIEF_NEIGHBOURS = 10


def best(scores: NDArray[np.float64], n_keep: int) -> Chosen:
    """The features with the highest scores; constant ones, whose score may be NaN, come last."""
    return np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")[:n_keep]


def all_features(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    return np.arange(X.shape[1])


def random_features(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    return np.random.default_rng(seed).permutation(X.shape[1])[:n_keep]


def variance(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    """Of features in the range 0 to 1: with deviation 1 all would be alike."""
    return best(X.var(axis=0), n_keep)


def f_test(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    with np.errstate(all="ignore"):
        return best(f_classif(X, y)[0], n_keep)


def mutual_information(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    return best(mutual_info_classif(X, y, random_state=seed), n_keep)


def chi_squared(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    return best(chi2(X, y)[0], n_keep)


def l1_logistic(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    """One classifier per class; a feature counts by its largest coefficient."""

    def largest(model: OneVsRestClassifier) -> NDArray[np.float64]:
        return np.abs([each.coef_[0] for each in model.estimators_]).max(axis=0)

    model = OneVsRestClassifier(LogisticRegression(l1_ratio=1, solver="liblinear", random_state=seed))
    selector = SelectFromModel(model, threshold=-np.inf, max_features=n_keep, importance_getter=largest)
    return selector.fit(X, y).get_support(indices=True)


def extra_trees(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    return best(ExtraTreesClassifier(100, random_state=seed).fit(X, y).feature_importances_, n_keep)


def _neighbour_graph(X: NDArray[np.float64]) -> Any:
    # Left to themselves the functions would take cosines, and divide the rows of X by their norms in place.
    from skfeature.utility.construct_W import construct_W

    return construct_W(X, metric="euclidean", neighbor_mode="knn", weight_mode="binary", k=NEIGHBOURS)


def laplacian_score(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    from skfeature.function.similarity_based.lap_score import lap_score

    X = X.astype(np.float64)
    return lap_score(X, W=_neighbour_graph(X), mode="index")[:n_keep]


def mcfs(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    """As many clusters as classes. The paper's score: the largest |coefficient| (the library takes the largest)."""
    from skfeature.function.sparse_learning_based.MCFS import mcfs as coefficients

    X = X.astype(np.float64)
    options = {"W": _neighbour_graph(X), "n_clusters": int(y.max()) + 1}
    found = coefficients(X, n_selected_features=n_keep, mode="raw", **options)
    return best(np.abs(found).max(axis=1), n_keep)


def relief_f(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    """Kononenko's 10 neighbours.

    The library would take 11 and more classes for a number, few values for a name, and a constant feature makes all its
    distances NaN.
    """
    from skrebate import ReliefF

    varied = np.flatnonzero(np.ptp(X, axis=0) > 0)
    kind = "multiclass" if y.max() > 1 else "binary"
    model = ReliefF(n_keep, RELIEF_NEIGHBOURS, label_type=kind, categorical_threshold=0)
    return varied[best(model.fit(X[:, varied].astype(np.float64), y).feature_importances_, n_keep)]


def lasso_net(X: NDArray[np.float32], y: NDArray[np.int64], n_keep: int, seed: int) -> Chosen:
    """The library's defaults (100 hidden neurons), but steps of 5 % of the path (2 %), until n_keep features remain."""
    from lassonet import LassoNetClassifier

    class Enough(Exception):
        pass

    history: list[Any] = []

    def stop(model: Any, path: list[Any]) -> None:
        history[:] = path
        if model.model.selected_count() <= n_keep:
            raise Enough

    model = LassoNetClassifier(path_multiplier=1.05, verbose=0, random_state=seed, torch_seed=seed)
    with suppress(Enough):
        model.path(X, y, callback=stop)
    return best(model._compute_feature_importances(history).numpy(), n_keep)


@dataclass(frozen=True)
class Peer:
    """How a peer is run."""

    function: Callable[[NDArray[np.float32], NDArray[np.int64], int, int], Chosen]
    needs_y: bool = False
    seeded: bool = False
    """its choice depends on a seed"""
    works: bool = True
    """False: there is nothing to measure"""
    scale: str | None = None
    """None: the scale of the protocol"""
    most_rows: int | None = None
    """of more training rows it gets so many, drawn with the seed"""
    most_pairs: float | None = None
    """and so few that rows^2 x features stays below this"""
    imports: tuple[str, ...] = ()

    def rows(self, n_rows: int, n_features: int) -> int:
        """How many training rows it gets."""
        if self.most_rows is not None:
            n_rows = min(n_rows, self.most_rows)
        if self.most_pairs is not None:
            n_rows = min(n_rows, int((self.most_pairs / n_features) ** 0.5))
        return n_rows


SKFEATURE = (
    "skfeature.utility.construct_W",
    "skfeature.function.similarity_based.lap_score",
    "skfeature.function.sparse_learning_based.MCFS",
)
PEERS: dict[str, Peer] = {
    "all features": Peer(all_features, works=False),
    "random": Peer(random_features, seeded=True, works=False),
    "variance": Peer(variance, scale="minmax"),
    "Laplacian score": Peer(laplacian_score, most_rows=4_000, imports=SKFEATURE),
    "MCFS": Peer(mcfs, most_rows=2_000, imports=SKFEATURE),
    "F test": Peer(f_test, needs_y=True),
    "chi-squared": Peer(chi_squared, needs_y=True, scale="minmax"),
    "mutual information": Peer(mutual_information, needs_y=True, most_rows=10_000),
    "L1 logistic regression": Peer(l1_logistic, needs_y=True, most_rows=10_000),
    "ExtraTrees": Peer(extra_trees, needs_y=True, seeded=True),
    "ReliefF": Peer(relief_f, needs_y=True, most_pairs=1e9, imports=("skrebate",)),
    "LassoNet": Peer(lasso_net, needs_y=True, seeded=True, most_rows=2_000, imports=("lassonet",)),
}
