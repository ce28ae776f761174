"""One C file trains a network: the same scores at first, learning, and an error for what it cannot do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from export.c_host import build
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.rl.policy import Policy

_MAIN = """#include <stdio.h>
#include "first.h"
#include "second.c"

static uint64_t memory[2][4000];

int main(void) {
    float x[FIRST_INPUTS], z[FIRST_OUTPUTS];
    ts_train_config config = first_config();
    if (ts_train_save(NULL, x, sizeof x) != 0 || ts_train_save(&first_network, x, sizeof x) != 0) return 7;
    if (ts_train_send(NULL, NULL, NULL) != TS_BAD_ARGUMENT) return 8;
    const ptrdiff_t needed = first_init(memory[0], 8, &config);
    if (needed != ts_train_memory(&config) || needed > (ptrdiff_t)sizeof memory[0]) return 2;
    config.momentum = 0.9f;
    config.velocity = TS_FLOAT32;
    if (first_init(memory[0], sizeof memory[0], &config) != TS_OK) return 3;
    if (second_init(memory[1], sizeof memory[1], NULL) != TS_OK) return 4;
    if (fread(x, sizeof x, 1, stdin) != 1) return 5;
    first_scores(x, z);
    fwrite(z, sizeof z, 1, stdout);
    second_scores(x, z);
    fwrite(z, sizeof z, 1, stdout);
    const uint32_t label = (uint32_t)(first_predict(x) + 1) % FIRST_OUTPUTS;
    for (int i = 0; i < 50; i++)
        if (ts_train_class(&first_network, x, label, 0.05f) != TS_OK) return 6;
    return first_predict(x) != (int)label || second_predict(x) < 0;
}
"""


def test_one_file_learns(tmp_path: Path, rng: np.random.Generator) -> None:
    nets = [ts.SparseMLP((20, 30, 4), epsilon=3, seed=seed) for seed in (0, 1)]
    for net in nets:
        net.scaling = Scaling("standard", rng.standard_normal(20), rng.uniform(0.5, 2, 20))
    nets[0].labels = np.array(["a", "b", "c", "d"])
    sizes = [
        ts.export.c(nets[0], tmp_path / "first.h", training=True, name="first"),
        ts.export.c(nets[1], tmp_path / "second.c", training=True, name="second"),
    ]
    names = ("first.h", "second.c")
    (tmp_path / "main").mkdir()
    for name in names:
        (tmp_path / "main" / name).write_text((tmp_path / name).read_text())
    (tmp_path / "main" / "main.c").write_text(_MAIN)
    x = rng.standard_normal(20).astype(np.float32)
    said = np.frombuffer(build(tmp_path / "main", [tmp_path / "main" / "main.c"], ["-O0"]).run(x), np.float32)
    assert np.abs(said.reshape(2, 4) - np.concatenate([net.decision_function(x[None]) for net in nets])).max() < 1e-5
    for net, size in zip(nets, sizes, strict=True):
        assert size.flash == len(ts.export.blob_of(net))
        assert size.n_connections == net.n_connections
        assert size.ram == ts.export.train_memory(net, velocity=None)
    text = (tmp_path / "first.h").read_text()
    assert 'FIRST_LABELS {"a", "b", "c", "d"}' in text
    assert "#include <math.h>" not in text


_ONE_OUTPUT = """#include <stdio.h>
#include "softmax.h"
#include "sigmoid.h"

static uint64_t memory[2][200];

int main(void) {
    float x[3];
    int said[2];
    if (softmax_init(memory[0], sizeof memory[0], NULL) || sigmoid_init(memory[1], sizeof memory[1], NULL)) return 2;
    while (fread(x, sizeof x, 1, stdin) == 1) {
        said[0] = softmax_predict(x), said[1] = sigmoid_predict(x);
        fwrite(said, sizeof said, 1, stdout);
    }
    return 0;
}
"""


def test_one_output_predicts_what_the_library_does(tmp_path: Path, rng: np.random.Generator) -> None:
    X = rng.standard_normal((20, 3)).astype(np.float32)
    expected = []
    for output in ("softmax", "sigmoid"):
        net = ts.SparseMLP((3, 1), density=1.0, output=output)
        ts.export.c(net, tmp_path / f"{output}.h", training=True, name=output)
        expected.append(net.predict(X).ravel())
    said = np.frombuffer(build(tmp_path, {"main.c": _ONE_OUTPUT}, ["-O0"]).run(X), np.int32).reshape(-1, 2)
    assert said.T.tolist() == [each.tolist() for each in expected]
    assert set(said[:, 0]) == {0}
    assert set(said[:, 1]) == {0, 1}


def test_what_does_not_go_with_training(tmp_path: Path) -> None:
    net = ts.SparseMLP((5, 6, 3), epsilon=2, output="identity")
    for message, arguments in {
        "weights must be 'float32' with training=True": {"weights": "int8", "calibrate": np.ones((2, 5))},
        "index must be 'auto' with training=True": {"index": "delta8"},
        "scaling must be 'auto' with training=True": {"scaling": "kept"},
        "data must be 'auto' with training=True": {"data": "file"},
        "calibrate and probabilities cannot be combined": {"probabilities": True},
        "training must be True or False": {"training": 1},
        "not for one of head='tanh'": {"model": Policy(net, head="tanh", n_actions=3)},
        "n_actions=2 of 3 outputs": {"model": Policy(net, head="argmax", n_actions=2)},
    }.items():
        with pytest.raises(InputError, match=message):
            ts.export.c(**{"model": net, "path": tmp_path / "net.c", "training": True} | arguments)
    assert list(tmp_path.iterdir()) == []
    ts.export.c(Policy(net, head="argmax", n_actions=3), tmp_path / "net.c", training=True)
