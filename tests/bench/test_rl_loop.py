"""The loop of the dense peers: what it stores, when it learns and what it reports."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trulysparse.bench import rl_loop, rl_peers  # noqa: E402


class Follow:
    """Five steps, each of which pays for an action near the number that is shown."""

    class action_space:
        low, high = np.array([-2.0]), np.array([2.0])
        seed = staticmethod(lambda seed: None)

    def reset(self, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.left, self.shown = 5, self.rng.uniform(-1, 1, 1)
        return self.shown, {}

    def step(self, action):
        reward, self.left, self.shown = (
            -abs(float(action[0] - 2 * self.shown[0])),
            self.left - 1,
            self.rng.uniform(-1, 1, 1),
        )
        return self.shown, reward, self.left == 0, False, {}


@pytest.mark.parametrize("name", ["TD3", "SAC"])
def test_the_loop_learns_and_counts(name):
    agent, rows = getattr(rl_peers, name)(1, 1, seed=0, hidden=(32, 32), learning_rate=3e-3), []
    found = rl_loop.train(
        agent,
        Follow(),
        Follow(),
        300,
        seed=0,
        batch_size=64,
        learning_starts=100,
        evaluate_every=50,
        last_episodes=12,
        report=rows.append,
    )
    assert found == rows
    assert [row["steps"] for row in rows] == list(range(50, 301, 50))
    assert agent.n_updates == 200
    assert [len(row["returns"]) for row in rows] == [10] * 5 + [12]
    assert rows[0]["returns"] == rows[1]["returns"]  # nothing was learned in the random steps
    assert 0 < rows[1]["cpu_s"] < rows[-1]["cpu_s"]
    assert np.mean(rows[0]["returns"]) < -3 < -2 < np.mean(rows[-1]["returns"])


def test_a_replay_keeps_the_latest_transitions():
    replay = rl_loop.Replay(3, 2, 1)
    for k in range(5):
        replay.add([k, k], k, k, [k + 1, k + 1], 1.0)
    assert sorted(replay.arrays[2][:, 0]) == [2, 3, 4]
    s, _, r, s2, _ = replay.sample(np.random.default_rng(0), 50)
    assert set(r[:, 0].tolist()) == {2, 3, 4}
    assert torch.equal(s + 1, s2)
