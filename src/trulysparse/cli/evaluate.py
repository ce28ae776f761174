"""trulysparse evaluate"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors, print_json, show
from trulysparse.cli._options import JsonLine, Threads
from trulysparse.cli._run import Run
from trulysparse.cli._samples import pick, read_for
from trulysparse.data import check_finite
from trulysparse.task.dataset import code_labels, raw_labels
from trulysparse.data.targets import check_lengths
from trulysparse.errors import InputError
from trulysparse.training import evaluate as score


@handle_user_errors
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="As for train.")],
    target: Annotated[str | None, typer.Option(help="Label column. Default: the one trained on.")] = None,
    header: Annotated[
        bool | None,
        typer.Option(help="Whether a .csv file's first line names the columns. Default: as in the run."),
    ] = None,
    zero_based: Annotated[
        bool | None,
        typer.Option(
            "--zero-based/--one-based",
            help="Where a .libsvm file begins to number features. Default: as in the run.",
        ),
    ] = None,
    part: Annotated[
        str, typer.Option(help="test, all, or auto: the test set where there is one, else all samples.")
    ] = "auto",
    threads: Threads = None,
    json: JsonLine = False,
) -> None:
    """Score a trained network on labelled data."""
    opened = Run.open(run, threads)
    table = read_for(opened, data, target, need_target=True, header=header, zero_based=zero_based)
    X, y, which = pick(opened, data, table, part)
    matrix = opened.net.matrix(X)
    labels = raw_labels(y, "y")
    check_lengths(matrix.n_samples, len(labels))
    check_finite(matrix)
    scores = score(opened.net, X, code_labels(labels, opened.labels, "y"))
    if not math.isfinite(scores["loss"]):
        raise InputError(f"RUN: the loss of '{run}' on {data} is {scores['loss']}: its outputs are not finite numbers")
    show(
        f"{run} on {data}",
        {
            "samples": f"{matrix.n_samples} ({which})",
            "accuracy": f"{scores['accuracy']:.4f}",
            "loss": f"{scores['loss']:.4f}",
        },
    )
    if json:
        print_json({"accuracy": scores["accuracy"], "loss": scores["loss"], "samples": matrix.n_samples})
