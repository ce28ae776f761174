"""Figures of the course of training."""

from __future__ import annotations

import math

import numpy as np
import pytest

import trulysparse as ts
from pictures import found, parsed, tables, texts
from trulysparse.report import training_figures
from trulysparse.report.training_figures import curves, layer_sizes, per_layer, slowest_parts, values_of


def records(n, layers=2):
    return [
        {
            "epoch": epoch,
            "loss": 1 / epoch,
            "val_loss": 2 / epoch,
            "val_accuracy": 1 - 1 / epoch,
            "connections": 100,
            "connections_per_layer": [100 - epoch * layer for layer in range(layers)],
            "neurons_per_layer": [50] * layers,
            "dead": [0] * (layers - 1) + [None],
            "exploration": 0.1 * epoch,
        }
        for epoch in range(1, n + 1)
    ]


def test_curves_of_what_was_recorded():
    figures = curves(records(5))
    assert [figure.title for figure in figures] == ["Loss", "Validation accuracy"]
    [shown] = tables(figures[0].html())
    assert shown[0] == ["epoch", "training loss", "validation loss"]
    assert shown[1:3] == [["1", "1", "2"], ["2", "0.5", "1"]]
    assert [figure.title for figure in curves([{"epoch": 1, "loss": 0.5}])] == ["Loss"]
    assert curves([]) == []


def test_values_that_are_not_finite_or_not_numbers():
    odd = [{"epoch": 1, "loss": math.nan}, {"epoch": 2}, {"epoch": 3, "loss": None}, {"epoch": 4, "loss": 2.0}]
    series = values_of(odd, "loss")
    assert series.x == [1, 4]
    assert math.isnan(series.y[0])
    assert values_of(odd[:3], "loss") is None
    assert values_of([{"epoch": 1, "connections": 10**400}], "connections") is None
    for figure in curves(odd):
        parsed(figure.svg)


def test_sizes_of_layers_over_time():
    figures = layer_sizes(records(4))
    titles = ["Connections per layer", "Neurons per layer", "Exploration", "Dead neurons"]
    assert [figure.title for figure in figures] == titles
    [shown] = tables(figures[0].html())
    assert shown[-1] == ["4", "100", "96"]
    # Equal lines would hide each other.
    assert len(found(figures[1].svg, "path")) == 1
    assert "layers 1, 2" in texts(figures[1].svg)


def test_layers_that_come_and_go():
    series = per_layer([{"epoch": 1, "n": [1, 2]}, {"epoch": 2, "n": [3]}, {"epoch": 3}], "n")
    assert [each.name for each in series] == ["layer 1", "layer 2"]
    assert series[0].y == [1, 3]
    assert series[1].y[0] == 2
    assert math.isnan(series[1].y[1])


def test_many_layers_first_and_last_are_drawn():
    figure = layer_sizes(records(3, layers=50))[0]
    assert len(found(figure.svg, "path")) == 6
    assert {"layer 1", "layer 50"} <= set(texts(figure.svg))
    assert "Of 50 layers" in figure.caption


def test_total_connections_where_layers_were_not_recorded():
    assert [figure.title for figure in layer_sizes([{"epoch": 1, "connections": 5}])] == ["Connections"]


def test_slowest_parts_come_first():
    net = ts.SparseMLP((20, 30, 5), epsilon=3, seed=0)
    before = [layer.values.copy() for layer in net.layers]
    parts, layers = slowest_parts({"reading": 0.5, "updates": 2.0, "evolution": 0.25}, net)
    assert [row[0] for row in tables(parts.html())[0]] == ["part", "updates", "reading", "evolution"]
    assert tables(parts.html())[0][1][1:] == ["2", "72.7 %"]
    shown = tables(layers.html())[0][1:]
    sums = [float(row[1]) + float(row[2]) for row in shown]
    assert sums == sorted(sums, reverse=True)
    assert {row[0] for row in shown} == {"1: 20\xa0x\xa030", "2: 30\xa0x\xa05"}
    assert all(np.array_equal(a, layer.values) for a, layer in zip(before, net.layers, strict=True))


@pytest.mark.parametrize("n_inputs, samples", [(20, 128), (400_000, 9)])
def test_layers_of_wide_networks_are_timed_with_fewer_samples(n_inputs, samples):
    [figure] = slowest_parts({}, ts.SparseMLP((n_inputs, 5, 2), epsilon=0.1, seed=0))
    assert f"batch of {samples} samples" in figure.caption


def test_layers_of_very_large_networks_are_not_timed(monkeypatch):
    monkeypatch.setattr(training_figures, "_MOST_TIMED", 10)
    assert slowest_parts({}, ts.SparseMLP((20, 30, 5), epsilon=3, seed=0)) == []
