"""trulysparse evaluate"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors, print_json, show
from trulysparse.cli._options import Encoding, Header, JsonLine, Separator, Threads, ZeroBased
from trulysparse.cli._run import Run
from trulysparse.cli._samples import Reading, pick, read_for
from trulysparse.cli._scores import score_figures, score_rows
from trulysparse.data import check_finite
from trulysparse.data.targets import check_lengths
from trulysparse.errors import InputError
from trulysparse.training import evaluate as score


@handle_user_errors
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="As for train.")],
    target: Annotated[str | None, typer.Option(help="Target column. Default: the one trained on.")] = None,
    header: Header = None,
    separator: Separator = None,
    encoding: Encoding = None,
    zero_based: ZeroBased = None,
    part: Annotated[
        str, typer.Option(help="test, all, or auto: the test set where there is one, else all samples.")
    ] = "auto",
    threads: Threads = None,
    json: JsonLine = False,
) -> None:
    """Score a trained network on data whose targets are known."""
    opened = Run.open(run, threads)
    reading = Reading(target=target, header=header, separator=separator, encoding=encoding, zero_based=zero_based)
    table = read_for(opened, data, reading, need_target=True)
    X, y, which = pick(opened, data, table, part)
    matrix, task = opened.net.matrix(X), opened.task
    coded = task.encode(y, "y", table.label_names)
    check_lengths(matrix.n_samples, coded.shape[0])
    check_finite(matrix)
    scores = score(opened.net, matrix, coded, loss=opened.config.get("loss"))
    if not math.isfinite(scores["loss"]):
        raise InputError(f"RUN: the loss of '{run}' on {data} is {scores['loss']}: its outputs are not finite numbers")
    rows = {"samples": f"{matrix.n_samples} ({which})", **score_rows(scores, matrix.n_samples, task, part="")}
    show(f"{run} on {data}", rows)
    if json:
        print_json({**score_figures(scores), "samples": matrix.n_samples})
