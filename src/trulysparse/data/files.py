"""Tables from files, folders, OpenML and built-in sets, by the name of the source."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from trulysparse._core.files import digest
from trulysparse.data.builtin import NAMES, is_builtin, load_builtin
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.readers.anndata_file import read_h5ad
from trulysparse.data.readers.arff import read_arff
from trulysparse.data.readers.csv_table import read_csv
from trulysparse.data.readers.feather import read_feather
from trulysparse.data.readers.folder import files_of, read_folder
from trulysparse.data.readers.libsvm import read_libsvm
from trulysparse.data.readers.mat import read_mat
from trulysparse.data.readers.npy import npy_parts, read_npy
from trulysparse.data.readers.npz import read_npz
from trulysparse.data.readers.opened import COMPRESSED, suffixes
from trulysparse.data.readers.openml import fingerprint_of, is_openml, read_openml
from trulysparse.data.readers.parquet import read_parquet
from trulysparse.data.readers.request import Request
from trulysparse.data.readers.tenx import is_tenx_folder, read_tenx_h5, tenx_files
from trulysparse.data.readers.text_file import read_text
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
_UNNAMED = _Format(read_text, (*_TEXT.options, "zero_based"), compressed=True)
_LIBSVM = _Format(read_libsvm, ("zero_based",), compressed=True, stream=stream_libsvm)
_FORMATS = {
    ".csv": _TEXT,
    ".tsv": _TEXT,
    ".txt": _UNNAMED,
    ".data": _UNNAMED,
    ".parquet": _Format(read_parquet, _COLUMNS, stream=read_parquet),
    ".feather": _Format(read_feather, _COLUMNS),
    ".libsvm": _LIBSVM,
    ".svm": _LIBSVM,
    ".svmlight": _LIBSVM,
    ".arff": _Format(read_arff, (*_COLUMNS, "encoding"), compressed=True),
    ".npz": _Format(read_npz),
    ".npy": _Format(read_npy, stream=read_npy),
    ".mat": _Format(read_mat),
    ".h5ad": _Format(read_h5ad, _COLUMNS),
    ".h5": _Format(read_tenx_h5, _COLUMNS),
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
    unlabelled: bool = False,
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
        unlabelled: whether there are no labels: every column of a table is a feature. Labels that the source itself
            names are left out.

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
    if unlabelled:
        table = _read(source, Request(Path(source), options, unlabelled=True, need_target=False))
        return replace(table, y=None, y_test=None, target=None, label_names=None)
    return _read(source, Request(Path(source), options, features, n_features, need_target, columns, layout or {}))


def _read(source: str, request: Request) -> Table:
    path, options = request.path, request.options
    if is_builtin(source):
        return Table(*load_builtin(source))
    if is_openml(source):
        if options.stream:
            raise InputError(f"--stream: '{source}' is read as a whole; use .parquet, .libsvm or .npy files")
        return _quietly(partial(read_openml, source), request)
    if path.is_dir():
        return _quietly(read_folder, request)
    chosen = _format_of(source)
    if chosen is None:
        raise InputError(
            f"DATA must be one of {', '.join(NAMES)}, a file ending in {', '.join(SUFFIXES)} (text also compressed: "
            f"{', '.join(COMPRESSED)}), openml:NAME, or a folder of .npy files, of images, or of a 10x matrix, not "
            f"'{source}'"
        )
    if not path.is_file():
        raise InputError(f"DATA: file '{source}' does not exist")
    if path.stat().st_size == 0:
        raise InputError(f"DATA: file '{source}' is empty")
    if options.stream and (chosen.stream is None or suffixes(path)[1]):
        raise InputError(
            f"--stream: '{source}' is read as a whole; use .parquet, .libsvm, or a folder with X.npy and y.npy"
        )
    return _quietly(chosen.stream if options.stream and chosen.stream else chosen.read, request)


def _quietly(reader: Callable[[Request], Table], request: Request) -> Table:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries; what matters becomes an error
        return reader(request)


def takes(source: str, option: str) -> bool:
    """Whether a field of ReadOptions has a use for the source, by its name.

    Example:
        >>> takes("a.CSV.gz", "header"), takes("a.npz", "header")
        (True, False)
    """
    if is_builtin(source):
        return False
    if is_openml(source) or (Path(source).is_dir() and is_tenx_folder(Path(source))):
        return option in _COLUMNS
    chosen = None if Path(source).is_dir() else _format_of(source)
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
    return source if is_builtin(source) or is_openml(source) else str(Path(source).resolve())


def fingerprint(source: str) -> str:
    """Identifies the content of a source: its name if built in, its name and version on OpenML, else the digest of its
    file or of all files that are read with it."""
    if is_builtin(source):
        return source
    if is_openml(source):
        return fingerprint_of(source)
    path = Path(source)
    if path.is_dir():
        files = files_of(path)
    else:
        parts = npy_parts(path) if path.suffix.lower() == ".npy" else None
        beside = (
            tenx_files(path) if path.suffix.lower() == ".h5" else [part for part in parts or () if part is not None]
        )
        files = [file for file in beside if file.is_file()] or [path]
        if len(files) == 1:
            return digest(path)
    whole = hashlib.blake2b(digest_size=16)
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() and path in file.parents else file.name
        whole.update(f"{name} {digest(file)}".encode())
    return whole.hexdigest()
