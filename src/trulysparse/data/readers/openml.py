"""Data sets of openml.org, through scikit-learn and its cache: openml:NAME, openml:NAME@VERSION or openml:ID."""

from __future__ import annotations

import re
import urllib.error
from pathlib import Path
from typing import Any

import scipy.sparse as sp
from sklearn.datasets import fetch_openml, get_data_home

from trulysparse.data.readers.columns import choose
from trulysparse.data.readers.frame_table import table_of, targets_of
from trulysparse.data.readers.guard import one_line
from trulysparse.data.readers.request import Request
from trulysparse.data.table import Table
from trulysparse.errors import InputError, MissingExtraError

_PREFIX = "openml:"
_CACHED = "openml/openml.org/api/v1/json/data/list/data_name"


def is_openml(source: str) -> bool:
    """Whether the source names a data set of OpenML."""
    return source.startswith(_PREFIX)


def read_openml(source: str, request: Request) -> Table:
    """A table in memory; sets that OpenML keeps sparse become CSR."""
    name, _, version = source.removeprefix(_PREFIX).partition("@")
    if not name or (version and not version.isdecimal()):
        raise InputError(f"DATA must be openml:NAME, openml:NAME@VERSION or openml:ID, not '{source}'")
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("reading data sets of OpenML", "pandas and pyarrow", "tables") from None
    bunch = _fetched(source, name, int(version) if version else None)
    details = bunch.details
    note = f"OpenML: '{details['name']}', version {details['version']}, id {details['id']}"
    usual = list(bunch.target_names or [])
    if sp.issparse(bunch.data):
        table = _sparse(request, bunch, usual, pd)
    else:
        frame = bunch.frame
        choice = choose(request, [str(column) for column in frame.columns], usual)
        table = table_of(request, frame.set_axis([str(column) for column in frame.columns], axis=1), choice)
    table.notes.insert(0, note)
    return table


def _fetched(source: str, name: str, version: int | None) -> Any:
    chosen: dict[str, Any] = (
        {"data_id": int(name)} if name.isdecimal() else {"name": name, "version": version or "active"}
    )

    import pandas as pd

    # From pandas 3 on scikit-learn's quick parser fails at booleans as categories, and empties the cache as it does.
    parser = "auto" if int(pd.__version__.split(".")[0]) < 3 else "liac-arff"
    try:
        return fetch_openml(**chosen, as_frame="auto", parser=parser, n_retries=1, delay=0.1)
    except Exception as error:  # of the network, of the server, or of a damaged cache
        home = get_data_home()
        if isinstance(error, urllib.error.HTTPError) or not isinstance(error, OSError):
            raise InputError(f"DATA: openml.org does not give '{source}' ({one_line(error)})") from None
        cached = ", ".join(_cached(Path(home))) or "none"
        raise InputError(
            f"DATA: '{source}' is not in scikit-learn's cache ('{home}'; sets there by name: {cached}), and openml.org "
            f"cannot be reached ({one_line(error)})"
        ) from None


def _cached(home: Path) -> list[str]:
    """The names of the sets that were fetched by name."""
    return sorted(folder.name for folder in (home / _CACHED).glob("*") if any(folder.rglob("*.gz")))


def _sparse(request: Request, bunch: Any, usual: list[str], pd: Any) -> Table:
    names = [str(name) for name in bunch.feature_names]
    if request.options.target is not None and request.options.target != ",".join(usual):
        raise InputError(
            f"--target: the targets of '{request.path}', which is sparse, are {', '.join(usual) or 'none'}"
        )
    choice = choose(request, [*names, *usual], usual)
    target = bunch.target if getattr(bunch.target, "ndim", 1) == 2 else {usual[0]: bunch.target} if usual else {}
    frame = pd.DataFrame(target, columns=usual)
    X = sp.csr_array(bunch.data)
    if choice.features != names:
        place = {name: i for i, name in enumerate(names)}
        X = sp.csr_array(sp.csc_array(X)[:, [place[name] for name in choice.features]])
    return Table(X, targets_of(frame, choice), features=choice.features, target=choice.target, notes=choice.notes)


def fingerprint_of(source: str) -> str:
    """Identifies the content of a set: its id and version, which OpenML never changes."""
    name, _, version = source.removeprefix(_PREFIX).partition("@")
    if name.isdecimal() or version:
        return source
    details = _fetched(source, name, None).details
    return re.sub(r"\s", "", f"{_PREFIX}{details['id']}@{details['version']}")
