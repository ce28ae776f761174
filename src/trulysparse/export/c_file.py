"""export.c: a network as one C file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.export.c_data_file import HEAD_BYTES, DataFile, data_file
from trulysparse.export.c_forms import WEIGHTS, Emitted, emit
from trulysparse.export.c_source import CSource
from trulysparse.export.c_text import checked_name
from trulysparse.export.c_training import training_file
from trulysparse.export.calibration import calibrate as calibrated
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.size import Size, size_of_emitted
from trulysparse.export.source import source_of

MOST_INLINE = 1_000_000
"""Connections up to which arrays are C text: beyond that, compilers take minutes and gigabytes."""


def c(
    model: Any,
    path: str | os.PathLike[str],
    weights: str = "float32",
    index: str = "auto",
    calibrate: Any = None,
    training: bool = False,
    name: str = "net",
    *,
    scaling: str = "auto",
    probabilities: bool = False,
    data: str = "auto",
) -> Size:
    """Writes a network, policy or estimator as one C99 file that needs no library: constant arrays, static buffers, no
    allocation.

    Functions, with `name` in front: `void net_scores(const float *x, float *z)`, the outputs before softmax or sigmoid,
    or of regression in the unit of the targets; `int net_predict(const float *x)`, the number of the largest output, of
    equal ones the first (of one output that is neither a class nor an action, whether it is above 0); of policies of
    head 'tanh' or 'identity' `void net_act(const float *x, float *action)`. Macros: NET_INPUTS, NET_OUTPUTS and, of
    classes, NET_LABELS, the texts of an array of strings. Several such files can be in one program.

    Scaling of inputs and targets, normalisation of observations and bounds of actions are inside. Tables go through the
    preprocessor before: x has the columns that it gives. Weights of float64 are rounded to float32.

    Args:
        model: a SparseMLP, FrozenMLP, Policy, agent or fitted estimator, with built-in activations.
        path: *.c, or *.h for a header of static functions. A file that is there is replaced as a whole.
        weights: 'float32', or 'int8': weights, activations and sums are integers, the scores the same bits on every
            processor.
        index: how a layer's connections say which inputs they read: 'u16', 2 bytes each, for layers of at most 65,536
            inputs; 'delta8', 1 byte, the step from the input before, where a step above 255 costs a connection of
            weight 0; 'auto', of each layer the smaller. Full layers need none.
        calibrate: for 'int8': samples, (n, n_inputs) in any form that predict takes, by which the ranges of activations
            are chosen; else None.
        training: write a network that learns on the device: the training runtime in the one file, to be included where
            it is used, and the network as a blob (see blob_of). net_scores and net_predict are those of the network as
            it is now; the file says how to begin. Other forms of weights, index and data cannot be chosen then.
        name: of the functions, a C identifier.
        scaling: of inputs: 'folded' into the weights, 'kept' as arrays, which the device computes with, or 'auto':
            folded where |offset * factor| is at most 4 for each input, which costs no accuracy. For 'float32'.
        probabilities: also write `void net_probabilities(const float *x, float *p)`, for 'float32' and output 'softmax'
            or 'sigmoid'.
        data: 'inline', arrays in the C file; 'file', arrays in a binary file beside it, *.bin, that
            `int net_attach(const void *data, size_t bytes)` checks and uses where it is, and of *.c also a header, *.h;
            'auto': inline up to 1,000,000 connections.

    Returns:
        Bytes of flash and RAM, per layer; print it for a table.

    Raises:
        InputError: where an argument is out of range or does not go with the model; nothing is written then.
        OSError: where a file cannot be written; one that was there stays then.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> X, y = np.random.default_rng(0).random((60, 8)), np.arange(60) % 3
        >>> model = ts.SparseMLPClassifier((16,), epochs=2, random_state=0).fit(X, y)
        >>> size = ts.export.c(model, "net.c")
        >>> small = ts.export.c(model, "net8.c", weights="int8", calibrate=X, name="net8")
        >>> small.flash < size.flash
        True
    """
    checks.choice("weights", weights, WEIGHTS)
    checks.choice("data", data, ("auto", "inline", "file"))
    name, target = checked_name(name), _checked_path(path)
    if checks.flag("training", training):
        given = {"weights": weights, "index": index, "scaling": scaling, "data": data}
        return _write_training(model, target, name, given, calibrate is not None or probabilities)
    if (calibrate is None) == (weights == "int8"):
        raise InputError(
            "calibrate must be samples for weights='int8': ranges of activations are chosen by them"
            if calibrate is None
            else "calibrate is for weights='int8'; float32 needs no samples"
        )
    network = DeviceNetwork.of(model)
    ranges = None if calibrate is None else calibrated(network, source_of(model).net.matrix(calibrate, "calibrate"))
    emitted = emit(network, weights, index, scaling=scaling, probabilities=probabilities, ranges=ranges, name=name)
    apart = data == "file" or (data == "auto" and network.n_connections > MOST_INLINE)
    return _write(emitted, weights, name, target, data_file(emitted.part.arrays) if apart else None)


def _write(emitted: Emitted, weights: str, name: str, path: Path, data: DataFile | None) -> Size:
    """Writes the files of a network."""
    beside = path.with_suffix(".bin")
    is_header = path.suffix == ".h"
    contents: dict[Path, bytes] = {}
    extra = 0
    if data is not None:
        contents[beside] = data.content
        extra = len(data.content) - sum(array.n_bytes for array in emitted.part.arrays)
        assert extra >= HEAD_BYTES
    names = [path, *contents, *([path.with_suffix(".h")] if data is not None and not is_header else [])]
    size = size_of_emitted(emitted, weights, extra, names)
    source = CSource(emitted, size, name, weights, data, beside.name)
    contents[path] = (source.header() if is_header else source.c_file()).encode()
    if path.with_suffix(".h") in names and not is_header:
        contents[path.with_suffix(".h")] = source.prototypes(path.name).encode()
    for file, content in contents.items():
        write_whole(file, lambda temporary, content=content: temporary.write_bytes(content))  # type: ignore[misc]
    return size


def _write_training(model: Any, path: Path, name: str, given: dict[str, Any], more: bool) -> Size:
    """Writes a network that learns on the device. It has one form: what chooses another is refused."""
    for argument, usual in {"weights": "float32", "index": "auto", "scaling": "auto", "data": "auto"}.items():
        if given[argument] != usual:
            raise InputError(f"{argument} must be {usual!r} with training=True, not {given[argument]!r}")
    if more:
        raise InputError("calibrate and probabilities cannot be combined with training=True")
    made = training_file(model, name, header=path.suffix == ".h")
    write_whole(path, lambda temporary: temporary.write_text(made.text))
    return replace(made.size, files=(path,))


def _checked_path(path: Any) -> Path:
    """Where to write, or InputError."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path must be a path, not {type(path).__name__}")
    target = Path(os.fsdecode(path))
    if target.suffix not in (".c", ".h"):
        raise InputError(f"path must end in .c or .h, not '{target}'")
    if target.is_dir():
        raise InputError(f"path must be a file, but '{target}' is a directory")
    if not target.parent.is_dir():
        raise InputError(f"path must lie in a directory that exists, but '{target.parent}' does not")
    return target
