"""Bytes of RAM that training on a device takes, as ts_train_memory of the C runtime counts them."""

from __future__ import annotations

from trulysparse._core import checks
from trulysparse.export.device_network import DeviceNetwork

# Of ts_layer in ts_network.h: five numbers of 32 bits and nine addresses.
_NUMBERS, _ADDRESSES = 5, 9
# Values per sample of a batch in ts_train.scratch.
_SCRATCH = 2
_VELOCITY_BYTES = {None: 0, "bfloat16": 2, "float32": 4}
VELOCITIES = tuple(_VELOCITY_BYTES)
"""How momentum is held; None: there is none."""


def train_memory(
    network: DeviceNetwork,
    *,
    velocity: str | None = None,
    batch: int = 1,
    target_network: bool = False,
    address_bytes: int = 4,
) -> int:
    """The bytes that ts_train_init of the C runtime asks for, before there is any memory.

    Per connection: 4 of weight and 2 of index, with momentum 2 (bfloat16) or 4 more, with a target network 4 more. Per
    neuron: biases, with momentum twice, and a value for each sample of a batch; the rows' starts.

    Args:
        network: that is to be trained.
        velocity: 'float32', 'bfloat16', or None where momentum is 0.
        batch: samples of a step at most, at least 1.
        target_network: whether there is room for the target network of ts_td_step.
        address_bytes: of an address on the device, 4 on 32-bit microcontrollers, 8 on 64-bit processors.

    Returns:
        Bytes, besides the variable of type ts_train itself.

    Raises:
        InputError: where an argument is out of range.

    Example:
        >>> import trulysparse as ts
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((64, 100, 100, 10), epsilon=10, seed=0))
        >>> [train_memory(network, velocity=velocity) for velocity in VELOCITIES]
        [30764, 40884, 50164]
    """
    batch = checks.integer("batch", batch, low=1, high=1 << 16)
    if velocity is not None:
        checks.choice("velocity", velocity, ("float32", "bfloat16"))
    checks.flag("target_network", target_network)
    if checks.integer("address_bytes", address_bytes, low=4, high=8) not in (4, 8):
        checks.choice("address_bytes", str(address_bytes), ("4", "8"))
    numbers = 4 * _NUMBERS + (4 if address_bytes == 8 else 0)  # 8-byte addresses begin at a multiple of 8
    total = len(network.layers) * (numbers + _ADDRESSES * address_bytes) + 4 * _SCRATCH * batch
    for layer in network.layers:
        count, biases = layer.n_connections, layer.n_out
        total += 4 * (layer.n_in + 1) + _padded(2 * count) + 4 * count + _padded(_VELOCITY_BYTES[velocity] * count)
        total += 4 * biases * (1 + (velocity is not None) + target_network) + 4 * count * target_network
        total += 0 if layer.skip else 4 * layer.n_out * batch
    return total


def _padded(count: int) -> int:
    """Up to the next multiple of 4."""
    return (count + 3) // 4 * 4
