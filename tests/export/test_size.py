"""The size is that of the arrays in a compiled file, to the byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from export.c_host import compiler
from trulysparse.data.scaling import Scaling
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.size import size_of
from trulysparse.rl.policy import Policy


def models() -> dict[str, object]:
    net = ts.SparseMLP((300, 40, 30, 5), epsilon=3, skip=True, seed=0)
    for layer in net.layers:
        layer.bias[:] = 1
    net.scaling = Scaling("standard", np.full(300, 100.0), np.ones(300))
    regression = ts.SparseMLP((20, 9, 2), epsilon=3, activation="tanh", output="identity", seed=1)
    regression.target_scaling = Scaling("standard", np.ones(2), np.ones(2))
    policy = Policy(ts.SparseMLP((20, 9, 4), epsilon=3, output="identity", seed=2), head="tanh", n_actions=2)
    return {"net": net, "regression": regression, "policy": policy}


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_size_is_that_of_the_symbols(weights: str, tmp_path: Path, rng: np.random.Generator) -> None:
    if not compiler() or not shutil.which("nm"):
        pytest.skip("needs a C compiler and nm")
    for name, model in models().items():
        network = DeviceNetwork.of(model)
        X = None if weights == "float32" else rng.standard_normal((10, network.n_inputs)) + 100
        size = ts.export.c(model, tmp_path / "net.c", weights=weights, calibrate=X)
        command = [*compiler(), "-std=c99", "-c", str(tmp_path / "net.c"), "-o", str(tmp_path / "net.o")]
        subprocess.run(command, check=True, capture_output=True)
        nm = subprocess.run(["nm", "-S", str(tmp_path / "net.o")], capture_output=True, text=True, check=True)
        taken = dict.fromkeys("rbd", 0)
        for line in nm.stdout.splitlines():
            parts = line.split()
            if len(parts) == 4 and parts[2].lower() in taken:
                taken[parts[2].lower()] += int(parts[1], 16)
        assert taken == {"r": size.flash, "b": size.ram, "d": 0}, name
        assert size == size_of(network, weights)
        assert size.flash == sum(layer.flash for layer in size.layers) + size.other


def test_form_of_a_size(tmp_path: Path) -> None:
    net = ts.SparseMLP((64, 100, 10), epsilon=5, seed=0)
    size = ts.export.c(net, tmp_path / "net.c", index="delta8")
    assert size.n_connections == net.n_connections == 1370
    first, last = size.rows()
    assert (first["name"], first["form"], first["weights"], first["index"]) == ("64-100", "delta8", 4 * 820, 820)
    assert (last["form"], last["index"], last["flash"]) == ("delta8", 550, 5 * 550 + 10)
    said = json.loads(json.dumps(size.to_json()))
    assert (said["flash"], said["ram"], said["files"]) == (size.flash, size.ram, [str(tmp_path / "net.c")])
    table = str(size).splitlines()
    assert len({len(line) for line in table}) == 1
    assert table[-2].split()[-1] == f"{size.flash:,}"
