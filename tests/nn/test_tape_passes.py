"""Passes of several tapes: in one call of the kernels where layers allow it, layer by layer where they do not."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse import _kernels
from trulysparse.nn.tape_passes import check_gradients


@pytest.fixture
def calls(monkeypatch):
    """How often the kernels ran whole passes."""
    counts = {"run_forward": 0, "run_backward": 0}
    for name in counts:
        real = getattr(_kernels, name)

        def counted(*arguments, name=name, real=real):
            counts[name] += 1
            return real(*arguments)

        monkeypatch.setattr(_kernels, name, counted)
    return counts


def test_indexed_networks_run_together_in_one_call(rng, calls):
    """Forward of all tiles, backward of each."""
    nets = [ts.SparseMLP((5, 700, 600, 3), epsilon=2, output="identity", seed=seed) for seed in (0, 1)]
    ts.forward_all(nets, rng.standard_normal((300, 5))).gradients(np.ones((300, 3)))
    assert calls == {"run_forward": 1, "run_backward": 3}


def test_mixed_lists_give_the_same_as_each_alone(rng, calls):
    nets = [
        ts.SparseMLP((5, 70, 3), epsilon=2, output="identity", storage=storage, seed=1)
        for storage in ("indexed", "compact")
    ]
    X, dY = rng.standard_normal((30, 5)), rng.standard_normal((30, 3))
    together = ts.forward_all(nets, X).gradients(dY, input_gradient=True)
    assert calls == {"run_forward": 1, "run_backward": 1}  # the indexed one
    for net, gradient in zip(nets, together, strict=True):
        np.testing.assert_array_equal(gradient.input, net.forward(X).gradients(dY, input_gradient=True).input)


def test_large_layers_hold_on_to_no_prepared_call(rng, calls, monkeypatch):
    monkeypatch.setattr("trulysparse.nn.layers.indexed.IndexedLayer.largest_prepared", 10)
    net, X = ts.SparseMLP((5, 70, 3), epsilon=2, output="identity", dtype="float64"), rng.standard_normal((30, 5))
    tape = net.forward(X)
    np.testing.assert_allclose(tape.output, net.decision_function(X), rtol=1e-12)
    assert tape.gradients(np.ones((30, 3))).parameters[0][0].any()
    assert calls == {"run_forward": 0, "run_backward": 0}


def test_gradients_of_other_sizes_are_refused():
    net = ts.SparseMLP((5, 7, 3), epsilon=2)
    gradients = [layer.new_gradient() for layer in net.layers]
    check_gradients(net, gradients)
    short = [(gradients[0][0][:-1], gradients[0][1]), gradients[1]]
    for wrong in ([], gradients[:1], short, [(weight, bias[:1]) for weight, bias in gradients]):
        with pytest.raises(ts.InputError, match=r"^into must hold, for each layer"):
            check_gradients(net, wrong)
