"""Values scaled as they are loaded, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from sample_files import Counted
from trulysparse.data import Scaling, as_matrix
from trulysparse.data.scaled_matrix import ScaledMatrix, same_scaling, scaling_of
from trulysparse.data.stream.matrix import StreamMatrix
from trulysparse.data.targets import check_values
from trulysparse.errors import InputError

FORMS = {
    "dense": as_matrix,
    "csr": lambda x: as_matrix(sp.csr_array(x)),
    "stream": lambda x: StreamMatrix(Counted(x, 4)),
}


@pytest.fixture
def scaling(rng):
    return Scaling("standard", rng.standard_normal(3), np.array([2.0, 0.0, 0.5]))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_loaded_and_in_chunks(rng, scaling, form, dtype):
    x = rng.standard_normal((11, 3))
    scaled, wanted = ScaledMatrix(FORMS[form](x), scaling), (x - scaling.offset) * scaling.factor
    assert (scaled.n_samples, scaled.n_features, len(scaled.order(np.arange(11), rng))) == (11, 3, 11)
    np.testing.assert_allclose(scaled.chunk(2, 9), wanted[2:9], rtol=1e-12)
    out, rows = np.ones((3, 16), dtype), np.array([4, 10, 0])
    scaled.shared_by(2).load(rows, out, None, 1)
    np.testing.assert_allclose(out[:, :3], wanted[rows].T, rtol=1e-5, atol=1e-6)
    assert not out[:, 3:].any()
    with scaled.reader(rows) as reader:
        reader.load(rows, out, None, 1)
        np.testing.assert_allclose(reader.chunk(0, 2), wanted[:2], rtol=1e-12)
    np.testing.assert_allclose(out[:, :3], wanted[rows].T, rtol=1e-5, atol=1e-6)


def test_limits_are_of_the_scaled_values():
    scaled = ScaledMatrix(as_matrix([[10.0], [20.0], [25.0]]), Scaling("minmax", np.array([10.0]), np.array([0.1])))
    reader, out = check_values(scaled, 1, low=0, high=1).reader(), np.empty((1, 2))
    reader.load(np.array([0, 1]), out, 1)
    assert out.tolist() == [[0.0, 1.0]]
    with pytest.raises(
        InputError, match=r"X\[2, 0\] is 1.5 once it is scaled; targets of this loss must lie in \[0, 1\]"
    ):
        reader.load(np.array([1, 2]), out, 1)


def test_scalings_are_the_same_by_their_values(scaling):
    twin = Scaling("other", scaling.offset.copy(), scaling.factor.copy())
    assert same_scaling(scaling, twin)
    assert same_scaling(None, None)
    assert not same_scaling(scaling, None)
    assert not same_scaling(Scaling("standard", scaling.offset, scaling.factor + 1), scaling)
    matrix = as_matrix(np.ones((2, 3)))
    assert scaling_of(matrix) is None
    assert scaling_of(ScaledMatrix(matrix, scaling)) is scaling
