"""Noise among the features of an environment."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

import trulysparse as ts

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium comes with the extra trulysparse[rl]")

from trulysparse.rl.noisy import NoisyFeatures  # noqa: E402


def episode(env, seed, steps=50):
    observations = [env.reset(seed=seed)[0]]
    for step in range(steps):
        observations.append(env.step(np.float32([np.sin(step)]))[0])
    return np.array(observations)


@pytest.mark.parametrize("share, n", [(0.0, 3), (0.5, 6), (0.9, 30), (0.95, 60), (0.98, 150)])
def test_as_many_features_as_the_share_says(share, n):
    env = NoisyFeatures(gymnasium.make("Pendulum-v1"), share)
    observation, _ = env.reset(seed=0)
    assert observation.shape == env.observation_space.shape == (n,)
    assert observation.dtype == env.observation_space.dtype == np.float32
    assert env.observation_space.contains(observation)
    assert (env.n_real, env.n_noise) == (3, n - 3)


def test_the_environment_itself_stays_as_it_is():
    env = gymnasium.make("Pendulum-v1")
    noisy = NoisyFeatures(gymnasium.make("Pendulum-v1"), 0.8)
    np.testing.assert_array_equal(episode(noisy, 7)[:, :3], episode(env, 7))
    assert env.action_space == noisy.action_space
    assert noisy.spec.id == "Pendulum-v1"


def test_noise_is_normal_and_new_in_each_step():
    noise = episode(NoisyFeatures(gymnasium.make("Pendulum-v1"), 0.98, deviation=2.0), 3, steps=199)[:, 3:]
    assert noise.shape == (200, 147)
    assert abs(noise.mean()) < 0.05
    assert noise.std() == pytest.approx(2, rel=0.02)
    along_time = [np.corrcoef(noise[:-1, k], noise[1:, k])[0, 1] for k in range(20)]
    assert np.abs(along_time).max() < 0.3
    assert len(np.unique(noise)) > 0.99 * noise.size


def test_a_seed_gives_the_same_noise_again():
    env = NoisyFeatures(gymnasium.make("Pendulum-v1"), 0.5)
    first, other = episode(env, 1), episode(env, 2)
    np.testing.assert_array_equal(episode(env, 1), first)
    assert not (other[:, 3:] == first[:, 3:]).any()
    a, b = (NoisyFeatures(gymnasium.make("Pendulum-v1"), 0.5, seed=5) for _ in range(2))
    np.testing.assert_array_equal(a.reset()[0][3:], b.reset()[0][3:])
    assert not np.array_equal(a.reset()[0][3:], first[0, 3:])


def test_works_in_vector_environments_and_survives_pickling():
    env = gymnasium.make_vec(
        "Pendulum-v1", num_envs=2, vectorization_mode="sync", wrappers=[lambda each: NoisyFeatures(each, 0.5)]
    )
    observations, _ = env.reset(seed=0)
    assert observations.shape == (2, 6)
    assert not (observations[0, 3:] == observations[1, 3:]).any()
    copied = pickle.loads(pickle.dumps(gymnasium.make("Pendulum-v1").spec))
    assert NoisyFeatures(copied.make(), 0.5).reset(seed=0)[0].shape == (6,)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"share": 1.0}, r"share must lie in \[0, 1\), not 1.0"),
        ({"share": "most"}, "share must be a number"),
        ({"deviation": -1}, "deviation must lie in"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        NoisyFeatures(gymnasium.make("Pendulum-v1"), **arguments)


def test_other_observations_are_refused():
    env = gymnasium.make("Pendulum-v1")
    for space in (gymnasium.spaces.Discrete(3), gymnasium.spaces.Box(0, 255, (4, 4), np.uint8)):
        env.observation_space = space
        with pytest.raises(ts.InputError, match=r"env must have vectors of floating-point numbers .* not (Disc|Box)"):
            NoisyFeatures(env)
    with pytest.raises(ts.InputError, match="env must have vectors of floating-point numbers"):
        NoisyFeatures("Pendulum-v1")


def test_it_alone_needs_gymnasium():
    code = (
        "import sys; sys.modules['gymnasium'] = None; import trulysparse as ts; ts.rl\n"
        "try: ts.rl.NoisyFeatures\nexcept ts.MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "NoisyFeatures needs Gymnasium: pip install 'trulysparse[rl]'\n"
