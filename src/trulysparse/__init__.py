"""Truly sparse neural networks: weights exist only where a connection exists."""

from trulysparse.activations import AllReLU, Identity, LeakyReLU, ReLU, Sigmoid, Tanh
from trulysparse.errors import DivergenceError, InputError, MissingExtraError, NotEnoughMemoryError
from trulysparse.estimators import SparseMLPClassifier, SparseMLPRegressor
from trulysparse.evolution import SET
from trulysparse.initialization import WeightInit
from trulysparse.learning_rates import ConstantRate, CosineRate, StepRate
from trulysparse.losses import BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy
from trulysparse.network import SparseMLP
from trulysparse.optimizers import SGD, Adam
from trulysparse.saving import load, save
from trulysparse.training import Callback, EarlyStopping, History, ProgressBar, Trainer, evaluate

__version__ = "0.1.0"

__all__ = [
    "SET",
    "SGD",
    "Adam",
    "AllReLU",
    "BinaryCrossEntropy",
    "Callback",
    "ConstantRate",
    "CosineRate",
    "DivergenceError",
    "EarlyStopping",
    "History",
    "Identity",
    "InputError",
    "LeakyReLU",
    "MeanSquaredError",
    "MissingExtraError",
    "NotEnoughMemoryError",
    "ProgressBar",
    "ReLU",
    "Sigmoid",
    "SoftmaxCrossEntropy",
    "SparseMLP",
    "SparseMLPClassifier",
    "SparseMLPRegressor",
    "StepRate",
    "Tanh",
    "Trainer",
    "WeightInit",
    "evaluate",
    "load",
    "save",
]
