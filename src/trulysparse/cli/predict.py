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
from trulysparse.cli._options import Encoding, Header, Separator, Threads, ZeroBased
from trulysparse.cli._run import Run
from trulysparse.cli._samples import Reading, pick, read_for
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
    header: Header = None,
    separator: Separator = None,
    encoding: Encoding = None,
    zero_based: ZeroBased = None,
    part: Annotated[
        str, typer.Option(help="test, all, or auto: the test set where DATA has one of its own, else all samples.")
    ] = "auto",
    threads: Threads = None,
) -> None:
    """Write what the network predicts for each sample: a class and its probability, labels, or values."""
    if out.suffix not in (".csv", ".npz"):
        raise InputError(f"--out must end in .csv or .npz, not '{out}'")
    if not out.parent.is_dir():
        raise InputError(f"--out: folder '{out.parent}' does not exist")
    if out.is_dir():
        raise InputError(f"--out: '{out}' is a folder, not a file")
    opened = Run.open(run, threads)
    net = opened.net
    if proba and net.output == "identity":
        raise InputError("--proba: the network predicts values, which have no probability")
    reading = Reading(header=header, separator=separator, encoding=encoding, zero_based=zero_based)
    table = read_for(opened, data, reading, need_target=False)
    X = table.X if part == "auto" and table.X_test is None else pick(opened, data, table, part)[0]
    matrix = net.matrix(X)
    check_finite(matrix)
    outputs = net.predict(matrix) if net.output == "identity" else net.predict_proba(matrix)
    wrong = np.flatnonzero(~np.isfinite(outputs).all(axis=1))
    if len(wrong):
        raise InputError(
            f"RUN: the outputs of '{run}' for sample {wrong[0]} are not finite numbers; nothing was written"
        )
    columns = _columns(opened, outputs, proba)

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
    typer.echo(f"{len(outputs)} prediction{'' if len(outputs) == 1 else 's'} written to {out}")


def _columns(run: Run, outputs: NDArray[Any], proba: bool) -> dict[str, NDArray[Any]]:
    """The columns to write, by name."""
    net, n_outputs = run.net, outputs.shape[1]
    if net.output == "identity":
        targets = run.config.get("targets") or []
        names = targets if len(targets) == n_outputs else [str(number) for number in range(n_outputs)]
        return {"prediction" if n_outputs == 1 else f"prediction_{name}": outputs[:, i] for i, name in enumerate(names)}
    labels = net.labels if net.labels is not None else np.arange(n_outputs)
    if net.output == "sigmoid":
        columns = {f"prediction_{label}": (outputs[:, i] > 0.5).astype(np.int64) for i, label in enumerate(labels)}
    else:
        best = outputs.argmax(axis=1)
        columns = {"prediction": labels[best], "probability": outputs[np.arange(len(best)), best]}
    if proba:
        columns |= {f"probability_{label}": outputs[:, i] for i, label in enumerate(labels)}
    return columns
