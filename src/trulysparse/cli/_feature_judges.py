"""How good chosen features are: a few classifiers or regressors in a cross-validation, with the selection made anew
within each fold, on its training samples alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from trulysparse._core.progress import Progress
from trulysparse._core.random import generator, stream_key
from trulysparse.data import as_matrix
from trulysparse.data.matrix import array_of_samples, chunks
from trulysparse.data.targets import INT32
from trulysparse.errors import InputError
from trulysparse.preprocessing import TablePreprocessor
from trulysparse.report.selection_page import ALL, CHOSEN, RANDOM, Judged
from trulysparse.task.dataset import take
from trulysparse.task.splits import folds
from trulysparse.task.task import Task

MOST_TRAINED, MOST_TESTED = 4000, 2000
"""Samples of a fold that judges are trained and tested on at most; the selection sees all that are not held out."""
_TREES = 50
_NEIGHBOURS = 5  # or all, where there are fewer
_MOST_BYTES = 512 << 20  # of the samples that judges see with all features


@dataclass(frozen=True)
class Labelled:
    """Samples, with their targets where there are any.

    Attributes:
        X: an array, a sparse matrix, a table or a Matrix.
        y: as `task` encodes them, or None.
        task: what they are, or None.
        groups: see task.splits.folds.
        order: likewise.
    """

    X: Any
    y: Any = None
    task: Task | None = None
    groups: NDArray[Any] | None = None
    order: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.X) if hasattr(self.X, "iloc") else as_matrix(self.X).n_samples

    @property
    def kind(self) -> str:
        """What targets are to a SparseFeatureSelector."""
        kind = "auto" if self.task is None else self.task.kind
        return "auto" if kind == "multilabel" else kind

    def taken(self, rows: NDArray[np.int64] | None) -> Labelled:
        """Some of the samples; None: all."""
        if rows is None:
            return self
        y, groups, order = (None if each is None else each[rows] for each in (self.y, self.groups, self.order))
        return Labelled(take(self.X, rows), y, self.task, groups, order)

    def folds(self, n_folds: int, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """See task.splits.folds; InputError too where judges could not be trained or scored in one of them."""
        kind = "none" if self.task is None else self.task.kind
        codes = self.y if kind == "classification" else None
        found = folds(len(self), n_folds, seed=seed, codes=codes, groups=self.groups, order=self.order)
        for train, test in found:
            if codes is not None and len(np.unique(codes[train])) < 2:
                raise InputError(f"--cv: of {n_folds} folds, one has a single class to train on")
            if kind == "regression" and len(test) < 2:
                raise InputError(f"--cv: of {n_folds} folds, one has a single sample to score by R²")
        return found

    def targets(self) -> NDArray[Any]:
        """Targets as a selector and judges take them: labels (n,), values (n,) or (n, k), or 0 and 1, (n, k)."""
        y: NDArray[Any] = self.y.toarray() if sp.issparse(self.y) else self.y
        if self.task is not None and self.task.kind == "multilabel":
            return y.astype(np.int64)
        return y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y


def judge_features(
    selector: Any, data: Labelled, n_folds: int, seed: int, threads: int | None, progress: Progress, *, with_y: bool
) -> list[Judged]:
    """Judges what a selector chooses, beside all features and as many random ones.

    Args:
        selector: that is cloned and fitted in each fold.
        data: the samples, with targets.
        n_folds: at least 2.
        seed: of folds, samples, random features, selections and judges.
        threads: of judges that use several; None: all.
        progress: called as folds are done.
        with_y: whether the selector sees targets.

    Returns:
        The scores of all judges and sets of features: accuracy, of several labels per sample of each label; R² of
        numbers.

    Raises:
        InputError: where there are too few samples for so many folds.
    """
    task = data.task
    assert task is not None
    found: dict[tuple[str, str], list[float]] = {}
    for number, (train, test) in enumerate(data.folds(n_folds, seed)):
        progress("judging", number, n_folds)
        own = clone(selector).set_params(random_state=_seed(seed, "fold", number))
        inner = data.taken(train)
        own.fit(inner.X, inner.targets() if with_y else None)
        rng = generator(seed, "judged samples", number)
        inner, outer = data.taken(_some(train, MOST_TRAINED, rng)), data.taken(_some(test, MOST_TESTED, rng))
        n_features, chosen = int(own.n_features_in_), own.get_support(indices=True)
        sets = {CHOSEN: chosen}
        if _bytes(data.X, len(inner) + len(outer)) <= _MOST_BYTES:
            sets[ALL] = np.arange(n_features)
        sets[RANDOM] = np.sort(rng.choice(n_features, len(chosen), replace=False))
        for name, columns in sets.items():
            encoded = _encoded(_columns(inner.X, columns), _columns(outer.X, columns))
            if encoded is None:
                continue
            judges = _judges(task, _seed(seed, "judge", number), threads or -1, min(_NEIGHBOURS, len(inner)))
            for judge, make in judges.items():
                predicted = make().fit(encoded[0], inner.targets()).predict(encoded[1])
                found.setdefault((judge, name), []).append(_score(task, outer.targets(), predicted))
    progress("judging", n_folds, n_folds)
    order = list(dict.fromkeys(judge for judge, _ in found))
    return [Judged(judge, name, found[judge, name]) for judge in order for name in sets if (judge, name) in found]


def _seed(seed: int, purpose: str, number: int) -> int:
    return int(stream_key(seed, purpose, number) >> 33)


def _some(rows: NDArray[np.int64], most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _bytes(X: Any, n_samples: int) -> float:
    return 0.0 if hasattr(X, "iloc") else n_samples * as_matrix(X).sample_bytes


def _columns(X: Any, columns: NDArray[np.int64]) -> Any:
    """Some columns, in memory."""
    if hasattr(X, "iloc"):
        return X.iloc[:, columns]
    matrix = as_matrix(X)
    if not matrix.streamed:
        part = array_of_samples(matrix)[:, columns]
    else:
        found = [chunk[:, columns] for _, chunk in chunks(matrix)]
        part = sp.vstack(found, format="csr") if sp.issparse(found[0]) else np.concatenate(found)
    if sp.issparse(part) and max(part.nnz, *part.shape) <= INT32.max:  # judges take no others
        indices, pointers = (np.asarray(each, np.int32) for each in (part.indices, part.indptr))
        part = sp.csr_array((part.data, indices, pointers), shape=part.shape)
    return part


def _encoded(train: Any, test: Any) -> tuple[Any, Any] | None:
    """Both as numbers, standardised by the training samples; None where none of the columns says anything of these."""
    if hasattr(train, "iloc"):
        try:
            preprocessor = TablePreprocessor().fit(train)
        except ValueError:  # all columns are constant here
            return None
        train, test = preprocessor.encode(train), preprocessor.encode(test)
    scaler = StandardScaler(with_mean=not sp.issparse(train)).fit(train)
    return scaler.transform(train), scaler.transform(test)


def _judges(task: Task, seed: int, threads: int, neighbours: int) -> dict[str, Callable[[], Any]]:
    several = task.kind == "multilabel" or (task.kind == "regression" and task.n_outputs > 1)
    if task.kind == "regression":
        judges: dict[str, Callable[[], Any]] = {
            "SVR": SVR,
            "extra trees": lambda: ExtraTreesRegressor(_TREES, random_state=seed, n_jobs=threads),
            f"{_NEIGHBOURS} neighbours": lambda: KNeighborsRegressor(neighbours),
        }
    else:
        judges = {
            "SVC": SVC,
            "extra trees": lambda: ExtraTreesClassifier(_TREES, random_state=seed, n_jobs=threads),
            f"{_NEIGHBOURS} neighbours": lambda: KNeighborsClassifier(neighbours),
        }
    return {name: make for name, make in judges.items() if not several or not name.startswith("SV")}


def _score(task: Task, y: NDArray[Any], predicted: NDArray[Any]) -> float:
    return float(r2_score(y, predicted)) if task.kind == "regression" else float((predicted == y).mean())
