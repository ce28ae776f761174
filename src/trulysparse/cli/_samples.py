"""Which samples of DATA a saved run is applied to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.cli._run import Run
from trulysparse.data.builtin import is_builtin
from trulysparse.data.dataset import code_labels, join, raw_labels, split, take
from trulysparse.data.files import ReadOptions, Table, fingerprint, read, takes
from trulysparse.errors import InputError


def read_for(
    run: Run,
    data: str,
    target: str | None,
    *,
    need_target: bool,
    header: bool | None = None,
    zero_based: bool | None = None,
) -> Table:
    """DATA with the columns that the run was trained on. header, zero_based: None: as in the run's own data."""
    if header is None and takes(data, "header"):
        header = run.config.get("header")
    if zero_based is None and takes(data, "zero_based"):
        zero_based = run.config.get("zero_based")
    table = read(
        data,
        ReadOptions(target=target or run.config.get("target"), header=header, zero_based=zero_based),
        features=run.config.get("features"),
        n_features=run.net.layer_sizes[0],
        need_target=need_target,
        columns=run.config.get("columns"),
    )
    if target is not None and table.target is None:
        raise InputError(f"--target: '{data}' has no columns to choose from; its labels are y")
    return table


def pick(run: Run, data: str, table: Table, part: str) -> tuple[Any, Any, str]:
    """(X, y or None, what they are). part: 'test', 'all', or 'auto': the test set where DATA has one or where
    the run held one out of this very DATA, else all samples."""
    checks.choice("--part", part, ("auto", "test", "all"))
    if table.X_test is not None:
        if part == "all":
            y = None if table.y is None or table.y_test is None else np.concatenate([table.y, table.y_test])
            return join(table.X, table.X_test), y, "all samples"
        return table.X_test, table.y_test, "the test set"
    own = (is_builtin(data) or Path(data).exists()) and run.config.get("fingerprint") == fingerprint(data)
    if part == "test" and not own:
        raise InputError(f"--part test: '{data}' has no test set, and the run did not hold samples out of it")
    if part == "all" or not own or table.y is None:
        return table.X, table.y, "all samples"
    y = raw_labels(table.y, "y")
    codes = code_labels(y, run.labels, "y")
    _, test = split(codes, test_size=run.config["test_size"], seed=run.config["seed"])
    return take(table.X, test), y[test], "the held-out samples"
