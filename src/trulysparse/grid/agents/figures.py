"""Figures of agents: connections, memory, work and messages of each on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trulysparse.grid.budget import Learning, Needs, agent_needs, connections_of

if TYPE_CHECKING:
    from trulysparse.grid.agents.training import Training


def needs_of(training: Training) -> Needs:
    """What each agent of a training takes on its device.

    An agent of an evolution strategy acts with what it was sent or has found; candidates are tried on a simulation of
    the home's own record, and learning on the device is not counted. TD3 and DQN learn on the device, with critics,
    targets and a replay memory. Bytes are what exchanges have sent so far, per day of the hours lived through.

    Args:
        training: at any moment.

    Returns:
        Figures of each network.

    Example:
        >>> from trulysparse import grid
        >>> from trulysparse.grid.agents import Training
        >>> data = grid.sample_data()
        >>> split = grid.split_of(data.names, len(data.hour))
        >>> settings = {"candidates": 2, "windows": 1, "window_hours": 24}
        >>> training = Training("es", data, split, hidden=(32, 32), settings=settings)
        >>> needs_of(training).rows()[0]["connections"]
        182
    """
    method = training.method
    fleet, exchange = method.fleet, method.exchange
    days = max(method.hours_lived / 24, 1e-9)
    sent = 0.0 if exchange is None else exchange.bytes_sent / days
    learning = None
    agent = getattr(method, "agent", None)
    if agent is not None:
        nets = [net for learner in agent.learners.values() for net in (*learner.nets, *learner.targets)]
        settings = agent.settings
        learning = Learning(
            max(int(sum(net.connections_per_agent for net in nets).max()), 1),
            settings.buffer_size,
            24.0 * max(settings.gradient_steps, 1) / settings.train_freq,
            settings.batch_size,
        )
    return agent_needs(
        fleet.layer_sizes,
        connections_of(fleet),
        learning=learning,
        bytes_sent_per_day=np.broadcast_to(sent, (len(fleet),)),
        dense=fleet.density >= 1,
        n_actions=None if method.choices is None else 1,
    )
