"""Tables from files: .npz, .csv, .parquet, .libsvm. Each reader gives a Table or says in one sentence why not."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from trulysparse._files import digest
from trulysparse.data.blocks import CsrBlocks, LibsvmBlocks, NpyBlocks, ParquetBlocks, open_parquet
from trulysparse.data.builtin import NAMES, is_builtin, load_builtin
from trulysparse.data.stream import StreamMatrix
from trulysparse.errors import InputError, MissingExtraError

SUFFIXES = (".npz", ".csv", ".parquet", ".libsvm")
_TARGET_NAMES = ("target", "label", "class", "y")


@dataclass
class Table:
    """X (anything as_matrix takes) and raw labels y, or None; X_test and y_test where the source has a split.
    features: column names, where there are any. target: the column that y came from."""

    X: Any
    y: Any
    X_test: Any = None
    y_test: Any = None
    features: list[str] | None = None
    target: str | None = None


def read(
    source: str,
    *,
    target: str | None = None,
    features: list[str] | None = None,
    n_features: int | None = None,
    need_target: bool = True,
    stream: bool = False,
) -> Table:
    """The table named `source`, a built-in name, a file, or a folder of .npy files.

    target: the label column of a .csv or .parquet file; None: one named target, label, class or y, else the
    last. features: take these columns, in this order. n_features: width of a .libsvm file, which names only the
    features that are not 0. need_target: whether a missing label is an error. stream: leave the samples in their file
    and read them block by block (.libsvm, .parquet; folders always do)."""
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
    if stream:
        return stream_file(path, target, features, n_features, need_target)
    if path.suffix == ".npz":
        return _read_npz(path, need_target)
    if path.suffix == ".libsvm":
        return _read_libsvm(path, n_features)
    return _read_frame(path, target, features, need_target)


def lasting(source: str) -> str:
    """The name of a source that holds in any working directory, by the rule of `read`: built-in names come first."""
    return source if is_builtin(source) else str(Path(source).resolve())


def fingerprint(source: str) -> str:
    """Recognises a source again: its name if built in, else the digest of its file or, for a folder, of its .npy
    files."""
    if is_builtin(source):
        return source
    if not Path(source).is_dir():
        return digest(Path(source))
    named = sorted(file for file in Path(source).iterdir() if file.suffix == ".npy")
    whole = hashlib.blake2b(digest_size=16)
    for part in named:
        whole.update(f"{part.name} {digest(part)}".encode())
    return whole.hexdigest()


def read_folder(path: Path, need_target: bool) -> Table:
    """X.npy, or CSR in X_indptr.npy, X_indices.npy and X_data.npy, and y.npy; or X_train, y_train, X_test, y_test
    likewise. Samples stay in their files."""

    def samples(name: str, n_features: int | None = None) -> StreamMatrix | None:
        if (path / f"{name}.npy").is_file():
            return StreamMatrix(NpyBlocks(path / f"{name}.npy"), name)
        if (path / f"{name}_indptr.npy").is_file():
            return StreamMatrix(CsrBlocks(path / name, n_features), name)
        return None

    def labels(name: str) -> NDArray[Any] | None:
        file = path / f"{name}.npy"
        return np.load(file, allow_pickle=False) if file.is_file() else None

    parts = ("_train", "_test") if samples("X_train") is not None else ("",)
    found = [samples(f"X{parts[0]}")]
    if found[0] is None and (found := [samples("X_test")])[0] is not None and not need_target:
        return Table(found[0], labels("y_test"))
    if found[0] is None:
        raise InputError(
            f"DATA: folder '{path}' has neither X.npy nor X_indptr.npy, X_indices.npy and X_data.npy "
            "(nor X_train and X_test likewise)"
        )
    if len(parts) == 2:
        found.append(samples("X_test", found[0].n_features))
        if found[1] is None:
            raise InputError(f"DATA: folder '{path}' has X_train, but no X_test")
    y = [labels(f"y{part}") for part in parts]
    for part, values in zip(parts, y, strict=True):
        if values is None and need_target:
            raise InputError(f"DATA: folder '{path}' has no y{part}.npy")
    return Table(found[0], y[0]) if len(parts) == 1 else Table(found[0], y[0], found[1], y[1])


def stream_file(
    path: Path, target: str | None, features: list[str] | None, n_features: int | None, need_target: bool
) -> Table:
    """A file whose samples are read block by block."""
    if path.suffix == ".libsvm":
        blocks = LibsvmBlocks(path, n_features)
        if len(blocks.y) == 0:
            raise InputError(f"DATA: '{path}' has no samples")
        return Table(StreamMatrix(blocks), blocks.y)
    if path.suffix == ".parquet":
        file = open_parquet(path)
        if file.metadata.num_rows == 0:
            raise InputError(f"DATA: '{path}' has no rows")
        columns = [str(name) for name in file.schema_arrow.names]
        name, chosen = _columns(path, columns, target, features, need_target)
        for field in file.schema_arrow:
            if field.name in chosen and str(field.type) in ("string", "large_string", "binary"):
                raise InputError(f"DATA: column '{field.name}' must hold numbers only, but it is of type {field.type}")
        y = None if name is None else file.read(columns=[name]).to_pandas()[name].to_numpy()
        return Table(StreamMatrix(ParquetBlocks(path, chosen)), y, features=chosen, target=name)
    raise InputError(
        f"--stream: '{path.suffix}' files are read as a whole; use .parquet, .libsvm, or a folder with X.npy and y.npy"
    )


def _read_npz(path: Path, need_target: bool) -> Table:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = set(archive.files)
            split = "X_train" in names
            wanted = ("X_train", "y_train", "X_test", "y_test") if split else ("X", "y")
            required = wanted if need_target else (("X_test",) if "X_test" in names else ("X",))
            missing = [name for name in required if name not in names]
            if missing:
                raise InputError(
                    f"DATA: '{path}' has no array '{missing[0]}'; an .npz file needs X and y, or X_train, y_train, "
                    f"X_test and y_test (it has {', '.join(sorted(names)) or 'none'})"
                )
            arrays = {name: archive[name] for name in wanted if name in names}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise InputError(f"DATA: '{path}' is not a whole .npz file ({error})") from None
    except ValueError as error:
        raise InputError(f"DATA: '{path}' cannot be read without pickle ({error}); store plain arrays") from None
    if split:
        return Table(*(arrays.get(name) for name in wanted))
    if "X" not in arrays:
        return Table(arrays["X_test"], arrays.get("y_test"))
    return Table(arrays["X"], arrays.get("y"))


def _read_libsvm(path: Path, n_features: int | None) -> Table:
    try:
        X, y = load_svmlight_file(str(path), n_features=n_features, dtype=np.float32)
    except (ValueError, OverflowError) as error:
        raise InputError(f"DATA: '{path}' is not a libsvm file ({error})") from None
    if X.shape[0] == 0:
        raise InputError(f"DATA: '{path}' has no samples")
    return Table(X, y)


def _read_frame(path: Path, target: str | None, features: list[str] | None, need_target: bool) -> Table:
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError(f"reading {path.suffix} files", "pandas and pyarrow", "tables") from None
    try:
        frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except pd.errors.EmptyDataError:
        raise InputError(f"DATA: file '{path}' is empty") from None
    except ImportError:
        raise MissingExtraError("reading .parquet files", "pyarrow", "tables") from None
    except (ValueError, OSError) as error:  # ParserError, UnicodeDecodeError and ArrowInvalid are ValueErrors
        raise InputError(f"DATA: '{path}' is not a whole {path.suffix} file ({str(error).strip()})") from None
    frame.columns = frame.columns.astype(str)
    if len(frame) == 0:
        raise InputError(f"DATA: '{path}' has no rows")
    name, columns = _columns(path, list(frame.columns), target, features, need_target)
    for column in columns:
        if not pd.api.types.is_numeric_dtype(frame[column]):
            row, value = _first_text(frame[column], pd)
            raise InputError(f"DATA: column '{column}' must hold numbers only, but row {row} holds {value!r}")
    return Table(frame[columns], None if name is None else frame[name].to_numpy(), features=columns, target=name)


def _columns(
    path: Path, present: list[str], target: str | None, features: list[str] | None, need_target: bool
) -> tuple[str | None, list[str]]:
    """(target column or None, feature columns)."""
    name = _target_column(present, target, features, need_target)
    columns = features if features is not None else [c for c in present if c != name]
    missing = [c for c in columns if c not in present]
    if missing:
        raise InputError(f"DATA: '{path}' has no column '{missing[0]}', which the model was trained on")
    if not columns:
        raise InputError(f"DATA: '{path}' has no feature columns beside the target '{name}'")
    return name, columns


def _target_column(columns: list[str], target: str | None, features: list[str] | None, need_target: bool) -> str | None:
    if target is not None:
        if target in columns:
            return target
        if not need_target:
            return None
        shown = ", ".join(columns[:10]) + (", ..." if len(columns) > 10 else "")
        raise InputError(f"--target: there is no column '{target}'; the columns are {shown}")
    for name in _TARGET_NAMES:
        if name in columns:
            return name
    rest = [c for c in columns if features is None or c not in features]
    if rest:
        return rest[-1] if need_target or features is None else None
    return None


def _first_text(column: Any, pd: Any) -> tuple[int, Any]:
    numbers = pd.to_numeric(column, errors="coerce")
    text = (numbers.isna() & column.notna()).to_numpy()
    row = int(text.argmax()) if text.any() else 0
    return row, column.iloc[row]
