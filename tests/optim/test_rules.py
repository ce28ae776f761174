"""What optimizers share: weight decay, the type of the state, the kernels' rule."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._kernels import Update, UpdateRule
from trulysparse.optim.rules import check_decay, check_state, decay_terms, gradient_rule, is_fused, sum_of


@pytest.mark.parametrize("mode, l2, decay", [("l2", 0.25, 0), ("decoupled", 0, 0.125), ("direct", 0, 0.25)])
@pytest.mark.parametrize("optimizer", [ts.SGD, ts.Adam])
def test_weight_decay_goes_where_its_mode_says(mode, l2, decay, optimizer):
    assert decay_terms(0.25, mode, 0.5) == (l2, decay)
    rule = optimizer(0.5, weight_decay=0.25, weight_decay_mode=mode).rule(0, 0.0, None)
    assert (rule.learning_rate, rule.l2, rule.decay) == (0.5, l2, decay)


class Halved:
    learning_rate = 0.5

    def update(self, values, gradient, slots, is_bias):
        values -= self.learning_rate * gradient


def test_is_fused_tells_kernels_from_arrays():
    assert is_fused(ts.SGD().rule(0, 0.0, None))
    assert is_fused(UpdateRule(Update.ADAM))
    assert not is_fused(Halved())


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda: None, "must return an UpdateRule, or an object with learning_rate and update"),
        (lambda: Halved, "must return an UpdateRule, or an object"),
        (lambda: 0.1, "not 0.1"),
        (UpdateRule, "must be one that updates parameters"),
        (gradient_rule, "must be one that updates parameters"),
    ],
)
def test_is_fused_anything_else_is_refused(rule, message):
    with pytest.raises(ts.InputError, match=message):
        is_fused(rule())


def test_rule_of_the_kernels_takes_keywords():
    rule = UpdateRule(Update.NESTEROV, learning_rate=0.25, momentum=0.5)
    assert (rule.kind, rule.learning_rate, rule.momentum) == (Update.NESTEROV, 0.25, 0.5)
    assert (rule.l2, rule.decay, rule.correction1, rule.correction2) == (0, 0, 1, 1)
    with pytest.raises(TypeError):
        UpdateRule(Update.SGD, rate=0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sum_of_gradients_times_their_factors(rng, dtype):
    parts = [rng.normal(size=50).astype(dtype) for _ in range(3)]
    factors = [0.25, 1.0, 0.5]
    wanted = sum(factor * part.astype(np.float64) for part, factor in zip(parts, factors, strict=True))
    total = sum_of(list(zip(parts, factors, strict=True)))
    assert total is parts[0]
    assert total.dtype == dtype
    np.testing.assert_allclose(total, wanted, rtol=1e-5 if dtype == np.float32 else 1e-14, atol=1e-6)


def test_sum_of_read_only_gradients_leaves_them():
    fixed = np.ones(4)
    fixed.flags.writeable = False
    total = sum_of([(fixed, 1.0), (np.full(4, 2.0), 0.5)])
    assert total.tolist() == [2, 2, 2, 2]
    assert total.flags.writeable
    assert fixed.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "weight_decay, mode, message",
    [
        (-0.1, "l2", "weight_decay must lie"),
        (1, "l2", "weight_decay must lie"),
        (float("nan"), "l2", "weight_decay must"),
        ("0.1", "l2", "weight_decay must"),
        (0, "l1", "weight_decay_mode must be one of l2, decoupled, direct"),
    ],
)
def test_check_decay_out_of_range_is_refused(weight_decay, mode, message):
    with pytest.raises(ts.InputError, match=message):
        check_decay(weight_decay, mode)


def test_check_state_of_an_unknown_type_is_refused():
    for state in (None, "float32", "bfloat16"):
        check_state(state)
    with pytest.raises(ts.InputError, match="state must be one of float32, bfloat16"):
        check_state("float16")


def test_gradient_rule_changes_no_parameter(rng):
    assert gradient_rule().kind == Update.GRADIENT
    net = ts.SparseMLP((6, 8, 3), epsilon=3)
    before = [layer.values.copy() for layer in net.layers]
    ts.Trainer(net).gradients(rng.standard_normal((5, 6)), rng.integers(0, 3, 5))
    assert all((layer.values == values).all() for layer, values in zip(net.layers, before, strict=True))
