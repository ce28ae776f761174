"""Reinforcement learning with networks that are sparse from the first step on."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trulysparse.rl.base_callback import BaseCallback as BaseCallback
    from trulysparse.rl.callbacks import EvalCallback as EvalCallback
    from trulysparse.rl.callbacks import EveryNTimesteps as EveryNTimesteps
    from trulysparse.rl.callbacks import StopTrainingOnRewardThreshold as StopTrainingOnRewardThreshold
    from trulysparse.rl.checkpoint_callback import CheckpointCallback as CheckpointCallback
    from trulysparse.rl.dqn import DQN as DQN
    from trulysparse.rl.evaluate import evaluate_policy as evaluate_policy
    from trulysparse.rl.fleet_policy import FleetPolicy as FleetPolicy
    from trulysparse.rl.noisy import NoisyFeatures as NoisyFeatures
    from trulysparse.rl.policy import Policy as Policy
    from trulysparse.rl.qmix import QMIX as QMIX
    from trulysparse.rl.sac import SAC as SAC
    from trulysparse.rl.targets import SoftMellowmax as SoftMellowmax
    from trulysparse.rl.td3 import TD3 as TD3
    from trulysparse.rl.team_callbacks import TeamEvalCallback as TeamEvalCallback
    from trulysparse.rl.team_evaluation import evaluate_team as evaluate_team
    from trulysparse.rl.vdn import IQL as IQL
    from trulysparse.rl.vdn import VDN as VDN

_MODULES = {
    "BaseCallback": "base_callback",
    "CheckpointCallback": "checkpoint_callback",
    "DQN": "dqn",
    "EvalCallback": "callbacks",
    "evaluate_policy": "evaluate",
    "evaluate_team": "team_evaluation",
    "EveryNTimesteps": "callbacks",
    "FleetPolicy": "fleet_policy",
    "IQL": "vdn",
    "NoisyFeatures": "noisy",
    "Policy": "policy",
    "QMIX": "qmix",
    "SAC": "sac",
    "SoftMellowmax": "targets",
    "StopTrainingOnRewardThreshold": "callbacks",
    "TD3": "td3",
    "TeamEvalCallback": "team_callbacks",
    "VDN": "vdn",
}


def __getattr__(name: str) -> Any:
    """Each class is imported at its first use: a policy that acts needs no algorithm."""
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
