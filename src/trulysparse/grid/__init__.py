"""Homes with PV and batteries as agents: data, physics, prices, feeders, rules, bounds and learners."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trulysparse.grid.battery import Batteries as Batteries
    from trulysparse.grid.data import GridData as GridData
    from trulysparse.grid.environment import GridEnvironment as GridEnvironment
    from trulysparse.grid.rl_environments import GridEnvironments as GridEnvironments
    from trulysparse.grid.sample import sample_data as sample_data
    from trulysparse.grid.scenario import Scenario as Scenario
    from trulysparse.grid.scenario import scenario_of as scenario_of
    from trulysparse.grid.splits import Split as Split
    from trulysparse.grid.splits import split_of as split_of
    from trulysparse.grid.step import Step as Step
    from trulysparse.grid.tariff import Tariff as Tariff

_MODULES = {
    "Batteries": "battery",
    "GridData": "data",
    "GridEnvironment": "environment",
    "GridEnvironments": "rl_environments",
    "Scenario": "scenario",
    "Split": "splits",
    "Step": "step",
    "Tariff": "tariff",
    "sample_data": "sample",
    "scenario_of": "scenario",
    "split_of": "splits",
}


def __getattr__(name: str) -> Any:
    """Each name is imported at its first use: a rule needs no network, an agent that acts no bound."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
