"""What a training was made of, in words: the report's first table."""

from __future__ import annotations

import sys
import time

from trulysparse._core.version import __version__
from trulysparse.bench.report import processor
from trulysparse.cli._settings import Settings
from trulysparse.cli._training_run import TrainingRun
from trulysparse.evolution import WITH_ZETA
from trulysparse.nn.mlp import SparseMLP
from trulysparse.recipe.options import known
from trulysparse.report.numbers import percent
from trulysparse.training import Trainer

_SCALED = {
    "standard": "standardised",
    "moderated": "standardised, rare ones less",
    "minmax": "put between 0 and 1",
    None: "not scaled",
}


def data_facts(run: TrainingRun, net: SparseMLP) -> dict[str, str]:
    """What was trained on: samples, those held out, what columns became."""
    settings, dataset, table = run.settings, run.dataset, run.table
    task, test, validation = dataset.task, dataset.test, dataset.validation
    at_random = "at random, each class with its share" if task.kind == "classification" else "at random"
    if table.groups is not None:
        group = "those of a group together" if settings.group is None else f"those of a '{settings.group}' together"
        at_random = f"at random, {group}"
    how = at_random if table.order is None else f"the last by '{settings.time}'"
    if settings.cv is not None:
        held_out = f"{settings.cv} folds, {how}; then a network of all samples was trained, which is the one kept"
    elif test is None:
        held_out = "none"
    elif settings.test is not None:
        held_out = f"{len(test):,}, of {settings.test}"
    elif table.X_test is not None:
        held_out = f"{len(test):,}, the test set of the data"
    else:
        held_out = f"{len(test):,} ({percent(settings.test_size)}), {how}"
    scored = "the samples held out" if test is not None else "none"
    if validation is not None:
        share = percent(settings.validation_fraction or 0)
        scored = f"{len(validation):,} more ({share} of the other samples), {how}"
    made_of, preprocessor = "", dataset.preprocessor
    if preprocessor is not None:
        made_of = f", made of {len(preprocessor.used_columns_)} of {preprocessor.n_features_in_} columns"
    return {
        "task": {"multilabel": "several labels per sample"}.get(task.kind, task.kind),
        "trained on": f"{len(dataset.train):,} samples",
        "held out": held_out,
        "scored after each epoch": scored,
        "inputs": f"{dataset.n_features:,}{made_of}; {_SCALED[net.scaling.kind if net.scaling else None]}",
    }


def settings_text(settings: Settings) -> str:
    """What was chosen or given, in a line: the network, and how it was trained."""
    several = f"{settings.n_estimators} networks of " if known(settings.n_estimators) > 1 else ""
    sizes = ",".join(map(str, known(settings.hidden)))
    sparsity = f"epsilon {settings.epsilon:g}" if settings.density is None else f"density {settings.density}"
    decay = f", weight decay {settings.weight_decay:g}" if settings.weight_decay else ""
    return (
        f"{several}{sizes} hidden neurons{' and a skip layer' * known(settings.skip)}"
        f", {sparsity}, {settings.connectivity}, {settings.activation}; {settings.optimizer} at "
        f"{settings.learning_rate:g}{decay}, dropout {settings.dropout:g}, batches of {settings.batch_size}, evolution "
        f"{settings.evolution}"
    )


def training_facts(run: TrainingRun, trainer: Trainer) -> dict[str, str]:
    """How it was trained, and on what machine."""
    settings = run.settings
    steps = f"{settings.optimizer}, learning rate {settings.learning_rate:g}"
    steps += f", {settings.schedule} schedule" if settings.schedule != "constant" else ""
    evolution = str(settings.evolution)
    if evolution in WITH_ZETA:
        evolution += f", {settings.zeta:g} of a layer's connections replaced after each epoch"
    threads = trainer.net.threads
    computed = f"{settings.workers} workers" if settings.is_parallel else f"{threads} thread{'s' * (threads > 1)}"
    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "loss function": str(settings.loss or trainer.loss.name),
        "optimizer": f"{steps}, batches of {settings.batch_size:,} samples",
        "topology": evolution,
        "storage": f"{settings.storage}, {settings.precision}",
        "seed": str(settings.seed),
        "machine": f"{processor()}; {computed}",
        "version": f"trulysparse {__version__}, Python {python}",
        "finished": time.strftime("%Y-%m-%d %H:%M"),
    }
