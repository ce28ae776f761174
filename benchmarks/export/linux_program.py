"""A static C program on Linux with the Fashion-MNIST network: memory and time of a sample, beside net.freeze().

    python benchmarks/export/linux_program.py [FILE.ts] [--data fashion_mnist.npz] [--seconds 5]

FILE.ts is a trained network (784-1000-1000-1000-10, 125,680 connections); without it an untrained one. The program is
main() of this file and what export.c wrote, nothing else; it gets samples through a pipe. Contenders take turns, in
each of which they predict samples one by one. Resident sets are the program's own figures (/proc/self/status): VmHWM,
the most it ever had, and of it RssAnon, what no file stands behind. Scores of the float32 programs are compared with
the frozen network's, labels of all with it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from _devices import fashion_network, frozen_scores, random_samples
from _run import keep

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.bench.timing import interleave

SAMPLES = 100  # in a call
COMPILED = {"-O2": ("-O2",), "-O3 -march=native": ("-O3", "-march=native")}

# Commands: 's' and a sample: its scores and label. 'm' and samples: keeps them. 't': predicts all it keeps. 'r':
# memory.
MAIN = """
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

void net_scores(const float *x, float *z);
int net_predict(const float *x);

static float kept[SAMPLES][INPUTS], z[OUTPUTS];

static int take(void *to, size_t bytes) {
  char *at = to;
  while (bytes) {
    const ssize_t got = read(0, at, bytes);
    if (got <= 0) return 0;
    at += got, bytes -= (size_t)got;
  }
  return 1;
}

static void give(const void *from, size_t bytes) {
  if (write(1, from, bytes) != (ssize_t)bytes) _exit(1);
}

int main(void) {
  char command;
  static char text[4096];
  while (take(&command, 1)) {
    int32_t label = 0;
    if (command == 's') {
      if (!take(kept[0], sizeof kept[0])) return 1;
      net_scores(kept[0], z);
      label = net_predict(kept[0]);
      give(z, sizeof z);
      give(&label, sizeof label);
    } else if (command == 'm') {
      if (!take(kept, sizeof kept)) return 1;
    } else if (command == 't') {
      for (int i = 0; i < SAMPLES; i++) label += net_predict(kept[i]);
      give(&label, sizeof label);
    } else if (command == 'r') {
      const int file = open("/proc/self/status", O_RDONLY);
      memset(text, 0, sizeof text);
      if (file < 0 || read(file, text, sizeof text) < 0) return 1;
      close(file);
      give(text, sizeof text);
    }
  }
  return 0;
}
"""


@dataclass(frozen=True)
class Form:
    """How a network is stored, and how it is compiled."""

    weights: str
    index: str
    optimise: str

    @property
    def name(self) -> str:
        return f"C {self.weights} {self.index} {self.optimise}"


class Program:
    """The program, running."""

    def __init__(self, net: ts.SparseMLP, form: Form, calibrate: np.ndarray, folder: Path) -> None:
        given = calibrate if form.weights == "int8" else None
        ts.export.c(net, folder / "net.c", weights=form.weights, index=form.index, calibrate=given)
        inputs, outputs = net.layer_sizes[0], net.layer_sizes[-1]
        sizes = (f"-DSAMPLES={SAMPLES}", f"-DINPUTS={inputs}", f"-DOUTPUTS={outputs}")
        (folder / "main.c").write_text(MAIN)
        self.path = folder / "program"
        files = sorted(map(str, folder.glob("*.c")))
        flags = (*COMPILED[form.optimise], *sizes, "-ffunction-sections", "-Wl,--gc-sections", "-I", str(folder))
        subprocess.run(("cc", *flags, "-static", "-s", *files, "-lm", "-o", str(self.path)), check=True)
        self.process = subprocess.Popen((str(self.path),), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
        self.outputs = outputs

    def ask(self, command: bytes, data: bytes, answer: int) -> bytes:
        self.process.stdin.write(command + data)
        self.process.stdin.flush()
        return self.process.stdout.read(answer)

    def answer(self, x: np.ndarray) -> tuple[np.ndarray, int]:
        """Scores and label of one sample."""
        said = self.ask(b"s", x.tobytes(), 4 * self.outputs + 4)
        return np.frombuffer(said, np.float32, self.outputs), int(np.frombuffer(said[-4:], np.int32)[0])

    def kibibytes(self) -> dict[str, int]:
        """VmHWM, VmRSS and RssAnon."""
        found = re.findall(rb"(VmHWM|VmRSS|RssAnon):\s+(\d+) kB", self.ask(b"r", b"", 4096))
        return {name.decode(): int(size) for name, size in found}


def samples(path: str, net: ts.SparseMLP) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Calibration samples, test samples and the labels of the latter where there is a data set."""
    if not path:
        return random_samples(net, 1000), random_samples(net, 1000), None
    with np.load(path) as data:
        X, y = data["X_test"].reshape(-1, net.layer_sizes[0]).astype(np.float32), data["y_test"]
        return data["X_train"][:1000].reshape(-1, net.layer_sizes[0]).astype(np.float32), X[:2000], y[:2000]


parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
parser.add_argument("model", nargs="?", default="")
parser.add_argument("--data", default="", help="fashion_mnist.npz, for real samples")
parser.add_argument("--seconds", type=float, default=5.0, help="time per contender")
given = parser.parse_args()
net = fashion_network(given.model)
calibrate, X, y = samples(given.data, net)
frozen = net.freeze()
reference = frozen_scores(net, X)
labels = reference.argmax(axis=1)
forms = [Form(w, i, o) for o in COMPILED for w in ("float32", "int8") for i in ("u16", "delta8")]
rows, contenders = [], {}
with tempfile.TemporaryDirectory() as name:
    for number, form in enumerate(forms):
        folder = Path(name) / str(number)
        folder.mkdir()
        program = Program(net, form, calibrate, folder)
        answers = [program.answer(x) for x in X]
        scores, said = np.array([z for z, _ in answers]), np.array([label for _, label in answers])
        difference = float(np.abs(scores - reference).max())
        assert form.weights == "int8" or difference < 1e-5 * max(1, np.abs(reference).max()), difference
        program.ask(b"m", np.ascontiguousarray(X[:SAMPLES]).tobytes(), 0)
        contenders[form.name] = lambda program=program: program.ask(b"t", b"", 4)
        row = {"contender": form.name, "program_bytes": program.path.stat().st_size, "largest_difference": difference}
        row["same_labels"] = float(np.mean(said == labels))
        row["accuracy"] = None if y is None else float(np.mean(said == y))
        rows.append((row, program))
    singles = [x[None] for x in X[:SAMPLES]]
    contenders["net.freeze()"] = lambda: [frozen.predict(x) for x in singles]
    timings = interleave(contenders, seconds=given.seconds)
    results = []
    for row, program in rows:
        results.append({**row, **program.kibibytes()})
        program.process.stdin.close()
        program.process.wait()
accuracy = None if y is None else float(np.mean(labels == y))
results.append({"contender": "net.freeze()", "same_labels": 1.0, "accuracy": accuracy})
for row, timing in zip(results, timings, strict=True):
    for key in ("median", "low", "high"):
        row[f"{key}_us"] = getattr(timing, key) * 1e6 / SAMPLES
    row["times_as_long_as_frozen"] = timing.over(timings[-1])
columns = ("contender", "median_us", "times_as_long_as_frozen", "VmHWM", "RssAnon", "program_bytes", "accuracy")
table(
    f"A sample of the Fashion-MNIST network, {net.n_connections} connections, one thread",
    ["", "us", "of freeze()", "VmHWM, KiB", "of it RssAnon", "program, bytes", "accuracy", "labels as freeze()"],
    [[row.get(key, "") for key in (*columns, "same_labels")] for row in results],
)
keep("export_linux_program", 1, results)
