"""The message in which an agent sends its model: places, weights and biases, and how many bytes that is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.nn.fleet.fleet import Fleet

VALUE_BYTES = {"bfloat16": 2, "float32": 4}
"""Of a weight or bias, by how it is rounded when it is sent."""


def n_places(fleet: Fleet) -> int:
    """Places at which an agent could have connections, of all layers."""
    return sum(a * b for a, b in zip(fleet.layer_sizes, fleet.layer_sizes[1:], strict=False))


def index_bytes_of(fleet: Fleet) -> int:
    """Bytes that tell an agent's places apart: 2 or, from 65,537 places on, 4."""
    return 2 if n_places(fleet) <= 256**2 else 4


def message_bytes(fleet: Fleet, index_bytes: int = 2, value_bytes: int = 2) -> NDArray[np.int64]:
    """Bytes of the message that each agent sends of its model: an index and a value for each connection, a value for
    each bias.

    Args:
        fleet: the fleet.
        index_bytes: of a connection's place among all places of the agent's network: 2 or 4.
        value_bytes: of a weight or bias: 2 (bfloat16) or 4 (float32).

    Returns:
        (N,) bytes, without addresses and checksums of whatever carries the messages.

    Raises:
        InputError: where the bytes are others, or the network has more places than the index can tell apart.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.nn.fleet.messages import message_bytes
        >>> fleet = ts.Fleet(3, (24, 32, 2), density=0.3, output="identity", seed=0)
        >>> int(fleet.connections_per_agent[0]), message_bytes(fleet).tolist()  # 4 * 250 + 2 * 34
        (250, [1068, 1068, 1068])
    """
    for name, given in (("index_bytes", index_bytes), ("value_bytes", value_bytes)):
        if given not in (2, 4):
            raise InputError(f"{name} must be 2 or 4, not {given!r:.80}")
    if n_places(fleet) > 256**index_bytes:
        raise InputError(
            f"index_bytes must be 4: the network of an agent has {n_places(fleet)} places, and {index_bytes} bytes "
            f"tell {256**index_bytes} apart"
        )
    n_biases = sum(layer.bias.size for layer in fleet.layers) // fleet.n_agents
    sizes: NDArray[np.int64] = fleet.connections_per_agent * (index_bytes + value_bytes) + n_biases * value_bytes
    return sizes


def encode_model(fleet: Fleet, agent: int, values: str = "bfloat16") -> bytes:
    """The message of one agent, as a device sends it.

    All in little-endian order: the places of its connections, ascending, in 2 bytes each (4 from 65,537 places on);
    then the weights; then the biases. A place is input * n_out + output within a layer, and layers follow one another;
    so the length of the message says how many connections there are.

    Args:
        fleet: the fleet.
        agent: its number.
        values: 'bfloat16' or 'float32'.

    Returns:
        message_bytes(fleet, ...)[agent] bytes.

    Raises:
        InputError: where `values` is something else.
        IndexError: where there is no such agent.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.nn.fleet.messages import encode_model
        >>> fleet = ts.Fleet(3, (24, 32, 2), density=0.3, output="identity", seed=0)
        >>> len(encode_model(fleet, 1))
        1068
    """
    checks.choice("values", values, tuple(VALUE_BYTES))
    net = fleet[agent]
    places, first = [], 0
    for layer in net.layers:
        rows = layer.connectivity.by_input
        inputs = np.repeat(np.arange(layer.n_in, dtype=np.int64), np.diff(rows.ptr))
        places.append(first + inputs * layer.n_out + rows.index)
        first += layer.n_in * layer.n_out
    index = np.concatenate(places).astype(f"<u{index_bytes_of(fleet)}")
    parts = [layer.values for layer in net.layers], [layer.bias for layer in net.layers]
    return index.tobytes() + b"".join(_rounded(np.concatenate(part), values) for part in parts)


def decode_model(fleet: Fleet, message: bytes, values: str = "bfloat16") -> tuple[NDArray[np.int64], Floats, Floats]:
    """What a message says.

    Args:
        fleet: of the sizes of the one that it comes from.
        message: from `encode_model`.
        values: see `encode_model`.

    Returns:
        Places, int64; the weights at them and all biases, float32.

    Raises:
        InputError: where the message cannot be that of such an agent.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.nn.fleet.messages import decode_model, encode_model
        >>> fleet = ts.Fleet(3, (24, 32, 2), density=0.3, output="identity", seed=0)
        >>> [len(part) for part in decode_model(fleet, encode_model(fleet, 1))]
        [250, 250, 34]
    """
    checks.choice("values", values, tuple(VALUE_BYTES))
    size, width = VALUE_BYTES[values], index_bytes_of(fleet)
    n_biases = sum(layer.bias.size for layer in fleet.layers) // fleet.n_agents
    count, rest = divmod(len(message) - n_biases * size, width + size)
    places = np.frombuffer(message, f"<u{width}", max(0, count)).astype(np.int64)
    if count < 0 or rest or (np.diff(places) <= 0).any() or (places >= n_places(fleet)).any():
        raise InputError(f"message must be that of an agent of sizes {fleet.sizes_text}; {len(message)} bytes are not")
    numbers = np.frombuffer(message, f"<u{size}", offset=count * width)
    floats = (numbers.astype(np.uint32) << 16 if size == 2 else numbers.astype(np.uint32)).view(np.float32)
    return places, floats[:count], floats[count:]


def _rounded(array: Floats, values: str) -> bytes:
    """Values as they are sent, rounded to the nearest, ties to even."""
    narrow = np.ascontiguousarray(array, np.float32)
    if values == "float32":
        return narrow.astype("<f4").tobytes()
    out = np.empty(len(narrow), np.uint16)
    _kernels.round_to(narrow, out, 1)
    return out.astype("<u2").tobytes()
