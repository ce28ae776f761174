"""Data sets of the unsupervised benchmarks: `FOLDER/NAME.npz` with X and y, or X_train, y_train, X_test and y_test.

Splits and scales are those of QuickSelection (Atashgahi et al., Machine Learning 2022): a fifth of the rows is the
test, drawn with random_state 42; Madelon's official 600 validation rows are its last ones, and Fashion-MNIST has its
own split. Features get mean 0 and deviation 1 (word counts: the range 0 to 1), fitted on training rows alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler, StandardScaler

Scale = Literal["standard", "minmax", "none"]

SETS = ("coil20", "madelon", "pcmac", "basehock", "relathe", "arcene", "fashion_mnist")
TEXT = ("pcmac", "basehock", "relathe")
IMAGES = {"coil20": (32, 32), "fashion_mnist": (28, 28)}
MADELON_TEST = 600
SELECTED = {"madelon": 20}


@dataclass(frozen=True)
class Split:
    """Training and test rows, scaled: X in float32, classes from 0."""

    name: str
    X_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]

    @property
    def n_keep(self) -> int:
        """How many features the published tables select: 50, of Madelon 20."""
        return SELECTED.get(self.name, 50)


def raw(folder: Path | str, name: str) -> Split:
    """A set as it lies in its file, in float32, split."""
    with np.load(Path(folder) / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    if "X_train" in arrays:
        X_train, y_train, X_test, y_test = (arrays[key] for key in ("X_train", "y_train", "X_test", "y_test"))
    else:
        X, y = arrays["X"], arrays["y"]
        if name == "madelon":
            train, test = np.arange(len(X) - MADELON_TEST), np.arange(len(X) - MADELON_TEST, len(X))
            counts = np.bincount(y[test])
            if len(X) != 2600 or counts[0] != counts[1]:  # both parts were published with equal classes
                raise SystemExit("madelon.npz must have the 2,000 training rows first, then the 600 validation rows")
        else:
            train, test = train_test_split(np.arange(len(X)), test_size=0.2, random_state=42)
        X_train, y_train, X_test, y_test = X[train], y[train], X[test], y[test]
    classes = np.unique(y_train)
    return Split(
        name,
        np.asarray(X_train, np.float32).reshape(len(X_train), -1),
        np.searchsorted(classes, y_train),
        np.asarray(X_test, np.float32).reshape(len(X_test), -1),
        np.searchsorted(classes, y_test),
    )


def load(folder: Path | str, name: str, scale: Scale | None = None) -> Split:
    """A set with the scale of the protocol, or another; constant features stay 0."""
    split = raw(folder, name)
    if scale is None:
        scale = "minmax" if name in TEXT else "standard"
    if scale == "none":
        return split
    scaler = (MinMaxScaler() if scale == "minmax" else StandardScaler()).fit(split.X_train)
    return Split(name, scaler.transform(split.X_train), split.y_train, scaler.transform(split.X_test), split.y_test)


def relevant(X_train: NDArray[np.float32]) -> NDArray[np.intp]:
    """Madelon's 20 relevant features, from its rows: 5 informative ones and 15 linear combinations of them.

    Only they can be written as combinations of others. 1 - 1 / diag(C^-1), C the correlations, is the share of a
    feature's variance that the best combination of all others explains: over 0.98 for the 20, under 0.3 for the rest.
    """
    explained = 1 - 1 / np.diag(np.linalg.inv(np.corrcoef(X_train.T.astype(np.float64))))
    found = np.flatnonzero(explained > 0.9)
    if len(found) != 20:
        raise SystemExit(f"madelon.npz should have 20 correlated features; {len(found)} were found")
    return found
