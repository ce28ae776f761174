"""500 labels of Fashion-MNIST, with and without what an autoencoder has learned from all 60,000 training rows.

A denoising autoencoder, 784-1000-784, is trained on all training rows without labels; a classifier begins with its
encoder. Beside it the same network from scratch, the library's default classifier, and logistic regression, on pixels
and on codes. For each seed, 500 rows have labels, 50 of each class; settings are chosen by the accuracy on a fifth of
those, held out, over three such splits, each model of as many settings; the test set is looked at once.

    python benchmarks/unsupervised/semi_supervised.py --data FOLDER      (fashion_mnist.npz)
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from _data import Split, load
from _measure import Made, measured
from _results import keep, read
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trulysparse as ts
from trulysparse.bench.report import table

PER_CLASS, SPLITS = 50, 3
RATES, DROPOUTS, EPOCHS = (0.0003, 0.001, 0.003), (0.0, 0.3), (30, 100)
NETWORK = [
    dict(zip(("learning_rate", "dropout", "epochs"), each, strict=True)) for each in product(RATES, DROPOUTS, EPOCHS)
]
LINEAR = [{"C": C} for C in np.geomspace(1e-4, 1, 9)]
NOISES = (0.2, 0.5, 1.0)
"""Of the autoencoder; chosen like the settings of the classifier."""

Make = Callable[..., Any]


def linear(**settings: Any) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, **settings))


def best(make: Make, settings: list[dict[str, Any]], X: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, dict]:
    """(accuracy on held-out rows, settings) of the best."""
    splits = list(StratifiedShuffleSplit(SPLITS, test_size=0.2, random_state=seed).split(X, y))
    found = []
    for each in settings:
        scores = [make(**each).fit(X[rows], y[rows]).score(X[held], y[held]) for rows, held in splits]
        found.append(float(np.mean(scores)))
    at = int(np.argmax(found))
    return found[at], settings[at]


def run(split: Split, seed: int) -> dict[str, Any]:
    """Test accuracies of all models, with the settings that were chosen."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    rng = np.random.default_rng(seed)
    of_class = [rng.permutation(np.flatnonzero(split.y_train == each))[:PER_CLASS] for each in range(10)]
    rows = np.concatenate(of_class)
    X, y = split.X_train[rows], split.y_train[rows]
    base = {"random_state": seed, "n_jobs": 1}

    def scratch(**settings: Any) -> Any:
        same = {
            "hidden_layer_sizes": (1000,),
            "epsilon": 13,
            "activation": "relu",
            "fan": "sparse",
            "optimizer": "adam",
        }
        return ts.SparseMLPClassifier(**same, **base, **settings)

    found: dict[str, Any] = {}
    for name, make, settings in (
        ("logistic regression, pixels", linear, LINEAR),
        ("default classifier", lambda: ts.SparseMLPClassifier(**base), [{}]),
        ("from scratch", scratch, NETWORK),
    ):
        _, chosen = best(make, settings, X, y, seed)
        found[name] = {"accuracy": make(**chosen).fit(X, y).score(split.X_test, split.y_test), "settings": chosen}

    candidates: dict[str, list[Any]] = {"logistic regression, codes": [], "pre-trained": []}
    for noise in NOISES:
        autoencoder = ts.SparseAutoencoder(noise=noise, epochs=10, **base).fit(split.X_train)

        def pretrained(autoencoder: Any = autoencoder, **settings: Any) -> Any:
            return ts.SparseMLPClassifier.from_autoencoder(autoencoder, optimizer="adam", **base, **settings)

        def on_codes(autoencoder: Any = autoencoder, **settings: Any) -> Any:
            return make_pipeline(Codes(autoencoder), linear(**settings))

        for name, make, settings in (
            ("logistic regression, codes", on_codes, LINEAR),
            ("pre-trained", pretrained, NETWORK),
        ):
            accuracy, chosen = best(make, settings, X, y, seed)
            candidates[name].append((accuracy, noise, chosen, make))
    for name, tried in candidates.items():
        _, noise, chosen, make = max(tried, key=lambda each: each[0])
        accuracy = make(**chosen).fit(X, y).score(split.X_test, split.y_test)
        found[name] = {"accuracy": accuracy, "settings": {"noise": noise, **chosen}}
    return found


class Codes:
    """A fitted autoencoder as a step of a pipeline that is not fitted again."""

    def __init__(self, autoencoder: Any) -> None:
        self.autoencoder = autoencoder

    def fit(self, X: np.ndarray, y: Any = None) -> Codes:
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return self.autoencoder.transform(X)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of NAME.npz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    given = parser.parse_args()
    for seed in given.seeds:
        got = measured(run, Made(load, given.data, "fashion_mnist", "standard"), seed)
        for model, values in got.result.items():
            keep("semi_supervised", {"model": model, "seed": seed, **values}, ("model", "seed"))
    rows = []
    results = read("semi_supervised")
    for model in dict.fromkeys(row["model"] for row in results):
        accuracies = [100 * row["accuracy"] for row in results if row["model"] == model]
        rows.append((model, f"{np.mean(accuracies):.2f} ± {np.std(accuracies):.2f}", len(accuracies)))
    table("Fashion-MNIST, 500 labels: test accuracy in %", ("model", "accuracy", "seeds"), rows)


if __name__ == "__main__":
    main()
