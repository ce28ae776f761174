"""Losses by name, object and default, and what is refused in their place."""

from __future__ import annotations

import pytest

import trulysparse as ts
from trulysparse.nn.losses import BY_NAME, BY_OUTPUT, CustomLoss, make_loss


class Own:
    outputs = ("identity", "sigmoid")

    def value_and_gradient(self, z, targets, weight):
        return 0.0, z


@pytest.mark.parametrize("name", BY_NAME)
def test_every_name_makes_its_loss_and_trains(rng, name):
    (output,) = BY_NAME[name].outputs
    assert make_loss(name, output) is BY_NAME[name]
    net = ts.SparseMLP((4, 6, 2), output=output, threads=1)
    y = rng.integers(0, 2, 8) if output == "softmax" else rng.integers(0, 2, (8, 2))
    trainer = ts.Trainer(net, loss=name)
    assert trainer.loss.name == name
    assert trainer.step(rng.normal(size=(8, 4)), y) > 0


def test_each_output_has_a_loss_of_its_own():
    assert list(BY_OUTPUT) == ["softmax", "sigmoid", "identity"]
    for output, kind in BY_OUTPUT.items():
        assert type(make_loss(None, output)) is kind


def test_objects_are_taken_as_they_are():
    for loss in (ts.SoftmaxCrossEntropy(), CustomLoss(Own())):
        assert make_loss(loss, loss.outputs[0]) is loss
    assert make_loss(ts.Huber(0.3), "identity").delta == 0.3
    own = Own()
    assert make_loss(own, "sigmoid").loss is own


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("hinge", "loss must be one of softmax_cross_entropy, .*, huber, .*, not 'hinge'"),
        (
            "mean_squared_error",
            "loss mean_squared_error belongs to output='identity', but the network has output='soft",
        ),
        (ts.Huber(), "loss huber belongs to output='identity', but the network has output='softmax'"),
        (Own(), "loss Own belongs to output='identity' or 'sigmoid', but the network has output='softmax'"),
        (Own, r"loss must be an object, not the class Own: give Own\(\)"),
        (ts.Huber, r"loss must be an object, not the class Huber: give Huber\(\)"),
        (
            object(),
            r"loss must be one of .*, None, or an object with a method value_and_gradient\(z, targets, weight\)",
        ),
        (lambda z, t, w: (0.0, z), r"loss must be one of .* or gradient\(z, targets, weight, threads\), not <function"),
        (3, "loss must be one of .*, not 3"),
    ],
)
def test_what_is_no_loss_or_not_for_the_output_is_refused(loss, message):
    with pytest.raises(ts.InputError, match=message):
        make_loss(loss, "softmax")
    with pytest.raises(ts.InputError, match=message):
        ts.Trainer(ts.SparseMLP((4, 6, 3), threads=1), loss=loss)
