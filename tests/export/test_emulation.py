"""Exported networks on emulated microcontrollers: answers, trained networks, instructions. They skip where the
compilers and emulators of Debian are not installed, and say which packages to install."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from export import emulation
from export.emulation import BOARDS, HOST, build, forward, frozen_scores, missing, object_sizes, run, train
from export.emulation import boards as boards_module
from trulysparse.export.calibration import calibrate
from trulysparse.export.int8_reference import Int8Reference
from trulysparse.export.quantize import quantize

FORMS = [(weights, index) for weights in ("float32", "int8") for index in ("u16", "delta8")]
SIZES = {"digits": ((64, 100, 100, 10), 10, 4_640), "fashion": ((784, 1000, 1000, 1000, 10), 20, 125_680)}


@pytest.fixture(params=BOARDS)
def board(request):
    """Each board in turn."""
    return emulated(request.param)


def emulated(name):
    """A board, or the reason why this machine has none."""
    lacking = missing(BOARDS[name])
    if lacking:
        pytest.skip(lacking)
    return BOARDS[name]


def network(name, activation="all_relu"):
    """An untrained network with biases, and samples for it."""
    sizes, epsilon, n_connections = SIZES[name]
    net = ts.SparseMLP(sizes, epsilon=epsilon, activation=activation, seed=0, threads=1)
    assert net.n_connections == n_connections
    rng = np.random.default_rng(1)
    for layer in net.layers:
        layer.bias[:] = rng.normal(0, 0.1, layer.bias.shape)
    return net, rng.standard_normal((200, sizes[0]), dtype=np.float32)


def exported(net, X, weights, index, folder, **options):
    """The files that export.c writes, and what it says of their size."""
    size = ts.export.c(
        net, folder / "net.c", weights=weights, index=index, calibrate=X if weights == "int8" else None, **options
    )
    return sorted(folder.iterdir()), size


def int8_scores(net, X, samples):
    """The NumPy reference's answers to samples."""
    device = ts.export.DeviceNetwork.of(net)
    return Int8Reference(quantize(device, calibrate(device, X))).scores(samples)


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(boards_module.shutil, "which", lambda tool: None)
    missing.cache_clear()
    said = missing(BOARDS["M4F"])
    missing.cache_clear()
    assert said == (
        "programs for the Cortex-M4 need arm-none-eabi-gcc and qemu-system-arm: apt-get install gcc-arm-none-eabi "
        "libnewlib-arm-none-eabi qemu-system-arm"
    )


COUNTS = """
#include "device.h"
__attribute__((noinline)) static void three(void) { __asm__ volatile("nop\\n nop\\n nop"); }
__attribute__((noinline)) static void loop(uint32_t n) { for (; n; n--) __asm__ volatile(""); }
static uint8_t first[100];
int main(void) {
  uint32_t count[3];
  device_read(first, sizeof first);
  COUNT_START();
  count[0] = COUNT_STOP();
  COUNT_START();
  three();
  count[1] = COUNT_STOP();
  COUNT_START();
  loop(1000000);
  count[2] = COUNT_STOP();
  device_write(count, sizeof count);
  device_write(first, sizeof first);
  device_print_number(-2147483647 - 1);
  return 42;
}
"""


@pytest.mark.slow
def test_programs_read_write_count_and_end(board, tmp_path):
    program = build({"main.c": COUNTS}, board, tmp_path)
    given = bytes(range(100))
    output = run(program, given)
    assert (output.code, output.printed, output.data[12:]) == (42, "-2147483648", given)
    nothing, three, loop = np.frombuffer(output.data, np.uint32, 3).tolist()
    assert nothing == 0
    assert three == 3 + 2  # the call and the return
    assert loop // 1_000_000 in {2, 3}  # a subtraction and a jump; a comparison
    assert run(program, given).data == output.data
    assert run(program, given[:50]).code == 101  # the input ended


@pytest.mark.slow
def test_programs_that_do_not_fit_or_end(board, tmp_path):
    full = '#include "device.h"\nstatic uint8_t all[8000];\nint main(void) { device_read(all, 1); return all[0]; }\n'
    with pytest.raises(emulation.BuildError, match=r"RAM|stack"):
        build({"main.c": full}, board, tmp_path, ram=8192)
    deep = """
#include "device.h"
int down(int n);
int down(int n) { volatile int a[4]; a[n % 4] = n; return n ? down(n - 1) + a[n % 4] : 0; }
static uint8_t other[4000];
int main(void) { other[0] = 1; return down(DEPTH) < 0 || other[0] == 2; }
"""
    program = build({"main.c": deep}, board, tmp_path, "-O0", ram=8192, flags=("-DDEPTH=30",))
    assert run(program).code == 0
    program = build({"main.c": deep}, board, tmp_path, "-O0", ram=8192, flags=("-DDEPTH=130",))
    assert run(program).code != 0  # the stack met the variables
    endless = '#include "device.h"\nint main(void) { for (volatile int i = 0;; i++) { } }\n'
    with pytest.raises(TimeoutError, match="more than 1 s"):
        run(build({"main.c": endless}, board, tmp_path), seconds=1)


@pytest.mark.slow
@pytest.mark.parametrize("weights, index", FORMS)
def test_small_network_answers_as_the_frozen_one(board, weights, index, tmp_path):
    net, X = network("digits")
    net.scaling = ts.data.Scaling("standard", X.mean(0, np.float64), 1 / X.std(0, np.float64))
    files, size = exported(net, X, weights, index, tmp_path)
    found = forward(files, board, tmp_path, X[:30], 10)
    if weights == "float32":
        np.testing.assert_allclose(found.scores, frozen_scores(net, X[:30]), rtol=0, atol=1e-5)
    else:
        np.testing.assert_array_equal(found.scores, int8_scores(net, X, X[:30]))
    np.testing.assert_array_equal(found.predictions, found.scores.argmax(axis=1))
    sections = object_sizes({"net.c": tmp_path / "net.c"}, board, tmp_path)
    assert sections["code"] <= 2_000
    assert sections["bss"] + sections["data"] == size.ram
    assert -8 <= sections["constants"] - size.flash <= 40, sections  # floats that code uses lie there too


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "silu", "relu", "identity"])
def test_activations_answer_as_on_the_host(board, activation, tmp_path):
    net, X = network("digits", activation)
    for weights in ("float32", "int8"):
        folder = tmp_path / weights
        folder.mkdir()
        files, _ = exported(net, X, weights, "auto", folder)
        found = forward(files, board, folder, X[:10], 10).scores
        if weights == "float32":
            np.testing.assert_allclose(found, frozen_scores(net, X[:10]), rtol=0, atol=1e-5)
        else:
            np.testing.assert_array_equal(found, int8_scores(net, X, X[:10]))


@pytest.mark.slow
@pytest.mark.parametrize("weights, index", FORMS)
@pytest.mark.parametrize("name", ["M4F", "RISC-V"])
def test_large_network_answers_as_the_frozen_one(name, weights, index, tmp_path):
    board, (net, X) = emulated(name), network("fashion")
    files, _ = exported(net, X, weights, index, tmp_path)
    found = forward(files, board, tmp_path, X[:5], 10)
    if weights == "float32":
        np.testing.assert_allclose(found.scores, frozen_scores(net, X[:5]), rtol=0, atol=1e-5)
    else:
        np.testing.assert_array_equal(found.scores, int8_scores(net, X, X[:5]))


@pytest.mark.slow
@pytest.mark.parametrize("weights, index", FORMS)
@pytest.mark.parametrize("name", SIZES)
def test_at_most_seven_instructions_a_connection(name, weights, index, tmp_path):
    """Of net_scores as a whole, entry to return, on a Cortex-M4F with -O2."""
    board, (net, X) = emulated("M4F"), network(name)
    files, _ = exported(net, X, weights, index, tmp_path)
    found = forward(files, board, tmp_path, X[:3], 10)
    assert found.instructions.max() <= 7.0 * net.n_connections
    again = forward(files, board, tmp_path, X[:3], 10)
    np.testing.assert_array_equal(again.instructions, found.instructions)


@pytest.mark.slow
def test_int8_fits_the_flash_that_was_promised(tmp_path):
    """Code, constants and initial values of the linked program but for those of one without the network."""
    board = emulated("M4F")
    for name, limit in (("digits", 11_000 + 2_000), ("fashion", 275_000)):
        folder = tmp_path / name
        folder.mkdir()
        net, X = network(name)
        files, _ = exported(net, X, "int8", "delta8", folder)
        sections = object_sizes({path.name: path for path in files}, board, folder)
        assert sections["code"] <= 2_000
        assert sum(sections.values()) - sections["bss"] <= limit


@pytest.mark.slow
@pytest.mark.parametrize("velocity, momentum", [(0, 0.0), (1, 0.9), (2, 0.9)])
@pytest.mark.parametrize("batch", [1, 4])
def test_training_leaves_the_same_bytes_as_on_the_host(board, velocity, momentum, batch, tmp_path):
    """Weights, momentum and connections, after steps with dropout and SET."""
    if lacking := missing(HOST):
        pytest.skip(lacking)
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    sizes, epsilon = ((64, 100, 100, 10), 10) if board.ram[1] > 20_000 else ((8, 12, 10), 4)
    net = ts.SparseMLP(sizes, epsilon=epsilon, seed=0, threads=1)
    X = np.random.default_rng(1).standard_normal((8, sizes[0]), dtype=np.float32)
    settings = dict(momentum=momentum, velocity=velocity, batch=batch, dropout=0.2, zeta=0.3)
    device = train(net, board, there, X, np.arange(8), 12, **settings)
    host = train(net, HOST, here, X, np.arange(8), 12, **settings)
    assert device.blob == host.blob
    np.testing.assert_array_equal(device.losses, host.losses)
    np.testing.assert_array_equal(device.predictions, host.predictions)
    (tmp_path / "left.tsb").write_bytes(device.blob)
    loaded = ts.load(tmp_path / "left.tsb")
    np.testing.assert_array_equal(loaded.predict(X), device.predictions)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["relu", "all_relu"])
@pytest.mark.parametrize("name", SIZES)
def test_at_most_fifteen_instructions_a_connection_more_in_training(name, activation, tmp_path):
    """Of what a step of training takes beyond its forward pass: loss, gradients of all sums, and the update of weights,
    momentum (float32) and biases, by one sample without zeros, on a Cortex-M4F with -O2. The whole step is counted too,
    so that it does not get longer unseen."""
    board, (net, X) = emulated("M4F"), network(name, activation)
    found = train(net, board, tmp_path, X[:4], np.arange(4), 4)
    assert (found.step[0] - found.forward) <= 15.0 * net.n_connections
    assert found.step.max() <= WHOLE_STEP[name, activation] * net.n_connections


WHOLE_STEP = {
    ("digits", "relu"): 16.0,
    ("digits", "all_relu"): 17.8,
    ("fashion", "relu"): 13.5,
    ("fashion", "all_relu"): 15.5,
}


@pytest.mark.slow
def test_training_is_the_librarys_own(tmp_path):
    """A step at batch 1 on the board and one of ts.Trainer."""
    board, (net, X) = emulated("M4F"), network("digits")
    found = train(net, board, tmp_path, X[:4], np.arange(4), 4, rate=0.01)
    trainer = ts.Trainer(net, optimizer=ts.SGD(0.01, momentum=0.9), batch_size=1)
    losses = [trainer.step(X[k : k + 1], np.array([k])) for k in range(4)]
    np.testing.assert_allclose(found.losses, losses, rtol=1e-5)
    (tmp_path / "left.tsb").write_bytes(found.blob)
    loaded = ts.load(tmp_path / "left.tsb")
    np.testing.assert_allclose(frozen_scores(loaded, X), frozen_scores(net, X), rtol=0, atol=1e-5)


@pytest.mark.slow
def test_digits_are_learned_within_64_kib(tmp_path, monkeypatch):
    """From nothing, with evolution, on samples held out; and what is sent from there predicts the same."""
    emulated("M4F")
    folder = Path(__file__).parents[2] / "benchmarks" / "export"
    if not folder.is_dir():
        pytest.skip("needs the benchmarks, which source distributions do not have")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    spec = importlib.util.spec_from_file_location("digits_on_device", folder / "digits_on_device.py")
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "digits_on_device", script)
    spec.loader.exec_module(script)
    device = script.Device(script.samples(), "train.c", "float32", tmp_path / "digits", script.M4F)
    found = device.train(script.CHOSEN)
    assert found["accuracy"] >= 0.975
    assert found["replaced"] > 5_000
    assert found["ram"] <= script.RAM - 4_096
