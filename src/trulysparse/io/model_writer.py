"""What files hold of a network: settings, and the tensors of layers and scaling."""

from __future__ import annotations

from typing import Any

from trulysparse._core.arrays import Stored, type_name
from trulysparse.connectivity import TiledConnectivity
from trulysparse.io.labels import label_settings
from trulysparse.io.table_state import table_settings, table_tensors
from trulysparse.io.tensors import Tensor
from trulysparse.nn import activations
from trulysparse.nn.mlp import SparseMLP


def settings(net: SparseMLP) -> dict[str, Any]:
    """All of the network that is not in a tensor, as JSON can hold it."""
    return {
        "layer_sizes": net.layer_sizes,
        "epsilon": net.epsilon,
        **activations.settings(net.activation),
        "output": net.output,
        "init": net.init.rule,
        "fan": net.init.fan,
        "balance": net.init.balance,
        "dtype": str(net.dtype),
        "storage": net.storage_config.kind,
        "weights": net.storage_config.weights,
        "signals": net.storage_config.signals,
        "shifts": [layer.connectivity.shift for layer in net.layers] if net.storage_config.tiled else None,
        "seed": net.seed,
        **({"skip": True} if net.skip else {}),
        **({"tied": True} if net.tied else {}),
        "scaling": net.scaling.kind if net.scaling else "none",
        "labels": None if net.labels is None else label_settings(net.labels, net.layer_sizes[-1]),
        **table_settings(net),
    }


def layer_tensors(net: SparseMLP, number: int) -> list[Tensor]:
    """The tensors of one layer."""
    layer, prefix = net.layers[number], f"layers.{number}"
    con = layer.connectivity
    bias = Tensor.of(f"{prefix}.bias", layer.bias)
    if not layer.own_weights:  # they are the first one's
        return [bias]
    if isinstance(con, TiledConnectivity):
        return [
            Tensor.of(f"{prefix}.tiles", con.ptr),
            Tensor.of(f"{prefix}.places", con.packed),
            Tensor.of(f"{prefix}.weight", layer.values),
            bias,
        ]
    return [
        Tensor.of(f"{prefix}.indptr", con.indptr),
        Tensor.of(f"{prefix}.indices", con.indices),
        along_connections(layer, f"{prefix}.weight", layer.values),
        bias,
    ]


def along_connections(layer: Any, name: str, values: Stored) -> Tensor:
    """Values along a layer's connections, in the order of the file."""
    in_order = layer.in_order if layer.own_weights else lambda none: none
    return Tensor(name, values.shape, type_name(values), lambda: in_order(values))


def scaling_tensors(net: SparseMLP) -> list[Tensor]:
    """The tensors of the input's scaling, and of how tables are read."""
    if net.scaling is None:
        return table_tensors(net)
    shift, factor = net.scaling.arrays()
    return [Tensor.of("scaling.shift", shift), Tensor.of("scaling.factor", factor), *table_tensors(net)]
