"""Restricted Boltzmann machines by brute force, dense, in float64."""

from __future__ import annotations

from itertools import product

import numpy as np

from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softplus(z):
    return np.logaddexp(0, z)


def states(n):
    """All 2^n states, (2^n, n)."""
    return np.array(list(product([0.0, 1.0], repeat=n)))


def small_machine(n_visible=6, n_hidden=5, *, scale=1.0, seed=0, dtype="float64", visible="bernoulli", density=0.5):
    """A machine whose weights and biases are not small."""
    machine = BoltzmannMachine.draw(
        n_visible, n_hidden, density=density, seed=seed, threads=1, dtype=dtype, visible=visible
    )
    rng = np.random.default_rng(seed)
    machine.layer.values[:] = rng.normal(0, scale, machine.layer.n_connections)
    machine.layer.bias[:] = rng.normal(0, scale, n_hidden)
    machine.visible_bias[:] = rng.normal(0, scale, n_visible)
    return machine


def dense(machine):
    """W (n_hidden, n_visible), b, c."""
    return (
        machine.layer.weight.toarray().astype(np.float64),
        machine.layer.bias.astype(np.float64),
        machine.visible_bias.astype(np.float64),
    )


def joint_energies(machine, V):
    """E of each row of V with each of all hidden states, (n, 2^n_hidden), by the definition."""
    W, b, c = dense(machine)
    V, H = np.atleast_2d(V), states(machine.n_hidden)
    own = -V @ c if machine.visible == "bernoulli" else np.square(V - c).sum(axis=1) / 2
    return own[:, None] - H @ b - V @ W.T @ H.T


def free_energy(machine, V):
    """-ln of the sum over all hidden states, of each row."""
    return -np.logaddexp.reduce(-joint_energies(machine, V), axis=1)


def log_partition(machine):
    """ln Z: over all states of both sides."""
    return np.logaddexp.reduce(-joint_energies(machine, states(machine.n_visible)), axis=None)
