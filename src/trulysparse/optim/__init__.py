"""Optimizers, learning-rate schedules, and the state that lies on connections."""

from typing import TypeAlias

from trulysparse.optim.adam import Adam
from trulysparse.optim.clipping import clip_factor, global_norm
from trulysparse.optim.schedules import ConstantRate, CosineRate, ScaledRate, StepRate
from trulysparse.optim.sgd import SGD
from trulysparse.optim.state import NO_STATE, OptimizerState

Optimizer: TypeAlias = SGD | Adam

__all__ = [
    "NO_STATE",
    "SGD",
    "Adam",
    "ConstantRate",
    "CosineRate",
    "Optimizer",
    "OptimizerState",
    "ScaledRate",
    "StepRate",
    "clip_factor",
    "global_norm",
]
