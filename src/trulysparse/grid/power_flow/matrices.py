"""A feeder as linear equations: what voltages, line currents and the transformer's currents are, given the currents of
the homes.

All is in units of the rated voltage and of 1 kVA, so a current of 1 at rated voltage is 1 kVA. Each bus is fed from the
busbar by one branch, and branches know of each other through the busbar's voltage alone:

    V_b = a_b V_0 - Z_b I_b,    V_0 = V_n - z_0 sum_i a_i I_i

with I what the homes draw, Z_b the inverse of the admittance matrix of branch b (lines as pi circuits), a_b the
voltages in it at V_0 = 1 without load, V_n the busbar's voltage without load and z_0 the impedance there. So no matrix
is larger than a branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import memory
from trulysparse.grid.feeder import Feeder, Transformer

LARGE = 1 << 24  # bytes of matrices from which on free memory is looked at

Complex = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True, eq=False)
class TransformerCircuit:
    """A transformer as a pi circuit: series admittance, and the same shunt admittance at both ends, in units of 1 kVA.
    The T circuit (half of the impedance, then the iron, then the other half) is turned into this one, exactly."""

    series: complex
    shunt: complex


@dataclass(frozen=True, eq=False)
class BranchMatrices:
    """One branch: `buses` (numbers in the feeder), `homes` (numbers of homes behind it), `a` (buses,) the voltages at 1
    on the busbar, `z` (buses, homes) the drop per current."""

    buses: NDArray[np.int64]
    homes: NDArray[np.int64]
    a: Complex
    z: Complex


@dataclass(frozen=True, eq=False)
class FeederMatrices:
    """The whole feeder: its branches, the busbar without load (`v_n`) and its impedance (`z_0`), the transformer, and
    `series` and `shunt` (lines,) admittances of lines, the latter per end."""

    branches: tuple[BranchMatrices, ...]
    busbar_homes: NDArray[np.int64]
    v_n: complex
    z_0: complex
    transformer: TransformerCircuit
    series: Complex
    shunt: Complex


def transformer_circuit(transformer: Transformer) -> TransformerCircuit:
    """The pi circuit of a transformer."""
    reactance = np.sqrt(transformer.vk_percent**2 - transformer.vkr_percent**2)
    z = complex(transformer.vkr_percent, reactance) / 100 / transformer.kva
    conductance = transformer.iron_loss_kw
    magnetising = transformer.no_load_current_percent / 100 * transformer.kva
    iron = complex(conductance, -np.sqrt(max(magnetising**2 - conductance**2, 0.0)))
    half = z / 2
    whole = 2 * half + half * half * iron  # star to delta
    return TransformerCircuit(1 / whole, (half * iron) / whole)


def feeder_matrices(feeder: Feeder) -> FeederMatrices:
    """The equations of a feeder.

    Raises:
        NotEnoughMemoryError: where the matrices would not fit.
    """
    base_ohm = feeder.voltage_v**2 / 1000
    km = np.array([line.length_m for line in feeder.lines]) / 1000
    per_km = [complex(line.cable.r_ohm_per_km, line.cable.x_ohm_per_km) for line in feeder.lines]
    farad = np.array([line.cable.c_nf_per_km for line in feeder.lines]) * km * 1e-9
    series: Complex = np.asarray(base_ohm / (np.array(per_km) * km), complex)
    shunt: Complex = 0.5j * 2 * np.pi * feeder.frequency_hz * farad * base_ohm
    circuit = transformer_circuit(feeder.transformer)
    heads = np.flatnonzero(feeder.parent == 0)
    sizes = np.bincount(feeder.branch, minlength=feeder.n_buses)
    largest = int(sizes[heads].max(initial=0))
    needed = 64 * largest**2 + 64 * len(feeder.lines) * feeder.n_homes
    if needed > LARGE:
        memory.require(needed, f"a feeder of {feeder.n_homes} homes and {len(feeder.lines)} lines", "split the feeder")
    at_busbar = circuit.series + circuit.shunt
    branches = []
    for head in heads.tolist():
        buses = np.arange(head, head + sizes[head])
        inverse: Complex = np.linalg.inv(_admittances(feeder.parent, series, shunt, head, sizes[head]))
        homes = np.flatnonzero(feeder.branch[feeder.home_bus] == head)
        a: Complex = inverse[:, 0] * series[head - 1]
        at_busbar += series[head - 1] * (1 - a[0]) + shunt[head - 1]
        branches.append(BranchMatrices(buses, homes, a, inverse[:, feeder.home_bus[homes] - head]))
    return FeederMatrices(
        branches=tuple(branches),
        busbar_homes=np.flatnonzero(feeder.home_bus == 0),
        v_n=circuit.series * feeder.source_pu / at_busbar,
        z_0=1 / at_busbar,
        transformer=circuit,
        series=series,
        shunt=shunt,
    )


def _admittances(parent: NDArray[np.int64], series: Complex, shunt: Complex, head: int, size: int) -> Complex:
    """The admittance matrix of the buses head to head + size - 1, with the busbar's voltage given."""
    y = np.zeros((size, size), complex)
    bus = np.arange(size)
    line = head - 1 + bus  # that feeds each bus
    y[bus, bus] = series[line] + shunt[line]
    inner, above = bus[1:], parent[head + 1 : head + size] - head
    np.add.at(y, (above, above), series[line[1:]] + shunt[line[1:]])
    y[inner, above] = y[above, inner] = -series[line[1:]]
    return y
