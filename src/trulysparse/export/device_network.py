"""DeviceNetwork: what a network, policy or estimator is to a device, in float32. Exported forms are made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._kernels import Activation as Kind
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.source import source_of
from trulysparse.nn.activations import KernelActivation

Row32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class DeviceLayer:
    """A layer by output neuron: y = f(W x + b).

    Args:
        n_in: neurons that it reads.
        n_out: neurons that it writes.
        ptr: (n_out + 1,) int64; the connections of output o are ptr[o] to ptr[o + 1].
        index: (n_connections,) int32, input neurons, ascending within an output.
        weight: (n_connections,) float32.
        bias: (n_out,) float32, 0 where the layer has none.
        activation: (kind, slope), a member of the kernels' Activation, and the left slope of LEAKY.
        skip: whether it goes from the network's inputs to the outputs' sums, beside the others.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> layer = ts.export.DeviceNetwork.of(ts.SparseMLP.from_matrices([[[0.0, 2.0], [0.0, 0.0]]])).layers[0]
        >>> layer.ptr.tolist(), layer.index.tolist(), layer.weight.tolist(), layer.full
        ([0, 1, 1], [1], [2.0], False)
    """

    n_in: int
    n_out: int
    ptr: NDArray[np.int64]
    index: NDArray[np.int32]
    weight: Row32
    bias: Row32
    activation: KernelActivation
    skip: bool = False

    @property
    def n_connections(self) -> int:
        """Stored weights."""
        return len(self.weight)

    @property
    def full(self) -> bool:
        """Whether every input is connected with every output: no index is needed then."""
        return self.n_connections == self.n_in * self.n_out


@dataclass(frozen=True, eq=False)
class DeviceNetwork:
    """What is to run on a device: layers, and what is done to inputs and outputs.

    Args:
        layer_sizes: neurons per layer, input first.
        layers: one per pair of sizes; a skip layer, where there is one, last.
        output: 'softmax', 'sigmoid' or 'identity'.
        offset: (n_inputs,) float32; the layers get (x - offset) * factor. None: x itself.
        factor: (n_inputs,) float32, or None with offset.
        target_offset: (n_outputs,) float32; the prediction is z / target_factor + target_offset. None: z itself.
        target_factor: (n_outputs,) float32, above 0, or None with target_offset.
        labels: names of the classes in the order of the outputs, as Python's str, int, float or bool; or None.
        feature_names: names of the inputs, or None.
        encoded: whether samples go through a table's preprocessor first: inputs are its outputs.
        rounded: whether weights were float64.
        head: of a policy 'tanh', 'argmax' or 'identity', see Policy; else None.
        n_actions: of a policy the number of outputs: others than those that its head takes are left out; else 0.
        low: (n_actions,) float32, of head 'tanh'; else None.
        high: (n_actions,) float32, likewise.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> network = ts.export.DeviceNetwork.of(ts.SparseMLP((4, 8, 2), epsilon=1))
        >>> [(layer.n_in, layer.n_out) for layer in network.layers], network.n_connections
        ([(4, 8), (8, 2)], 22)
    """

    layer_sizes: tuple[int, ...]
    layers: tuple[DeviceLayer, ...]
    output: str = "identity"
    offset: Row32 | None = None
    factor: Row32 | None = None
    target_offset: Row32 | None = None
    target_factor: Row32 | None = None
    labels: tuple[Any, ...] | None = None
    feature_names: tuple[str, ...] | None = None
    encoded: bool = False
    rounded: bool = False
    head: str | None = None
    n_actions: int = 0
    low: Row32 | None = None
    high: Row32 | None = None

    @classmethod
    def of(cls, model: Any) -> Self:
        """What a model is to a device.

        Args:
            model: a SparseMLP of any storage, a FrozenMLP, a Policy, an agent of rl/ (its policy as it is now), or a
                fitted estimator (its `network_`).

        Returns:
            The network, with arrays of its own.

        Raises:
            InputError: for anything else, a network with an activation of the user's own, and values beyond float32.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> X, y = np.eye(8), np.arange(8) % 2
            >>> model = ts.SparseMLPClassifier((8,), epochs=1, random_state=0).fit(X, y)
            >>> ts.export.DeviceNetwork.of(model).labels
            (0, 1)
        """
        source = source_of(model)
        source.check_built_in()
        net = source.net
        layers = [_device_layer(f"layers[{number}]", layer) for number, layer in enumerate(net.layers)]
        if net.skip:
            layers[-1] = replace(layers[-1], skip=True)
        sizes = net.layer_sizes
        if source.head is not None and source.n_actions < sizes[-1]:  # of SAC: deviations, which acting does without
            sizes = (*sizes[:-1], source.n_actions)
            for number in range(len(sizes) - 2, len(layers)):
                layers[number] = _first_outputs(layers[number], source.n_actions)
        offset, factor = _scale_arrays("scaling", net.scaling)
        target_offset, target_factor = _target_arrays(net.target_scaling)
        return cls(
            sizes,
            tuple(layers),
            net.output,
            offset,
            factor,
            target_offset,
            target_factor,
            labels=None if net.labels is None else tuple(np.asarray(net.labels).tolist()),
            feature_names=net.feature_names,
            encoded=net.preprocessor is not None,
            rounded=net.dtype == np.float64,
            head=source.head,
            n_actions=source.n_actions,
            low=None if source.low is None else _float32("low", source.low),
            high=None if source.high is None else _float32("high", source.high),
        )

    @property
    def n_inputs(self) -> int:
        """Numbers in a sample."""
        return self.layer_sizes[0]

    @property
    def n_outputs(self) -> int:
        """Numbers that the last layer gives."""
        return self.layer_sizes[-1]

    @property
    def n_connections(self) -> int:
        """Stored weights, biases not counted."""
        return sum(layer.n_connections for layer in self.layers)

    @property
    def chain(self) -> tuple[DeviceLayer, ...]:
        """The layers of which each is the input of the next: all but the skip layer."""
        return tuple(layer for layer in self.layers if not layer.skip)

    @property
    def skip_layer(self) -> DeviceLayer | None:
        """The layer from the inputs to the outputs, or None."""
        return self.layers[-1] if self.layers[-1].skip else None


def activation_name(activation: KernelActivation) -> str:
    """The name of a layer's activation: 'identity', 'relu', 'leaky_relu' (of any slope), 'tanh', 'sigmoid', 'gelu',
    'silu'.

    Args:
        activation: (kind, slope).

    Returns:
        The name.

    Example:
        >>> from trulysparse.export.device_network import activation_name
        >>> import trulysparse as ts
        >>> activation_name(ts.AllReLU(0.6).kernel(1)), activation_name(ts.ReLU().kernel(1))
        ('leaky_relu', 'relu')
    """
    kind, slope = activation
    if kind == Kind.LEAKY:
        return "relu" if slope == 0 else "identity" if slope == 1 else "leaky_relu"
    return Kind(kind).name.lower()


def _device_layer(name: str, layer: Any) -> DeviceLayer:
    """An indexed layer by output neuron."""
    con = layer.connectivity
    rows = con.by_output
    bias = layer.bias if layer.bias.size else np.zeros(con.n_out, np.float32)
    return DeviceLayer(
        con.n_in,
        con.n_out,
        np.array(rows.ptr),
        np.array(rows.index),
        _float32(f"{name}.values", np.asarray(layer.values)[con.position]),
        _float32(f"{name}.bias", bias),
        layer.activation,
    )


def _first_outputs(layer: DeviceLayer, n_out: int) -> DeviceLayer:
    """The layer without the outputs behind the first n_out."""
    stop = int(layer.ptr[n_out])
    return replace(
        layer,
        n_out=n_out,
        ptr=layer.ptr[: n_out + 1].copy(),
        index=layer.index[:stop].copy(),
        weight=layer.weight[:stop].copy(),
        bias=layer.bias[:n_out].copy(),
    )


def _float32(name: str, values: Any) -> Row32:
    """A copy in float32, or InputError where it cannot hold the values."""
    with np.errstate(over="ignore"):
        cast = np.array(values, np.float32)
    if not np.isfinite(cast).all():
        at = int(np.argmin(np.isfinite(cast)))
        raise InputError(f"{name}[{at}] is {np.asarray(values)[at]}; devices compute in float32, which must hold it")
    return cast


def _scale_arrays(name: str, scaling: Scaling | None) -> tuple[Row32 | None, Row32 | None]:
    if scaling is None:
        return None, None
    return _float32(f"{name}.offset", scaling.offset), _float32(f"{name}.factor", scaling.factor)


def _target_arrays(scaling: Scaling | None) -> tuple[Row32 | None, Row32 | None]:
    """Offset and factor of targets. A factor of 0, of a constant target, is the largest float: z / factor is 0."""
    if scaling is None:
        return None, None
    factor = np.where(scaling.factor == 0, np.finfo(np.float32).max, scaling.factor)
    return _scale_arrays("target_scaling", Scaling(scaling.kind, scaling.offset, factor))
