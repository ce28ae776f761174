"""What `select` writes: the chosen features, the selector, the samples with the chosen features alone."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from trulysparse._core.files import write_whole
from trulysparse.data.table import Table
from trulysparse.errors import InputError
from trulysparse.io.models import save

OUT, DATA_OUT, REPORT = (".csv", ".json", ".safetensors"), (".csv", ".npz"), (".html",)


def check_path(option: str, path: Path, suffixes: Sequence[str], data: str) -> None:
    """InputError where a file cannot be written there, or is DATA itself."""
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{option} must end in {' or '.join(suffixes)}, not '{path}'")
    if not path.parent.is_dir():
        raise InputError(f"{option}: folder '{path.parent}' does not exist")
    if path.is_dir():
        raise InputError(f"{option}: '{path}' is a folder, not a file")
    if path.exists() and Path(data).exists() and path.samefile(data):
        raise InputError(f"{option}: '{path}' is DATA itself")


def write_selection(path: Path, selector: Any, names: Sequence[str], settings: dict[str, Any]) -> None:
    """Writes the chosen features, the best first.

    Args:
        path: .csv (rank, feature, index and score of each), .json (with the settings and the scores of all features)
            or .safetensors (the selector, for trulysparse.load).
        selector: fitted.
        names: of all features.
        settings: what the selection depends on, for .json.
    """
    if path.suffix.lower() == ".safetensors":
        save(selector, path)
        return
    rows = chosen_features(selector, names)

    def write(temporary: Path) -> None:
        if path.suffix.lower() == ".json":
            whole = {**settings, "features": rows, "scores": selector.scores_.tolist()}
            temporary.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
            return
        with temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, ["rank", "feature", "index", "score"])
            writer.writeheader()
            writer.writerows(rows)

    write_whole(path, write)


def chosen_features(selector: Any, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rank, name, number from 0 and score of each chosen feature, the best first."""
    return [
        {"rank": rank + 1, "feature": names[i], "index": int(i), "score": float(selector.scores_[i])}
        for rank, i in enumerate(in_order(selector).tolist())
    ]


def in_order(selector: Any) -> NDArray[np.int64]:
    """The numbers of the chosen features, the best first."""
    chosen: NDArray[np.int64] = selector.get_support(indices=True)
    return chosen[np.argsort(selector.ranking_[chosen], kind="stable")]


def check_data_out(path: Path, table: Table, X: Any, aside: Sequence[str]) -> None:
    """InputError where a file of this kind cannot hold these samples. aside: options whose columns it would lack."""
    sparse = sp.issparse(X) or sp.issparse(getattr(X, "x", None))
    if aside:
        raise InputError(f"--data-out cannot be combined with {aside[0]}, whose column it would lack")
    if sp.issparse(table.y):
        raise InputError("--data-out is for one label per sample or columns of targets, not for lists of labels")
    if path.suffix.lower() == ".csv":
        if sparse:
            raise InputError(f"--data-out: sparse samples need an .npz file, not '{path}'")
        if table.X_test is not None:
            raise InputError(f"--data-out: DATA has a test set of its own, which needs an .npz file, not '{path}'")
        return
    if sparse and table.X_test is not None:
        raise InputError("--data-out cannot hold sparse samples with a test set of their own")
    if hasattr(X, "iloc") and any(dtype.kind not in "iufb" for dtype in X.dtypes):
        raise InputError(f"--data-out: columns of text or with gaps need a .csv file, not '{path}'")


def write_samples(path: Path, selector: Any, table: Table, X: Any, names: Sequence[str]) -> None:
    """Writes samples with the chosen features alone, in the order of the data, and their targets, for `train`.

    Args:
        path: see check_data_out.
        selector: fitted.
        table: targets, and the test samples of data that has a split.
        X: all samples.
        names: of all features.
    """
    chosen = selector.get_support(indices=True)
    part = X.iloc[:, chosen] if hasattr(X, "iloc") else selector.transform(X)
    if path.suffix.lower() == ".csv":
        columns = _columns(part, [names[i] for i in chosen.tolist()]) | _targets(table, set(names))

        def write(temporary: Path) -> None:
            with temporary.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(columns)
                writer.writerows(zip(*columns.values(), strict=True))
    else:
        arrays = _arrays(part, table)
        if table.X_test is not None:
            test = _plain(selector.transform(table.X_test))
            arrays = {f"{name}_train": array for name, array in arrays.items()} | {"X_test": test}
            arrays |= {} if table.y_test is None else {"y_test": _plain(table.y_test)}

        def write(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]

    write_whole(path, write)


def _columns(part: Any, names: Sequence[str]) -> dict[str, list[Any]]:
    if not hasattr(part, "iloc"):
        return {name: part[:, i].tolist() for i, name in enumerate(names)}
    return {name: _values(part.iloc[:, i]) for i, name in enumerate(names)}


def _targets(table: Table, taken: set[str]) -> dict[str, list[Any]]:
    """The columns of the targets; those of data without names are called 'target', with '_' until that is new."""
    y = table.y
    if y is None:
        return {}
    if hasattr(y, "columns"):
        return {str(name): _values(y[name]) for name in y.columns}
    name = table.target or "target"
    if np.ndim(y) == 2:
        while any(f"{name}_{i}" in taken for i in range(np.shape(y)[1])):
            name += "_"
        return {f"{name}_{i}": np.asarray(y)[:, i].tolist() for i in range(np.shape(y)[1])}
    while name in taken:
        name += "_"
    return {name: _values(y) if hasattr(y, "iloc") else np.asarray(y).tolist()}


def _values(column: Any) -> list[Any]:
    """Values as .csv has them: nothing for a gap."""
    return ["" if gap else value for value, gap in zip(column.tolist(), column.isna().tolist(), strict=True)]


def _arrays(part: Any, table: Table) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]]
    if sp.issparse(part):  # as scipy.sparse.save_npz
        matrix = sp.csr_array(part)
        arrays = {name: getattr(matrix, name) for name in ("indices", "indptr", "data")}
        arrays |= {"format": np.array(b"csr"), "shape": np.array(matrix.shape), "_is_array": np.array(True)}
    else:
        arrays = {"X": _plain(part)}
    return arrays if table.y is None else arrays | {"y": _plain(table.y)}


def _plain(values: Any) -> NDArray[Any]:
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    return array.astype(str) if array.dtype == object else array
