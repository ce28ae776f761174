"""State that is worth keeping."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from training_helpers import network
from trulysparse.training.finite import require_finite


@pytest.mark.parametrize("part", ["values", "bias", "weight state", "bias state"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_is_found(part, value):
    trainer = ts.Trainer(network(), optimizer=ts.Adam())
    require_finite(trainer)
    layer, state = trainer.net.layers[1], trainer.optimizer_state[1]
    array = {"values": layer.values, "bias": layer.bias, "weight state": state.weight[1], "bias state": state.bias[0]}
    array[part][-1] = value
    trainer.step_count = 8
    with pytest.raises(ts.DivergenceError, match="not finite after step 7"):
        require_finite(trainer)
