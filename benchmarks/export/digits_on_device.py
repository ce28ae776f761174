"""Digits learned on an emulated Cortex-M4F with 64 KiB of RAM: drawn, trained and evolved on the device.

    python benchmarks/export/digits_on_device.py [--seeds 5] [--choose]

scikit-learn's 8x8 digits: 1,397 samples to learn from, 400 held out (stratified, split seed 0). All of the device's RAM
is 64 KiB: the linker refuses more variables, the stack begins at the end of it and its deepest word is measured. What
is printed as RAM is the sum of both. Settings were chosen by --choose: on 280 of the samples to learn from, those held
out unseen, by the same C compiled for this machine. The trained network leaves the device in pieces, and
trulysparse.load reads it: its predictions are the device's. The library gets the same settings, connections and
samples, with random numbers of its own. Beside them a dense network trained by plain C on the same board (dense.c), at
widths that show what dense weights take for the same accuracy, with the settings that --choose found for it.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import astuple, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from _devices import BOARDS, HOST, Board, Program, boards, build, run
from _run import keep
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import trulysparse as ts
from trulysparse.bench.report import table

HERE = Path(__file__).parent / "digits"
RUNTIME = Path(ts.__file__).parent / "export" / "c_runtime"
RAM = 64 << 10
M4F = BOARDS["M4F"]
DIVERGED = 2  # main's value in train.c
VELOCITY = {"float32": 1, "bfloat16": 2}
Samples = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Settings:
    """What device and library get, in the order in which the program reads it."""

    seed: int = 0
    epochs: int = 40
    hidden: int = 100
    epsilon: float = 10
    rate: float = 0.003
    last: float = 0.02
    momentum: float = 0.9
    zeta: float = 0.1
    dropout: float = 0.2
    slope: float = 0.6  # of All-ReLU; 0: ReLU

    def packed(self) -> bytes:
        """As the program's struct."""
        return np.array(astuple(self)[:3], "<u4").tobytes() + np.array(astuple(self)[3:], "<f4").tobytes()


@dataclass(frozen=True)
class Falling:
    """The device's learning rate: along a line, epoch by epoch, towards `last` times itself."""

    rate: float
    last: float

    def at(self, epoch: float, epochs: int | None) -> float:
        return self.rate * (1 - (1 - self.last) * int(epoch) / (epochs or 1))


CHOSEN = Settings()
TRIED = {
    "train.c": {"epochs": (20, 40), "rate": (0.003, 0.004), "zeta": (0.1, 0.3), "dropout": (0.1, 0.2)},
    "dense.c": {"hidden": (20, 30, 40, 50), "rate": (0.001, 0.002, 0.004), "dropout": (0.0, 0.1)},
}


def samples() -> Samples:
    """X_train, X_test, y_train, y_test; pixels 0 to 16."""
    X, y = load_digits(return_X_y=True)
    return train_test_split(X.astype(np.uint8), y.astype(np.uint8), test_size=400, stratify=y, random_state=0)


def header(split: Samples) -> str:
    """The samples as C."""
    X_train, X_test, y_train, _ = split
    lines = [f"enum {{ N_TRAIN = {len(X_train)}, N_TEST = {len(X_test)}, PIXELS = 64, CLASSES = 10 }};"]
    for name, X in (("train", X_train), ("test", X_test)):
        rows = ",\n".join("{" + ",".join(map(str, row)) + "}" for row in X)
        lines.append(f"static const uint8_t {name}_x[{len(X)}][PIXELS] = {{\n{rows}}};")
    lines.append(f"static const uint8_t train_y[N_TRAIN] = {{{','.join(map(str, y_train))}}};\n")
    return "\n".join(lines)


def scaled(X: np.ndarray) -> np.ndarray:
    """Pixels as the device scales them."""
    return (X - np.float32(8)) / 8


class Device:
    """The program on the board."""

    def __init__(self, split: Samples, source: str, velocity: str, folder: Path, board: Board) -> None:
        self.split, self._velocity, self._board, self._folder, self._source = split, velocity, board, folder, source
        self._programs: dict[tuple[int, float], Program] = {}
        folder.mkdir(exist_ok=True)
        (folder / "digits.h").write_text(header(split))

    def built(self, settings: Settings) -> Program:
        """The program, with memory of the size that a first one says it needs."""
        shape = (settings.hidden, settings.epsilon)
        if shape not in self._programs:
            asked = run(self._build(8), settings.packed())
            self._programs[shape] = self._build(int(np.frombuffer(asked.data, "<i4", 1)[0]))
        return self._programs[shape]

    def _build(self, memory: int) -> Program:
        flags = (f"-I{RUNTIME}", f"-DMEMORY={(memory + 7) // 8 * 8}", f"-DVELOCITY={VELOCITY[self._velocity]}")
        return build({"main.c": HERE / self._source}, self._board, self._folder, ram=RAM, flags=flags)

    def train(self, settings: Settings) -> dict[str, object]:
        """Accuracy on the split's test samples, RAM, instructions."""
        program = self.built(settings)
        output = run(program, settings.packed(), seconds=900)
        if output.code == DIVERGED:
            return {"accuracy": 0.0}
        if output.code:
            raise RuntimeError(f"exit code {output.code}: {output.printed}")
        kind = np.dtype([("train", "<u4"), ("evolve", "<u4"), ("replaced", "<i4"), ("loss", "<f4")])
        epochs = np.frombuffer(output.data, kind, settings.epochs, 4)
        X_train, X_test, _, y_test = self.split
        labels = np.frombuffer(output.data, np.uint8, len(X_test), 4 + epochs.nbytes)
        stack, space = np.frombuffer(output.data[-8:], "<u4").tolist()
        blob = output.data[4 + epochs.nbytes + labels.nbytes : -8]
        if blob:  # what the device has learned, in Python
            (self._folder / "learned.tsb").write_bytes(blob)
            loaded = ts.load(self._folder / "learned.tsb").predict(scaled(X_test))
            assert np.array_equal(loaded, labels), (
                f"{np.sum(loaded != labels)} predictions of the loaded network differ"
            )
        assert self._board is HOST or program.ram + space == RAM
        return {
            "accuracy": float(np.mean(labels == y_test)),
            "loss": float(epochs["loss"][-1]) / len(X_train),
            "replaced": int(epochs["replaced"].sum()),
            "variables": program.ram,
            "stack": stack,
            "ram": program.ram + stack,
            "flash": program.flash,
            "step_instructions": float(epochs["train"].mean()) / len(X_train),
            "evolution_instructions": float(epochs["evolve"][:-1].mean()) if settings.epochs > 1 else 0.0,
            "instructions": int(epochs["train"].sum(dtype=np.int64) + epochs["evolve"].sum(dtype=np.int64)),
        }


def library(split: Samples, settings: Settings) -> float:
    """Accuracy of the library's own training with these settings."""
    X_train, X_test, y_train, y_test = split
    activation = ts.AllReLU(settings.slope) if settings.slope else "relu"
    sizes = (64, settings.hidden, settings.hidden, 10)
    net = ts.SparseMLP(sizes, epsilon=settings.epsilon, activation=activation, seed=settings.seed, threads=1)
    trainer = ts.Trainer(
        net,
        optimizer=ts.SGD(Falling(settings.rate, settings.last), momentum=settings.momentum),
        evolution=ts.SET(settings.zeta),
        batch_size=1,
        dropout=settings.dropout,
        seed=settings.seed,
    )
    trainer.fit(scaled(X_train), y_train, epochs=settings.epochs)
    return float(np.mean(net.predict(scaled(X_test)) == y_test))


def choose(split: Samples, source: str, folder: Path) -> None:
    """Settings by their mean accuracy over five seeds on 280 of the samples; 0 where training diverges."""
    X, _, y, _ = split
    inner = train_test_split(X, y, test_size=280, stratify=y, random_state=1)
    device, tried, rows = Device(inner, source, "float32", folder, HOST), TRIED[source], []
    for values in product(*tried.values()):
        settings = replace(CHOSEN, **dict(zip(tried, values, strict=True)))
        found = [device.train(replace(settings, seed=100 + seed))["accuracy"] for seed in range(5)]
        rows.append((float(np.mean(found)), float(np.std(found)), *values))
    rows.sort(reverse=True)
    table(f"{source} on 280 validation samples", ["accuracy", "deviation", *tried], rows)


def continued(folder: Path) -> dict[str, object]:
    """A network trained by Python on half of the samples, by the board on the other half, and loaded by Python."""
    X_train, X_test, y_train, y_test = samples()
    half, folder = len(X_train) // 2, folder / "continued"
    folder.mkdir()
    net = ts.SparseMLP((64, 100, 100, 10), epsilon=10, seed=0, threads=1)
    net.scaling = ts.data.Scaling("standard", np.full(64, 8.0), np.full(64, 1 / 8))
    ts.Trainer(net, optimizer=ts.SGD(0.05), evolution=ts.SET(), batch_size=16).fit(
        X_train[:half], y_train[:half], epochs=20
    )
    size = ts.export.c(net, folder / "net.c", training=True)
    (folder / "digits.h").write_text(header((X_train[half:], X_test, y_train[half:], y_test)))
    epochs, memory = 5, 8
    given = np.uint32(epochs).tobytes() + np.float32(0.001).tobytes()
    for _ in range(2):
        flags = (f"-DMEMORY={(memory + 7) // 8 * 8}", f"-DSAVED={2 * size.flash}")
        program = build({"main.c": HERE / "continue.c"}, M4F, folder, flags=flags)
        output = run(program, given, seconds=900)
        memory = int(np.frombuffer(output.data, "<i4", 1)[0])
    if output.code:
        raise RuntimeError(f"exit code {output.code}: {output.printed}")
    labels = np.frombuffer(output.data, np.uint8, len(X_test), 4)
    blob = output.data[8 + len(X_test) :]
    (folder / "back.tsb").write_bytes(blob)
    back = ts.load(folder / "back.tsb")
    said = back.predict(X_test)
    same = sum(set(zip(*_pairs(a), strict=True)) == set(zip(*_pairs(b), strict=True)) for a, b in _layers(net, back))
    return {
        "python_accuracy": float(np.mean(net.predict(X_test) == y_test)),
        "device_accuracy": float(np.mean(labels == y_test)),
        "loaded_accuracy": float(np.mean(said == y_test)),
        "same_predictions": int(np.sum(said == labels)),
        "predictions": len(labels),
        "layers_with_the_same_connections": same,
        "blob_bytes": len(blob),
        "memory": memory,
    }


def _layers(a: ts.SparseMLP, b: ts.SparseMLP) -> zip:
    return zip(a.layers, b.layers, strict=True)


def _pairs(layer: object) -> tuple[list[int], list[int]]:
    """Outputs and inputs of a layer's connections."""
    rows = layer.connectivity.by_output
    return np.repeat(np.arange(len(rows.ptr) - 1), np.diff(rows.ptr)).tolist(), rows.index.tolist()


def mean(values: list[float]) -> str:
    """Mean and deviation as percentages."""
    return f"{np.mean(values):.2%} +- {np.std(values):.2%}"


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--choose", action="store_true", help="look for settings on validation samples, and stop")
    given = parser.parse_args()
    boards("M4F")
    with tempfile.TemporaryDirectory() as name:
        if given.choose:
            for source in TRIED:
                choose(samples(), source, Path(name) / source)
            return
        split, seeds, results = samples(), range(given.seeds), {"settings": vars(CHOSEN)}
        rows = []
        for title, source, velocity, settings in (
            ("sparse 64-100-100-10", "train.c", "float32", CHOSEN),
            ("sparse, momentum in bfloat16", "train.c", "bfloat16", CHOSEN),
            *(
                (f"dense 64-{w}-{w}-10", "dense.c", "float32", replace(CHOSEN, hidden=w, rate=0.004, dropout=0.0))
                for w in (30, 40, 50)
            ),
        ):
            device = Device(split, source, velocity, Path(name) / f"device{len(rows)}", M4F)
            found = [device.train(replace(settings, seed=seed)) for seed in seeds]
            results[title] = found
            worst = max(found, key=lambda each: each["ram"])
            rows.append(
                [
                    title,
                    mean([each["accuracy"] for each in found]),
                    worst["variables"],
                    worst["stack"],
                    worst["ram"],
                    int(np.mean([each["step_instructions"] for each in found])),
                    f"{np.mean([each['instructions'] for each in found]) / 1e9:.2f}",
                ]
            )
        results["library"] = [library(split, replace(CHOSEN, seed=seed)) for seed in seeds]
        rows.append(["library, settings of the first", mean(results["library"]), "", "", "", "", ""])
        table(
            f"Digits learned on a Cortex-M4F with {RAM:,} bytes of RAM: 400 held-out samples, {len(seeds)} seeds",
            ["", "accuracy", "variables", "stack", "RAM", "instructions a sample", "in all, 10^9"],
            rows,
        )
        results["continued"] = continued(Path(name))
        table(
            "Trained by Python, continued on the board, loaded by Python", ["", ""], list(results["continued"].items())
        )
    keep("export_digits_on_device", 1, results)


if __name__ == "__main__":
    main()
