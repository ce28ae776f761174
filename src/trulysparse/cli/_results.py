"""What a finished training leaves: its run folder, a table on the terminal, a line of JSON."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trulysparse._core.bars import bars
from trulysparse._core.version import __version__
from trulysparse.cli._console import peak_rss_mb, print_json, show
from trulysparse.cli._facts import settings_text
from trulysparse.cli._report import run_report
from trulysparse.cli._run import CHECKPOINT, REPORT, write_run
from trulysparse.cli._scores import score_figures, score_rows
from trulysparse.cli._training_run import TrainingRun
from trulysparse.nn import activations
from trulysparse.optim import SGD, Adam
from trulysparse.report import write_report
from trulysparse.training import Trainer, evaluate
from trulysparse.training.history import History


def write_results(
    run: TrainingRun,
    trainer: Trainer,
    history: History,
    seconds: float,
    *,
    resumed: bool,
    report: bool,
    json_line: bool,
) -> None:
    """Scores the network, writes the run folder (with report.html if `report`) and prints the figures, which are also
    one JSON object if `json_line`. seconds: of training, `resumed` or not: since then."""
    settings, net, dataset = run.settings, trainer.net, run.dataset
    epochs = history["epoch"][-1]  # the epochs of a phase that workers spend alone have one record
    scores: Mapping[str, float] = {}
    rows: dict[str, str] = {}
    if run.folds is not None:
        scores, n_scored = run.folds.mean, run.folds.n_samples
        rows = score_rows(scores, n_scored, dataset.task, part="", deviations=run.folds.deviation)
        rows = {f"{name}, {len(run.folds)} folds": text for name, text in rows.items()}
    elif dataset.test is not None:
        scores = evaluate(net, dataset.test.X, dataset.test.y, loss=trainer.loss)
        rows = score_rows(scores, len(dataset.test), dataset.task)
    figures = {
        **(score_figures(scores) if run.folds is None else run.folds.figures()),
        "seconds": round(seconds, 3),
        "epochs": epochs,
        "connections": net.n_connections,
        "neurons": net.n_neurons,
        "peak_rss_mb": peak_rss_mb(),
    }
    shown = {
        "target": run.target_text,
        **rows,
        "training": f"{epochs} epoch{'s' * (epochs != 1)} of {len(dataset.train):,} samples in {_duration(seconds)}"
        + (", those of the folds included" if run.folds is not None else "")
        + (", since it was resumed" if resumed else ""),
        "network": "-".join(map(str, net.layer_sizes)),
        "settings": settings_text(settings),
        "connections": f"{net.n_connections:,} ({net.density:.2%} of dense)",
        "peak memory": f"{figures['peak_rss_mb']} MB",
        "saved to": str(run.out),
    }
    title = f"Trained on {settings.data}"

    def write_page(path: Path) -> None:
        write_report(path, run_report(run, trainer, history, title=title, facts=shown, scores=scores))

    with bars() as progress:
        page = write_page if report else None
        write_run(run.out, net, _config(run, trainer), history.records, figures, page, progress)
    if (run.out / CHECKPOINT).is_dir():
        shutil.rmtree(run.out / CHECKPOINT)
    show(title, {**shown, "report": str(run.out / REPORT)} if report else shown)
    if json_line:
        print_json(figures)


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2g} s"


def _config(run: TrainingRun, trainer: Trainer) -> dict[str, Any]:
    """The settings, with what was found in the data and the defaults that were taken."""
    settings, table, optimizer, task = run.settings, run.table, trainer.optimizer, run.dataset.task
    assert isinstance(optimizer, SGD | Adam)  # the command line knows no others
    return {
        **settings.to_json(),
        "version": __version__,
        "fingerprint": settings.source().fingerprint(),
        "target": table.target,
        "kind": task.kind,
        "targets": list(task.targets),
        "features": table.features,
        "columns": table.columns,
        "layout": table.layout,
        "zero_based": table.zero_based,
        "has_test_set": table.X_test is not None,
        **activations.settings(trainer.net.activation),
        "weight_decay_mode": optimizer.weight_decay_mode,
    }
