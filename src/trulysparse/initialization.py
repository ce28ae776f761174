"""Starting values of weights; connections grown later get fresh ones by the same rule."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse import _checks, _kernels
from trulysparse.connectivity import Connectivity

_UNIFORM, _NORMAL = 0, 1


@dataclass(frozen=True)
class WeightInit:
    """How weights start.

    rule: 'he_uniform', uniform on +-sqrt(6 / fan_in) (He et al. 2015); 'xavier_uniform', uniform on
    +-sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010); 'normal', mean 0, standard deviation 0.1.
    fan: 'sparse', the mean number of connections that really enter (fan_in) or leave (fan_out) a neuron of the
    layer, which keeps the scale of activations whatever the density; 'dense', n_in and n_out, as the authors'
    code does.
    """

    rule: str = "he_uniform"
    fan: str = "sparse"

    def __post_init__(self) -> None:
        _checks.choice("init", self.rule, ("he_uniform", "xavier_uniform", "normal"))
        _checks.choice("fan", self.fan, ("sparse", "dense"))

    def scale(self, connectivity: Connectivity) -> float:
        """Limit of the uniform distribution, or standard deviation of the normal one."""
        if self.rule == "normal":
            return 0.1
        if self.fan == "dense":
            fan_in, fan_out = float(connectivity.n_in), float(connectivity.n_out)
        else:
            fan_in = max(1.0, connectivity.n_connections / connectivity.n_out)
            fan_out = max(1.0, connectivity.n_connections / connectivity.n_in)
        return math.sqrt(6 / (fan_in if self.rule == "he_uniform" else fan_in + fan_out))

    def draw(self, connectivity: Connectivity, count: int, dtype: np.dtype[np.floating], key: int,
             threads: int) -> NDArray[np.floating]:
        """`count` fresh weights for a layer with this connectivity."""
        out = np.empty(count, dtype)
        kind = _NORMAL if self.rule == "normal" else _UNIFORM
        _kernels.draw_weights(out, kind, self.scale(connectivity), key, threads)
        return out
