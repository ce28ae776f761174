"""Some features of samples, against slices of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from trulysparse.data import as_matrix, fit_scaling
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.synthetic import MadelonLike
from trulysparse.errors import InputError
from trulysparse.unsupervised.selection.features import SelectedFeatures, scaling_of

FEATURES = np.array([6, 0, 3])
ROWS = np.array([4, 1, 1, 8])


def samples() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.where(rng.random((10, 8)) < 0.5, rng.integers(1, 9, (10, 8)), 0).astype(np.float64)


def frame(X: np.ndarray) -> Any:
    return pytest.importorskip("pandas").DataFrame(X)


FORMS: dict[str, Any] = {
    "float64": lambda X: X,
    "float16": lambda X: X.astype(np.float16),  # which the kernels do not read
    "uint8, columns first": lambda X: np.asfortranarray(X.astype(np.uint8)),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "frame": frame,
}


@pytest.mark.parametrize("form", FORMS)
def test_values_are_those_of_the_features(form: str) -> None:
    X = samples()
    matrix = as_matrix(FORMS[form](X))
    scaling = scaling_of(fit_scaling("standard", as_matrix(X)), FEATURES)
    selected = SelectedFeatures(matrix, FEATURES)
    out = np.full((3, 16), 7, np.float32)
    with selected.reader(ROWS) as reader:
        reader.load(ROWS, out, scaling, 1)
    expected = ((X - X.mean(0)) / X.std(0))[ROWS][:, FEATURES].T
    np.testing.assert_allclose(out[:, :4], expected, rtol=1e-5, atol=1e-6)
    assert not out[:, 4:].any()
    chunk = selected.chunk(2, 5)
    np.testing.assert_array_equal(chunk.toarray() if sp.issparse(chunk) else chunk, X[2:5][:, FEATURES])


def test_streams_are_read_whole_and_cut() -> None:
    blocks = MadelonLike(600, 40, seed=3)
    stream = StreamMatrix(blocks)
    selected = SelectedFeatures(stream, FEATURES)
    order = selected.order(np.arange(600), np.random.default_rng(0))
    out = np.empty((3, 32), np.float32)
    with selected.reader(order) as reader:
        reader.load(order[:32], out, None, 1)
    whole = np.empty((40, 32), np.float32)
    with stream.reader(order) as reader:
        reader.load(order[:32], whole, None, 1)
    np.testing.assert_array_equal(out, whole[FEATURES])


def test_names_and_bad_values_are_those_of_the_whole() -> None:
    X = samples()
    X[4, 3] = 1e300  # beyond float32
    selected = SelectedFeatures(as_matrix(X, "table"), FEATURES)
    assert selected.feature_name(0) == "6"
    assert selected.origin(2) == ("table", 2)
    assert selected.shared_by(2).n_features == 3
    with pytest.raises(InputError, match=r"table\[4, 3\] is 1e\+300"):
        selected.load(ROWS, np.empty((3, 4), np.float32), None, 1)


def test_only_the_values_of_the_features_are_copied() -> None:
    matrix = as_matrix(np.zeros((50, 10_000), np.float32))
    part = SelectedFeatures(matrix, np.arange(5)).part(np.arange(20))
    assert part is not None
    assert part.x.nbytes == 20 * 5 * 4
