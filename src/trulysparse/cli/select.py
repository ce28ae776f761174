"""trulysparse select"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from trulysparse.cli._console import handle_user_errors
from trulysparse.cli._options import JsonLine, Threads, takes_recipe
from trulysparse.cli._settings import Settings
from trulysparse.unsupervised.selection import METHODS, NAMES

_READING = ("header", "separator", "encoding", "zero_based", "stream")
_OPTIONS = ("data", "target", "task", "ignore", "group", "time", *_READING, "seed")
_SOURCE = "Default: of the method's source."
_LABELLED = ", ".join(name for name in NAMES if METHODS[name].needs_y)
_METHODS = f"{', '.join(NAMES)}" + (f"; {_LABELLED} learn from labels, the others do without" if _LABELLED else "")


@handle_user_errors
@takes_recipe(Settings, _OPTIONS)
def select(
    settings: Settings,
    given: Collection[str],
    *,
    out: Annotated[
        Path,
        typer.Option(
            help="The chosen features: a .csv file of ranks, names and scores, a .json file with all scores too, or a "
            ".safetensors file for trulysparse.load."
        ),
    ],
    features: Annotated[
        int | None, typer.Option(help="How many features to choose. Default: 50, but at most half of them.")
    ] = None,
    method: Annotated[str, typer.Option(help=f"{_METHODS}.")] = "quickselection",
    accumulate: Annotated[
        bool, typer.Option("--accumulate", help="quickselection: add up input times output strength over the epochs.")
    ] = False,
    epochs: Annotated[int | None, typer.Option(help=f"Passes over the samples. {_SOURCE}")] = None,
    hidden: Annotated[str | None, typer.Option(help=f"Hidden layers, such as 1000,1000. {_SOURCE}")] = None,
    epsilon: Annotated[float | None, typer.Option(help=f"Connections per neuron, about. {_SOURCE}")] = None,
    batch_size: Annotated[int | None, typer.Option(help=f"Samples per update. {_SOURCE}")] = None,
    learning_rate: Annotated[float | None, typer.Option(help=f"Learning rate. {_SOURCE}")] = None,
    noise: Annotated[float | None, typer.Option(help=f"Deviation of the noise on the inputs. {_SOURCE}")] = None,
    repeats: Annotated[int, typer.Option(help="Trainings of other seeds, whose scores are averaged.")] = 1,
    no_target: Annotated[
        bool, typer.Option("--no-target", help="DATA has no labels: every column of a table is a feature.")
    ] = False,
    test_size: Annotated[
        float | None,
        typer.Option(help="Leave out the samples that train holds out with this and --seed. Default: all are used."),
    ] = None,
    data_out: Annotated[
        Path | None,
        typer.Option(help="A .csv or .npz file for all samples with the chosen features alone, which train reads."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="A .html file, or a folder for report.html: scores, picture, accuracy.")
    ] = None,
    cv: Annotated[
        int | None,
        typer.Option(
            help="Folds in which classifiers judge the chosen features beside all and random ones, chosen anew in each "
            "fold; 0: none. Default: 5 with --report, else none."
        ),
    ] = None,
    image_shape: Annotated[
        str | None,
        typer.Option(help="Of the samples, for the picture: 28,28 or, with channels, 3,32,32. Default: if square."),
    ] = None,
    threads: Threads = None,
    json: JsonLine = False,
) -> None:
    """Choose the features that a truly sparse network finds most useful."""
    from trulysparse.cli._select_command import SelectCommand  # with the judges, slow to import
    from trulysparse.cli._selecting import run_selection

    command = SelectCommand(
        settings=settings,
        given=given,
        out=out,
        features=features,
        method=method,
        accumulate=accumulate,
        epochs=epochs,
        hidden=hidden,
        epsilon=epsilon,
        batch_size=batch_size,
        learning_rate=learning_rate,
        noise=noise,
        repeats=repeats,
        no_target=no_target,
        test_size=test_size,
        data_out=data_out,
        report=report / "report.html" if report is not None and report.is_dir() else report,
        cv=cv,
        image_shape=image_shape,
        threads=threads,
        json=json,
    )
    run_selection(command)
