from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from trulysparse.data import fit_target_scaling
from trulysparse.data.target_scaling import in_unit, standardised
from trulysparse.errors import InputError


@pytest.mark.parametrize("unit", [1e-200, 1e-3, 1.0, 1e6, 1e200])
def test_as_scikit_learns_scaler(rng, unit):
    y = (rng.standard_normal((50, 3)) + np.array([0, 5, -100])) * unit
    scaling = fit_target_scaling(y)
    wanted = StandardScaler().fit_transform(y / unit)
    np.testing.assert_allclose(standardised(y, scaling), wanted, atol=1e-9)
    np.testing.assert_allclose(in_unit(standardised(y, scaling), scaling), y, rtol=1e-12, atol=1e-12 * unit)


def test_sample_weights_are_counts(rng):
    y, weight = rng.standard_normal((20, 2)), rng.integers(0, 4, 20)
    found, wanted = fit_target_scaling(y, weight.astype(float)), fit_target_scaling(np.repeat(y, weight, axis=0))
    np.testing.assert_allclose(found.offset, wanted.offset)
    np.testing.assert_allclose(found.factor, wanted.factor)


@pytest.mark.parametrize("y", [[3.0, 3.0], [3.0], np.array([3, 3], np.int8), np.full((2, 1), 3, np.float32)])
def test_constant_targets_keep_their_unit(y):
    scaling = fit_target_scaling(y)
    assert (scaling.offset.tolist(), scaling.factor.tolist()) == ([3.0], [1.0])
    assert not standardised(y, scaling).any()


def test_more_values_than_a_chunk(rng, monkeypatch):
    monkeypatch.setattr("trulysparse.data.matrix._CHUNK_BYTES", 64)
    y = rng.standard_normal((40, 2))
    np.testing.assert_allclose(standardised(y, fit_target_scaling(y)), StandardScaler().fit_transform(y), atol=1e-12)


@pytest.mark.parametrize(
    "y, message",
    [
        (sp.csr_array(np.eye(2)), "dense array in memory"),
        ([[1.0, 2.0, 3.0]], r"shape \(n_samples, 2\)"),
        ([[1.0, np.nan]], r"y\[0, 1\] is nan"),
        ([[1.0, 2.0], [1e301, 2.0]], r"y\[1, 0\] is 1e\+301"),
        ([[1.0], [1.0, 2.0]], "rows differ in length"),
        ([["a", "b"]], "must hold numbers"),
    ],
)
def test_targets_that_cannot_be_used(y, message):
    with pytest.raises(InputError, match=message):
        standardised(y, fit_target_scaling([[1.0, 2.0], [3.0, 5.0]]))


def test_predictions_out_of_range():
    scaling = fit_target_scaling([[1e300], [-1e300]])
    assert in_unit(np.array([[1.0]]), scaling)[0, 0] == pytest.approx(1e300)
    with pytest.raises(InputError, match=r"X\[1\] is beyond the range"):
        in_unit(np.array([[1.0], [1e300]]), scaling)
