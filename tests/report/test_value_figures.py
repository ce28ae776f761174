"""Figures of predicted values, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from pictures import floats, found, parsed, tables
from trulysparse.report.value_figures import value_figures, value_scores


@pytest.fixture
def values(rng):
    true = rng.normal(100, 20, (200, 5))
    return true, true + rng.normal(size=(200, 5)) * [1, 5, 10, 20, 40]


def test_scores(values):
    for i in range(5):
        true, predicted = values[0][:, i], values[1][:, i]
        wanted = [score(true, predicted) for score in (r2_score, mean_absolute_error, root_mean_squared_error)]
        assert value_scores(true, predicted) == pytest.approx(wanted)
    assert np.isnan(value_scores(np.ones(3), np.arange(3.0))[0])


@pytest.mark.parametrize("flat", [False, True])
def test_one_target(values, flat):
    true, predicted = values[0][:, :1], values[1][:, :1]
    figures = value_figures(*((true[:, 0], predicted[:, 0]) if flat else (true, predicted)), ["<y>"])
    assert [figure.title for figure in figures] == ["<y>: predicted and true", "<y>: residuals"]
    assert len(found(figures[0].svg, "circle")) == 200
    rows = tables(figures[0].html())[0]
    residual = (predicted - true)[:, 0]
    shown = [float(row[3].replace(",", "")) for row in rows[1:]]
    assert shown == pytest.approx(np.quantile(residual, [0, 0.25, 0.5, 0.75, 1]), rel=1e-3)
    heights = [floats(rect, "height")[0] for rect in found(figures[1].svg, "rect")]
    counts = np.histogram(residual, 40)[0]
    assert heights == pytest.approx(counts[counts > 0] * heights[0] / counts[counts > 0][0], abs=0.2)


def test_several_targets_the_worst_first(values):
    figures = value_figures(*values, list("abcde"))
    titles = [*(f"{name}: predicted and true" for name in "edc"), "Targets"]
    assert [figure.title for figure in figures[::2]] == titles
    rows = tables(figures[-1].html())[0][1:]
    assert [row[0] for row in rows] == list("edcba")
    assert float(rows[0][1]) == pytest.approx(r2_score(values[0][:, 4], values[1][:, 4]), rel=1e-3)


def test_values_that_are_not_finite_are_left_out():
    figures = value_figures(np.array([[1.0, np.nan], [2.0, np.nan]]), np.array([[1.0, 1.0], [np.inf, 1.0]]), [])
    assert [figure.title for figure in figures] == ["target 1: predicted and true", "target 1: residuals", "Targets"]
    for figure in figures[:2]:
        parsed(figure.svg)
    assert len(found(figures[0].svg, "circle")) == 1


def test_many_samples_are_a_small_page(rng):
    true = rng.normal(size=300_000)
    assert sum(len(figure.html()) for figure in value_figures(true, true, ["y"])) < 60_000
