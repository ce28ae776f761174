"""What the report of a training shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse.cli._command_line import command_line
from trulysparse.cli._facts import data_facts, training_facts
from trulysparse.cli._scores import score_figures
from trulysparse.cli._training_run import TrainingRun
from trulysparse.data import as_matrix
from trulysparse.nn.mlp import SparseMLP
from trulysparse.report import RunReport, input_strength
from trulysparse.training import Trainer
from trulysparse.training.history import History

_MOST_PREDICTIONS = 20_000_000  # values: 160 MB
_TILES = {"r2": "R²", "mae": "mean absolute error"}


def run_report(
    run: TrainingRun,
    trainer: Trainer,
    history: History,
    *,
    title: str,
    facts: Mapping[str, str],
    scores: Mapping[str, float],
) -> RunReport:
    """The report of a finished training.

    Args:
        run: data and settings.
        trainer: with the trained network.
        history: of the training.
        title: of the page.
        facts: what the terminal shows too.
        scores: on held-out samples.
    """
    task, net = run.dataset.task, trainer.net
    return RunReport(
        title=title,
        command=command_line(run.settings, run.out),
        net=net,
        records=history.records,
        kind=task.kind,
        facts={"data": run.settings.data, **_ordered(facts, data_facts(run, net)), **training_facts(run, trainer)},
        scores={_TILES.get(name, name): value for name, value in score_figures(scores).items()},
        folds=[] if run.folds is None else run.folds.scores,
        notes=run.notes,
        labels=task.labels,
        targets=task.targets,
        feature_names=run.dataset.feature_names,
        importance=_importance(net),
        parts=run.seconds,
        **_predictions(run, trainer),
    )


def _ordered(facts: Mapping[str, str], of_data: Mapping[str, str]) -> dict[str, str]:
    """The facts of the data right after the target."""
    return {"target": facts["target"], **of_data, **facts}


def _importance(net: SparseMLP) -> NDArray[np.float64]:
    """The strength of each input; none of those that were constant in training, which are always 0 to the network."""
    strength = input_strength(net)
    if net.scaling is not None:
        strength[net.scaling.factor == 0] = 0
    return strength


def _predictions(run: TrainingRun, trainer: Trainer) -> dict[str, NDArray[Any] | None]:
    """True and predicted targets of the test samples, where there are any and not too many."""
    net, test = trainer.net, run.dataset.test
    if test is None or len(test) * net.layer_sizes[-1] > _MOST_PREDICTIONS:
        return {}
    matrix = as_matrix(test.X)
    y = test.y.toarray() if hasattr(test.y, "toarray") else test.y
    if net.output == "identity":
        return {"y_true": y, "y_pred": net.predict(matrix)}
    probability = net.predict_proba(matrix)
    predicted = probability.argmax(axis=1) if net.output == "softmax" else (probability > 0.5).astype(np.int64)
    return {"y_true": y, "y_pred": predicted, "probability": probability}
