"""The work of `select`: samples in, the chosen features out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trulysparse._core.bars import bars
from trulysparse._core.progress import Progress
from trulysparse.cli._console import peak_rss_mb, print_json, show, show_notes
from trulysparse.cli._feature_judges import MOST_TESTED, MOST_TRAINED, Labelled, judge_features
from trulysparse.cli._options import integers
from trulysparse.cli._select_command import SelectCommand, as_options
from trulysparse.cli._selection_files import (
    check_data_out,
    chosen_features,
    in_order,
    write_samples,
    write_selection,
)
from trulysparse.data import as_matrix
from trulysparse.data.files import read
from trulysparse.data.table import Table
from trulysparse.errors import InputError
from trulysparse.report.numbers import number
from trulysparse.report.selection_page import (
    Judged,
    SelectionReport,
    judged_rows,
    picture_shape,
    write_selection_report,
)
from trulysparse.task.dataset import features_of
from trulysparse.task.splits import split
from trulysparse.task.task import make_task
from trulysparse.unsupervised.selector import SparseFeatureSelector

_MOST_SHOWN = 10


def run_selection(command: SelectCommand) -> None:
    """Selects, judges where that is asked for, writes the files and says what came of it."""
    command.check()
    settings, began = command.settings, time.perf_counter()
    source = settings.source()
    table = read(settings.data, source.reading, need_target=command.needs_y, unlabelled=command.no_target)
    if "target" in command.given and table.target is None:
        raise InputError(f"--target: '{settings.data}' has no columns to choose from; its labels are y")
    X = features_of(table, source.options)
    names = _names(table, X)
    data, notes = _labelled(command, table, X)
    shape = _check_data(command, table, X, len(names))
    data = data.taken(_rows(command, table, data))
    n_folds, more = _folds(command, data)
    with bars() as progress:
        selector, seconds = _fitted(command, data, progress)
        judged = _judged(command, data, n_folds, progress)
    notes = [*table.notes, *_target(command, table), *notes, *more, *_constant(selector)]
    show_notes(notes)
    facts = _facts(command, data, selector, names, seconds)
    if command.data_out is not None:
        write_samples(command.data_out, selector, table, X, names)
    if command.report is not None:
        page = SelectionReport(
            title=f"Features of {Path(settings.data).name}",
            command=command.line(),
            scores=selector.scores_,
            chosen=in_order(selector),
            names=names if hasattr(X, "iloc") or table.features is not None or table.zero_based is False else None,
            facts=facts,
            notes=notes,
            judged=judged,
            measure="accuracy" if data.task is None or data.task.kind != "regression" else "R²",
            protocol=_protocol(command, data),
            shape=shape,
        )
        write_selection_report(command.report, page)
    kept: dict[str, Any] = {
        "data": settings.data,
        "method": command.method,
        "settings": {**command.of_method, "accumulate": command.accumulate, "repeats": command.repeats},
        "seed": settings.seed,
        "n_samples": len(data),
        "n_features": len(names),
        "stability": selector.stability_,
        "judged": judged_rows(judged),
    }
    write_selection(command.out, selector, names, kept)
    show(f"Features of {settings.data}", facts | _judged_facts(judged))
    written = [path for path in (command.out, command.data_out, command.report) if path is not None]
    print(f"written to {', '.join(map(str, written))}", flush=True)
    if command.json:
        chosen = chosen_features(selector, names)
        figures = {"seconds": time.perf_counter() - began, "peak_rss_mb": peak_rss_mb()}
        print_json({**kept, "features": chosen, "selection_seconds": seconds, **figures})


def _names(table: Table, X: Any) -> list[str]:
    """Of all features; those without names are called by their numbers, from 1 where the file counts from there."""
    if hasattr(X, "iloc"):
        return [str(name) for name in X.columns]
    if table.features is not None:
        return list(table.features)
    first = 1 if table.zero_based is False else 0
    return [str(first + i) for i in range(as_matrix(X).n_features)]


def _labelled(command: SelectCommand, table: Table, X: Any) -> tuple[Labelled, list[str]]:
    """(the samples with targets where these can be used, notes). InputError where the method or the user needs those
    that there are not."""
    data, options = Labelled(X), command.settings.source().options
    if table.y is None:
        if command.cv:
            raise InputError(f"--cv: '{command.settings.data}' has no labels to judge features by")
        return data, []
    try:
        targets = list(table.y.columns) if hasattr(table.y, "columns") else [table.target] if table.target else []
        task = make_task(table.y, options.task, targets, table.label_names)
        y = task.encode(table.y, "y")
    except InputError as error:
        if command.needs_y or command.cv or {"task", "target"} & set(command.given):
            raise
        return data, [f"labels are not looked at: {error}"] if command.n_folds else []
    if y.shape[0] != len(data):
        raise InputError(f"X has {len(data)} samples, but y has {y.shape[0]}; the numbers must be equal")
    return replace(data, y=y, task=task, groups=table.groups, order=table.order), []


def _check_data(command: SelectCommand, table: Table, X: Any, n_features: int) -> tuple[int, ...] | None:
    """Refuses what does not go with this data; the shape of the samples as images, where they are."""
    data = command.settings.data
    if command.features is not None and command.features > n_features:
        raise InputError(f"--features must be at most the {n_features} features of '{data}', not {command.features}")
    if command.test_size is not None and table.X_test is not None:
        raise InputError(f"--test-size: '{data}' has a test set of its own, which is not looked at")
    if command.data_out is not None:
        aside = [f"--{name}" for name in ("group", "time") if getattr(command.settings, name) is not None]
        check_data_out(command.data_out, table, X, aside)
    if command.image_shape is not None:
        shape = integers("--image-shape", command.image_shape)
        try:
            picture_shape(shape, n_features)
        except InputError as error:
            raise InputError(f"--image-shape: {error}") from None
        return shape
    size = table.layout.get("image")  # width, height, colours
    return None if size is None else (size[1], size[0], size[2])


def _rows(command: SelectCommand, table: Table, data: Labelled) -> NDArray[np.int64] | None:
    """The samples that are used; None: all."""
    if command.test_size is None:
        return None
    codes = data.y if data.task is not None and data.task.kind == "classification" else None
    seed, fraction = command.settings.seed, command.test_size
    return split(len(data), fraction=fraction, seed=seed, codes=codes, groups=table.groups, order=table.order)[0]


def _fitted(command: SelectCommand, data: Labelled, progress: Progress) -> tuple[SparseFeatureSelector, float]:
    """(the fitted selector, seconds)."""
    selector, start = command.selector(data.kind), time.perf_counter()
    selector.progress = progress
    with as_options():
        selector.fit(data.X, data.targets() if command.needs_y else None)
    selector.progress = None
    if selector.constant_.all():
        raise InputError(
            f"every feature of '{command.settings.data}' has the same value in all samples: there is nothing to choose"
        )
    return selector, time.perf_counter() - start


def _folds(command: SelectCommand, data: Labelled) -> tuple[int, list[str]]:
    """(folds of the cross-validation, notes): none where there are too few samples for them and nobody has asked."""
    if not command.n_folds or data.task is None:
        return 0, []
    try:
        data.folds(command.n_folds, command.settings.seed)
    except InputError as error:
        if command.cv is not None:
            raise
        return 0, [f"the chosen features are not judged: {error}"]
    return command.n_folds, []


def _judged(command: SelectCommand, data: Labelled, n_folds: int, progress: Progress) -> list[Judged]:
    if not n_folds:
        return []
    return judge_features(
        command.selector(data.kind),
        data,
        n_folds,
        command.settings.seed,
        command.threads,
        progress,
        with_y=command.needs_y,
    )


def _target(command: SelectCommand, table: Table) -> list[str]:
    """What there is to say where a column was taken for the target that nobody named, and the method has no need of."""
    if table.target is None or "target" in command.given or command.needs_y:
        return []
    return [f"'{table.target}' is no feature, as it is the target; with --no-target it would be one"]


def _constant(selector: SparseFeatureSelector) -> list[str]:
    """What there is to say about features with one value."""
    n = int(selector.constant_.sum())
    chosen = int(selector.constant_[selector.get_support()].sum())
    if not n:
        return []
    also = f"; {chosen} of them had to be chosen, as there are no others" if chosen else ""
    return [f"{n} feature{'s have' if n > 1 else ' has'} the same value in every sample{also}"]


def _facts(
    command: SelectCommand, data: Labelled, selector: SparseFeatureSelector, names: Sequence[str], seconds: float
) -> dict[str, str]:
    chosen = [names[i] for i in in_order(selector).tolist()]
    more = f", ... ({len(chosen) - _MOST_SHOWN} more)" if len(chosen) > _MOST_SHOWN else ""
    facts = {
        "data": command.settings.data,
        "samples": f"{len(data):,}",
        "features": f"{len(names):,}, of which {len(chosen):,} are chosen",
        "method": f"{command.method}{' (with labels)' if command.needs_y else ''}",
        "chosen": ", ".join(chosen[:_MOST_SHOWN]) + more,
        "seconds": f"{seconds:.1f}",
    }
    if selector.stability_ is not None:
        facts["stability"] = f"{selector.stability_:.3f} over {command.repeats} seeds (1: all choose the same)"
    return facts


def _judged_facts(judged: Sequence[Judged]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for each in judged:
        found.setdefault(each.judge, []).append(f"{each.features} {number(round(each.mean, 3))}")
    return {judge: ", ".join(texts) for judge, texts in found.items()}


def _protocol(command: SelectCommand, data: Labelled) -> str:
    """How the features were judged."""
    if data.task is None:
        return ""
    text = (
        f"{command.n_folds} folds: in each, features were chosen and judges trained on the training samples of the "
        "fold alone, and scored on those held out. Random features are as many, drawn in each fold. Values are "
        "standardised by the training samples."
    )
    if len(data) > MOST_TRAINED:
        text += (
            f" Judges saw at most {MOST_TRAINED:,} training samples and {MOST_TESTED:,} others of a fold; the "
            "selection saw all training samples."
        )
    return text
