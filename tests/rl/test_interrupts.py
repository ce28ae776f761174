from __future__ import annotations

import signal
import threading

import pytest

gymnasium = pytest.importorskip("gymnasium")

from counting_environment import CountingEnvironment, StubAgent  # noqa: E402
from trulysparse.rl.loop import collect_and_learn  # noqa: E402


@pytest.mark.parametrize("where", ["update", "explore", "callback"])
def test_interrupt_takes_effect_after_the_step(where):
    agent = StubAgent(CountingEnvironment())
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def interrupt(*given):
        if agent.num_timesteps == 20 and not seen:
            seen.append(True)
            signal.raise_signal(signal.SIGINT)

    if where != "callback":
        method = getattr(agent, where)
        setattr(agent, where, lambda *given: (interrupt(), method(*given))[1])
    with pytest.raises(KeyboardInterrupt):
        collect_and_learn(agent, 40, interrupt if where == "callback" else ())
    n = 21 if where == "explore" else 20
    assert (agent.num_timesteps, agent.replay.n_transitions, agent.n_updates) == (n, n, n - 10)
    assert signal.getsignal(signal.SIGINT) is before
    collect_and_learn(agent, 5)
    assert (agent.num_timesteps, agent.replay.n_transitions, agent.n_updates) == (n + 5, n + 5, n - 5)


def test_second_interrupt_takes_effect_at_once():
    agent = StubAgent(CountingEnvironment())

    def update():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    agent.update = update
    with pytest.raises(KeyboardInterrupt):
        collect_and_learn(agent, 40)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_stay():
    agent = StubAgent(CountingEnvironment())
    seen, found = [], []

    def theirs(number, frame):
        seen.append(agent.num_timesteps)

    def look(agent):
        found.append(signal.getsignal(signal.SIGINT))
        if agent.num_timesteps == 3:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, theirs)
    try:
        collect_and_learn(agent, 5, look)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [3]
    assert found == [theirs] * 5
    assert agent.num_timesteps == 5


def test_other_threads_learn_too():
    agent = StubAgent(CountingEnvironment())
    thread = threading.Thread(target=collect_and_learn, args=(agent, 20))
    thread.start()
    thread.join()
    assert agent.num_timesteps == 20
