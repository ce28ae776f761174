"""How agents act."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import trulysparse as ts
from agent_reference import BOX, dense, filled, run
from trulysparse.rl.dqn import DQN
from trulysparse.rl.sac import SAC
from trulysparse.rl.spaces import Spaces
from trulysparse.rl.td3 import TD3

SMALL = dict(hidden_layer_sizes=(16,), batch_size=8, density=0.5, seed=3)
OBSERVATIONS = np.random.default_rng(0).standard_normal((6, 3))


def mean_actions(agent):
    """In units of BOX."""
    z = run(dense(agent.acting_network), OBSERVATIONS.T)[-1][:2]
    return (BOX.low + (np.tanh(z.T) + 1) / 2 * (BOX.high - BOX.low)).astype(np.float32)


@pytest.mark.parametrize("algorithm", [TD3, SAC])
def test_actions_are_those_of_the_network_as_it_is_now(algorithm):
    agent = filled(algorithm(BOX, **SMALL))
    frozen = agent.freeze()
    for _ in range(3):
        actions, state = agent.predict(OBSERVATIONS, deterministic=True)
        np.testing.assert_allclose(actions, mean_actions(agent), atol=1e-5)
        assert state is None
        np.testing.assert_array_equal(agent.predict(OBSERVATIONS[1], deterministic=True)[0], actions[1])
        agent.update()
        agent.update()
    assert not np.array_equal(frozen.predict(OBSERVATIONS)[0], agent.predict(OBSERVATIONS, deterministic=True)[0])


def test_looking_at_an_agent_does_not_change_what_it_learns():
    agent = filled(SAC(BOX, **SMALL))
    before = copy.deepcopy(agent.rng.bit_generator.state)
    first, second = (agent.predict(OBSERVATIONS)[0] for _ in range(2))
    assert not np.array_equal(first, second)
    assert (first >= BOX.low).all()
    assert (first <= BOX.high).all()
    assert agent.rng.bit_generator.state == before


def test_choices():
    agent = DQN(Spaces(3, False, 4, True), hidden_layer_sizes=(16,), batch_size=8, density=0.5, seed=3)
    best = run(dense(agent.acting_network), OBSERVATIONS.T)[-1].argmax(axis=0)
    np.testing.assert_array_equal(agent.predict(OBSERVATIONS, deterministic=True)[0], best)
    assert agent.predict(OBSERVATIONS[0], deterministic=True)[0] == best[0]


@pytest.mark.parametrize("observation", [[0.0, 1.0], [[0.0]], [0.0, np.nan, 1.0], [[0.0, 1.0, np.inf]], "abc"])
def test_observations_that_do_not_fit_are_refused(observation):
    with pytest.raises(ts.InputError, match="observation"):
        TD3(BOX, **SMALL).predict(observation)


def test_observations_are_normalised_by_what_has_been_seen():
    agent = TD3(BOX, **SMALL, normalize_observations=True)
    agent.normalization.update(OBSERVATIONS * 5 + 2)
    scale = agent.observation_scale()
    z = run(dense(agent.acting_network), ((OBSERVATIONS - scale["offset"]) * scale["factor"]).T)[-1]
    expected = BOX.low + (np.tanh(z.T) + 1) / 2 * (BOX.high - BOX.low)
    np.testing.assert_allclose(agent.predict(OBSERVATIONS, deterministic=True)[0], expected, atol=1e-5)
