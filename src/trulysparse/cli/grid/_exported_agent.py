"""The agent of one home of a run on the grid, and observations to calibrate it with, for what is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.cli._exportable import Choice, Exportable, numbered
from trulysparse.cli.grid._homes import make_homes
from trulysparse.cli.grid._learners import learners_of
from trulysparse.cli.grid._run_folder import policy_file, read_settings
from trulysparse.cli.grid._settings import GridSettings
from trulysparse.errors import InputError

_HOME_HOURS = 1_000_000  # simulated at most: a year of 114 homes


def exported_agent(run: Path, choice: Choice) -> Exportable:
    """The network that decides for one home, with what makes an action of its outputs as far as a policy has that.

    Args:
        run: folder that `grid run` wrote.
        choice: the number of the home, from 0, and the file of agents, where there are several.

    Raises:
        InputError: where there is none, or the choice is not one.
    """
    from trulysparse.grid.agents import Agents

    settings, _ = read_settings(run)
    choice.only(run, "a run on the grid", "agent", "learner")
    found = {each.name: policy_file(run, each.name) for each in learners_of(settings)}
    there = [name for name, path in found.items() if path.is_file()]
    if not there:
        raise InputError(f"RUN: '{run}' holds no agents: rules alone were asked for, or none has learned to the end")
    name = there[0] if choice.learner is None else choice.learner
    if name not in there:
        raise InputError(f"--learner must be one of {', '.join(there)}, not '{name}'")
    agents = Agents.load(found[name], threads=1)
    home = numbered(choice.agent, agents.n_homes, "homes", run)
    policy, note = policy_of(agents, home)
    return Exportable(policy, [note], samples=lambda: observations(settings, agents, home))


def policy_of(agents: Any, home: int) -> tuple[Any, str]:
    """The policy of one home, and what is to be done with what it gives.

    Args:
        agents: of all homes.
        home: number of one.
    """
    from trulysparse.rl.policy import Policy

    net = agents.fleet[int(agents.network_of[home])]
    if agents.choices is not None:
        listed = ", ".join(f"{index}: {value:g}" for index, value in enumerate(agents.choices.tolist()))
        return Policy(net, head="argmax", n_actions=len(agents.choices)), f"the battery's action by choice: {listed}"
    center = np.float32(agents.action_map.reach) * agents.action_map.start
    listed = ", ".join(f"{value:g}" for value in center.tolist())
    if agents.action_map.squashed:
        note = (
            f"of outputs z, with a = tanh(z), actions are c + (1 - c) a where a > 0, else c + (1 + c) a; c = {listed}"
        )
    else:
        bias = net.layers[-1].bias
        net.layers[-1].bias = (bias if bias.size else np.zeros(len(center), net.dtype)) + center
        note = f"outputs, in whose biases c = {listed} is, are to be cut to -1 to 1: these are the actions"
    return Policy(net, head="identity", n_actions=len(center)), note


def observations(settings: GridSettings, agents: Any, home: int) -> NDArray[np.float32]:
    """What a home's agent sees in the hours that agents learn from.

    Args:
        settings: of the run.
        agents: of all homes, which act.
        home: number of one.

    Returns:
        (n, n_observations).
    """
    from trulysparse.grid import evaluate

    homes = make_homes(settings)
    learned_from = homes.split.clean_train_hours
    n_hours = min(len(learned_from), max(_HOME_HOURS // homes.n_homes, 7 * 24))
    recorder = _Recorder(agents, home)
    evaluate.run(homes.environment(n_hours=n_hours), recorder, details=False)
    return np.stack([row for row, taken in zip(recorder.seen, learned_from, strict=False) if taken])


class _Recorder:
    """Agents that keep what one of them sees."""

    def __init__(self, agents: Any, home: int) -> None:
        self._agents, self._home = agents, home
        self.seen: list[NDArray[np.float32]] = []

    def act(self, observations: NDArray[np.float32]) -> Any:
        """The agents' actions."""
        self.seen.append(np.array(observations[self._home], np.float32))
        return self._agents.act(observations)
