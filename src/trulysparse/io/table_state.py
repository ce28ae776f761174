"""What files hold of how a network reads tables: preprocessing, names of the inputs, scaling of targets. A file without
any of it is of version 1, which older releases read; they refuse one with preprocessing or scaled targets (version 2)
with a skip layer (version 3) or with tied ends (version 4)."""

from __future__ import annotations

from typing import Any

from trulysparse._core import checks
from trulysparse._core.texts import pack, unpack
from trulysparse.data import Scaling
from trulysparse.data.scaling_figures import KINDS
from trulysparse.errors import InputError
from trulysparse.io.tensors import Arrays, Tensor
from trulysparse.nn.mlp import SparseMLP
from trulysparse.preprocessing.fitted import ARRAYS

VERSIONS = (1, 2, 3, 4)
"""Versions of files that this release reads."""
_NAMES = ("feature_names.bytes", "feature_names.offsets")


def version_of(net: SparseMLP) -> int:
    """The version of the file that is needed for a network."""
    if net.tied:
        return 4
    if net.skip:
        return 3
    return 1 if _preprocessor(net) is None and net.target_scaling is None else 2


def table_settings(net: SparseMLP) -> dict[str, Any]:
    """All of it that is not in a tensor, as JSON can hold it; nothing for what a network does not have."""
    found: dict[str, Any] = {}
    preprocessor = _preprocessor(net)
    if preprocessor is not None:
        found["preprocessing"] = preprocessor.settings()
    elif net.feature_names is not None:
        found["feature_names"] = True
    if net.target_scaling is not None:
        found["target_scaling"] = net.target_scaling.kind
    return found


def table_tensors(net: SparseMLP) -> list[Tensor]:
    """The tensors of it."""
    tensors = []
    preprocessor = _preprocessor(net)
    if preprocessor is not None:
        tensors += [Tensor.of(f"preprocessing.{name}", array) for name, array in preprocessor.state()[1].items()]
    elif net.feature_names is not None:
        data, offsets = pack(net.feature_names)
        tensors += [Tensor.of(_NAMES[0], data), Tensor.of(_NAMES[1], offsets)]
    if net.target_scaling is not None:
        offset, factor = net.target_scaling.arrays()
        tensors += [Tensor.of("target_scaling.shift", offset), Tensor.of("target_scaling.factor", factor)]
    return tensors


def restore_table(net: SparseMLP, config: dict[str, Any], file: Arrays) -> None:
    """Gives a network what a file holds of it; InputError where it does not fit the network.

    Args:
        net: the network, whose layers have been read.
        config: its settings.
        file: the tensors.
    """
    n_inputs, n_outputs = net.layer_sizes[0], net.layer_sizes[-1]
    if "preprocessing" in config:
        from trulysparse.preprocessing import TablePreprocessor  # brings scikit-learn

        arrays = {name: file.array(f"preprocessing.{name}", dtype) for name, dtype in ARRAYS.items()}
        preprocessor = TablePreprocessor.from_state(config["preprocessing"], arrays)
        if preprocessor.n_features_out_ != n_inputs:
            raise InputError(f"preprocessing has {preprocessor.n_features_out_} outputs for {n_inputs} inputs")
        net.preprocessor = preprocessor
    if config.get("feature_names"):
        data, offsets = file.array(_NAMES[0], "uint8"), file.array(_NAMES[1], "int64", n_inputs + 1)
        net.feature_names = tuple(unpack(data, offsets, "feature_names"))
    if "target_scaling" in config:
        kind = checks.choice("target_scaling", config["target_scaling"], KINDS[1:])
        offset, factor = (file.array(f"target_scaling.{part}", "float64", n_outputs) for part in ("shift", "factor"))
        if net.output == "softmax" or not (factor >= 0).all():
            raise InputError("target_scaling must be of output='identity' or 'sigmoid', and its factors at least 0")
        net.target_scaling = Scaling(kind, offset, factor)


def _preprocessor(net: SparseMLP) -> Any:
    """The network's preprocessor; None where it has none, or one that was fitted to an array and changes nothing."""
    preprocessor = net.preprocessor
    return preprocessor if hasattr(preprocessor, "feature_names_in_") else None
