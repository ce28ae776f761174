from __future__ import annotations

import numpy as np
import pytest

from trulysparse.errors import InputError

gymnasium = pytest.importorskip("gymnasium")

from counting_environment import CountingEnvironment, Noting, StubAgent  # noqa: E402
from trulysparse.rl.base_callback import BaseCallback, ConvertCallback, make_callbacks  # noqa: E402
from trulysparse.rl.loop import collect_and_learn  # noqa: E402


def test_hooks_are_called_in_order():
    callback = Noting()
    agent = StubAgent(CountingEnvironment())
    collect_and_learn(agent, 3, callback)
    assert callback.notes == ["init", "start", 1, 2, 3, "end"]
    assert callback.model is agent
    assert callback.n_calls == 3


def test_all_are_called_before_training_stops():
    callbacks = [Noting(stop_at=2), Noting()]
    collect_and_learn(StubAgent(CountingEnvironment()), 9, callbacks)
    assert [callback.notes for callback in callbacks] == [["init", "start", 1, 2, "end"]] * 2


@pytest.mark.parametrize("answer, steps", [(False, 1), (np.bool_(False), 1), (None, 9), (True, 9), (np.bool_(True), 9)])
def test_training_stops_where_the_answer_is_false_of_any_type(answer, steps):
    class Answering(BaseCallback):
        def _on_step(self):
            return answer

    for callback in (lambda agent: answer, Answering()):
        agent = StubAgent(CountingEnvironment())
        collect_and_learn(agent, 9, callback)
        assert agent.num_timesteps == steps


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_end_is_called_whatever_ends_the_training(error):
    callback = Noting()

    def fail(agent):
        raise error

    with pytest.raises(error):
        collect_and_learn(StubAgent(CountingEnvironment()), 9, [callback, fail])
    assert callback.notes == ["init", "start", 1, "end"]


def test_callbacks_of_any_form():
    callback = Noting()
    assert make_callbacks(None) == []
    assert make_callbacks(callback) == [callback]
    made = make_callbacks((callback, print))
    assert made[0] is callback
    assert isinstance(made[1], ConvertCallback)
    for wrong in (3, [3], Noting, "x", {1: 2}):
        with pytest.raises(InputError, match="callbacks must be callbacks"):
            make_callbacks(wrong)
    with pytest.raises(InputError, match="callback must be a function"):
        ConvertCallback(3)
