"""Figures of predicted values: against the true ones, and what is left over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.report.bar_chart import binned, histogram
from trulysparse.report.numbers import number, short
from trulysparse.report.page import Figure, Table
from trulysparse.report.scatter import scatter

_MOST_TARGETS, _MOST_ROWS = 3, 100


def value_scores(y_true: NDArray[np.float64], y_pred: NDArray[np.float64]) -> tuple[float, float, float]:
    """R², mean absolute error and root mean squared error of one target.

    Args:
        y_true: (n,), finite.
        y_pred: likewise.

    Returns:
        The three; R² is NaN where all true values are equal.

    Example:
        >>> import numpy as np
        >>> from trulysparse.report.value_figures import value_scores
        >>> value_scores(np.array([1.0, 3.0]), np.array([1.0, 2.0]))
        (0.5, 0.5, 0.7071067811865476)
    """
    error = y_pred - y_true
    spread = float(((y_true - y_true.mean()) ** 2).sum())
    r2 = 1 - float((error**2).sum()) / spread if spread > 0 else float("nan")
    return r2, float(np.abs(error).mean()), float(np.sqrt((error**2).mean()))


def value_figures(y_true: NDArray[Any], y_pred: NDArray[Any], targets: Sequence[str]) -> list[Figure]:
    """Predicted against true values and residuals of each target; of many targets, of the worst.

    Args:
        y_true: (n, k) or (n,).
        y_pred: likewise; samples with a value that is not finite are left out.
        targets: their names, or none.

    Returns:
        The figures.
    """
    true, predicted = (np.asarray(each, np.float64).reshape(len(each), -1) for each in (y_true, y_pred))
    k = true.shape[1]
    names = [str(targets[i]) if i < len(targets) else "target" if k == 1 else f"target {i + 1}" for i in range(k)]
    pairs = []
    for i in range(k):
        fit = np.isfinite(true[:, i]) & np.isfinite(predicted[:, i])
        pairs.append((true[fit, i], predicted[fit, i]))
    scores = [value_scores(*pair) if len(pair[0]) else (np.nan, np.nan, np.nan) for pair in pairs]
    figures = []
    order = sorted(range(k), key=lambda i: (not np.isnan(scores[i][0]), scores[i][0]))
    if k > 1:
        rows = [[names[i], *(number(value) for value in scores[i])] for i in order[:_MOST_ROWS]]
        caption = f"The target of the least R² comes first; the first {min(k, _MOST_TARGETS)} are drawn."
        table = Table(["target", "R²", "mean absolute error", "root mean squared error"], rows)
        figures.append(Figure("Targets", "", caption, table))
    for i in [i for i in order if len(pairs[i][0])][:_MOST_TARGETS]:
        figures += _of_target(names[i], *pairs[i], scores[i])
    return figures


def _of_target(
    name: str, true: NDArray[np.float64], predicted: NDArray[np.float64], scores: tuple[float, float, float]
) -> list[Figure]:
    drawn = scatter(
        true, predicted, title=f"predicted against true values of {name}", x_label="true", y_label="predicted"
    )
    quantiles = np.quantile(np.stack([true, predicted, predicted - true]), [0, 0.25, 0.5, 0.75, 1], axis=1)
    table = Table(
        ["", "true", "predicted", "residual"],
        [
            [which, *(number(value) for value in row)]
            for which, row in zip(
                ("least", "lower quartile", "median", "upper quartile", "largest"), quantiles, strict=True
            )
        ],
    )
    r2, mae, rmse = scores
    caption = f"R² {number(r2)}, mean absolute error {number(mae)}, root mean squared error {number(rmse)}."
    counts, edges = binned(predicted - true)
    residuals = histogram(
        counts, edges, title=f"residuals of {name}", x_label="residual: predicted - true", y_label="samples"
    )
    rows = [
        [f"{short(low)} to {short(high)}", f"{count:,}"]
        for low, high, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        if count
    ]
    return [
        Figure(f"{name}: predicted and true", drawn, caption, table),
        Figure(
            f"{name}: residuals", residuals, "What the prediction has too much.", Table(["residual", "samples"], rows)
        ),
    ]
