"""ts_td.h and ts_replay.h: Q-learning against NumPy in float64, and which transitions a replay buffer gives."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from scipy import stats

from export.evolution_reference import FOR_EVOLUTION, FOR_WEIGHTS, FRESH_INIT, OUTPUT_LAYER, SET, key, number, uniform
from export.td_driver import Agent, Answer, build_driver

FOR_ACTING, FOR_REPLAY = 16, 17


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build_driver(tmp_path_factory)


class QLearning:
    """The same network with dense float64 matrices, zero where there is no connection."""

    def __init__(self, layers, slope: float, momentum: float) -> None:
        self.there = [layer.there for layer, _, _ in layers]
        self.weight = [layer.weight.astype(np.float64) for layer, _, _ in layers]
        self.bias = [bias.astype(np.float64) for _, bias, _ in layers]
        self.velocity = [np.zeros_like(w) for w in self.weight]
        self.bias_velocity = [np.zeros_like(b) for b in self.bias]
        self.target = [w.copy() for w in self.weight], [b.copy() for b in self.bias]
        self.slope, self.momentum = slope, momentum

    def forward(self, x, weights, biases):
        """The inputs of each layer and its sums."""
        inputs, sums = [np.asarray(x, np.float64)], []
        for w, b in zip(weights, biases, strict=True):
            sums.append(inputs[-1] @ w + b)
            inputs.append(np.where(sums[-1] > 0, sums[-1], self.slope * sums[-1]))
        return inputs[:-1], sums

    def step(self, x, action, reward, following, terminal, *, rate, gamma, clip, twice, target) -> float:
        """One update; the loss."""
        online = self.weight, self.bias
        values = self.forward(following, *(self.target if target else online))[1][-1]
        chooses = self.forward(following, *online)[1][-1] if twice and target else values
        rows = np.arange(len(reward))
        goal = reward + gamma * (1 - np.asarray(terminal)) * values[rows, chooses.argmax(1)]
        inputs, sums = self.forward(x, *online)
        error = sums[-1][rows, action] - goal
        size = np.abs(error)
        loss = (
            np.where(clip and (size > clip), clip * (size - clip / 2), error**2 / 2).mean()
            if clip
            else (error**2 / 2).mean()
        )
        dy = np.zeros_like(sums[-1])
        dy[rows, action] = (np.clip(error, -clip, clip) if clip else error) / len(reward)
        for k in range(len(self.weight) - 1, -1, -1):
            gradient, bias_gradient = inputs[k].T @ dy * self.there[k], dy.sum(0)
            dx = dy @ self.weight[k].T
            self.velocity[k] = self.momentum * self.velocity[k] - rate * gradient
            self.bias_velocity[k] = self.momentum * self.bias_velocity[k] - rate * bias_gradient
            self.weight[k] = self.weight[k] + self.velocity[k]
            self.bias[k] = self.bias[k] + self.bias_velocity[k]
            if k:
                dy = dx * np.where(sums[k - 1] > 0, 1, self.slope)
        return float(loss)

    def copy(self, share: float) -> None:
        """Moves the target network."""
        for targets, values in zip(self.target, (self.weight, self.bias), strict=True):
            for k, value in enumerate(values):
                targets[k] = targets[k] + share * (value - targets[k])


@pytest.mark.parametrize(
    "batch, momentum, slope, clip, twice, target, share, rate",
    [(1, 0.9, 0.0, 0.0, 0, 1, 0.05, 0.05), (7, 0.0, 0.3, 0.5, 1, 1, 1.0, 0.5), (3, 0.5, 0.1, 0.2, 1, 0, 0.0, 0.3)],
)
def test_learns_as_numpy_does(program, batch, momentum, slope, clip, twice, target, share, rate):
    agent = Agent((5, 12, 9, 3), 3.0, slope=slope, batch=batch, momentum=momentum, target=target)
    rng = np.random.default_rng(batch)
    steps = []
    agent.show()
    for n in range(40):
        x, following = rng.standard_normal((2, batch, 5)).astype(np.float32)
        action, reward = rng.integers(0, 3, batch), rng.standard_normal(batch).astype(np.float32)
        steps.append((x, action, reward, following, rng.integers(0, 2, batch)))
        agent.step(*steps[-1], rate=rate, gamma=0.9, clip=clip, twice=twice)
        if n % 4 == 0 and target:
            agent.copy(share)
    agent.show()
    answer = agent.run(program)
    assert answer.status() == 0
    naive = QLearning(agent.layers(answer), slope, momentum)
    first = [w.copy() for w in naive.weight]
    for n, step in enumerate(steps):
        loss = naive.step(*step, rate=rate, gamma=0.9, clip=clip, twice=twice, target=target)
        assert answer.status() == 0
        assert answer.take("<f4")[0] == pytest.approx(loss, rel=1e-4, abs=1e-6)
        if n % 4 == 0 and target:
            assert answer.status() == 0
            naive.copy(share)
    for k, (layer, bias, bias_target) in enumerate(agent.layers(answer)):
        assert np.abs(layer.weight - first[k]).max() > 0.02  # it has learned something
        np.testing.assert_allclose(layer.weight, naive.weight[k], atol=2e-5)
        np.testing.assert_allclose(bias, naive.bias[k], atol=2e-5)
        if target:
            np.testing.assert_allclose(layer.target, naive.target[0][k], atol=2e-5)
            np.testing.assert_allclose(bias_target, naive.target[1][k], atol=2e-5)


def test_evolution_between_updates(program):
    agent = Agent((6, 20, 20, 4), 3.0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        agent.step(rng.standard_normal((1, 6)), [1], [1.0], rng.standard_normal((1, 6)), [0])
    agent.show()
    hows = (SET, FRESH_INIT | OUTPUT_LAYER)
    for how in hows:
        agent.evolve(0.3, how)
        agent.show()
    answer = agent.run(program)
    assert answer.status() == 0
    assert [(answer.status(), answer.take("<f4"))[0] for _ in range(10)] == [0] * 10
    layers = [layer for layer, _, _ in agent.layers(answer)]
    assert any((layer.target != layer.weight).any() for layer in layers)
    for times, how in enumerate(hows):
        replaced = answer.status()
        expected = 0
        for k, layer in enumerate(layers[: 3 if how & OUTPUT_LAYER else 2]):
            keys = key(1, FOR_EVOLUTION, times, k), key(1, FOR_WEIGHTS, times + 1, k)
            expected += layer.evolve(0.3, how, *keys)
        assert replaced == expected > 20
        for (got, _, _), layer in zip(agent.layers(answer), layers, strict=True):
            for name in ("there", "weight", "velocity", "target"):
                assert (getattr(got, name) == getattr(layer, name)).all()


def test_refuses_and_leaves_all_as_it_was(program):
    agent = Agent((3, 8, 2), batch=2)
    x = np.ones((1, 3), np.float32)
    agent.show()
    agent.step(x, [2], [1.0], x, [0])  # no such action
    agent.step(x, [1], [np.nan], x, [0])
    agent.step(x, [1], [np.inf], x, [0])
    agent.step(x, [1], [1.0], x, [0], gamma=1.5)
    agent.step(x, [1], [1.0], x, [0], clip=-1.0)
    agent.step(x, [1], [1.0], x, [0], rate=np.nan)
    agent.step(np.ones((3, 3)), [1, 1, 1], [1.0] * 3, np.ones((3, 3)), [0] * 3)  # more than the batch
    agent.copy(1.5)
    agent.evolve(1.5, SET)
    agent.evolve(np.nan, SET)
    agent.evolve(0.5, 8)
    agent.show()
    answer = agent.run(program)
    assert answer.status() == 0
    before = agent.layers(answer)
    statuses = [(answer.status(), answer.take("<f4"))[0] for _ in range(7)] + [answer.status() for _ in range(4)]
    assert statuses == [-2, -3, -3, -1, -1, -1, -1, -1, -1, -1, -1]
    for one, other in zip(before, agent.layers(answer), strict=True):
        assert (one[0].weight == other[0].weight).all()
        assert (one[0].target == other[0].target).all()
        assert (one[1] == other[1]).all()


def test_other_outputs_and_missing_target_network(program):
    softmax, single = Agent((3, 8, 2), output=0), Agent((3, 8, 2), target=0)
    softmax.step(np.ones((1, 3)), [1], [1.0], np.ones((1, 3)), [0])
    single.copy(0.5)
    for agent in (softmax, single):
        answer = agent.run(program)
        assert [answer.status(), answer.status()] == [0, -8]


def test_actions(program):
    agent = Agent((4, 10, 3), seed=9)
    x = np.array([0.3, -1, 2, 0.5], np.float32)
    agent.show()
    for epsilon in (0.0, 0.3, 1.0):
        agent.act(x, epsilon, 500)
    answer = agent.run(program)
    answer.status()
    naive = QLearning(agent.layers(answer), 0.0, 0.0)
    best = int(naive.forward(x[None], naive.weight, naive.bias)[1][-1][0].argmax())
    for epsilon in (0.0, 0.3, 1.0):
        expected = []
        for step in range(500):
            stream = key(9, FOR_ACTING, step, 0)
            expected.append(number(stream, 1) * 3 >> 32 if uniform(stream, 0) < np.float32(epsilon) else best)
        assert answer.take("<i4", 500).tolist() == expected
    assert min(np.bincount(expected)) > 130


class Replay:
    """A list of all that happened, of which the last `capacity` entries count."""

    def __init__(self, capacity: int, limit: float, seed: int) -> None:
        self.capacity, self.limit, self.seed, self.samples = capacity, limit, seed, 0
        self.entries: list[tuple[np.ndarray, int, float, int]] = []

    def add(self, x: np.ndarray, action: int, reward: float, command: int) -> bytes:
        """An entry, and the command that makes it."""
        kept = x
        if self.limit:
            scaled = np.clip(x * (np.float32(32767) / np.float32(self.limit)), -32767, 32767)
            whole = np.trunc(scaled + np.where(scaled < 0, np.float32(-0.5), np.float32(0.5)))
            kept = whole.astype(np.float32) * (np.float32(self.limit) / np.float32(32767))
        self.entries.append((kept, action, reward, command))
        return struct.pack("<I", command) + x.tobytes() + struct.pack("<If", action, reward)

    def whole(self, at: int) -> bool:
        """Whether an entry is a transition of which all is known."""
        return self.entries[at][3] == 1 or (self.entries[at][3] == 0 and at + 1 < len(self.entries))

    def sample(self, batch: int):
        """The transitions of the next sample."""
        n, used = len(self.entries), min(len(self.entries), self.capacity)
        stream = key(self.seed, FOR_REPLAY, self.samples, 0)
        self.samples += 1
        in_slot = {at % self.capacity: at for at in range(n - used, n)}
        position = 0
        for _ in range(batch):
            while True:
                at = in_slot[number(stream, position) * used >> 32]
                position += 1
                if self.whole(at):
                    break
            x, action, reward, command = self.entries[at]
            yield x, None if command == 1 else self.entries[at + 1][0], reward, action, command == 1


@pytest.mark.parametrize("capacity, limit", [(2, 0.0), (7, 1.5), (40, 0.0), (400, 2.5)])
def test_replay_gives_what_was_lived_through(program, capacity, limit):
    rng = np.random.default_rng(capacity)
    naive, batch = Replay(capacity, limit, 3), 5
    commands = [struct.pack("<IIIIfI", 1, 3, capacity, batch, limit, 3), struct.pack("<I", 3)]
    expected = []
    for _ in range(300):
        x = rng.standard_normal(3).astype(np.float32)
        last = naive.entries[-1][3] if naive.entries else 1
        command = int(rng.choice([0, 0, 0, 0, 1, 2] if last == 0 else [0, 1]))
        reward = float(np.float32(0 if command == 2 else rng.standard_normal()))
        commands.append(naive.add(x, 0 if command == 2 else int(rng.integers(0, 16384)), reward, command))
        if any(naive.whole(at) for at in range(max(0, len(naive.entries) - capacity), len(naive.entries))):
            commands.append(struct.pack("<I", 3))
            expected.append(list(naive.sample(batch)))
    answer = Answer(program.run(b"".join(commands)))
    size = capacity * (3 * (2 if limit else 4) + 4 + 2)
    assert size + batch * 36 <= answer.status() <= size + batch * 36 + 6
    assert answer.status() == -1  # nothing to sample yet
    for sample in expected:
        assert answer.status() == 0
        x, following = answer.take("<f4", batch * 3).reshape(batch, 3), answer.take("<f4", batch * 3).reshape(batch, 3)
        reward, action, terminal = answer.take("<f4", batch), answer.take("<u4", batch), answer.take("<u4", batch)
        for b, (x_b, following_b, *rest) in enumerate(sample):
            assert (x[b] == x_b).all()
            assert following_b is None or (following[b] == following_b).all()
            assert [reward[b], action[b], terminal[b]] == rest
    assert len(answer.out) == 0


def test_each_transition_is_as_likely(program):
    naive = Replay(20, 0.0, 5)
    commands = [struct.pack("<IIIIfI", 1, 1, 20, 50, 0.0, 5)]
    for n in range(33):
        commands.append(naive.add(np.float32([n]), 0, 0.0, 2 if n % 5 == 4 else 0))
    commands += [struct.pack("<I", 3)] * 100
    answer = Answer(program.run(b"".join(commands)))
    answer.status()
    seen = []
    for _ in range(100):
        assert answer.status() == 0
        seen.append(answer.take("<f4", 50))
        answer.take("<f4", 200)
    drawn, times = np.unique(np.concatenate(seen), return_counts=True)
    assert drawn.tolist() == [n for n in range(13, 32) if n % 5 != 4]
    assert stats.chisquare(times).pvalue > 1e-3


@pytest.mark.parametrize("values", [(0, 9, 1, 0.0), (3, 1, 1, 0.0), (3, 9, 0, 0.0), (3, 9, 1, -1.0), (3, 9, 1, np.nan)])
def test_replay_that_cannot_be(program, values):
    out = program.run(struct.pack("<IIIIfI", 1, *values, 0))
    assert Answer(out).status() == -1
