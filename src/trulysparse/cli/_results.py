"""What a finished training leaves: its run folder, a table on the terminal, a line of JSON."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from trulysparse._core.bars import bars
from trulysparse.cli._console import peak_rss_mb, print_json, show
from trulysparse.cli._run import CHECKPOINT, write_run
from trulysparse.cli._training_run import TrainingRun
from trulysparse.data import as_matrix
from trulysparse.data.files import fingerprint
from trulysparse.nn import activations
from trulysparse.optim import SGD, Adam
from trulysparse.report import RunReport, input_strength, write_report
from trulysparse.training import Trainer, evaluate
from trulysparse.training.history import History


def write_results(
    run: TrainingRun, trainer: Trainer, history: History, seconds: float, *, report: bool, json_line: bool
) -> None:
    """Scores the network, writes the run folder (with report.html if `report`) and prints the figures, which are also
    one JSON object if `json_line`. seconds: of training."""
    settings, net, dataset = run.settings, trainer.net, run.dataset
    epochs = history["epoch"][-1]  # the epochs of a phase that workers spend alone have one record
    scores = evaluate(net, dataset.X_test, dataset.y_test)
    figures = {
        "accuracy": scores["accuracy"],
        "loss": scores["loss"],
        "seconds": round(seconds, 3),
        "epochs": epochs,
        "connections": net.n_connections,
        "neurons": net.n_neurons,
        "peak_rss_mb": peak_rss_mb(),
    }
    shown = {
        "test accuracy": f"{scores['accuracy']:.4f}  ({len(dataset.y_test)} samples)",
        "test loss": f"{scores['loss']:.4f}",
        "training": f"{epochs} epochs of {as_matrix(dataset.X_train).n_samples} samples in {seconds:.1f} s",
        "network": f"{'-'.join(map(str, net.layer_sizes))}",
        "connections": f"{net.n_connections:,} ({net.density:.2%} of dense)",
        "peak memory": f"{figures['peak_rss_mb']} MB",
        "saved to": str(run.out),
    }
    title = f"Trained on {settings.data}"

    def write_page(path: Path) -> None:
        probability = net.predict_proba(dataset.X_test)
        page = RunReport(
            title=title,
            command=shlex.join(sys.argv),
            net=net,
            records=history.records,
            kind="classification",
            facts=shown,
            scores={name: scores[name] for name in ("accuracy", "loss")},
            labels=dataset.labels,
            y_true=dataset.y_test,
            y_pred=probability.argmax(axis=1),
            probability=probability,
            feature_names=run.table.features,
            importance=input_strength(net),
            parts={"training": seconds},
        )
        write_report(path, page)

    with bars() as progress:
        write_run(run.out, net, _config(run, trainer), history.records, write_page if report else None, progress)
    if (run.out / CHECKPOINT).is_dir():
        shutil.rmtree(run.out / CHECKPOINT)
    show(title, shown)
    if json_line:
        print_json(figures)


def _config(run: TrainingRun, trainer: Trainer) -> dict[str, Any]:
    """The settings, with what was found in the data and the defaults that were taken."""
    settings, table, optimizer = run.settings, run.table, trainer.optimizer
    assert isinstance(optimizer, SGD | Adam)  # the command line knows no others
    return {
        **settings.to_json(),
        "fingerprint": fingerprint(settings.data),
        "target": table.target,
        "features": table.features,
        "columns": table.columns,
        "zero_based": table.zero_based,
        "has_test_set": table.X_test is not None,
        **activations.settings(trainer.net.activation),
        "weight_decay_mode": optimizer.weight_decay_mode,
    }
