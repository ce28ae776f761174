"""What agents take on their devices, and whether it is there."""

from __future__ import annotations

from typing import Any

from trulysparse.cli.grid._homes import as_options
from trulysparse.cli.grid._settings import EXCHANGES, GridSettings

_LEARNING = ("td3", "dqn")  # which learn from what they live through, on the device
_READING_BYTES = 2  # a home's net load, for the community's sum
_RECEIVERS = 3  # neighbours that get an agent's model in an exchange


def most_replay(settings: GridSettings, kind: str) -> int | None:
    """Transitions that agents of a kind may remember on the device that is asked for; None: as many as they like.

    Example:
        >>> most_replay(GridSettings(device="m4"), "td3"), most_replay(GridSettings(device="m4"), "es")
        (2048, None)
    """
    if settings.device is None or kind not in _LEARNING:
        return None
    from trulysparse.grid.budget import DEVICES

    device = DEVICES.get(settings.device)
    return device.replay_hours if device is not None and device.replay_hours else None


def device_figures(training: Any, settings: GridSettings, *, shared: bool, dense: bool) -> dict[str, Any]:
    """What the agents of a training take, beside what their device has.

    Args:
        training: of grid.agents, at its start or its end.
        settings: of the run.
        shared: whether all homes have one network, which has no neighbours.
        dense: whether networks have all connections.

    Returns:
        'mean' and 'largest' of the agents by the figure's name, and 'allowed' where a device is asked for.

    Raises:
        InputError: where they do not fit on that device, with the figure.
    """
    from trulysparse.grid import budget
    from trulysparse.nn.fleet_messages import message_bytes

    fleet = training.method.fleet
    device = None if settings.device is None else budget.DEVICES.get(settings.device)
    sent: Any = 24.0 * _READING_BYTES * (settings.broadcast == "community")
    if settings.exchange is not None and not shared:
        sent = sent + message_bytes(fleet) * min(_RECEIVERS, len(fleet) - 1) * 24 / EXCHANGES[settings.exchange]
    needs = budget.agent_needs(
        fleet.layer_sizes,
        budget.connections_of(fleet),
        learning=None if device is not None and not device.learning_connections else _learning(training),
        bytes_sent_per_day=sent,
        dense=dense,
        n_actions=len(training.method.action_map.start),
    )
    allowed = {}
    if settings.device is not None:
        with as_options():
            device = budget.check_device(settings.device, needs)
        allowed = {
            "connections": device.connections,
            "ram_bytes": device.ram_bytes,
            "flash_bytes": device.flash_bytes,
        }
    return {"mean": needs.mean(), "largest": needs.largest(), "allowed": allowed}


def _learning(training: Any) -> Any:
    """What learning on the device adds; None of agents that receive models."""
    from trulysparse.grid.budget import Learning

    if training.kind not in _LEARNING:
        return None
    agent = training.method.agent
    n_agents = len(training.method.homes)
    nets = [net for learner in agent.learners.values() for net in (*learner.nets, *learner.targets)]
    connections = sum(net.n_connections for net in nets) // n_agents
    return Learning(connections, agent.buffer_size, batch_size=agent.batch_size)
