"""A C file gives what the library gives: compiled on this machine, with sanitizers, many networks in one program."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from export.c_host import Exported, build, compiler, library, run_networks
from export.random_networks import draw
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.rl.policy import Policy

_POINTER, _SIZE = ctypes.c_void_p, ctypes.c_size_t


def network(sizes: tuple[int, ...] = (30, 40, 20, 4), **changes: Any) -> ts.SparseMLP:
    """A network with biases, of signals of about 1."""
    seed = changes.pop("seed", 0)
    scaled, targets = changes.pop("scaled", None), changes.pop("targets", False)
    net, rng = ts.SparseMLP(sizes, **{"epsilon": 4, "seed": seed} | changes), np.random.default_rng(seed)
    for layer in net.layers:
        layer.bias[:] = rng.standard_normal(layer.bias.size)
    if net.skip:
        net.layers[-1].values[:] = rng.standard_normal(net.layers[-1].values.size)
    if scaled is not None:
        net.scaling = Scaling("standard", scaled * rng.standard_normal(sizes[0]), rng.uniform(0.5, 1.5, sizes[0]))
    if targets:
        net.target_scaling = Scaling("standard", rng.standard_normal(sizes[-1]), rng.uniform(0.5, 2, sizes[-1]))
    return net


def wide_rows() -> ts.SparseMLP:
    """Rows of 0, 1, 255, 256 and 300 connections among 70,000 inputs, with gaps of all sizes."""
    rng = np.random.default_rng(3)
    first = sp.lil_array((5, 70_000))
    for row, count in enumerate((0, 1, 255, 256, 300)):
        first[row, np.sort(rng.choice(70_000, count, replace=False))] = rng.standard_normal(count)
    second = np.array([[0.5, 0, 0, 0, 1.5], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]], np.float32)
    return ts.SparseMLP.from_matrices([first.tocsr(), second], [np.arange(5), np.ones(3)], activation="silu")


FORMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "plain": (network(), {}),
    "two_bytes": (network(seed=1, scaled=0.5), {"index": "u16"}),
    "steps": (network(seed=2, scaled=0.5), {"index": "delta8", "scaling": "folded"}),
    "kept": (network(seed=3, scaled=0.5, activation="relu"), {"scaling": "kept"}),
    "far": (network(seed=4, scaled=900.0, activation=ts.LeakyReLU(0.3)), {}),
    "skipping": (network(seed=5, skip=True, scaled=0.5, output="sigmoid"), {}),
    "skipping_kept": (network(seed=6, skip=True, scaled=0.5), {"scaling": "kept", "index": "u16"}),
    "regression": (network(seed=7, output="identity", targets=True, activation="tanh"), {}),
    "of_sigmoid": (network(seed=8, output="sigmoid", targets=True, activation="sigmoid"), {}),
    "one_layer": (network((30, 5), seed=9, scaled=900.0), {"scaling": "kept"}),
    "one_output": (network((30, 9, 1), seed=10, output="sigmoid", activation="gelu"), {}),
    "one_class": (network((30, 9, 1), seed=11), {}),
    "narrow": (network((1, 1, 1), seed=12, output="identity"), {}),
    "doubles": (network(seed=13, dtype="float64", bias=False), {}),
    "wide": (wide_rows(), {}),
}


def expected(model: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores and predictions by the library, before softmax and sigmoid or in the unit of the targets."""
    z = model.decision_function(X) if model.target_scaling is None else model.predict(X)
    if z.shape[1] == 1 and model.output != "softmax":
        return z, (z[:, 0] > 0).astype(int)
    return z, z.argmax(axis=1)


def close(given: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(given - wanted).max() <= 1e-5 * max(1.0, float(np.abs(wanted).max())))


def test_files_give_what_the_library_gives(tmp_path: Path, rng: np.random.Generator) -> None:
    exported, samples = [], []
    for name, (model, arguments) in FORMS.items():
        ts.export.c(model, tmp_path / f"{name}.c", name=name, **arguments)
        exported.append(Exported(tmp_path / f"{name}.c", name, model.layer_sizes[0], model.layer_sizes[-1]))
        X = rng.standard_normal((6, model.layer_sizes[0])).astype(np.float32)
        samples.append(X if name != "far" else (X * 10 + model.scaling.offset).astype(np.float32))
    policies = [
        Policy(network(seed=20, output="identity"), head="tanh", n_actions=2, low=[-3, 0], high=[3, 1]),
        Policy(network(seed=21, output="identity", scaled=1.0), head="identity", n_actions=3),
        Policy(network(seed=22, output="identity"), head="argmax", n_actions=3),
    ]
    for number, policy in enumerate(policies):
        ts.export.c(policy, path := tmp_path / f"policy{number}.c", name=f"policy{number}")
        n_actions = 0 if policy.head == "argmax" else policy.n_actions
        exported.append(Exported(path, f"policy{number}", 30, policy.n_actions, n_actions))
        samples.append(rng.standard_normal((6, 30)).astype(np.float32))
    answers = run_networks(tmp_path, exported, samples, ["-O0"])  # soon compiled
    for (name, (model, _)), answer, X in zip(FORMS.items(), answers, samples, strict=False):
        z, predictions = expected(model, X)
        assert close(answer.scores, z), name
        assert (answer.predictions == predictions).all(), name
    for policy, answer, X in zip(policies, answers[len(FORMS) :], samples[len(FORMS) :], strict=True):
        assert close(answer.scores, policy.outputs(X)[:, : policy.n_actions])
        actions = policy.predict(X)[0]
        if policy.head == "argmax":
            assert (answer.predictions == actions).all()
        else:
            assert close(answer.actions, actions)


def test_probabilities_and_labels(tmp_path: Path, rng: np.random.Generator) -> None:
    classes, several = network(seed=1), network(seed=2, output="sigmoid")
    classes.labels = np.array(["a", 'the "b"', "ç */", "%d"])
    ts.export.c(classes, tmp_path / "one.h", name="one", probabilities=True)
    X = rng.standard_normal((5, 30)).astype(np.float32) * 30
    ts.export.c(several, tmp_path / "two.h", name="two", probabilities=True, index="u16")  # all in one program
    ts.export.c(several, tmp_path / "three.h", "int8", name="three", calibrate=X)
    main = """#include <stdio.h>
#include "one.h"
#include "two.h"
#include "three.h"
int main(void) {
    static const char *const labels[ONE_OUTPUTS] = ONE_LABELS;
    float x[ONE_INPUTS], p[ONE_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        one_probabilities(x, p);
        fwrite(p, sizeof p, 1, stdout);
        two_probabilities(x, p);
        fwrite(p, sizeof p, 1, stdout);
    }
    fprintf(stderr, "%d%d", one_predict(x), two_predict(x) + three_predict(x) >= 0);
    for (int i = 0; i < ONE_OUTPUTS; i++) fputs(labels[i], stdout);
    return 0;
}
"""
    program = build(tmp_path, {"main.c": main})
    said = program.run(X)
    p = np.frombuffer(said[: 5 * 2 * 4 * 4], np.float32).reshape(5, 2, 4)
    assert np.abs(p[:, 0] - classes.predict_proba(X)).max() < 1e-5
    assert np.abs(p[:, 1] - several.predict_proba(X)).max() < 1e-5
    assert said[5 * 2 * 4 * 4 :].decode() == "".join(classes.labels)


@pytest.mark.parametrize("weights", ["float32", "int8"])
def test_large_networks_have_a_data_file(weights: str, tmp_path: Path, rng: np.random.Generator) -> None:
    net, samples = network(scaled=0.5, skip=True), rng.standard_normal((20, 30))
    form = {"weights": weights, "calibrate": samples if weights == "int8" else None, "scaling": "kept"}
    size = ts.export.c(net, tmp_path / "net.c", data="file", **form)
    assert [path.name for path in size.files] == ["net.c", "net.bin", "net.h"]
    lib, data = library(tmp_path, [tmp_path / "net.c"]), np.fromfile(tmp_path / "net.bin", np.uint8)
    assert len(data) == size.flash
    held = np.zeros(len(data) + 8, np.uint8)
    held[4 : 4 + len(data)] = data

    def attach(shift: int = 4, length: int = len(data)) -> int:
        return int(lib.net_attach(held[shift:].ctypes.data_as(_POINTER), _SIZE(length)))

    assert attach() == 0
    X, z = rng.standard_normal(30).astype(np.float32), np.empty(4, np.float32)
    lib.net_scores(X.ctypes.data_as(_POINTER), z.ctypes.data_as(_POINTER))
    ts.export.c(net, tmp_path / "same.c", name="same", **form)
    inline = np.empty(4, np.float32)
    library(tmp_path, [tmp_path / "same.c"], name="same").same_scores(
        *(a.ctypes.data_as(_POINTER) for a in (X, inline))
    )
    assert (z == inline).all()
    assert (attach(5), attach(4, 8), attach(4, len(data) + 1)) == (1, 2, 3)
    held[4 + len(data) // 2] ^= 1
    assert attach() == 4
    held[4 + len(data) // 2] ^= 1
    held[4] ^= 1
    assert attach() == 2
    header = build(tmp_path, {"main.c": '#include "net.h"\nint main(void) { return NET_INPUTS != 30; }\n'})
    assert header.run() == b""


def test_nothing_is_written_where_arguments_are_wrong(tmp_path: Path, rng: np.random.Generator) -> None:
    net, X = network(), rng.standard_normal((4, 30))
    (tmp_path / "folder.c").mkdir()
    for message, arguments in {
        "path must end in .c or .h": {"path": tmp_path / "net.txt"},
        "path must be a file": {"path": tmp_path / "folder.c"},
        "path must lie in a directory that exists": {"path": tmp_path / "no" / "net.c"},
        "path must be a path, not int": {"path": 3},
        "name must be a C identifier": {"name": "1net"},
        "weights must be one of float32, int8": {"weights": "int4"},
        "index must be one of auto, u16, delta8": {"index": "u8"},
        "data must be one of auto, inline, file": {"data": "elsewhere"},
        "calibrate must be samples for weights='int8'": {"weights": "int8"},
        "calibrate is for weights='int8'": {"calibrate": X},
        "scaling must be one of": {"scaling": "both"},
        "scaling='folded' is for weights='float32'": {"weights": "int8", "calibrate": X, "scaling": "folded"},
        "probabilities must be True or False": {"probabilities": "yes"},
        "probabilities is for weights='float32'": {"weights": "int8", "calibrate": X, "probabilities": True},
        "probabilities is for networks with output='softmax'": {
            "model": network(output="identity"),
            "probabilities": True,
        },
        "model must be": {"model": "net"},
        "index='u16' holds 65,536 inputs": {"model": wide_rows(), "index": "u16"},
        "features": {"weights": "int8", "calibrate": X[:, :5]},
    }.items():
        with pytest.raises(InputError, match=message.replace(".", r"\.")):
            ts.export.c(**{"model": net, "path": tmp_path / "net.c"} | arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.c"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["g++ -x c++", "clang", "cc -O3 -funsigned-char", "cc -Os -m32", "cc -O0"])
def test_other_compilers(command: str, tmp_path: Path) -> None:
    """Every form, without a warning."""
    if not compiler():
        pytest.skip("needs a C compiler")
    first, *flags = command.split()
    training = {"training": (network(), {"training": True})}
    for name, (model, arguments) in (FORMS | training).items():
        ts.export.c(model, path := tmp_path / f"{name}.c", name=name, **arguments)
        standard = [] if "c++" in flags else ["-std=c99", "-pedantic", "-Wdouble-promotion", "-Wconversion"]
        call = [first, *standard, "-Wall", "-Wextra", "-Werror", *flags, "-c", str(path), "-o", str(tmp_path / "o")]
        try:
            done = subprocess.run(call, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip(f"needs {first}")
        if "-m32" in flags and "bits/" in done.stderr:
            pytest.skip("needs the 32-bit headers of the C library")
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("index", ["auto", "u16", "delta8"])
def test_random_networks(index: str, tmp_path: Path) -> None:
    exported, samples, cases = [], [], []
    for seed in range(40):
        case = draw(seed)
        if index == "u16" and case.widest > 65_536:
            continue
        ts.export.c(case.model, path := tmp_path / f"n{seed}.c", index=index, name=f"n{seed}")
        n_outputs = DeviceNetwork.of(case.model).n_outputs
        exported.append(Exported(path, f"n{seed}", case.n_inputs, n_outputs, case.n_actions))
        samples.append(case.X)
        cases.append(case)
    for case, answer, X in zip(cases, run_networks(tmp_path, exported, samples), samples, strict=True):
        if case.policy:
            assert close(answer.scores, case.model.outputs(X)[:, : answer.scores.shape[1]]), case.words
        else:
            assert close(answer.scores, expected(case.model, X)[0]), case.words
