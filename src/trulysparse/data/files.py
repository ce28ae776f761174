"""Tables from files (.npz, .csv, .parquet, .libsvm), folders and built-in sets, by the name of the source."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

from trulysparse._core.files import digest
from trulysparse.data.builtin import NAMES, is_builtin, load_builtin
from trulysparse.data.read_options import ReadOptions
from trulysparse.data.readers.csv_table import read_csv
from trulysparse.data.readers.folder import read_folder
from trulysparse.data.readers.libsvm import read_libsvm
from trulysparse.data.readers.npz import read_npz
from trulysparse.data.readers.parquet import read_parquet
from trulysparse.data.stream.blocks import stream_libsvm
from trulysparse.data.table import Table
from trulysparse.errors import InputError

__all__ = ["SUFFIXES", "ReadOptions", "Table", "fingerprint", "read"]

_DEFAULTS = ReadOptions()
SUFFIXES = (".npz", ".csv", ".parquet", ".libsvm")


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
        source: a built-in name (see builtin.load_builtin), a file ending in .npz, .csv, .parquet or .libsvm, or a
            folder of .npy files.
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
        MissingExtraError: for .csv and .parquet where pandas or pyarrow is not installed.

    Example:
        >>> table = read("digits")
        >>> table.X.shape, table.y[:3].tolist()
        ((1797, 64), [0, 1, 2])
    """
    target, stream, header, zero_based = options.target, options.stream, options.header, options.zero_based
    for given, option, suffix in (
        (header, "--header" if header else "--no-header", ".csv"),
        (zero_based, "--zero-based" if zero_based else "--one-based", ".libsvm"),
    ):
        if given is not None and (is_builtin(source) or Path(source).suffix != suffix):
            raise InputError(f"{option} is for {suffix} files, not for '{source}'")
    if is_builtin(source):
        return Table(*load_builtin(source))
    path = Path(source)
    if path.is_dir():
        return read_folder(path, need_target)
    if path.suffix not in SUFFIXES:
        raise InputError(
            f"DATA must be one of {', '.join(NAMES)}, a file ending in {', '.join(SUFFIXES)}, or a folder of .npy "
            f"files, not '{source}'"
        )
    if not path.is_file():
        raise InputError(f"DATA: file '{source}' does not exist")
    if path.stat().st_size == 0:
        raise InputError(f"DATA: file '{source}' is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other libraries; what matters becomes an error
        if path.suffix == ".parquet":
            return read_parquet(path, target, features, need_target, stream)
        if path.suffix == ".libsvm":
            return (stream_libsvm if stream else read_libsvm)(path, n_features, zero_based)
        if stream:
            raise InputError(
                f"--stream: '{path.suffix}' files are read as a whole; use .parquet, .libsvm, or a folder with X.npy "
                "and y.npy"
            )
        if path.suffix == ".npz":
            return read_npz(path, need_target)
        return read_csv(path, target, features, need_target, header, columns)


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
