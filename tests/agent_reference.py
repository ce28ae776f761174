"""Agents without environments, and the plain optimizer under which an update can be checked by hand."""

from __future__ import annotations

import copy

import numpy as np

import trulysparse as ts
from trulysparse.rl.spaces import Spaces

BOX = Spaces(3, False, 2, False, np.float32([-2, -1]), np.float32([2, 3]))


def filled(agent, n=64, seed=0):
    """The agent with a replay buffer of random transitions; every tenth ends an episode."""
    rng, spaces = np.random.default_rng(seed), agent.spaces
    agent.replay = agent.new_replay()
    for learner in agent.learners.values():
        learner.set_total_updates(1000)
    agent.replay.start(rng.standard_normal((1, spaces.n_observations)))
    for step in range(n):
        if spaces.discrete:
            action = rng.integers(spaces.n_actions, size=1)
        else:
            action = rng.uniform(-1, 1, (1, spaces.n_actions))
        following, first = rng.standard_normal((2, 1, spaces.n_observations))
        ends = np.array([step % 10 == 9])
        agent.replay.add(action, rng.standard_normal(1), following, ends, ~ends & False, first)
    return agent


def with_plain_steps(agent, rate=0.1):
    """The agent with gradient descent in place of Adam."""
    sgd = ts.SGD(rate, momentum=0.0)
    for learner in agent.learners.values():
        learner.optimizer = sgd
        learner.optimizer_state = [[layer.new_state(sgd) for layer in net.layers] for net in learner.nets]
    return agent


def dense(net):
    """(weights, biases) of each layer in float64, and where connections are."""
    found = []
    for layer in net.layers:
        rows, exists = layer.connectivity.by_output, np.zeros((layer.n_out, layer.n_in))
        for neuron in range(layer.n_out):
            exists[neuron, rows.index[rows.ptr[neuron] : rows.ptr[neuron + 1]]] = 1
        found.append((layer.weight.toarray().astype(np.float64), layer.bias.astype(np.float64), exists))
    return found


def run(weights, x):
    """Activations of each layer of samples in columns, the input first."""
    values = [x]
    for number, (w, b, _) in enumerate(weights):
        z = w @ values[-1] + b[:, None]
        values.append(np.maximum(z, 0) if number < len(weights) - 1 else z)
    return values


def backward(weights, values, d):
    """Gradients of each layer's weights, where connections are, and biases; and at the input."""
    found = []
    for number in range(len(weights) - 1, -1, -1):
        found.append(((d @ values[number].T) * weights[number][2], d.sum(axis=1)))
        d = weights[number][0].T @ d
        if number:
            d = d * (values[number] > 0)
    return found[::-1], d


def assert_stepped(net, before, gradients, rate=0.1):
    """Whether the network is what one step of gradient descent makes of it."""
    for layer, (w, b, _), (dw, db) in zip(net.layers, before, gradients, strict=True):
        np.testing.assert_allclose(layer.weight.toarray(), w - rate * dw, atol=2e-6)
        np.testing.assert_allclose(layer.bias, b - rate * db, atol=2e-6)


def assert_mixed(target, before, online, tau):
    """Whether a target is what a soft update makes of it."""
    for layer, (w, b, _), other in zip(target.layers, before, online.layers, strict=True):
        np.testing.assert_allclose(layer.weight.toarray(), w + tau * (other.weight.toarray() - w), atol=2e-6)
        np.testing.assert_allclose(layer.bias, b + tau * (other.bias - b), atol=2e-6)


def batch_of(agent):
    """What the next update will draw: observations, actions, rewards, discounts and following observations in float64,
    samples in columns; and the random numbers after that."""
    rng, n = copy.deepcopy(agent.rng), agent.spaces.n_observations
    columns = next(iter(agent.learners.values())).columns
    before, after = np.zeros((2, n, columns), np.float32)
    actions = (
        np.zeros(columns, np.int32) if agent.spaces.discrete else np.zeros((agent.spaces.n_actions, columns), "f4")
    )
    rewards, discounts = agent.replay.sample(rng, agent.settings.batch_size, before, actions, after)
    found = before, actions, rewards, discounts, after
    return [each[..., : agent.settings.batch_size].astype(np.float64) for each in found], rng


class GivenBatches:
    """In place of a replay buffer: the same batches for a fleet and for each of its agents alone."""

    def __init__(self, fleet, agent=None, n_updates=4):
        rng, spaces, columns = np.random.default_rng(7), fleet.spaces, fleet.acting_learner.columns
        n, shape = fleet.n_agents, (n_updates, fleet.n_agents)
        if spaces.discrete:
            actions = rng.integers(spaces.n_actions, size=(*shape, columns)).astype(np.int32)
        else:
            actions = rng.uniform(-1, 1, (*shape, spaces.n_actions, columns)).astype(np.float32)
        before, after = rng.standard_normal((2, *shape, spaces.n_observations, columns), np.float32)
        rewards, discounts = rng.standard_normal((2, *shape, columns), np.float32)
        self.given = [before, actions, after, rewards, discounts]
        self.agent, self.n_agents, self.count = agent, n, 0

    def sample(self, rng, batch_size, before, actions, after, offset=None, factor=None):
        which = slice(None) if self.agent is None else self.agent
        before[...], actions[...], after[...], rewards, discounts = (each[self.count][which] for each in self.given)
        self.count += 1
        return rewards.copy(), discounts.copy()


class GivenNoise:
    """In place of an agent's random numbers: those of a fleet's agent."""

    def __init__(self, n_agents, agent=None):
        self.rng, self.n_agents, self.agent = np.random.default_rng(11), n_agents, agent

    def standard_normal(self, size=None, dtype=np.float32, out=None):
        shape = out.shape if size is None else size
        if self.agent is not None:
            shape = (self.n_agents, *shape)
        values = self.rng.standard_normal(shape, dtype)
        values = values if self.agent is None else values[self.agent]
        if out is None:
            return values
        out[...] = values
        return out
