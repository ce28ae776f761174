"""What optimizers share: weight decay, the type of the state, the kernels' rule."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse._kernels import Update
from trulysparse.optim.rules import check_decay, check_state, gradient_rule, make_rule


@pytest.mark.parametrize("mode, l2, decay", [("l2", 0.25, 0), ("decoupled", 0, 0.125), ("direct", 0, 0.25)])
def test_make_rule_puts_weight_decay_where_its_mode_says(mode, l2, decay):
    rule = make_rule(Update.ADAM, 0.5, 0.25, mode)
    assert rule.kind == Update.ADAM
    assert (rule.learning_rate, rule.l2, rule.decay) == (0.5, l2, decay)


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
