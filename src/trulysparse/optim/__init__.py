"""Optimizers, learning-rate schedules, and the state that lies on connections."""

from trulysparse._kernels import Update, UpdateRule
from trulysparse.optim.adam import Adam
from trulysparse.optim.clipping import clip_factor, global_norm
from trulysparse.optim.layer_rates import LayerOptimizers, LayerRates, SuPar
from trulysparse.optim.optimizer import Optimizer, check_optimizer
from trulysparse.optim.rules import ArrayRule, LayerRules
from trulysparse.optim.schedules import ConstantRate, CosineRate, LearningRate, ScaledRate, StepRate, rate_at
from trulysparse.optim.sgd import SGD
from trulysparse.optim.state import NO_STATE, OptimizerState

__all__ = [
    "NO_STATE",
    "SGD",
    "Adam",
    "ArrayRule",
    "ConstantRate",
    "CosineRate",
    "LayerOptimizers",
    "LayerRates",
    "LayerRules",
    "LearningRate",
    "Optimizer",
    "OptimizerState",
    "ScaledRate",
    "StepRate",
    "SuPar",
    "Update",
    "UpdateRule",
    "check_optimizer",
    "clip_factor",
    "global_norm",
    "rate_at",
]
