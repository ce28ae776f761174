"""Scales of the starting weights of all agents: those that WeightInit has for each agent's network alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._kernels import Activation, WeightScale
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.indexed import count_marked
from trulysparse.nn.activations import LayerActivation
from trulysparse.nn.fleet.blocks import block
from trulysparse.nn.initialization import (
    MAX_OUTPUT_WEIGHT,
    OUTPUT_DEVIATION,
    WeightInit,
    mean_fan_in,
    mean_square,
)
from trulysparse.nn.layers.fleet_layer import FleetLayer


@dataclass(frozen=True)
class FleetSignals:
    """StartSignals of each agent.

    Args:
        power: (N,), see StartSignals.
        silent: likewise, the same for all agents.
        live: marks of the neurons of all agents; None: all of them.
        threads: at least 1.
    """

    power: NDArray[np.float64]
    silent: float
    live: NDArray[np.bool_] | None
    threads: int

    @classmethod
    def at_input(cls, n_agents: int, threads: int) -> Self:
        """Of the networks' inputs."""
        return cls(np.ones(n_agents), 0.0, None, threads)

    def power_into(self, layer: FleetLayer) -> NDArray[np.float64]:
        """Mean square over the connections of each agent's layer that gets them, (N,)."""
        if self.live is None:
            return self.power
        degrees = np.where(self.live, np.diff(layer.connectivity.by_input.ptr), 0)
        share = degrees.reshape(layer.n_agents, -1).sum(axis=1) / np.maximum(1, layer.connections_per_agent)
        return np.asarray(share * self.power + (1 - share) * self.silent)


def hidden_scales(init: WeightInit, layer: FleetLayer) -> tuple[WeightScale, NDArray[np.float64]]:
    """The scales of a hidden layer's weights. All agents have as many connections, and so the same.

    Args:
        init: the rule.
        layer: of all agents.

    Returns:
        (their form, the scale of each agent where one input counts, or whatever the inputs).
    """
    scale = init.scale(_one(layer), layer.activation)
    return scale, np.full(layer.n_agents, scale.scale)


def output_scales(init: WeightInit, layer: FleetLayer, inputs: FleetSignals) -> tuple[WeightScale, NDArray[np.float64]]:
    """The same of the output layer's weights.

    Args:
        init: the rule.
        layer: of all agents.
        inputs: what it gets.
    """
    if not init.balance:
        return hidden_scales(init, layer)
    deviation = OUTPUT_DEVIATION / np.sqrt(np.maximum(inputs.power_into(layer), 1e-300))
    limit = deviation if init.rule == "normal" else deviation * math.sqrt(3)
    if init.fan == "sparse":
        return WeightScale(1.0, by_fan_in=True, most=MAX_OUTPUT_WEIGHT), limit
    return WeightScale(1.0), np.minimum(limit / math.sqrt(mean_fan_in(_one(layer))), MAX_OUTPUT_WEIGHT)


def signals_after(init: WeightInit, layer: FleetLayer, inputs: FleetSignals) -> FleetSignals:
    """The outputs of a hidden layer at the start.

    Args:
        init: the rule.
        layer: of all agents.
        inputs: what it gets.
    """
    rows, one = layer.connectivity.by_output, _one(layer)
    has_inputs = np.diff(rows.ptr) > 0
    live = has_inputs if inputs.live is None else count_marked(rows, inputs.live, inputs.threads) > 0
    n_live = np.count_nonzero(has_inputs.reshape(layer.n_agents, -1), axis=1)
    scale, power = init.scale(one, layer.activation), inputs.power_into(layer)
    spread = 1.0 if init.rule == "normal" else 1 / 3
    variance = power * spread
    if scale.by_fan_in and init.rule != "xavier_uniform":
        variance = variance * scale.of(1) ** 2
    else:  # few numbers of neurons, of many agents
        numbers, which = np.unique(n_live, return_inverse=True)
        fans = [max(1.0, one.n_connections / max(1.0, float(n))) for n in numbers]
        variance = variance * np.array(fans)[which] * np.array([scale.of(round(fan)) ** 2 for fan in fans])[which]
    return FleetSignals(
        _mean_squares(layer.activation, variance), mean_square(layer.activation, 0.0), live, inputs.threads
    )


def _mean_squares(activation: LayerActivation, variances: NDArray[np.float64]) -> NDArray[np.float64]:
    kind, slope = activation if isinstance(activation, tuple) else (None, 0.0)
    if kind == Activation.IDENTITY:
        return variances
    if kind == Activation.LEAKY:
        return np.asarray(variances * (1 + slope**2) / 2)
    # By quadrature: of a first layer there are few variances, those of later ones differ from agent to agent.
    different, which = np.unique(variances, return_inverse=True)
    return np.array([mean_square(activation, float(each)) for each in different])[which]


def _one(layer: FleetLayer) -> Connectivity:
    """The connections of one agent."""
    return block(layer, 0, 1)[0]
