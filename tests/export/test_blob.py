"""Blobs of models, and the memory of their training, against the C runtime."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import trulysparse as ts
from export.c_host import build
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.blob import blob_of, save_blob, train_memory
from trulysparse.io.blob_format import unpack
from trulysparse.rl.policy import Policy

SIZES = [(64, 100, 100, 10), (3, 1, 5), (7, 2), (300, 33, 1)]
CASES = list(product(SIZES, (None, "bfloat16", "float32"), (1, 5), (False, True)))
CODES = {None: "TS_NO_VELOCITY", "bfloat16": "TS_BFLOAT16", "float32": "TS_FLOAT32"}


def counting() -> str:
    """C that prints what ts_train_memory says of all cases, drawn with epsilon 3."""
    lines = []
    for sizes, velocity, batch, target in CASES:
        listed = ", ".join(f"{size}u" for size in sizes)
        lines.append(
            f"{{ static const uint32_t sizes[] = {{{listed}}}; c = ts_train_defaults(); c.sizes = sizes; "
            f"c.n_sizes = {len(sizes)}u; c.epsilon = 3.0f; c.velocity = {CODES[velocity]}; "
            f"c.momentum = {0.9 if velocity else 0.0}f; c.batch = {batch}u; c.target_network = {int(target)}u; "
            'printf("%ld\\n", (long)ts_train_memory(&c)); }'
        )
    head = '#include <stdio.h>\n#include "ts_train.h"\nint main(void) {\n    ts_train_config c;\n    '
    return head + "\n    ".join(lines) + "\n    return 0;\n}\n"


def test_the_memory_of_a_training_is_what_the_runtime_asks_for(tmp_path):
    networks = {sizes: ts.SparseMLP(sizes, epsilon=3, seed=0, threads=1) for sizes in SIZES}
    said = build(tmp_path, {"main.c": counting()}, ["-O0"], sanitize=False).run().split()
    for (sizes, velocity, batch, target), bytes_there in zip(CASES, said, strict=True):
        options = {"velocity": velocity, "batch": batch, "target_network": target, "pointer_bytes": 8}
        assert train_memory(networks[sizes], **options) == int(bytes_there), (sizes, options)


def test_the_memory_is_the_same_for_the_network_of_a_device():
    net = ts.SparseMLP((7, 9, 3), epsilon=2, skip=True, threads=1)
    assert train_memory(ts.export.DeviceNetwork.of(net)) == train_memory(net)


def test_a_blob_comes_back_through_load(tmp_path, rng):
    net = ts.SparseMLP((5, 8, 3), epsilon=3, skip=True, activation=ts.AllReLU(0.6), seed=0, threads=1)
    for layer in net.layers:
        layer.bias[:] = rng.standard_normal(len(layer.bias))
    net.scaling = Scaling("standard", rng.standard_normal(5), rng.uniform(0.5, 2, 5))
    net.labels, net.feature_names = np.array(["low", "mid", "high"]), tuple("abcde")
    assert save_blob(net, tmp_path / "net.blob") == (tmp_path / "net.blob").stat().st_size
    same = ts.load(tmp_path / "net.blob", threads=1)
    X = rng.standard_normal((20, 5)).astype(np.float32)
    assert np.allclose(same.decision_function(X), net.decision_function(X), atol=1e-5)
    assert (same.predict(X) == net.predict(X)).all()
    assert same.feature_names == net.feature_names
    for a, b in zip(net.layers, same.layers, strict=True):
        assert np.array_equal(a.values, b.values)
        assert np.array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)


def test_a_policy_and_an_estimator_give_their_networks():
    net = ts.SparseMLP((4, 8, 2), epsilon=2, output="identity", threads=1)
    policy = Policy(net, head="argmax", n_actions=2, offset=[1, 2, 3, 4], factor=[1, 1, 2, 2])
    assert unpack(blob_of(policy)).scaling[0].tolist() == [1, 2, 3, 4]
    model = ts.SparseMLPRegressor((8,), epochs=1, random_state=0).fit(np.eye(6), np.arange(6.0))
    assert unpack(blob_of(model)).target_scaling is not None


def test_what_devices_cannot_train_is_refused(tmp_path):
    wide = ts.SparseMLP((65_537, 1), epsilon=0.01, threads=1)
    with pytest.raises(InputError, match="65537 neurons; devices train layers of at most 65536"):
        save_blob(wide, tmp_path / "net.blob")
    assert list(tmp_path.iterdir()) == []
    tied = ts.SparseMLP((4, 2, 4), epsilon=2, output="identity", tied=True, threads=1)
    with pytest.raises(InputError, match="tied ends"):
        blob_of(tied)
    net = ts.SparseMLP((4, 2), epsilon=1, threads=1)
    for options, message in (
        ({"velocity": "float16"}, "velocity must be one of float32, bfloat16, not 'float16'"),
        ({"batch": 0}, "batch must be between 1 and 65536, not 0"),
        ({"pointer_bytes": 3}, "pointer_bytes must be"),
    ):
        with pytest.raises(InputError, match=message):
            train_memory(net, **options)
