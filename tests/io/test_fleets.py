"""Files of fleets: the same fleet comes back, and damage is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.io.kept_models import Parts, read_parts, register, write_parts
from trulysparse.io.models import ENTRY
from trulysparse.io.table_state import VERSIONS
from trulysparse.io.tensors import opened


def fleet() -> ts.Fleet:
    made = ts.Fleet(5, (4, 8, 3), density=0.5, activation="tanh", seed=2, threads=1)
    made[3] = ts.SparseMLP((4, 8, 3), density=0.8, activation="tanh", seed=11)
    return made


def test_round_trip(tmp_path: Path) -> None:
    own, path = fleet(), tmp_path / "fleet.safetensors"
    ts.save(own, path)
    same = ts.load(path, threads=1)
    assert isinstance(same, ts.Fleet)
    assert repr(same) == repr(own)
    assert np.array_equal(same.seeds, own.seeds)
    assert same.settings == own.settings
    for a, b in zip(own.layers, same.layers, strict=True):
        assert np.array_equal(a.values, b.values)
        assert np.array_equal(a.bias, b.bias)
        assert np.array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)
    X = np.random.default_rng(0).standard_normal((5, 7, 4))
    assert np.array_equal(own.predict_proba(X), same.predict_proba(X))
    ts.save(same, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_fleet_beside_networks(tmp_path: Path) -> None:
    register("Test", lambda: Parts)
    own, net = fleet(), ts.SparseMLP((4, 8, 3), epsilon=1)
    write_parts(Parts({"0": own, "1": net}, {}, {}), "Test", tmp_path / "both", ENTRY, lambda *_: None)
    with opened(tmp_path / "both", ENTRY, (*VERSIONS, 5), "file") as file:
        parts = read_parts(file, 1, None)
    assert np.array_equal(parts.networks["0"].layers[0].values, own.layers[0].values)
    assert np.array_equal(parts.networks["1"].layers[0].values, net.layers[0].values)
    assert [type(each) for each in parts.networks.values()] == [ts.Fleet, ts.SparseMLP]


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_damage_is_told(tmp_path: Path, place: float) -> None:
    path = tmp_path / "fleet.safetensors"
    ts.save(fleet(), path)
    data = bytearray(path.read_bytes())
    data[int(place * len(data))] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"fleet\.safetensors"):
        ts.load(path)
    path.write_bytes(data[: int(place * len(data))])
    with pytest.raises(InputError, match=r"fleet\.safetensors"):
        ts.load(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_agents": 4}, "no multiple of 4 agents"),
        ({"n_agents": 1}, "seeds"),
        ({"n_agents": 0}, "n_agents must be at least 1"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, change: dict, words: str) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "fleet.safetensors"
    ts.save(fleet(), path)
    with safe_open(path, "np") as file:
        config = json.loads(file.metadata()[ENTRY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config["networks"]["fleet"].update(change)
    save_file(tensors, path, {ENTRY: json.dumps(config)})
    with pytest.raises(InputError, match=words):
        ts.load(path)
