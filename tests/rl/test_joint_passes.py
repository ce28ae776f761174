"""Joint passes against the networks one by one; test_learner.py has the gradients."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.nn.sinks import InputGradient
from trulysparse.rl.joint_passes import JointPasses


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_each_network_computes_what_it_does_alone(threads):
    nets = [ts.SparseMLP((5, 20, 3), density=0.5, output="identity", seed=seed) for seed in range(3)]
    passes, rng = JointPasses(nets, 32, threads), np.random.default_rng(0)
    passes.x[:] = rng.standard_normal((5, 32))
    for net, z in zip(nets, passes.forward(), strict=True):
        np.testing.assert_allclose(z.T, net.decision_function(passes.x.T), atol=1e-5)
    alone = passes.forward(1)
    assert len(alone) == 1
    np.testing.assert_array_equal(alone[0], passes.forward()[1])
    dys = [rng.standard_normal((3, 32)).astype(np.float32) for _ in nets]
    dxs = [np.empty((5, 32), np.float32) for _ in nets]
    passes.backward([dy.copy() for dy in dys], [InputGradient()] * 3, dxs)
    for net, dy, dx in zip(nets, dys, dxs, strict=True):
        np.testing.assert_allclose(dx.T, net.forward(passes.x.T).backward(dy.T, input_gradient=True), atol=1e-5)


def test_activations_of_ones_own_work_layer_by_layer():
    class Cube(ts.ActivationFunction):
        name = "cube"

        def forward(self, z):
            return z**3

        def derivative(self, z):
            return 3 * z**2

    nets = [ts.SparseMLP((4, 8, 2), density=0.6, activation=Cube(), output="identity", seed=seed) for seed in (0, 1)]
    passes = JointPasses(nets, 16, 1)
    passes.x[:] = np.random.default_rng(0).standard_normal((4, 16))
    for net, z in zip(nets, passes.forward(), strict=True):
        np.testing.assert_allclose(z.T, net.decision_function(passes.x.T), atol=1e-4)
    assert [h.shape for h in passes.hidden(0)] == [(8, 16)]
