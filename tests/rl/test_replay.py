"""The replay buffer, compared with a list of transitions."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse._core import memory
from trulysparse.rl.replay import ReplayBuffer

BITS = 12


def number_of(observation: np.ndarray) -> int:
    """What makes an observation unlike any other: its first value, or all bits where there are BITS of them."""
    if len(observation) == BITS:
        return int((observation.astype(int) << np.arange(BITS)).sum())
    return int(observation[0])


class Lists:
    """What a replay buffer should hold: for each environment a list of slots, each a dictionary."""

    def __init__(self, slots: int, n_envs: int) -> None:
        self.slots = slots
        self.of = [[] for _ in range(n_envs)]

    def push(self, env: int, observation: np.ndarray) -> None:
        self.of[env].append({"observation": observation.copy(), "starts": False})
        del self.of[env][: -self.slots]

    def start(self, env: int, observation: np.ndarray) -> None:
        held = self.of[env]
        if held and (len(held) == 1 or not held[-2]["starts"]):
            held[-1]["observation"] = observation.copy()
        else:
            self.push(env, observation)

    def add(self, env, action, reward, observation, terminated, truncated, first):
        self.of[env][-1] |= {"starts": True, "action": action, "reward": reward, "terminated": terminated}
        self.push(env, observation)
        if terminated or truncated:
            self.push(env, first)

    def transitions(self, n_steps: int, gamma: float) -> dict[int, tuple]:
        """By the number of the observation: action, next observation, rewards added up, discount."""
        found = {}
        for held in self.of:
            for number, slot in enumerate(held):
                if not slot["starts"]:
                    continue
                rewards, at = slot["reward"], number
                while at - number < n_steps - 1 and held[at + 1]["starts"]:
                    at += 1
                    rewards += gamma ** (at - number) * held[at]["reward"]
                discount = 0.0 if held[at]["terminated"] else gamma ** (at - number + 1)
                found[number_of(slot["observation"])] = slot["action"], held[at + 1]["observation"], rewards, discount
        return found


class Play:
    """Random episodes, given to a buffer, to lists, and to other buffers where wanted."""

    def __init__(self, buffer: ReplayBuffer, seed: int, ends: float = 0.15, resets: bool = False) -> None:
        self.buffer, self.rng, self.ends, self.resets = buffer, np.random.default_rng(seed), ends, resets
        self.lists = Lists(buffer.capacity // buffer.n_envs, buffer.n_envs)
        self.others: list[ReplayBuffer] = []
        self.seen = 0
        self.to_reset = np.zeros(buffer.n_envs, bool)

    def observations(self) -> np.ndarray:
        n, width = self.buffer.n_envs, self.buffer.n_observations
        self.seen += n
        numbers = np.arange(self.seen - n, self.seen)
        if self.buffer.boolean:
            return (numbers[:, None] >> np.arange(width)) & 1
        values = self.rng.standard_normal((n, width)).astype(np.float32)
        values[:, 0] = numbers
        return values

    def start(self) -> None:
        first = self.observations()
        for each in (self.buffer, *self.others):
            each.start(first)
        for env, each in enumerate(first):
            self.lists.start(env, each)
        self.to_reset[:] = False

    def step(self) -> None:
        n, rng = self.buffer.n_envs, self.rng
        if self.buffer.n_actions:
            actions = rng.uniform(-1, 1, (n, self.buffer.n_actions)).astype(np.float32)
        else:
            actions = rng.integers(0, 9, n)
        rewards = rng.standard_normal(n)
        terminated, truncated = rng.random(n) < self.ends, rng.random(n) < self.ends / 2
        following, first = self.observations(), self.observations()
        valid = ~self.to_reset if self.resets else None
        for each in (self.buffer, *self.others):
            each.add(actions, rewards, following, terminated, truncated, first, valid)
        for env in range(n):
            if self.to_reset[env]:
                self.lists.of[env][-1]["observation"] = following[env]
                self.to_reset[env] = False
                continue
            step = actions[env], rewards[env], following[env], terminated[env], truncated[env], first[env]
            self.lists.add(env, *step)
            self.to_reset[env] = self.resets and (terminated[env] or truncated[env])


def sampled(buffer: ReplayBuffer, rng: np.random.Generator, n: int = 20, columns: int = 32, **scaling):
    width = buffer.n_observations
    before, after = np.full((2, width, columns), 7, np.float32)
    actions = np.full((buffer.n_actions, columns) if buffer.n_actions else columns, 7, np.float32)
    actions = actions if buffer.n_actions else actions.astype(np.int32)
    rewards, discounts = buffer.sample(rng, n, before, actions, after, **scaling)
    return before, actions, after, rewards, discounts


def check(play: Play) -> None:
    """Everything that is drawn is right, and everything that there is, is drawn."""
    buffer = play.buffer
    expected = play.lists.transitions(buffer.n_steps, buffer.gamma)
    assert buffer.n_transitions == len(expected)
    drawn = set()
    for _ in range(1000):
        before, actions, after, rewards, discounts = sampled(buffer, play.rng)
        for column in range(20):
            number = number_of(before[:, column])
            action, following, reward, discount = expected[number]
            drawn.add(number)
            np.testing.assert_array_equal(actions[..., column], action)
            np.testing.assert_array_equal(after[:, column], following)
            np.testing.assert_allclose((rewards[column], discounts[column]), (reward, discount), rtol=1e-5, atol=1e-6)
        for array in (before, actions, after, rewards, discounts):
            assert not array[..., 20:].any()
        if len(drawn) == len(expected):
            return
    raise AssertionError(f"{set(expected) - drawn} were never drawn")


@pytest.mark.parametrize("n_envs, capacity", [(1, 40), (3, 100), (2, 11)])
@pytest.mark.parametrize("kind", ["numbers", "bits"])
@pytest.mark.parametrize("n_steps", [1, 3])
def test_holds_what_a_list_of_transitions_holds(n_envs, capacity, kind, n_steps):
    buffer = ReplayBuffer(
        capacity,
        5 if kind == "numbers" else BITS,
        n_actions=2 if n_steps == 1 else 0,
        n_envs=n_envs,
        boolean=kind == "bits",
        n_steps=n_steps,
        gamma=0.9,
    )
    play = Play(buffer, seed=capacity + n_steps)
    play.start()
    for _ in range(5):
        for _ in range(int(play.rng.integers(1, 25))):
            play.step()
        check(play)
    play.start()  # environments are reset in the middle of episodes
    if buffer.n_transitions:
        check(play)
    for _ in range(3):
        play.step()
    check(play)


@pytest.mark.parametrize("seed", range(30))
def test_counts_through_short_and_long_episodes(seed):
    rng = np.random.default_rng(seed)
    n_envs = int(rng.integers(1, 4))
    buffer = ReplayBuffer(int(rng.integers(3, 12)) * n_envs, 3, n_actions=1, n_envs=n_envs, n_steps=4, gamma=0.5)
    play = Play(buffer, seed, ends=rng.choice([0.0, 0.1, 0.5, 1.0]))
    play.start()
    for number in range(60):
        play.step()
        if rng.random() < 0.05:
            play.start()
        assert buffer.n_transitions == len(play.lists.transitions(4, 0.5)), number
    assert buffer.n_transitions > 0
    check(play)


@pytest.mark.parametrize("n_envs", [1, 3])
def test_steps_that_only_reset_an_environment_are_not_transitions(n_envs):
    buffer = ReplayBuffer(60, 3, n_actions=1, n_envs=n_envs)
    play = Play(buffer, seed=5, resets=True)
    play.start()
    for _ in range(30):
        play.step()
    check(play)


def test_truncated_is_not_terminated():
    for terminated, discount in ((True, 0.0), (False, 0.9)):
        buffer = ReplayBuffer(10, 1, n_actions=0, gamma=0.9)
        buffer.start([[1]])
        buffer.add([0], [1], [[2]], [terminated], [not terminated], [[5]])
        before, _, after, _, discounts = sampled(buffer, np.random.default_rng(0), 4)
        assert set(before[0, :4]) == {1}
        assert set(after[0, :4]) == {2}
        np.testing.assert_allclose(discounts[:4], discount)


def test_each_transition_is_drawn_as_often_as_any_other():
    """By chi squared, of several environments whose episodes differ, where many slots start nothing."""
    buffer = ReplayBuffer(90, 2, n_actions=0, n_envs=3)
    play = Play(buffer, seed=0, ends=0.4)
    play.start()
    for _ in range(40):
        play.step()
    draws = 200_000
    rows, counts = np.unique(buffer.draw(np.random.default_rng(1), draws), return_counts=True)
    assert len(rows) == buffer.n_transitions
    mean = draws / len(rows)
    chi_squared = ((counts - mean) ** 2 / mean).sum()
    assert chi_squared < len(rows) + 4 * np.sqrt(2 * len(rows))


def test_same_state_of_the_generator_gives_the_same_bits():
    buffer = ReplayBuffer(50, 3, n_actions=2)
    play = Play(buffer, seed=3)
    play.start()
    for _ in range(70):
        play.step()
    one, two = (sampled(buffer, np.random.default_rng(4)) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_observations_are_normalised_as_they_are_read():
    buffer = ReplayBuffer(50, 4, n_actions=2)
    play = Play(buffer, seed=3)
    play.start()
    for _ in range(20):
        play.step()
    offset, factor = np.array([1.0, 2, 3, 4]), np.array([0.5, 2, 1, 0.1])
    plain, scaled = (
        sampled(buffer, np.random.default_rng(4), **scaling) for scaling in ({}, {"offset": offset, "factor": factor})
    )
    for which in (0, 2):
        np.testing.assert_allclose(
            scaled[which][:, :20], (plain[which][:, :20] - offset[:, None]) * factor[:, None], rtol=1e-5, atol=1e-6
        )
    np.testing.assert_array_equal(plain[1], scaled[1])


@pytest.mark.parametrize("n_envs", [1, 3])
def test_oldest_and_drop_oldest(n_envs):
    """The oldest go first, also from a ring that has come round, and what stays is right."""
    for steps in (8, 25, 60):
        buffer = ReplayBuffer(30 * n_envs, 3, n_actions=1, n_envs=n_envs, n_steps=2, gamma=0.5)
        play = Play(buffer, seed=steps)
        play.start()
        for _ in range(steps):
            play.step()
        out = np.zeros((3, 96), np.float32)
        for n in (0, 1, 3):
            before = buffer.n_transitions
            rows = buffer.oldest(n)
            assert len(rows) == n
            buffer.read(rows, out)
            gone = set(out[0, :n])
            if n_envs == 1:  # numbers count up
                assert gone == set(sorted(play.lists.transitions(1, 1))[:n])
            for held in play.lists.of:
                last = max((i for i, slot in enumerate(held) if slot["observation"][0] in gone), default=-1)
                assert all(slot["observation"][0] in gone for slot in held[: last + 1] if slot["starts"])
                del held[: last + 1]
            buffer.drop_oldest(n)
            assert buffer.n_transitions == before - n
            check(play)
        for _ in range(10):
            play.step()
            # Slots that were dropped are free: nothing more goes until the ring is full again.
            play.lists.of = [held[-30:] for held in play.lists.of]
        check(play)
        buffer.drop_oldest(10**6)
        assert buffer.n_transitions == 0
        for held in play.lists.of:
            del held[:-1]
        play.step()
        check(play)


def test_oldest_shares_are_equal_between_environments():
    buffer = ReplayBuffer(400, 2, n_actions=0, n_envs=4)
    play = Play(buffer, seed=0, ends=0.0)
    play.start()
    for _ in range(90):
        play.step()
    np.testing.assert_array_equal(np.bincount(buffer.oldest(40) % 4), [10, 10, 10, 10])


@pytest.mark.parametrize("steps", [10, 60])
@pytest.mark.parametrize("n_envs", [1, 2])
@pytest.mark.parametrize("width", [5, BITS])
def test_goes_on_from_its_state_with_the_same_bits(steps, n_envs, width):
    settings = {"n_actions": 0, "n_envs": n_envs, "n_steps": 2, "boolean": width == BITS}
    buffer, other = (ReplayBuffer(25 * n_envs, width, **settings) for _ in range(2))
    play, discarded = Play(buffer, seed=steps), Play(other, seed=9)
    for each, n in ((play, steps), (discarded, 20)):
        each.start()
        for _ in range(n):
            each.step()
    buffer.drop_oldest(7)
    other.restore(buffer.state())  # what it held goes
    play.others.append(other)
    for _ in range(30):
        if buffer.n_transitions:
            one, two = (sampled(each, np.random.default_rng(0)) for each in (buffer, other))
            for a, b in zip(one, two, strict=True):
                np.testing.assert_array_equal(a, b)
        play.step()
        assert other.n_transitions == buffer.n_transitions


def test_state_holds_only_what_was_written():
    buffer = ReplayBuffer(1000, 3, n_actions=1)
    play = Play(buffer, seed=0, ends=0.0)
    play.start()
    for _ in range(9):
        play.step()
    assert sum(array.nbytes for array in buffer.state().values()) < buffer.nbytes / 50


@pytest.mark.parametrize(
    "settings, problem",
    [
        ({"n_observations": 4}, "the replay's slots are float32 of shape"),
        ({"n_actions": 3}, "the replay's slots are float32 of shape"),
        ({"capacity": 4}, "the replay's slots are float32 of shape"),
        ({"n_envs": 2}, "damaged, or that of another number of environments"),
    ],
)
def test_state_of_another_kind_of_buffer_is_refused(settings, problem):
    buffer = ReplayBuffer(30, 3, n_actions=2)
    play = Play(buffer, seed=0)
    play.start()
    for _ in range(9):
        play.step()
    settings = {"capacity": 30, "n_observations": 3, "n_actions": 2} | settings
    other = ReplayBuffer(settings.pop("capacity"), settings.pop("n_observations"), **settings)
    with pytest.raises(ts.InputError, match=problem):
        other.restore(buffer.state())
    assert other.n_transitions == 0


@pytest.mark.parametrize("name, value", [("newest", 99), ("newest", 3), ("filled", 2), ("filled", -1), ("kinds", 1)])
def test_damaged_state_is_refused(name, value):
    buffer = ReplayBuffer(30, 3, n_actions=2)
    play = Play(buffer, seed=0)
    play.start()
    for _ in range(9):
        play.step()
    state = buffer.state()
    state[name] = np.full_like(state[name], value)
    rows = buffer.oldest(100)
    with pytest.raises(ts.InputError, match="the replay's state is damaged"):
        buffer.restore(state)
    np.testing.assert_array_equal(buffer.oldest(100), rows)


def test_empty_buffer_gives_nothing():
    buffer = ReplayBuffer(30, 3, n_actions=2)
    with pytest.raises(ts.InputError, match="sample needs at least one transition"):
        sampled(buffer, np.random.default_rng(0))
    buffer.start(np.zeros((1, 3)))
    with pytest.raises(ts.InputError, match="sample needs at least one transition"):
        sampled(buffer, np.random.default_rng(0))
    assert len(buffer.oldest(5)) == 0
    buffer.drop_oldest(5)


def test_larger_than_memory_is_refused_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1 << 30)
    with pytest.raises(ts.NotEnoughMemoryError, match=r"a replay buffer of 10,000,000,000 slots needs about 903.4 GiB"):
        ReplayBuffer(10_000_000_000, 17, n_actions=6)
    buffer = ReplayBuffer(1_000_000, 17, n_actions=6)
    assert buffer.nbytes == 1_000_000 * (4 * (17 + 6 + 1) + 1)
    assert ReplayBuffer(1_000_000, 400, n_actions=0, boolean=True).nbytes == 1_000_000 * (50 + 4 + 4 + 1)


def test_files_stand_for_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 0)
    play = Play(ReplayBuffer(60, 12, n_actions=1, boolean=True, folder=tmp_path / "f"), seed=1)
    play.start()
    for _ in range(50):
        play.step()
    check(play)
    assert not list((tmp_path / "f").iterdir())


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"capacity": 2}, "capacity must be at least 3, not 2"),
        ({"capacity": 5, "n_envs": 2}, "capacity must be at least 6, not 5"),
        ({"capacity": 1.5}, "capacity must be an integer"),
        ({"n_observations": 0}, "n_observations must be at least 1"),
        ({"n_actions": -1}, "n_actions must be at least 0"),
        ({"n_envs": 0}, "n_envs must be at least 1"),
        ({"boolean": 1}, "boolean must be True or False"),
        ({"n_steps": 0}, "n_steps must be at least 1"),
        ({"gamma": 1.1}, r"gamma must lie in \[0, 1\]"),
    ],
)
def test_arguments_out_of_range(change, problem):
    settings = {"capacity": 10, "n_observations": 3, "n_actions": 2} | change
    with pytest.raises(ts.InputError, match=problem):
        ReplayBuffer(settings.pop("capacity"), settings.pop("n_observations"), **settings)
