"""Homes with PV and batteries as agents: data, physics, prices, feeders, rules, bounds and learners."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trulysparse.grid.baselines.community import CommunityFill as CommunityFill
    from trulysparse.grid.baselines.community import CommunitySum as CommunitySum
    from trulysparse.grid.baselines.dynamic_program import dynamic_program as dynamic_program
    from trulysparse.grid.baselines.foresight import perfect_foresight as perfect_foresight
    from trulysparse.grid.baselines.linear_program import capped_linear_program as capped_linear_program
    from trulysparse.grid.baselines.linear_program import linear_program as linear_program
    from trulysparse.grid.baselines.linear_program import pooled_linear_program as pooled_linear_program
    from trulysparse.grid.baselines.mpc import PredictiveControl as PredictiveControl
    from trulysparse.grid.baselines.pooled import pooled_dynamic_program as pooled_dynamic_program
    from trulysparse.grid.baselines.rules import BasicRBC as BasicRBC
    from trulysparse.grid.baselines.rules import LateSelfConsumption as LateSelfConsumption
    from trulysparse.grid.baselines.rules import NoControl as NoControl
    from trulysparse.grid.baselines.rules import Requests as Requests
    from trulysparse.grid.baselines.rules import Rule as Rule
    from trulysparse.grid.baselines.rules import SelfConsumption as SelfConsumption
    from trulysparse.grid.baselines.rules import TimeOfUse as TimeOfUse
    from trulysparse.grid.baselines.rules import TimeOfUseFill as TimeOfUseFill
    from trulysparse.grid.battery import Batteries as Batteries
    from trulysparse.grid.citylearn import simulate_citylearn as simulate_citylearn
    from trulysparse.grid.citylearn_files import write_citylearn as write_citylearn
    from trulysparse.grid.data import GridData as GridData
    from trulysparse.grid.electric_vehicle import ElectricVehicles as ElectricVehicles
    from trulysparse.grid.environment import GridEnvironment as GridEnvironment
    from trulysparse.grid.evaluate import run as run
    from trulysparse.grid.feeder import Cable as Cable
    from trulysparse.grid.feeder import Feeder as Feeder
    from trulysparse.grid.feeder import Line as Line
    from trulysparse.grid.feeder import Transformer as Transformer
    from trulysparse.grid.heat_pump import HeatPumps as HeatPumps
    from trulysparse.grid.indicators import citylearn_indicators as citylearn_indicators
    from trulysparse.grid.indicators import jain_index as jain_index
    from trulysparse.grid.indicators import self_consumption as self_consumption
    from trulysparse.grid.indicators import self_sufficiency as self_sufficiency
    from trulysparse.grid.outcome import Outcome as Outcome
    from trulysparse.grid.pettingzoo import GridParallelEnv as GridParallelEnv
    from trulysparse.grid.pettingzoo import parallel_env as parallel_env
    from trulysparse.grid.power_flow.flow import Feeders as Feeders
    from trulysparse.grid.readers.citylearn import read_citylearn as read_citylearn
    from trulysparse.grid.readers.homes_csv import read_homes as read_homes
    from trulysparse.grid.rl_environments import GridEnvironments as GridEnvironments
    from trulysparse.grid.sample import sample_data as sample_data
    from trulysparse.grid.scenario import Scenario as Scenario
    from trulysparse.grid.scenario import resample as resample
    from trulysparse.grid.scenario import scenario_of as scenario_of
    from trulysparse.grid.splits import Split as Split
    from trulysparse.grid.splits import split_of as split_of
    from trulysparse.grid.step import Step as Step
    from trulysparse.grid.tariff import Tariff as Tariff
    from trulysparse.grid.tariff import make_tariff as make_tariff

_MODULES = {
    "BasicRBC": "baselines.rules",
    "Batteries": "battery",
    "Cable": "feeder",
    "CommunityFill": "baselines.community",
    "CommunitySum": "baselines.community",
    "ElectricVehicles": "electric_vehicle",
    "Feeder": "feeder",
    "Feeders": "power_flow.flow",
    "GridData": "data",
    "GridEnvironment": "environment",
    "GridEnvironments": "rl_environments",
    "GridParallelEnv": "pettingzoo",
    "HeatPumps": "heat_pump",
    "LateSelfConsumption": "baselines.rules",
    "Line": "feeder",
    "NoControl": "baselines.rules",
    "Outcome": "outcome",
    "PredictiveControl": "baselines.mpc",
    "Requests": "baselines.rules",
    "Rule": "baselines.rules",
    "Scenario": "scenario",
    "SelfConsumption": "baselines.rules",
    "Split": "splits",
    "Step": "step",
    "Tariff": "tariff",
    "TimeOfUse": "baselines.rules",
    "TimeOfUseFill": "baselines.rules",
    "Transformer": "feeder",
    "capped_linear_program": "baselines.linear_program",
    "citylearn_indicators": "indicators",
    "dynamic_program": "baselines.dynamic_program",
    "jain_index": "indicators",
    "linear_program": "baselines.linear_program",
    "make_tariff": "tariff",
    "parallel_env": "pettingzoo",
    "perfect_foresight": "baselines.foresight",
    "pooled_dynamic_program": "baselines.pooled",
    "pooled_linear_program": "baselines.linear_program",
    "read_citylearn": "readers.citylearn",
    "read_homes": "readers.homes_csv",
    "resample": "scenario",
    "run": "evaluate",
    "sample_data": "sample",
    "scenario_of": "scenario",
    "self_consumption": "indicators",
    "self_sufficiency": "indicators",
    "simulate_citylearn": "citylearn",
    "split_of": "splits",
    "write_citylearn": "citylearn_files",
}


def __getattr__(name: str) -> Any:
    """Each name is imported at its first use: a rule needs no network, an agent that acts no bound."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
