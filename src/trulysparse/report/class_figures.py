"""Figures of predicted classes: which are taken for which, and how far probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trulysparse.report.bar_chart import binned, histogram
from trulysparse.report.heat_map import MOST_CELLS, heat_map
from trulysparse.report.numbers import MISSING, number, percent, short, shortened
from trulysparse.report.page import Figure, Table
from trulysparse.report.svg import WIDTH, Axis, axes, color, element, escape, picture

# Classes of more than so many are drawn in groups.
_MOST_CLASSES = 200
_MOST_CONFUSIONS, _MOST_ROWS = 15, 20
_BINS = 10


class Confusion(NamedTuple):
    """How often which class was taken for which; only pairs that occur.

    Attributes:
        true: codes of true classes.
        predicted: codes of predicted classes.
        samples: how many, of each pair.
        n_classes: how many classes there are.
    """

    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    samples: NDArray[np.int64]
    n_classes: int


def confusion(y_true: NDArray[Any], y_pred: NDArray[Any], n_classes: int) -> Confusion:
    """Counts the pairs of true and predicted classes, in memory of the pairs that occur.

    Args:
        y_true: codes, (n,), 0 to n_classes - 1.
        y_pred: likewise.
        n_classes: at least 1.

    Returns:
        The counts.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.class_figures import confusion
        >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).samples.tolist()
        [1, 1, 1]
    """
    keys, count = np.unique(np.asarray(y_true, np.int64) * n_classes + np.asarray(y_pred, np.int64), return_counts=True)
    return Confusion(keys // n_classes, keys % n_classes, count.astype(np.int64), n_classes)


def confusion_figures(found: Confusion, names: Sequence[str]) -> list[Figure]:
    """The confusion matrix, the most frequent confusions, and recall and precision of each class.

    Args:
        found: the counts.
        names: of the classes.

    Returns:
        The figures.
    """
    n = found.n_classes
    group = -(-n // _MOST_CLASSES)
    cells = -(-n // group)
    counts = np.zeros((cells, cells))
    np.add.at(counts, (found.true // group, found.predicted // group), found.samples)
    shade = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    caption = "Rows: true classes; columns: predicted ones. The stronger the colour, the larger the share of the row."
    if n > MOST_CELLS and group == 1:
        caption += f" Classes are in order, from '{shortened(names[0], 40)}' to '{shortened(names[-1], 40)}'."
    if group > 1:
        caption += f" {group} classes, in their order, share a row."
    svg = heat_map(
        shade,
        names,
        title="confusion matrix",
        row_label="true",
        column_label="predicted",
        shown=lambda i, j: short(counts[i, j]),
    )
    table = None
    if n <= MOST_CELLS:
        rows = [[names[i], *(f"{int(c):,}" for c in counts[i])] for i in range(n)]
        table = Table(["true \\ predicted", *names], rows)
    figures = [Figure("Confusion matrix", svg, caption, table)]
    right, true, predicted = (np.zeros(n, np.int64) for _ in range(3))
    np.add.at(true, found.true, found.samples)
    np.add.at(predicted, found.predicted, found.samples)
    same = found.true == found.predicted
    right[found.true[same]] = found.samples[same]
    figures.append(_per_class(names, right, true, predicted))
    wrong = np.flatnonzero(~same)
    wrong = wrong[np.argsort(-found.samples[wrong], kind="stable")][:_MOST_CONFUSIONS]
    if len(wrong) and n > 2:
        rows = [
            [names[t], names[p], f"{c:,}", percent(c / true[t])]
            for t, p, c in zip(found.true[wrong], found.predicted[wrong], found.samples[wrong].tolist(), strict=True)
        ]
        figures.append(
            Figure("Most frequent confusions", "", "", Table(["true", "predicted as", "samples", "of the class"], rows))
        )
    return figures


def _per_class(
    names: Sequence[str],
    right: NDArray[np.int64],
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
    what: str = "class",
) -> Figure:
    """Recall and precision of each class or label; of many those of the least F1."""
    recall, precision = (
        np.divide(right, total, out=np.full(len(right), np.nan), where=total > 0) for total in (true, predicted)
    )
    both = true + predicted
    f1 = np.divide(2 * right, both, out=np.full(len(right), np.nan), where=both > 0)
    order = np.arange(len(names))
    caption = f"Recall: share of the {what} that was found. Precision: share of those predicted that are of the {what}."
    if len(names) > MOST_CELLS:
        order = np.argsort(np.where(true > 0, f1, np.inf), kind="stable")
        caption += f" The {what} of the least F1 comes first."
    rows = [
        [names[i], f"{true[i]:,}", *(_share(each[i]) for each in (recall, precision, f1))]
        for i in order[:_MOST_ROWS].tolist()
    ]
    several = {"class": "classes"}.get(what, f"{what}s")
    note = f" {len(rows)} of {len(names):,} {several}." if len(rows) < len(names) else ""
    return Figure(several.capitalize(), "", caption + note, Table([what, "samples", "recall", "precision", "F1"], rows))


def _share(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else MISSING


def label_figures(y_true: NDArray[Any], y_pred: NDArray[Any], names: Sequence[str]) -> list[Figure]:
    """Recall and precision of each label, of samples that may have several.

    Args:
        y_true: (n, k) of 0 and 1.
        y_pred: likewise.
        names: of the k labels.

    Returns:
        The figures.
    """
    true, predicted = np.asarray(y_true) > 0, np.asarray(y_pred) > 0
    right = (true & predicted).sum(axis=0)
    per_label = _per_class(names, right, true.sum(axis=0), predicted.sum(axis=0), "label")
    wrong = (true != predicted).sum(axis=1)
    counts, edges = binned(wrong, whole=True)
    svg = histogram(
        counts, edges, title="wrong labels per sample", x_label="wrong labels", y_label="samples", whole=True
    )
    exact = percent(float((wrong == 0).mean()))
    rows = [[short(low + 0.5), f"{count:,}"] for low, count in zip(edges[:-1].tolist(), counts.tolist(), strict=True)]
    return [
        per_label,
        Figure("Wrong labels per sample", svg, f"All labels right: {exact}.", Table(["wrong labels", "samples"], rows)),
    ]


def calibration_figure(probability: NDArray[Any], is_right: NDArray[Any], what: str) -> Figure:
    """Predicted probabilities against what came true, in ten bins of equal width.

    Args:
        probability: (n,), in [0, 1]; what is not finite is left out.
        is_right: (n,) bool, whether it came true.
        what: the probabilities, in words.

    Returns:
        The figure; its caption has the expected calibration error.

    Source:
        Guo et al., "On calibration of modern neural networks", ICML 2017, equations 2 and 3.
    """
    p, true = np.asarray(probability, np.float64).ravel(), np.asarray(is_right, bool).ravel()
    p, true = p[np.isfinite(p)], true[np.isfinite(p)]
    place = np.clip((p * _BINS).astype(np.int64), 0, _BINS - 1)
    counts = np.bincount(place, minlength=_BINS)
    mean, share = (
        np.bincount(place, values, minlength=_BINS) / np.maximum(counts, 1) for values in (p, true.astype(np.float64))
    )
    error = float((counts * np.abs(mean - share)).sum() / max(len(p), 1))
    x, y = Axis(0, 1, 52, WIDTH - 12), Axis(0, 1, 240, 24)
    parts = axes(x, y, "predicted probability", "share that came true")
    for i in np.flatnonzero(counts).tolist():
        note = element(
            "title", escape(f"{number(counts[i])} samples: predicted {mean[i]:.3f}, came true {share[i]:.3f}")
        )
        bar: dict[str, Any] = {
            "x": x(i / _BINS) + 1,
            "width": x(1 / _BINS) - x(0) - 2,
            "y": y(share[i]),
            "height": y(0) - y(share[i]),
        }
        parts.append(element("rect", note, **bar, fill=color(0), fill_opacity=0.35))
    line: dict[str, Any] = {"x1": x(0), "y1": y(0), "x2": x(1), "y2": y(1)}
    parts.append(element("line", **line, stroke="currentColor", stroke_opacity=0.6, stroke_dasharray="4 4"))
    for i in np.flatnonzero(counts).tolist():
        parts.append(element("circle", cx=x(mean[i]), cy=y(share[i]), r=4, fill=color(1)))
    rows = [
        [f"{i / _BINS:.1f} to {(i + 1) / _BINS:.1f}", f"{counts[i]:,}", f"{mean[i]:.3f}", f"{share[i]:.3f}"]
        for i in np.flatnonzero(counts).tolist()
    ]
    caption = f"{what} On the dashed line predictions mean what they say. Expected calibration error: {error:.3f}."
    table = Table(["predicted", "samples", "mean", "came true"], rows)
    return Figure("Calibration", picture(WIDTH, 280, "calibration of predicted probabilities", parts), caption, table)
