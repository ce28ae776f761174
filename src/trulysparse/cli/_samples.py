"""Which samples of DATA a saved run is applied to."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.typed import checked_fields
from trulysparse.cli._run import Run
from trulysparse.data.builtin import is_builtin
from trulysparse.data.files import fingerprint, read, takes
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.table import Table
from trulysparse.errors import InputError
from trulysparse.task.dataset import held_out_rows, join, take
from trulysparse.task.options import TaskOptions


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How DATA is to be read, where a user says so; None: as the run's own data was.

    Attributes:
        target, header, separator, encoding, zero_based: see ReadOptions.
    """

    target: str | None = None
    header: bool | None = None
    separator: str | None = None
    encoding: str | None = None
    zero_based: bool | None = None


def read_for(run: Run, data: str, reading: Reading, *, need_target: bool) -> Table:
    """DATA with the columns that the run was trained on."""
    given: dict[str, Any] = {each.name: getattr(reading, each.name) for each in fields(Reading)}
    before = {name: run.config.get(name) for name in given if name == "target" or takes(data, name)}
    options: dict[str, Any] = {name: before.get(name) if value is None else value for name, value in given.items()}
    own = is_own(run, data)
    kept: dict[str, Any] = {name: run.config.get(name) for name in ("group", "time")} if own else {}
    table = read(
        data,
        ReadOptions(**options, **kept),
        features=run.config.get("features") if run.net.preprocessor is None else run.net.preprocessor.used_columns_,
        n_features=run.net.layer_sizes[0] if run.net.preprocessor is None else None,
        need_target=need_target,
        columns=run.config.get("columns"),
        layout=run.config.get("layout"),
    )
    if reading.target is not None and table.target is None:
        raise InputError(f"--target: '{data}' has no columns to choose from; its labels are y")
    return table


def is_own(run: Run, data: str) -> bool:
    """Whether DATA is what the run was trained on."""
    if not (is_builtin(data) or data.startswith("openml:") or Path(data).exists()):
        return False
    return bool(run.config.get("test") is None and run.config.get("fingerprint") == fingerprint(data))


def pick(run: Run, data: str, table: Table, part: str) -> tuple[Any, Any, str]:
    """(X, y or None, what they are). part: 'test', 'all', or 'auto': the test set where DATA has one or where
    the run held one out of this very DATA, else all samples."""
    checks.choice("--part", part, ("auto", "test", "all"))
    if table.X_test is not None:
        if part == "all":
            y = None if table.y is None or table.y_test is None else np.concatenate([table.y, table.y_test])
            return join(table.X, table.X_test), y, "all samples"
        return table.X_test, table.y_test, "the test set"
    held = is_own(run, data) and run.config.get("cv") is None
    if part == "test" and not held:
        raise InputError(f"--part test: '{data}' has no test set, and the run did not hold samples out of it")
    if part == "all" or not held or table.y is None:
        return table.X, table.y, "all samples"
    options = replace(TaskOptions(**checked_fields(TaskOptions, run.config)), task=run.task.kind, ignore=None)
    rows = held_out_rows(table, options)
    return take(table.X, rows), take(table.y, rows), "the held-out samples"
