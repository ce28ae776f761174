from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

import numpy as np  # noqa: E402

from trulysparse.connectivity import uniform  # noqa: E402
from trulysparse.torch.start import bias_of, connections_of  # noqa: E402


def test_biases_start_within_one_over_the_root_of_the_neurons_inputs():
    con = uniform(400, 3000, 60_000, threads=1)
    limit = 1 / np.sqrt(np.maximum(np.diff(con.indptr), 1))
    share = bias_of(con, torch.float64, 0).numpy() / limit
    assert np.abs(share).max() <= 1
    assert abs(share.mean()) < 0.05
    assert abs(share.var() - 1 / 3) < 0.03


def test_the_same_connections_for_a_seed():
    first, again, other = (connections_of(30, 20, 0.2, None, "erdos_renyi", seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.by_input.index, again.by_input.index)
    assert (first.by_input.index != other.by_input.index).any()
