"""Files whose settings or tensors are not those of a network."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import trulysparse as ts
from sample_files import rewritten
from trulysparse.data import Scaling


@pytest.mark.parametrize("damage", ["unsorted", "out of range", "pointers", "missing", "length", "type"])
def test_damaged_tensors(net, tmp_path, damage):
    path = tmp_path / "m"
    ts.save(net, path)
    with safe_open(path, "np") as file:
        tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    indices = tensors["layers.0.indices"]
    if damage == "unsorted":
        indices[:2] = indices[1::-1]
    elif damage == "out of range":
        indices[-1] = 30
    elif damage == "pointers":
        tensors["layers.0.indptr"][1] = 10**6
    elif damage == "missing":
        del tensors["layers.1.bias"]
    elif damage == "length":
        tensors["layers.1.weight"] = tensors["layers.1.weight"][:-1].copy()
    else:
        tensors["layers.1.bias"] = tensors["layers.1.bias"].astype(np.float64)
    save_file(tensors, path, metadata)
    with pytest.raises(ts.InputError, match=r"layers\.[01]"):
        ts.load(path)
    assert json.loads(metadata["trulysparse"])["layer_sizes"] == [30, 40, 20, 3]


STRANGE = [None, [], {}, "x", -1, 3.5, True, [None], [[1]], [4, 8], [4, "8", 2], [30, 40, 20, 3, 1], "[" * 99]


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_load_settings_of_any_kind_load_or_are_refused_in_one_sentence(tmp_path, storage):
    net = ts.SparseMLP((4, 8, 2), epsilon=2, storage=storage)
    net.labels, net.scaling = np.array(["a", "b"]), Scaling("minmax", np.zeros(4), np.ones(4))
    path = tmp_path / "m"
    ts.save(net, path)
    whole = path.read_bytes()
    config = settings_of(path)
    refused = dict.fromkeys(config, 0)
    for name in config:
        for value in [*STRANGE, "absent"]:
            path.write_bytes(whole)
            rewritten(path, lambda c, n=name, v=value: c.pop(n) if v == "absent" else c.__setitem__(n, v))
            sentence = refusal(ts.load, path)
            if sentence is not None:
                refused[name] += 1
                assert str(path) in sentence
                assert "\n" not in sentence
    free = {"epsilon", "seed", "version", "shifts", "weights", "signals", "storage"}
    assert all(count >= len(STRANGE) - 3 for name, count in refused.items() if name not in free), refused
    assert all(refused.values()) or storage == "indexed"


def refusal(call, *arguments):
    """The sentence with which a call is refused, or None."""
    try:
        call(*arguments)
    except ts.InputError as error:
        return str(error)
    return None


def settings_of(path):
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["trulysparse"])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("what", ["weight", "bias", "scaling.shift", "scaling.factor"])
@pytest.mark.parametrize("kind", ["float32", "float64", "compact", "bfloat16"])
def test_load_values_that_are_not_finite_are_refused_by_name(tmp_path, kind, what, value):
    settings = {"compact": dict(storage="compact"), "float64": dict(dtype="float64"), "float32": {},
                "bfloat16": dict(storage="compact", weights="bfloat16")}[kind]  # fmt: skip
    net = ts.SparseMLP((4, 8, 2), epsilon=2, **settings)
    net.scaling = Scaling("minmax", np.zeros(4), np.ones(4))
    if "scaling" in what:
        getattr(net.scaling, "offset" if what == "scaling.shift" else "factor")[2] = value
        name = what
    else:
        array = net.layers[1].values if what == "weight" else net.layers[1].bias
        bits = np.float32(value).view(np.uint32) >> np.uint32(16)
        array[1] = bits if kind == "bfloat16" else value
        name = f"layers.1.{what}"
    ts.save(net, tmp_path / "m")
    with pytest.raises(ts.InputError, match=f"{name} holds {'NaN' if np.isnan(value) else 'infinity'}"):
        ts.load(tmp_path / "m")
