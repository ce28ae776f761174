"""Truly sparse neural networks: weights exist only where a connection exists."""

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from trulysparse._core import first_signals as _first_signals  # noqa: F401  # before all that takes time to import
from trulysparse._core.version import __version__ as __version__
from trulysparse.data.augmentation import ImageAugmentation
from trulysparse.errors import DivergenceError, InputError, MissingExtraError, NotEnoughMemoryError
from trulysparse.evolution import (
    CTRE,
    DSR,
    GSE,
    MEST,
    SET,
    SNFS,
    CHTs,
    CubicDensity,
    DeepR,
    Evolution,
    Evolver,
    GraNet,
    ReDo,
    RigL,
    Schedule,
    SigmoidDensity,
    Static,
)
from trulysparse.io import kept_models as _kept_models
from trulysparse.io.models import load, save
from trulysparse.nn.activation_function import ActivationFunction, NumberedActivation
from trulysparse.nn.activations import GELU, AllReLU, Identity, LeakyReLU, ReLU, Sigmoid, SiLU, Tanh
from trulysparse.nn.columns import Columns
from trulysparse.nn.ensemble import merge_networks
from trulysparse.nn.frozen import FrozenMLP
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.losses import BinaryCrossEntropy, Huber, Loss, MeanSquaredError, SoftmaxCrossEntropy
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.soft_update_all import soft_update_all
from trulysparse.nn.tape import Tape
from trulysparse.nn.tapes import forward_all
from trulysparse.optim import SGD, Adam, SuPar
from trulysparse.optim.schedules import ConstantRate, CosineRate, ScaledRate, StepRate
from trulysparse.parallel import WASAP, WASSP
from trulysparse.pruning import ImportancePruning, PruningReport, prune_neurons
from trulysparse.training import (
    Callback,
    Checkpointer,
    EarlyStopping,
    History,
    LayerSizes,
    MLflowLogger,
    ProgressBar,
    TensorBoardLogger,
    Trainer,
    evaluate,
    fit_side_by_side,
)

if TYPE_CHECKING:
    from trulysparse import export, rl
    from trulysparse.estimators import SparseMLPClassifier, SparseMLPRegressor
    from trulysparse.evolution.fleet_evolver import FleetEvolver
    from trulysparse.nn.fleet import Fleet
    from trulysparse.preprocessing import TablePreprocessor
    from trulysparse.training.fleet_trainer import FleetTrainer
    from trulysparse.unsupervised.autoencoder import SparseAutoencoder
    from trulysparse.unsupervised.rbm import SparseRBM
    from trulysparse.unsupervised.selector import SparseFeatureSelector


__all__ = [
    "CTRE",
    "DSR",
    "GELU",
    "GSE",
    "MEST",
    "SET",
    "SGD",
    "SNFS",
    "WASAP",
    "WASSP",
    "ActivationFunction",
    "Adam",
    "AllReLU",
    "BinaryCrossEntropy",
    "CHTs",
    "Callback",
    "Checkpointer",
    "Columns",
    "ConstantRate",
    "CosineRate",
    "CubicDensity",
    "DeepR",
    "DivergenceError",
    "EarlyStopping",
    "Evolution",
    "Evolver",
    "Fleet",
    "FleetEvolver",
    "FleetTrainer",
    "FrozenMLP",
    "GraNet",
    "History",
    "Huber",
    "Identity",
    "ImageAugmentation",
    "ImportancePruning",
    "InputError",
    "LayerSizes",
    "LeakyReLU",
    "Loss",
    "MLflowLogger",
    "MeanSquaredError",
    "MissingExtraError",
    "NotEnoughMemoryError",
    "NumberedActivation",
    "ProgressBar",
    "PruningReport",
    "ReDo",
    "ReLU",
    "RigL",
    "ScaledRate",
    "Schedule",
    "SiLU",
    "Sigmoid",
    "SigmoidDensity",
    "SoftmaxCrossEntropy",
    "SparseAutoencoder",
    "SparseFeatureSelector",
    "SparseMLP",
    "SparseMLPClassifier",
    "SparseMLPRegressor",
    "SparseRBM",
    "Static",
    "StepRate",
    "SuPar",
    "TablePreprocessor",
    "Tanh",
    "Tape",
    "TensorBoardLogger",
    "Trainer",
    "WeightInit",
    "evaluate",
    "export",
    "fit_side_by_side",
    "forward_all",
    "grid",
    "load",
    "merge_networks",
    "prune_neurons",
    "rl",
    "save",
    "soft_update_all",
]  # without torch: `from trulysparse import *` works, and stays quick, where PyTorch is not installed


_UNSUPERVISED = ("SparseAutoencoder", "SparseFeatureSelector", "SparseRBM")


_LAZY = {
    "Fleet": "nn.fleet",
    "FleetEvolver": "evolution.fleet_evolver",
    "FleetTrainer": "training.fleet_trainer",
    "TablePreprocessor": "preprocessing",
}


def __getattr__(name: str) -> Any:
    """Imports estimators and TablePreprocessor, and with them all of scikit-learn, and reinforcement learning at their
    first use only: training and inference do without, which matters on small devices."""
    if name in ("SparseMLPClassifier", "SparseMLPRegressor"):
        from trulysparse import estimators

        return getattr(estimators, name)
    if name in _UNSUPERVISED:
        from trulysparse import unsupervised

        return getattr(unsupervised, name)
    if name in ("export", "grid", "rl", "torch"):
        return import_module(f"trulysparse.{name}")
    if name in _LAZY:
        return getattr(import_module(f"trulysparse.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'trulysparse' has no attribute {name!r}")


def _of_rl(name: str) -> Any:
    return getattr(import_module("trulysparse.rl"), name)


for _name in _UNSUPERVISED:  # files of these are read by their classes, which are imported then
    _kept_models.register(_name, partial(__getattr__, _name))
for _name in ("FleetPolicy", "Policy", "TD3", "SAC", "DQN", "IQL", "VDN", "QMIX"):
    _kept_models.register(_name, partial(_of_rl, _name))
