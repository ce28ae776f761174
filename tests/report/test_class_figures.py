"""Figures of predicted classes, against scikit-learn."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from pictures import floats, found, parsed, tables, texts
from trulysparse.report.class_figures import calibration_figure, confusion, confusion_figures, label_figures
from trulysparse.report.numbers import percent


@pytest.fixture
def classes(rng):
    def make(k, n=2000):
        true = rng.integers(0, k, n)
        return true, np.where(rng.random(n) < 0.7, true, rng.integers(0, k, n))

    return make


@pytest.mark.parametrize("k", [2, 3, 20])
def test_confusion_matrix_and_scores_of_each_class(classes, k):
    true, predicted = classes(k)
    names = [f"<{i}>" for i in range(k)]
    figures = confusion_figures(confusion(true, predicted, k), names)
    wanted = confusion_matrix(true, predicted)
    shown = np.array([row[1:] for row in tables(figures[0].html())[0][1:]])
    assert np.char.replace(shown, ",", "").astype(int).tolist() == wanted.tolist()
    shades = np.array([floats(rect, "fill-opacity")[0] for rect in found(figures[0].svg, "rect")]).reshape(k, k)
    assert np.allclose(shades, 0.04 + 0.96 * wanted / wanted.sum(axis=1, keepdims=True), atol=0.006)
    scores = np.array([row[2:] for row in tables(figures[1].html())[0][1:]], float)
    precision, recall, f1, _ = precision_recall_fscore_support(true, predicted)
    assert np.allclose(scores, np.stack([recall, precision, f1], axis=1), atol=0.0006)
    assert "&lt;0&gt;" in figures[0].html()


def test_most_frequent_confusions(classes):
    true, predicted = classes(12)
    figure = confusion_figures(confusion(true, predicted, 12), [str(i) for i in range(12)])[-1]
    matrix = confusion_matrix(true, predicted)
    np.fill_diagonal(matrix, 0)
    rows = tables(figure.html())[0][1:]
    assert [int(row[2]) for row in rows] == sorted(matrix.ravel().tolist(), reverse=True)[:15]
    assert all(matrix[int(t), int(p)] == int(c) for t, p, c, _ in rows)


@pytest.mark.parametrize("k", [100, 201, 5000])
def test_many_classes(classes, k):
    true, predicted = classes(k)
    figures = confusion_figures(confusion(true, predicted, k), [f"class {i}" for i in range(k)])
    html = "".join(figure.html() for figure in figures)
    assert len(html) < 150_000
    assert len(found(figures[0].svg, "image")) == 1
    assert ("share a row" in figures[0].caption) == (k > 200)
    rows = tables(figures[1].html())[0][1:]
    assert len(rows) == 20
    f1 = precision_recall_fscore_support(true, predicted, labels=np.unique(true), zero_division=0)[2]
    assert float(rows[0][-1].replace("\N{EN DASH}", "0")) == pytest.approx(f1.min(), abs=0.0006)


def test_classes_without_samples_have_no_scores():
    figures = confusion_figures(confusion(np.array([0, 0]), np.array([0, 1]), 3), ["a", "b", "c"])
    rows = tables(figures[1].html())[0][1:]
    assert rows[1] == ["b", "0", "\N{EN DASH}", "0.000", "0.000"]
    assert rows[2] == ["c", "0", *["\N{EN DASH}"] * 3]


@pytest.mark.parametrize("n", [1, 50, 5000])
def test_calibration_against_scikit_learn(rng, n):
    p = rng.random(n)
    right = rng.random(n) < p**1.5
    figure = calibration_figure(p, right, "What.")
    share, mean = calibration_curve(right, p, n_bins=10)
    rows = tables(figure.html())[0][1:]
    assert np.allclose([[float(row[2]), float(row[3])] for row in rows], np.stack([mean, share], axis=1), atol=0.0006)
    counts = [int(row[1].replace(",", "")) for row in rows]
    assert sum(counts) == n
    error = float(re.search(r"error: ([\d.]+)\.", figure.caption)[1])
    assert error == pytest.approx(np.average(np.abs(mean - share), weights=counts), abs=0.0006)
    at = np.array([floats(circle, "cx", "cy") for circle in found(figure.svg, "circle")])
    assert np.allclose(at[:, 0], 52 + mean * 336, atol=0.01)
    assert np.allclose(at[:, 1], 240 - share * 216, atol=0.01)


def test_calibration_of_odd_probabilities():
    figure = calibration_figure(np.array([np.nan, 1.0, 0.0]), np.array([True, True, False]), "")
    parsed(figure.svg)
    assert "error: 0.000" in figure.caption


def test_labels_of_samples_that_may_have_several(rng):
    true = rng.random((300, 4)) < 0.4
    predicted = true ^ (rng.random((300, 4)) < 0.1)
    scores, wrong = label_figures(true.astype(float), predicted.astype(float), list("abcd"))
    precision, recall, f1, support = precision_recall_fscore_support(true, predicted)
    rows = tables(scores.html())[0][1:]
    assert [int(row[1]) for row in rows] == support.tolist()
    shown = np.array([row[2:] for row in rows], float)
    assert np.allclose(shown, np.stack([recall, precision, f1], axis=1), atol=0.0006)
    counts = np.bincount((true != predicted).sum(axis=1))
    assert [int(row[1]) for row in tables(wrong.html())[0][1:]] == counts.tolist()
    assert wrong.caption == f"All labels right: {percent(counts[0] / 300)}."
    assert "wrong labels" in texts(wrong.svg)
