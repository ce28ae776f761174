"""The table of a cross-validation's scores."""

from __future__ import annotations

import numpy as np

from trulysparse.report.fold_scores import fold_scores
from trulysparse.report.numbers import number


def test_each_fold_their_mean_and_deviation():
    scores = [{"r2": 0.5, "mae": 1200.0}, {"r2": 0.75, "mae": 800.0}, {"r2": 0.7, "mae": 1000.0}]
    (figure,) = fold_scores(scores)
    assert figure.table.columns == ["fold", "R²", "mean absolute error"]
    assert figure.table.rows[:3] == [["1", "0.5", "1,200"], ["2", "0.75", "800"], ["3", "0.7", "1,000"]]
    assert figure.table.rows[3] == ["mean", number(0.65), "1,000"]
    assert figure.table.rows[4] == ["standard deviation", number(float(np.std([0.5, 0.75, 0.7], ddof=1))), "200"]


def test_without_folds_there_is_nothing_and_one_has_no_deviation():
    assert fold_scores([]) == []
    assert [row[0] for row in fold_scores([{"accuracy": 1.0}])[0].table.rows] == ["1", "mean"]
