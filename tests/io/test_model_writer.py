"""What files hold of a network, against SciPy and the network itself."""

from __future__ import annotations

import json

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.io.model_writer import layer_tensors, scaling_tensors, settings


def test_tensors_of_a_layer_are_its_csr_by_output_neuron(net):
    for number, layer in enumerate(net.layers):
        arrays = {tensor.name.removeprefix(f"layers.{number}."): tensor.make() for tensor in layer_tensors(net, number)}
        assert set(arrays) == {"indptr", "indices", "weight", "bias"}
        assert (np.diff(arrays["indptr"]) >= 0).all()
        matrix = sp.csr_array((arrays["weight"], arrays["indices"], arrays["indptr"]), (layer.n_out, layer.n_in))
        assert matrix.has_canonical_format
        np.testing.assert_array_equal(matrix.toarray(), layer.weight.toarray())
        np.testing.assert_array_equal(arrays["bias"], layer.bias)


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_tensors_have_the_shape_and_bytes_they_announce(storage):
    net = ts.SparseMLP((20, 30, 3), epsilon=3, storage=storage)
    for tensor in [each for number in range(2) for each in layer_tensors(net, number)]:
        array = tensor.make()
        assert array.shape == tensor.shape
        assert array.nbytes == tensor.nbytes


def test_scaling_is_written_where_there_is_one(net):
    shift, factor = scaling_tensors(net)
    assert (shift.name, factor.name) == ("scaling.shift", "scaling.factor")
    np.testing.assert_array_equal(shift.make(), net.scaling.offset)
    np.testing.assert_array_equal(factor.make(), net.scaling.factor)
    net.scaling = None
    assert scaling_tensors(net) == []


def test_settings_are_json_and_name_what_no_tensor_holds(net):
    config = settings(net)
    assert json.loads(json.dumps(config)) == {**config, "layer_sizes": [30, 40, 20, 3]}
    expected = dict(epsilon=4, activation="all_relu", alpha=0.75, init="xavier_uniform", fan="sparse", seed=3)
    assert {name: config[name] for name in expected} == expected
    assert (config["storage"], config["shifts"], config["scaling"]) == ("indexed", None, "minmax")
    tiled = ts.SparseMLP((20, 30, 3), epsilon=3, storage="compact", weights="bfloat16")
    assert settings(tiled)["weights"] == "bfloat16"
    assert settings(tiled)["shifts"] == [layer.connectivity.shift for layer in tiled.layers]
    assert (settings(tiled)["scaling"], settings(tiled)["labels"]) == ("none", None)
