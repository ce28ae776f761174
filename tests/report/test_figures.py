"""Figures: what they draw, read back from matplotlib."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts

pytest.importorskip("matplotlib")

from trulysparse.report import figures


def test_curves_numbers_are_drawn_against_epochs():
    records = [{"epoch": 1, "loss": 0.5, "val_loss": None}, {"epoch": 2, "loss": 0.25, "val_loss": 0.75}]
    figure = figures.curves(records, ("loss", "val_loss", "absent"), "loss")
    loss, val_loss = figure.axes[0].lines
    assert (loss.get_label(), list(loss.get_xdata()), list(loss.get_ydata())) == ("loss", [1, 2], [0.5, 0.25])
    assert (val_loss.get_label(), list(val_loss.get_xdata())) == ("val_loss", [2])


def test_curves_lists_are_drawn_layer_by_layer():
    records = [{"epoch": 1, "dead": [3, None]}, {"epoch": 2, "dead": [4, None]}]
    first, second = figures.curves(records, ("dead",), "neurons").axes[0].lines
    assert (first.get_label(), list(first.get_ydata())) == ("layer 1", [3, 4])
    assert np.isnan(second.get_ydata()).all()


def test_curves_without_values_is_none():
    assert figures.curves([{"epoch": 1}], ("loss",), "loss") is None


def test_degrees_of_a_network_count_all_neurons():
    net = ts.SparseMLP((6, 8, 3), epsilon=1, seed=0)
    axes = figures.degrees(net).axes
    assert [sum(bar.get_height() for bar in each.patches) for each in axes] == [8, 6, 3, 8]


@pytest.mark.parametrize("n_inputs, shape", [(25, (5, 5)), (48, (4, 4))])
def test_input_degrees_square_features_are_an_image(n_inputs, shape):
    net = ts.SparseMLP((n_inputs, 10, 2), epsilon=1, seed=0)
    image = figures.input_degrees(net).axes[0].images[0].get_array()
    assert image.shape == shape
    assert image.sum() == net.layers[0].n_connections


def test_input_degrees_other_features_are_ranked():
    net = ts.SparseMLP((11, 10, 2), epsilon=1, seed=0)
    values = figures.input_degrees(net).axes[0].lines[0].get_ydata()
    assert (np.diff(values) <= 0).all()
    assert values.sum() == net.layers[0].n_connections
