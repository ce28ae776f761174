"""trulysparse predict"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from trulysparse._core.files import write_whole
from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import Threads
from trulysparse.cli._run import Run
from trulysparse.cli._samples import pick, read_for
from trulysparse.data import check_finite
from trulysparse.errors import InputError


@handle_user_errors
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")],
    data: Annotated[str, typer.Argument(metavar="DATA", help="As for train; labels are not needed.")],
    out: Annotated[
        Path, typer.Option(help="A .csv file, one row per sample, or an .npz file with the same columns as arrays.")
    ],
    proba: Annotated[bool, typer.Option("--proba", help="Also write the probability of every class.")] = False,
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
        str, typer.Option(help="test, all, or auto: the test set where DATA has one of its own, else all samples.")
    ] = "auto",
    threads: Threads = None,
) -> None:
    """Write the predicted label of each sample and its probability."""
    if out.suffix not in (".csv", ".npz"):
        raise InputError(f"--out must end in .csv or .npz, not '{out}'")
    if not out.parent.is_dir():
        raise InputError(f"--out: folder '{out.parent}' does not exist")
    if out.is_dir():
        raise InputError(f"--out: '{out}' is a folder, not a file")
    opened = Run.open(run, threads)
    table = read_for(opened, data, None, need_target=False, header=header, zero_based=zero_based)
    X = table.X if part == "auto" and table.X_test is None else pick(opened, data, table, part)[0]
    matrix = opened.net.matrix(X)
    check_finite(matrix)
    probability = opened.net.predict_proba(X)
    wrong = np.flatnonzero(~np.isfinite(probability).all(axis=1))
    if len(wrong):
        raise InputError(
            f"RUN: the outputs of '{run}' for sample {wrong[0]} are not finite numbers; nothing was written"
        )
    best = probability.argmax(axis=1)
    labels = opened.net.labels if opened.net.labels is not None else np.arange(probability.shape[1])
    columns: dict[str, NDArray[Any]] = {
        "prediction": labels[best],
        "probability": probability[np.arange(len(best)), best],
    }
    if proba:
        columns |= {f"probability_{label}": probability[:, i] for i, label in enumerate(labels)}

    def write(path: Path) -> None:
        if out.suffix == ".npz":
            with path.open("wb") as file:
                np.savez(file, **columns)  # type: ignore[arg-type]
            return
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))

    write_whole(out, write)
    typer.echo(f"{len(best)} predictions written to {out}")
