"""ONNX files of sparse networks in onnxruntime beside the network: bytes on disk, time of a sample alone and in a batch
of 128, seconds to load, memory. One thread; contenders in turns, load and memory in a process of its own for each.

onnxruntime makes sparse weights dense when it loads a file: "sparse" is small on disk and like "dense" in all else.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

NETWORKS = {
    "64-100-100-10": ((64, 100, 100, 10), 10),
    "784-1000-1000-1000-10": ((784, 1000, 1000, 1000, 10), 20),
    "1000-5000-5000-10": ((1000, 5000, 5000, 10), 20),
}
FORMS = {
    "ONNX sparse": "sparse.onnx",
    "ONNX dense": "dense.onnx",
    "ONNX scatter": "scatter.onnx",
    "net.freeze()": "net.frozen",  # a file of trulysparse.save
    "net": "net.whole",
}
BATCHES = 1, 128


def predictor(path: Path) -> Callable[[np.ndarray], Any]:
    """What answers samples, of an ONNX file or of a network's."""
    if path.suffix != ".onnx":
        import trulysparse as ts

        net = ts.load(path, threads=1)
        return (net.freeze() if path.suffix == ".frozen" else net).predict_proba
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda X: session.run(None, {"input": X})[0]


def memory(name: str) -> float:
    """A figure of /proc/self/status, in MB; NaN where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(name))


def child(path: Path, n_inputs: int) -> None:
    """Prints what loading a file and answering 128 samples takes, modules not counted."""
    import onnxruntime  # noqa: F401

    import trulysparse as ts

    ts.SparseMLP((4, 8, 2), epsilon=1, threads=1).freeze().predict_proba(np.ones((1, 4), np.float32))
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began = memory("VmRSS"), time.perf_counter()
    predict = predictor(path)
    loaded = time.perf_counter() - began
    predict(np.ones((128, n_inputs), np.float32))
    print(json.dumps({"load_s": loaded, "memory_mb": memory("VmRSS") - before, "peak_mb": memory("VmHWM") - before}))


def measured(sizes: tuple[int, ...], epsilon: float, seconds: float, folder: Path) -> list[dict[str, Any]]:
    """A row for each contender."""
    import trulysparse as ts
    from trulysparse.bench.timing import interleave

    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=0, threads=1)
    X = np.random.default_rng(0).standard_normal((128, sizes[0]), dtype=np.float32)
    rows, contenders = [], {}
    for name, file in FORMS.items():
        path = folder / file
        if path.suffix == ".onnx":
            ts.export.onnx(net, path, form=path.stem)
        else:
            ts.save(net, path)
        command = [sys.executable, __file__, "--child", str(path), "--inputs", str(sizes[0])]
        alone = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        predict = predictor(path)
        differs = float(np.abs(predict(X) - net.predict_proba(X)).max())
        rows.append({"name": name, "connections": net.n_connections, "bytes": path.stat().st_size, **alone})
        rows[-1]["largest_difference"] = differs
        for batch in BATCHES:
            contenders[name, batch] = partial(predict, X[:batch].copy())
    for (name, batch), timing in zip(contenders, interleave(contenders, seconds=seconds), strict=True):
        row = next(each for each in rows if each["name"] == name)
        row[f"us_per_sample_{batch}"] = timing.median * 1e6 / batch
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="time per contender")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--inputs", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        child(given.child, given.inputs)
        return
    from _run import keep

    from trulysparse.bench.report import table

    results = {}
    columns = ["", "file, kB", "batch 1, us", "batch 128, us a sample", "load, ms", "memory, MB", "peak, MB"]
    for title, (sizes, epsilon) in NETWORKS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows = results[title] = measured(sizes, epsilon, given.seconds, Path(folder))
        table(
            f"{title}, epsilon {epsilon}, {rows[0]['connections']:,} connections, one thread",
            columns,
            [
                [
                    row["name"],
                    row["bytes"] / 1000,
                    *(row[f"us_per_sample_{batch}"] for batch in BATCHES),
                    row["load_s"] * 1000,
                    row["memory_mb"],
                    row["peak_mb"],
                ]
                for row in rows
            ],
        )
    import onnx
    import onnxruntime

    versions = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
    keep("export_onnx_runtime", 1, {**versions, "networks": results})


if __name__ == "__main__":
    main()
