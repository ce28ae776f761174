"""The replay of teams against the episodes that were put in, kept as lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trulysparse import _kernels
from trulysparse._core import memory
from trulysparse.errors import InputError, NotEnoughMemoryError
from trulysparse.rl.team_environment import TeamSpaces
from trulysparse.rl.team_replay import TeamReplay

SPACES = TeamSpaces(("a", "b", "c"), (4, 4, 2), (3, 3, 3), n_states=5)


def filled(capacity: int, n_steps: int, seed: int = 0) -> tuple[TeamReplay, list[dict[str, Any]]]:
    """A replay, and its transitions by the number that the first observation begins with."""
    rng, replay = np.random.default_rng(seed), TeamReplay(capacity, SPACES)
    transitions: list[dict[str, Any]] = []
    left = 0
    for _ in range(n_steps):
        if left == 0:
            observations, state = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=5).astype(np.float32)
            alive = np.ones(3, bool)
            replay.begin(observations, alive, state)
            left = int(rng.integers(1, 7))
        left -= 1
        terminated = (rng.random(3) < 0.2) & alive
        next_alive = alive & ~terminated & (left > 0)
        if not next_alive.any():
            left = 0
        taken = {
            "observations": observations,
            "state": state,
            "actions": rng.integers(0, 3, 3),
            "rewards": rng.normal(size=3).astype(np.float32),
            "alive": alive,
            "bootstraps": alive & ~terminated,
            "next": rng.normal(size=(3, 4)).astype(np.float32),
            "next_state": rng.normal(size=5).astype(np.float32),
            "last": left == 0,
        }
        replay.add(
            taken["actions"],
            taken["rewards"],
            taken["next"],
            terminated=terminated,
            alive=next_alive,
            next_state=taken["next_state"],
        )
        transitions.append(taken)
        observations, state, alive = taken["next"], taken["next_state"], next_alive
    return replay, transitions


@pytest.mark.parametrize("length", [1, 4])
@pytest.mark.parametrize("capacity, n_steps", [(500, 300), (64, 300)])
def test_what_is_drawn_was_put_in(capacity: int, n_steps: int, length: int) -> None:
    replay, transitions = filled(capacity, n_steps)
    known = {transition["rewards"].tobytes(): number for number, transition in enumerate(transitions)}
    slots = replay.sample(np.random.default_rng(1), 200, length)
    assert slots.shape == (length, 200)
    assert replay.starts[slots[0]].all()
    following = replay.following(slots)
    drawn = set()
    for sequence in range(200):
        before = None
        for t in range(length):
            slot, after = slots[t, sequence], following[t, sequence]
            if not replay.starts[slot]:  # the last observations of an episode
                assert transitions[before]["last"]
                continue
            number = known[replay.rewards[slot].tobytes()]
            if before is not None:
                assert number == before + 1
            before = number
            drawn.add(number)
            transition = transitions[number]
            for name, stored in (("observations", slot), ("next", after)):
                np.testing.assert_array_equal(replay.observations[stored], transition[name])
            np.testing.assert_array_equal(replay.states[slot], transition["state"])
            np.testing.assert_array_equal(replay.states[after], transition["next_state"])
            np.testing.assert_array_equal(replay.actions[slot], transition["actions"])
            np.testing.assert_array_equal(replay.bootstraps[slot], transition["bootstraps"])
            np.testing.assert_array_equal(replay.alive[slot], transition["alive"])
            if replay.starts[after]:
                assert not transition["last"]
    assert len(drawn) > 0.4 * min(n_steps, capacity)  # from everywhere
    assert replay.n_transitions == replay.starts.sum() <= min(n_steps, capacity - 1)


def test_every_transition_is_as_likely() -> None:
    replay, _ = filled(40, 200)
    slots = replay.sample(np.random.default_rng(2), 40_000)
    counts = np.bincount(slots[0], minlength=40)
    assert (counts[replay.starts] > 0).all()
    assert (counts[~replay.starts] == 0).all()
    expected = 40_000 / replay.n_transitions
    np.testing.assert_allclose(counts[replay.starts], expected, atol=6 * np.sqrt(expected))


def test_observations_are_laid_out_agent_by_agent() -> None:
    replay, _ = filled(100, 80)
    slots = replay.sample(np.random.default_rng(3), 5)[0]
    columns = int(_kernels.padded_batch(15))
    out = np.full((4, columns), 9, np.float32)
    replay.gather_observations(slots, out, 1)
    for agent in range(3):
        np.testing.assert_array_equal(out[:, agent * 5 : agent * 5 + 5], replay.observations[slots, agent].T)
    assert not out[:, 15:].any()
    one = np.full((4, 16), 9, np.float32)
    replay.gather_observations(slots, one, 1, agent=1)
    np.testing.assert_array_equal(one[:, :5], replay.observations[slots, 1].T)
    states = np.full((5, 16), 9, np.float32)
    replay.gather_states(slots, states, 1)
    np.testing.assert_array_equal(states[:, :5], replay.states[slots].T)


def test_a_sequence_of_an_episode_given_up_ends_there() -> None:
    replay, zeros, both = TeamReplay(50, SPACES), np.zeros((3, 4), np.float32), np.ones(3, bool)
    for _ in range(3):  # begun, never ended
        replay.begin(zeros, both, np.zeros(5))
        replay.add([0, 0, 0], [1, 1, 1], zeros, terminated=~both, alive=both, next_state=np.zeros(5))
    slots = replay.sample(np.random.default_rng(0), 100, 2)
    assert not replay.starts[slots[1]].any()
    assert replay.n_transitions == 3


def test_too_few_moments_are_refused() -> None:
    replay = TeamReplay(50, SPACES)
    for length in (1, 3):
        assert not replay.has(length)
        with pytest.raises(InputError, match=f"sequence of {length} moments"):
            replay.sample(np.random.default_rng(0), 4, length)
    replay.begin(np.zeros((3, 4), np.float32), np.ones(3, bool), np.zeros(5))
    with pytest.raises(InputError, match="0 transitions"):
        replay.sample(np.random.default_rng(0), 4, 1)
    for _ in range(3):
        replay.begin(np.zeros((3, 4), np.float32), np.ones(3, bool), np.zeros(5))
    assert not replay.has(1)
    with pytest.raises(InputError, match="0 transitions"):  # and does not look for one for ever
        replay.sample(np.random.default_rng(0), 4, 1)
    zeros, all_ = np.zeros((3, 4), np.float32), np.ones(3, bool)
    replay.add([0, 0, 0], [1, 1, 1], zeros, terminated=~all_, alive=all_, next_state=np.zeros(5))
    assert replay.has(1)
    assert not replay.has(2)  # whose second moment would lead nowhere


def test_memory_is_asked_for_before_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 1 << 27)
    with pytest.raises(NotEnoughMemoryError, match="replay of 10,000,000 transitions"):
        TeamReplay(10_000_000, SPACES)
    replay = TeamReplay(1000, SPACES)
    assert replay.nbytes == 1000 * (3 * 4 * 4 + 5 * 4 + 3 * 4 * 2 + 3 * 2 + 1)


def test_a_replay_goes_on_from_its_state() -> None:
    replay, _ = filled(64, 150)
    other = TeamReplay(64, SPACES)
    other.restore({name: array.copy() for name, array in replay.state().items()})
    for each in (replay, other):
        each.begin(np.ones((3, 4), np.float32), np.ones(3, bool), np.ones(5))
    draws = [each.sample(np.random.default_rng(5), 30, 3) for each in (replay, other)]
    np.testing.assert_array_equal(*draws)
    np.testing.assert_array_equal(replay.observations, other.observations)
    assert replay.n_transitions == other.n_transitions


def test_a_state_of_other_sizes_is_refused() -> None:
    replay, _ = filled(64, 150)
    smaller = TeamReplay(32, SPACES)
    with pytest.raises(InputError, match=r"within 32 moments, not \d+, 64"):
        smaller.restore(replay.state())
    narrower = TeamReplay(64, TeamSpaces(("a", "b", "c"), (3, 3, 3), (3, 3, 3), n_states=5))
    with pytest.raises(InputError, match=r"observations are float32 of shape \(64, 3, 4\)"):
        narrower.restore(replay.state())
    assert smaller.n_moments == narrower.n_moments == 0
    with pytest.raises(InputError, match="not 64, 64"):
        TeamReplay(64, SPACES).restore(replay.state() | {"position": np.array([64, 64])})
