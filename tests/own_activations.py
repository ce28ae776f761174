"""Activations as users write them, that several tests share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr


@dataclass(frozen=True)
class Softsign:
    name: str = "softsign"

    def forward(self, z):
        return z / (1 + np.abs(z))

    def derivative(self, z):
        return 1 / (1 + np.abs(z)) ** 2


class OwnGELU:
    """What GELU computes."""

    name = "own_gelu"

    def forward(self, z):
        return z * ndtr(z)

    def derivative(self, z):
        return ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)


class OwnSiLU:
    """What SiLU computes."""

    name = "own_silu"

    def forward(self, z):
        return z * expit(z)

    def derivative(self, z):
        return expit(z) * (1 + z * expit(-z))


class Leaky:
    def __init__(self, slope):
        self.slope = slope

    def forward(self, z):
        return np.where(z > 0, z, np.float32(self.slope) * z)

    def derivative(self, z):
        return np.where(z > 0, z.dtype.type(1), z.dtype.type(self.slope))


class OwnAllReLU:
    """What AllReLU(0.5) computes: another slope on each hidden layer."""

    name = "own_all_relu"

    def for_layer(self, hidden_layer):
        return Leaky(0.5 if hidden_layer % 2 == 0 else -0.5)
