"""Each agent's normalisation against one of its own."""

from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError
from trulysparse.rl.fleet_normalization import FleetNormalization
from trulysparse.rl.normalization import RunningNormalization


def test_it_is_that_of_each_agent_alone(rng):
    together, alone = FleetNormalization(3, 4), [RunningNormalization(4) for _ in range(3)]
    for _ in range(50):
        observations = (rng.standard_normal((3, 4)) * [[1], [5], [100]]).astype(np.float32)
        together.update(observations)
        for each, row in zip(alone, observations, strict=True):
            each.update(row[None])
    np.testing.assert_array_equal(together.offset, [each.offset for each in alone])
    np.testing.assert_array_equal(together.factor, [each.factor for each in alone])
    same = FleetNormalization(3, 4)
    same.restore(together.state())
    np.testing.assert_array_equal(same.factor, together.factor)


def test_shapes_are_checked():
    with pytest.raises(InputError, match=r"shape \(3, 4\), not \(4, 3\)"):
        FleetNormalization(3, 4).update(np.zeros((4, 3)))
