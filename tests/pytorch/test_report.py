from __future__ import annotations

import json

import pytest

import trulysparse as ts

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

from trulysparse.torch.report import measured_speed, training_bytes, weight_bytes  # noqa: E402


def test_the_table_and_what_json_holds():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(20, 50), torch.nn.ReLU(), torch.nn.Linear(50, 3))
    report = ts.torch.sparsify(model, 0.1)
    text = str(report).splitlines()
    assert text[0].split()[:3] == ["layer", "shape", "density"]
    assert "20 -> 50" in text[1]
    assert text[1].rstrip().endswith("x")  # its speed was measured
    assert text[2] == "left dense: 2 (Linear): the last linear module, taken for a head"
    assert report.layers[0].speed > 0
    assert json.loads(json.dumps(report.to_dict()))["layers"][0]["connections"] == 100
    assert abs(report.density - 0.1) < 1e-9
    assert (report.bytes_before, report.bytes_after) == (4200, report.layers[0].bytes_after)


def test_bytes_are_those_of_all_arrays():
    sparse = ts.torch.SparseLinear(20, 50, density=0.1, seed=0)
    # weights, two indices and positions of 4 bytes; row pointers of 8; biases
    expected = 100 * (4 + 4 + 4 + 4) + 8 * (21 + 51) + 4 * 50
    assert weight_bytes(sparse) == expected
    assert training_bytes(sparse) == expected + 3 * 4 * 150
    assert training_bytes(torch.nn.Linear(20, 50)) == 4 * 4 * 1050


def test_measuring_leaves_gradients_alone():
    linear = torch.nn.Linear(30, 40)
    sparse = ts.torch.SparseLinear.from_linear(linear, 0.2)
    with torch.no_grad():
        assert measured_speed(linear, sparse) > 0
    assert linear.weight.grad is None
    assert sparse.weight.grad is None
