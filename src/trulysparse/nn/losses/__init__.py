"""Losses: what training makes small. The built-in ones, and the way in for anyone's own."""

from trulysparse.nn.losses.base import AnyLoss, InPlaceLoss, Loss, SimpleLoss
from trulysparse.nn.losses.builtin import BinaryCrossEntropy, Huber, MeanSquaredError, SoftmaxCrossEntropy
from trulysparse.nn.losses.custom import CustomLoss
from trulysparse.nn.losses.make import BY_NAME, BY_OUTPUT, make_loss

__all__ = [
    "BY_NAME",
    "BY_OUTPUT",
    "AnyLoss",
    "BinaryCrossEntropy",
    "CustomLoss",
    "Huber",
    "InPlaceLoss",
    "Loss",
    "MeanSquaredError",
    "SimpleLoss",
    "SoftmaxCrossEntropy",
    "make_loss",
]
