"""A network that learns on the device, as one C file: the runtime of training, and the network as a blob."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from trulysparse._core.version import __version__
from trulysparse.errors import InputError
from trulysparse.export.blob import blob_of, train_memory
from trulysparse.export.c_part import CArray
from trulysparse.export.c_text import array_text, comment_text, string_text
from trulysparse.export.size import LayerSize, Size
from trulysparse.export.source import Source, source_of
from trulysparse.io.blob_format import Blob, unpack

_RUNTIME = ("ts_train.h", "ts_evolve.h", "ts_draw.h", "ts_td.h")


@dataclass(frozen=True, eq=False)
class TrainingFile:
    """A C file with what a device needs to train a network.

    Args:
        text: C99.
        size: flash is the blob; RAM the memory block of NAME_config(), which has no momentum and a batch of 1, with
            pointers of 32 bits.
    """

    text: str
    size: Size


def training_file(model: Any, name: str, *, header: bool = False) -> TrainingFile:
    """The file of a model.

    Args:
        model: see `blob_of`; of policies those of head 'argmax', for `ts_td_step`.
        name: prefix of all names.
        header: whether functions are static.

    Returns:
        Text and size.

    Raises:
        InputError: of a model that devices do not train.

    Example:
        >>> import trulysparse as ts
        >>> file = training_file(ts.SparseMLP((4, 8, 2), epsilon=1), "net")
        >>> "int net_predict(const float* x)" in file.text, file.size.flash
        (True, 448)
    """
    source = source_of(model)
    check_trainable(source)
    blob = blob_of(model)
    array = array_text(CArray(f"{name}_blob", np.frombuffer(blob, np.uint8), "other"))
    kept = "static inline " if header else ""
    if not header:
        array = array.removeprefix("static ")
    functions = _FUNCTIONS.replace("KEPT", kept).replace("NAME", name)
    network = f"{'static ' if header else ''}ts_train {name}_network;\n"
    parts = (_about(source, name, len(blob)), _macros(source, name, len(blob)), runtime(), array, network, functions)
    text = "\n".join(parts)
    if header:
        guard = f"{name.upper()}_H"
        text = f"{parts[0]}\n#ifndef {guard}\n#define {guard}\n\n" + "\n".join(parts[1:]) + "\n#endif\n"
    return TrainingFile(text, _size(unpack(blob), len(blob), train_memory(model, velocity=None)))


def check_trainable(source: Source) -> None:
    """InputError where a device has no loss to train a policy with.

    Args:
        source: the network, and what is done to its outputs.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.export.source import Source
        >>> check_trainable(Source(ts.SparseMLP((4, 8, 2)), "argmax", 2))
    """
    n_outputs = source.net.layer_sizes[-1]
    if source.head is not None and (source.head != "argmax" or source.n_actions != n_outputs):
        raise InputError(
            "training is for networks and for policies that choose the largest of all their outputs, not for one of "
            f"head={source.head!r} with n_actions={source.n_actions} of {n_outputs} outputs"
        )


def runtime() -> str:
    """The files of the training runtime as one text, each once, before those that include it.

    Example:
        >>> from trulysparse.export.c_training import runtime
        >>> text = runtime()
        >>> text.count("int ts_train_batch("), '#include "' in text
        (1, False)
    """
    folder, done = files("trulysparse.export") / "c_runtime", set[str]()

    def pasted(name: str) -> str:
        if name in done:
            return ""
        done.add(name)
        text = (folder / name).read_text()
        return re.sub(r'^#include "(ts_\w+\.h)"\n', lambda found: pasted(found[1]), text, flags=re.MULTILINE)

    return "\n".join(pasted(name) for name in _RUNTIME)


def _macros(source: Source, name: str, n_bytes: int) -> str:
    net, upper = source.net, name.upper()
    text = f"#define {upper}_INPUTS {net.layer_sizes[0]}\n#define {upper}_OUTPUTS {net.layer_sizes[-1]}\n"
    if net.labels is not None and len(net.labels) == net.layer_sizes[-1]:
        labels = ", ".join(string_text(str(label)) for label in np.asarray(net.labels).tolist())
        text += f"#define {upper}_LABELS {{{labels}}}\n"
    return f"{text}#define {upper}_BLOB_BYTES {n_bytes}\n"


def _about(source: Source, name: str, n_bytes: int) -> str:
    net = source.net
    lines = (_ABOUT.replace("NAME", name).replace("UPPER", name.upper())).splitlines()
    head = (
        f"A sparse network {net.sizes_text} with {net.n_connections:,} connections, {net.output} outputs, that learns "
        "on the device.",
        f"Written by trulysparse {__version__}. Constants: the blob of {n_bytes:,} bytes.",
        "",
    )
    return "/* " + "\n".join(f" * {comment_text(line)}".rstrip() for line in (*head, *lines))[3:] + "\n */"


_ABOUT = """Include this file in the one that trains:

    static uint64_t memory[...];                       ts_train_memory(&config) says how many bytes it takes
    ts_train_config config = NAME_config();            batch 1, no momentum, no dropout; change what you like
    if (NAME_init(memory, sizeof memory, &config) ...  TS_OK, the bytes that are needed, or an error below 0
    ts_train_step(&NAME_network, x, target, 0.01f);    one update
    NAME_predict(x);                                   of the network as it is now

ts_train_config NAME_config(void)
    The defaults, and the network of this file.
ptrdiff_t NAME_init(void* memory, size_t bytes, const ts_train_config* config)
    ts_train_init of NAME_network. config NULL: the defaults. Call it before all else.
void NAME_scores(const float* x, float* z)
    The outputs before softmax or sigmoid; of regression in the unit of the targets.
int NAME_predict(const float* x)
    The number of the largest output, of equal ones the first; of a single output that is
    no softmax whether it is above 0."""

_FUNCTIONS = """KEPTts_train_config NAME_config(void) {
    ts_train_config config = ts_train_defaults();
    config.blob = NAME_blob;
    config.blob_bytes = sizeof(NAME_blob);
    return config;
}

KEPTptrdiff_t NAME_init(void* memory, size_t bytes, const ts_train_config* config) {
    const ts_train_config defaults = NAME_config();
    return ts_train_init(&NAME_network, memory, bytes, config ? config : &defaults);
}

KEPTvoid NAME_scores(const float* x, float* z) {
    ts_train_scores(&NAME_network, x, z);
}

KEPTint NAME_predict(const float* x) {
    return ts_train_predict(&NAME_network, x);
}
"""


def _size(blob: Blob, n_bytes: int, ram: int) -> Size:
    layers = []
    for number, layer in enumerate(blob.layers):
        count = len(layer.weight)
        rows = 4 * len(layer.start) + (0 if layer.bias is None else 4 * len(layer.bias))
        skip = " (skip)" if blob.skip and number == len(blob.layers) - 1 else ""
        index = 2 * (count + count % 2)
        layers.append(LayerSize(f"{layer.n_in}-{layer.n_out}{skip}", count, "u16", 0, 4 * count, index, rows, 0))
    return Size("float32", tuple(layers), n_bytes - sum(layer.flash for layer in layers), ram)
