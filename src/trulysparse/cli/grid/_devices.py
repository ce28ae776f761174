"""What agents take on their devices, and whether it is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trulysparse.cli.grid._homes import as_options
from trulysparse.cli.grid._settings import GridSettings

_LEARNING = ("td3", "dqn")  # which learn from what they live through, on the device
_READINGS = 24 * 2  # bytes per day: a home's net load of each hour, for the community's sum


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


def device_figures(training: Any, settings: GridSettings) -> dict[str, Any]:
    """What the agents of a training take, beside what their device has.

    Args:
        training: of grid.agents, at its start or its end; what exchanges send is known at the end.
        settings: of the run.

    Returns:
        'mean' and 'largest' of the agents by the figure's name, and 'allowed' where a device is asked for.

    Raises:
        InputError: where they do not fit on that device, with the figure.
    """
    from trulysparse.grid import budget
    from trulysparse.grid.agents.figures import needs_of

    needs = needs_of(training)
    if settings.broadcast == "community":
        sent, joules = needs.bytes_sent_per_day + _READINGS, _READINGS * budget.JOULES_PER_BYTE
        needs = replace(needs, bytes_sent_per_day=sent, joules_per_day=needs.joules_per_day + joules)
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
