"""Automatic noise filtering: an input layer that evolves alone finds the features that say something."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from trulysparse.rl.learner import Learner
from trulysparse.rl.presets import checked, settings

N_REAL, N_NOISE = 4, 36


def taught(evolution, updates, seed=0):
    """Twin networks that learn a function of the first four of forty inputs, with the preset's sparsity."""
    chosen = checked("td3", settings("td3", "anf", N_REAL + N_NOISE - 2, 2))
    twins = Learner(
        (N_REAL + N_NOISE, 64, 64, 1),
        batch_size=64,
        n_networks=2,
        density=chosen.critic_density,
        optimizer=ts.Adam(3e-3),
        evolution=evolution,
        evolving=chosen.evolving,
        seed=seed,
    )
    start = [net.copy() for net in twins.nets]
    rng = np.random.default_rng(seed)
    for _ in range(updates):
        x = rng.standard_normal((N_REAL + N_NOISE, 64)).astype(np.float32)
        twins.x[:, :64] = x
        wanted = np.sin(2 * x[0]) + x[1] * x[2] + np.abs(x[3])
        for z, dy in zip(twins.forward(), twins.dy, strict=True):
            dy[:, :64] = (z[:, :64] - wanted) * 2 / 64
        twins.update()
        twins.soft_update(0.05)
    return twins, start


def degrees(net):
    return np.diff(net.layers[0].connectivity.by_input.ptr)


def test_the_input_layer_evolves_alone_and_targets_follow():
    twins, start = taught(ts.SET(0.1, every_updates=2), 10)
    assert twins.replaced > 0
    for net, target, old in zip(twins.nets, twins.targets, start, strict=True):
        assert [a.connectivity is not b.connectivity for a, b in zip(net.layers, old.layers, strict=True)] == [
            True,
            False,
            False,
        ]
        assert [a.n_connections for a in net.layers] == [a.n_connections for a in old.layers] == [256, 410, 64]
        for own, online in zip(target.layers, net.layers, strict=True):
            assert own.connectivity is online.connectivity


def test_features_of_noise_lose_their_connections():
    twins, start = taught(ts.SET(0.2, every_updates=20), 800)
    for net, old in zip(twins.nets, start, strict=True):
        before, after = degrees(old), degrees(net)
        assert abs(before[:N_REAL].mean() - before[N_REAL:].mean()) < 3
        assert after[:N_REAL].mean() > 1.5 * after[N_REAL:].mean()
        assert after.sum() == before.sum()
