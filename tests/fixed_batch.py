"""A replay memory that gives the same batch each time, and dense networks in float64 to compare agents with."""

from __future__ import annotations

import numpy as np


class FixedBatch:
    """Gives the transitions that it holds, in their order, in place of random ones."""

    def __init__(self, observations, actions, rewards, discounts, next_observations):
        self.parts = [np.asarray(each) for each in (observations, actions, next_observations)]
        self.rewards, self.discounts = np.asarray(rewards), np.asarray(discounts)

    def sample(self, rng, batch_size, observations, actions, next_observations, *, offset=None, factor=None):
        assert batch_size == len(self.rewards)
        columns = observations.shape[1]
        for into, values in zip((observations, actions, next_observations), self.parts, strict=True):
            into[..., :batch_size] = values.T
            into[..., batch_size:] = 0
        padded = np.zeros((2, columns), np.float32)
        padded[:, :batch_size] = self.rewards, self.discounts
        return padded[0], padded[1]


def dense(net):
    """Weights and biases of each layer in float64."""
    return [(layer.weight.toarray().astype(np.float64), layer.bias.astype(np.float64)) for layer in net.layers]


def run(weights, x):
    """The output of a network of ReLUs for (features, samples)."""
    for number, (w, b) in enumerate(weights):
        x = w @ x + b[:, None]
        if number < len(weights) - 1:
            x = np.maximum(x, 0)
    return x


def note_gradients(learner, into):
    """Has a learner put copies of the gradients at its outputs into a list at each update."""
    update = learner.update

    def noting():
        into.append([dy[:, : learner.batch_size].copy() for dy in learner.dy])
        update()

    learner.update = noting
