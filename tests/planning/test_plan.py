"""Plans against what networks really take."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

import trulysparse as ts
from trulysparse._core import memory
from trulysparse.cli import app
from trulysparse.cli.plan import layer_sizes
from trulysparse.planning import plan
from trulysparse.planning.plan import PlanRequest, best_setting, largest_batch_size

LAYERS = (5000, 40_000, 30_000, 20_000, 3)


def held(net: ts.SparseMLP) -> dict[str, int]:
    found = {"connectivity": 0, "weights": 0, "biases": 0}
    for layer in net.layers:
        con = layer.connectivity
        if net.storage_config.tiled:
            arrays = [con.ptr, con.place]
        else:
            arrays = [con.by_input.ptr, con.by_input.index, con.by_output.ptr, con.by_output.index, con.position]
        found["connectivity"] += sum(a.nbytes for a in arrays)
        found["weights"] += layer.values.nbytes
        found["biases"] += layer.bias.nbytes
    return found


@pytest.mark.parametrize("storage, kind", [("indexed", "float32"), ("compact", "float32"), ("compact", "bfloat16")])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_bytes_are_those_of_the_arrays(storage, kind, every):
    setting = PlanRequest(LAYERS, 2, 32, storage, kind, kind, ts.SGD(), every)
    planned = plan.plan(setting, measure=False)
    net = ts.SparseMLP(LAYERS, epsilon=2, storage=storage, weights=kind, signals=kind)
    assert planned.connections == net.n_connections
    assert planned.neurons == net.n_neurons
    trainer = ts.Trainer(net, batch_size=32, recompute=every)
    trainer.step(np.zeros((32, 5000)), np.zeros(32, np.int64))
    found = held(net)
    signals = {id(a.base if a.base is not None else a): a.base for a in trainer.training_step.passes._work._flat}
    work = trainer.training_step.passes._work
    buffers = {a.__array_interface__["data"][0]: a.nbytes for a in work._flat}
    found["activations"] = sum(buffers.values())
    found["activation bits"] = sum(a.nbytes for arrays in work._bits.values() for a in arrays)
    found["optimizer state"] = sum(
        a.nbytes for n_slots in trainer.optimizer_state for a in n_slots.weight + n_slots.bias
    )
    assert signals
    for name, size in found.items():
        assert planned.parts[name] == pytest.approx(size, rel=0.01), name


def test_seconds_follow_the_network():
    small, large = (plan.plan(PlanRequest((1000, n, n, 2), 2, 8)) for n in (1_000_000, 4_000_000))
    assert small.seconds["forward"] > 0
    assert large.step_seconds == pytest.approx(4 * small.step_seconds, rel=0.05)
    again = plan.plan(PlanRequest((1000, 1_000_000, 1_000_000, 2), 2, 8, recompute=2))
    assert again.seconds["backward and update"] > small.seconds["backward and update"]


def test_the_suggestion_fits():
    wanted = PlanRequest((65536, *[5_000_000] * 10, 2), 1, 64, "indexed", "float32", "float32")
    needed = plan.plan(wanted, measure=False).resident
    for free in (needed / 2, needed / 8, 1.5e9):
        found = best_setting(wanted, int(free))
        assert found is not None
        assert plan.plan(found, measure=False).resident <= free
    assert best_setting(wanted, 10**6) is None
    fitting = PlanRequest((65536, 5_000_000, 2), 1, 8)
    largest = replace(fitting, batch_size=largest_batch_size(fitting, int(4e9)))
    assert plan.plan(largest, measure=False).resident <= 4e9
    assert plan.plan(replace(largest, batch_size=2 * largest.batch_size), measure=False).resident > 4e9


@pytest.mark.parametrize("text, found", [("3,2", (3, 2)), ("65536,5x3,2", (65536, 5, 5, 5, 2))])
def test_sizes(text, found):
    assert layer_sizes(text) == found


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


COMPACT = ["--storage", "compact", "--precision", "bfloat16", "--momentum", "0"]


def test_the_command(monkeypatch):
    out, _ = run(
        "plan",
        "--layers",
        "65536,500000x2,2",
        "--epsilon",
        "1",
        "--batch-size",
        "8",
        "--samples",
        "1000",
        "--json",
        *COMPACT,
    )
    for word in (
        "settings that fit",
        "up to --batch-size",
        "connectivity",
        "activations",
        "resident at the peak",
        "samples per second",
        "epoch",
    ):
        assert word in out
    figures = json.loads(out.splitlines()[-1])
    assert figures["fits"]
    assert figures["connections"] == 2_065_538
    assert figures["suggestion"] is None
    monkeypatch.setattr(memory, "free_bytes", lambda: 1000 << 20)
    options = ["--epsilon", "1", "--batch-size", "64", "--json", *COMPACT]
    out, err = run("plan", "--layers", "65536,500000x8,2", *options, code=2)
    assert "error: training needs about" in err
    assert "this fits: --storage compact" in err
    assert not json.loads(out.splitlines()[-1])["fits"]
    _, err = run("plan", "--layers", "3,what", code=2)
    assert "--layers must be comma-separated sizes" in err


def test_training_what_does_not_fit_is_refused_with_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 1600 << 20)
    arguments = ["train", "digits", "--out", str(tmp_path / "r"), "--hidden", "1000000,1000000", "--epsilon", "5"]
    out, err = run(*arguments, code=2)
    assert "resident at the peak" in out
    assert "this fits: --storage compact --precision" in err
    assert not (tmp_path / "r").exists()
