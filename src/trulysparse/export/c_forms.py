"""The forms in which a network can be in a C file: float32 or int8, each with an index per layer."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.export.c_float import float_part
from trulysparse.export.c_int8 import int8_part
from trulysparse.export.c_part import CPart
from trulysparse.export.calibration import Ranges
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.index_forms import IndexedRows, index_rows
from trulysparse.export.input_scaling import SCALING_FORMS, with_scaling
from trulysparse.export.quantize import quantize

WEIGHTS = ("float32", "int8")


@dataclass(frozen=True, eq=False)
class Emitted:
    """A network in a form.

    Args:
        network: with the scaling that the device computes.
        rows: the connections of each layer.
        part: arrays and code.
    """

    network: DeviceNetwork
    rows: tuple[IndexedRows, ...]
    part: CPart


def emit(
    network: DeviceNetwork,
    weights: str = "float32",
    index: str = "auto",
    *,
    scaling: str = "auto",
    probabilities: bool = False,
    ranges: Ranges | None = None,
    name: str = "net",
) -> Emitted:
    """A network in the form that export.c describes.

    Args:
        network: any.
        weights: 'float32' or 'int8'.
        index: see `index_rows`.
        scaling: see `with_scaling`; int8 keeps it, since it quantises scaled inputs.
        probabilities: whether there is a function for them, of float32.
        ranges: of activations, for int8. None: of no samples, which is enough for sizes.
        name: prefix in C.

    Returns:
        The network, its connections and the part.

    Raises:
        InputError: where arguments do not go together or do not fit the network.

    Example:
        >>> import trulysparse as ts
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((64, 100, 10), epsilon=5))
        >>> [rows.form for rows in emit(network, index="u16").rows]
        ['u16', 'u16']
    """
    checks.choice("weights", weights, WEIGHTS)
    checks.choice("scaling", scaling, SCALING_FORMS)
    is_int8 = weights == "int8"
    if checks.flag("probabilities", probabilities):
        if is_int8:
            raise InputError("probabilities is for weights='float32', not 'int8'")
        if network.output == "identity" or network.head is not None or network.target_factor is not None:
            raise InputError("probabilities is for networks with output='softmax' or 'sigmoid' that have classes")
    if is_int8 and scaling == "folded":
        raise InputError("scaling='folded' is for weights='float32': int8 quantises scaled inputs")
    network = network if is_int8 else with_scaling(network, scaling)
    rows = tuple(
        index_rows(layer, index, weight_bytes=1 if is_int8 else 4, name=f"layers[{number}]")
        for number, layer in enumerate(network.layers)
    )
    if is_int8:
        quantized = quantize(network, _no_samples(network) if ranges is None else ranges)
        return Emitted(network, rows, int8_part(quantized, rows, name))
    return Emitted(network, rows, float_part(network, rows, name, probabilities=probabilities))


def _no_samples(network: DeviceNetwork) -> Ranges:
    """Ranges of 1 everywhere: sizes do not depend on them."""
    hidden = len(network.chain) - 1
    return Ranges(1.0, (1.0,) * hidden, (1.0,) * hidden)
