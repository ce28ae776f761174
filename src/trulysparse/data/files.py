"""Tables from files, folders, OpenML and built-in sets, by the name of the source."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trulysparse._core.files import digest
from trulysparse.data.builtin import NAMES, is_builtin, load_builtin
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.readers.csv_table import read_csv
from trulysparse.data.readers.feather import read_feather
from trulysparse.data.readers.folder import read_folder
from trulysparse.data.readers.libsvm import read_libsvm
from trulysparse.data.readers.npz import read_npz
from trulysparse.data.readers.opened import COMPRESSED, suffixes
from trulysparse.data.readers.parquet import read_parquet
from trulysparse.data.readers.request import Request
from trulysparse.data.stream.blocks import stream_libsvm
from trulysparse.data.table import Table
from trulysparse.errors import InputError

__all__ = ["SUFFIXES", "ReadOptions", "Table", "fingerprint", "read", "takes"]

_DEFAULTS = ReadOptions()


@dataclass(frozen=True)
class _Format:
    """A kind of file. options: those of ReadOptions that have a use for it; compressed: whether it may be."""

    read: Callable[[Request], Table]
    options: tuple[str, ...] = ()
    compressed: bool = False
    stream: Callable[[Request], Table] | None = None


_COLUMNS = ("target", "group", "time")
_TEXT = _Format(read_csv, (*_COLUMNS, "header", "separator", "encoding"), compressed=True)
_LIBSVM = _Format(read_libsvm, ("zero_based",), compressed=True, stream=stream_libsvm)
_FORMATS = {
    ".csv": _TEXT,
    ".tsv": _TEXT,
    ".parquet": _Format(read_parquet, _COLUMNS, stream=read_parquet),
    ".feather": _Format(read_feather, _COLUMNS),
    ".libsvm": _LIBSVM,
    ".svm": _LIBSVM,
    ".svmlight": _LIBSVM,
    ".npz": _Format(read_npz),
}
SUFFIXES = tuple(_FORMATS)
_FOR = {
    "group": "tables with named columns",
    "time": "tables with named columns",
    "header": ".csv files and their like",
    "separator": ".csv files and their like",
    "encoding": ".csv files and their like",
    "zero_based": ".libsvm files",
}


def read(
    source: str,
    options: ReadOptions = _DEFAULTS,
    *,
    features: list[str] | None = None,
    n_features: int | None = None,
    need_target: bool = True,
    columns: list[str] | None = None,
    layout: dict[str, Any] | None = None,
) -> Table:
    """Reads the samples and labels of a source.

    Args:
        source: a built-in name (see builtin.load_builtin), a file whose name ends as in SUFFIXES, or a folder of .npy
            files.
        options: how to read it.
        features: the columns to take, in this order; None: all but the target.
        n_features: width of a .libsvm file, which names only the features that are not 0; None: its largest number.
        need_target: whether missing labels are an error.
        columns: column names of the file that was trained on, for one without a header.
        layout: that of the file that was trained on; what it says is tried first.

    Returns:
        The table, its labels as they stand in the file.

    Raises:
        InputError: where the source does not exist, is damaged, or lacks something named above.
        MissingExtraError: where a package that the format needs is not installed.

    Example:
        >>> table = read("digits")
        >>> table.X.shape, table.y[:3].tolist()
        ((1797, 64), [0, 1, 2])
    """
    for name in options.given():
        if name in _FOR and not takes(source, name):
            raise InputError(f"{_option(name, options)} is for {_FOR[name]}, not for '{source}'")
    if is_builtin(source):
        return Table(*load_builtin(source))
    path = Path(source)
    request = Request(path, options, features, n_features, need_target, columns, layout or {})
    if path.is_dir():
        return read_folder(path, need_target)
    chosen = _format_of(source)
    if chosen is None:
        raise InputError(
            f"DATA must be one of {', '.join(NAMES)}, a file ending in {', '.join(SUFFIXES)} (text also compressed: "
            f"{', '.join(COMPRESSED)}), or a folder of .npy files, not '{source}'"
        )
    if not path.is_file():
        raise InputError(f"DATA: file '{source}' does not exist")
    if path.stat().st_size == 0:
        raise InputError(f"DATA: file '{source}' is empty")
    if options.stream and (chosen.stream is None or suffixes(path)[1]):
        raise InputError(
            f"--stream: '{path.suffix}' files are read as a whole; use .parquet, .libsvm, or a folder with X.npy "
            "and y.npy"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries; what matters becomes an error
        return chosen.stream(request) if options.stream and chosen.stream else chosen.read(request)


def takes(source: str, option: str) -> bool:
    """Whether a field of ReadOptions has a use for the source, by its name.

    Example:
        >>> takes("a.CSV.gz", "header"), takes("a.npz", "header")
        (True, False)
    """
    chosen = None if is_builtin(source) else _format_of(source)
    return chosen is not None and option in chosen.options


def _format_of(source: str) -> _Format | None:
    suffix, compression = suffixes(Path(source))
    chosen = _FORMATS.get(suffix)
    return None if chosen is None or (compression and not chosen.compressed) else chosen


def _option(name: str, options: ReadOptions) -> str:
    if name == "header":
        return "--header" if options.header else "--no-header"
    if name == "zero_based":
        return "--zero-based" if options.zero_based else "--one-based"
    return f"--{name}"


def lasting(source: str) -> str:
    """The name of a source that is valid in any working directory; as in `read`, built-in names come first."""
    return source if is_builtin(source) else str(Path(source).resolve())


def fingerprint(source: str) -> str:
    """Identifies the content of a source: its name if built in, else the digest of its file or, for a folder, of its
    .npy files."""
    if is_builtin(source):
        return source
    if not Path(source).is_dir():
        return digest(Path(source))
    named = sorted(file for file in Path(source).iterdir() if file.suffix == ".npy")
    whole = hashlib.blake2b(digest_size=16)
    for part in named:
        whole.update(f"{part.name} {digest(part)}".encode())
    return whole.hexdigest()
