from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

from trulysparse.connectivity import uniform  # noqa: E402
from trulysparse.torch.topology import Topology  # noqa: E402


def test_tokens_name_topologies():
    first, second = (Topology(uniform(6, 5, count, threads=1)) for count in (10, 11))
    assert Topology.of(first.token()) is first
    assert Topology.of(second.token()) is second


def test_copies_share_and_pickles_rebuild():
    topology = Topology(uniform(6, 5, 10, threads=1))
    assert copy.deepcopy(topology) is topology
    again = pickle.loads(pickle.dumps(topology))
    assert again.number != topology.number
    np.testing.assert_array_equal(again.connectivity.by_input.index, topology.connectivity.by_input.index)
