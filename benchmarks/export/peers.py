"""Flash, RAM and instructions of one prediction on a Cortex-M4F, beside emlearn, onnx2c and dense int8.

    python benchmarks/export/peers.py [--fashion FILE.ts]

Bytes and instructions are what a program has more than one whose prediction does nothing; libraries that it pulls in
(expf) count. "built": the tool's own C was compiled and run here. "rebuilt": the tool cannot be had from PyPI, Debian
or npm; C of the form that its source describes was compiled and run. "computed": from sizes alone.

  trulysparse   export.c, in its four forms; and of a dense network in int8
  emlearn       an MLPClassifier of scikit-learn with the same layers, converted by emlearn 0.23.2 (method loadable:
                inline fails on networks in this release); and one whose layers are so narrow that it has as many
                weights as the sparse network
  onnx2c        a Gemm per layer over float arrays [n_out][n_in], tensors between layers in a union
  dense int8    int8 weights, int32 biases and a scale a row, int8 activations of the two widest layers together: what
                TensorFlow Lite for Microcontrollers stores, without its interpreter and its model file's structure

The dense Fashion-MNIST network (2,794,000 weights) exceeds the board's 4 MB of flash in float: computed.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
from _devices import DIGITS, FASHION, boards, cost, digits_network, fashion_network, random_samples
from _run import keep
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import trulysparse as ts
from trulysparse.bench.report import table

NARROW = (64, 44, 32, 10)  # dense; 4,544 weights
Row = dict[str, object]


def ours(net: ts.SparseMLP, weights: str, index: str, folder: Path, tool: str = "") -> Row:
    """This library's C."""
    X = random_samples(net, 20)
    size = ts.export.c(net, folder / "net.c", weights=weights, index=index, calibrate=samples_of(weights, net))
    files = {path.name: path for path in folder.iterdir()}
    glue = "#include <stdint.h>\nint net_predict(const float *x);\nint32_t predict_one(const float *x);\n"
    glue += "int32_t predict_one(const float *x) { return net_predict(x); }\n"
    measured = cost({**files, "glue.c": glue}, M4F, folder / "built", X)
    row = {"tool": tool or f"trulysparse {weights} {index}", "how": "built", "weights": net.n_connections, **measured}
    return {**row, "said": [size.flash, size.ram]}


def samples_of(weights: str, net: ts.SparseMLP) -> np.ndarray | None:
    """What int8 is calibrated on."""
    return random_samples(net) if weights == "int8" else None


def emlearn(sizes: tuple[int, ...], folder: Path) -> Row:
    """emlearn's C of a dense network."""
    import emlearn as tool

    model, X = dense(sizes)
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):  # it compiles in a folder tmp of the working directory
        header = tool.convert(model, method="loadable").save(name="peer", inference=["loadable"])
    glue = f"{header}\nint32_t predict_one(const float *x) {{ return peer_predict(x, {sizes[0]}); }}\n"
    flags = ("-w", f"-I{Path(tool.__file__).parent}")
    measured = cost({"peer.c": "#include <math.h>\n" + glue}, M4F, folder, X, flags)
    agree = float(np.mean(model.predict(X) == measured["labels"]))
    assert agree > 0.95, f"emlearn's C agrees with scikit-learn on {agree:.0%} of the samples"
    return {"tool": f"emlearn {'-'.join(map(str, sizes))}", "how": "built", "weights": n_weights(sizes), **measured}


def onnx2c(sizes: tuple[int, ...], folder: Path) -> Row:
    """C of the form that onnx2c writes: one function a node, loops over arrays of fixed sizes."""
    model, X = dense(sizes)
    lines = ["#include <stdint.h>", "#include <string.h>", "int32_t predict_one(const float *x);"]
    widths = max(sizes[1:-1])
    lines.append(f"static union {{ float a[{widths}]; }} tensor_1, tensor_2;")
    for k, (w, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        n_in, n_out = w.shape
        lines.append(f"static const float weight_{k}[{n_out}][{n_in}] = {{{numbers(w.T)}}};")
        lines.append(f"static const float bias_{k}[1][{n_out}] = {{{numbers(b)}}};")
        lines.append(f"static void gemm_{k}(const float a[1][{n_in}], float y[1][{n_out}]) {{")
        lines.append(f"  for (uint32_t c = 0; c < {n_out}; c++) {{ float sum = 0;")
        lines.append(f"    for (uint32_t i = 0; i < {n_in}; i++) sum += a[0][i] * weight_{k}[c][i];")
        lines.append(f"    y[0][c] = sum + bias_{k}[0][c]; }}")
        lines.append("}")
        lines.append(f"static void relu_{k}(const float x[1][{n_out}], float y[1][{n_out}]) {{")
        lines.append(f"  for (uint32_t i = 0; i < {n_out}; i++) y[0][i] = x[0][i] > 0 ? x[0][i] : 0;")
        lines.append("}")
    last = len(sizes) - 2
    lines.append("int32_t predict_one(const float *x) {")
    lines.append(f"  static float z[1][{sizes[-1]}];")
    for k in range(last + 1):
        a = f"(const float (*)[{sizes[k]}])" + ("x" if k == 0 else "tensor_2.a")
        y = "z" if k == last else f"(float (*)[{sizes[k + 1]}])tensor_1.a"
        lines.append(f"  gemm_{k}({a}, {y});")
        if k < last:
            cast = f"[{sizes[k + 1]}])"
            lines.append(f"  relu_{k}((const float (*){cast}tensor_1.a, (float (*){cast}tensor_2.a);")
    lines.append(
        f"  int32_t best = 0;\n  for (int32_t i = 1; i < {sizes[-1]}; i++) if (z[0][i] > z[0][best]) best = i;"
    )
    lines.append("  return best;\n}\n")
    measured = cost({"peer.c": "\n".join(lines)}, M4F, folder, X, ("-w",))
    assert np.mean(model.predict(X) == measured["labels"]) > 0.95
    return {"tool": f"onnx2c {'-'.join(map(str, sizes))}", "how": "rebuilt", "weights": n_weights(sizes), **measured}


def computed(tool: str, sizes: tuple[int, ...], weight_bytes: int, row_bytes: int, value_bytes: int) -> Row:
    """Of sizes alone: weights, what a row of them has besides, and the two widest layers that meet."""
    flash = n_weights(sizes) * weight_bytes + sum(sizes[1:]) * row_bytes
    ram = max(a + b for a, b in pairwise(sizes)) * value_bytes
    row: Row = {"tool": f"{tool} {'-'.join(map(str, sizes))}", "how": "computed", "weights": n_weights(sizes)}
    return {**row, "flash": flash, "static_ram": ram, "stack": None, "instructions": None}


def dense(sizes: tuple[int, ...]) -> tuple[MLPClassifier, np.ndarray]:
    """A dense network of scikit-learn with ReLU, trained on the digits, and samples."""
    X, y = load_digits(return_X_y=True)
    X = np.ascontiguousarray((X - 8) / 8, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MLPClassifier(sizes[1:-1], max_iter=20, random_state=0).fit(X, y)
    return model, X[:100]


def n_weights(sizes: tuple[int, ...]) -> int:
    return sum(a * b for a, b in pairwise(sizes))


def numbers(values: np.ndarray) -> str:
    """C's float constants."""
    return ", ".join(f"{float(np.float32(v))!r}f" for v in values.ravel())


parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("--fashion", default="", help="a saved Fashion-MNIST network; without it an untrained one")
given = parser.parse_args()
(M4F,) = boards("M4F")
results: dict[str, list[Row]] = {"digits": [], "fashion": []}
with tempfile.TemporaryDirectory() as name:
    here = Path(name)
    for label, net in (("digits", digits_network()), ("fashion", fashion_network(given.fashion))):
        for weights in ("float32", "int8"):
            for index in ("u16", "delta8"):
                inside = here / f"{label}_{weights}_{index}"
                inside.mkdir()
                results[label].append(ours(net, weights, index, inside))
    inside = here / "dense_int8"
    inside.mkdir()
    full = ts.SparseMLP(DIGITS, density=1.0, output_density=1.0, seed=0, threads=1)
    results["digits"].append(ours(full, "int8", "auto", inside, "trulysparse int8, dense 64-100-100-10"))
    results["digits"] += [emlearn(DIGITS, here / "emlearn"), emlearn(NARROW, here / "narrow")]
    results["digits"].append(onnx2c(DIGITS, here / "onnx2c"))
for label, sizes in (("digits", DIGITS), ("fashion", FASHION)):
    if label == "fashion":
        results[label] += [computed("emlearn", sizes, 4, 4, 4), computed("onnx2c", sizes, 4, 4, 4)]
    results[label].append(computed("dense int8", sizes, 1, 8, 1))
for label, rows in results.items():
    for row in rows:
        row.pop("labels", None)
    table(
        f"One prediction on a Cortex-M4F, -O2: {label}",
        ["tool", "how", "weights", "flash, bytes", "RAM, bytes", "stack", "instructions", "a weight"],
        [
            [
                *(row[key] for key in ("tool", "how", "weights", "flash", "static_ram", "stack", "instructions")),
                round(row["instructions"] / row["weights"], 2) if row["instructions"] else "",
            ]
            for row in rows
        ],
    )
keep("export_peers", 1, results)
