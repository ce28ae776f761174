"""Bytes of each form, against the files that are written and against counts by hand."""

from __future__ import annotations

import pytest

import trulysparse as ts
from export.emulation import BOARDS, missing, object_sizes
from trulysparse.export import DeviceNetwork
from trulysparse.export.form_bytes import FORMS, Bytes, bytes_of
from trulysparse.export.source import source_of

TRAINING = """#include "net.h"
extern uint64_t memory[8000];
int all_of_it(ts_train_config* c, const float* x, void* blob) {
    if (net_init(memory, sizeof memory, c) || ts_train_class(&net_network, x, 3, 0.1f)) return -1;
    if (ts_train_evolve(&net_network, 0.1f, TS_SET) < 0) return -1;
    return net_predict(x) + (int)ts_train_save(&net_network, blob, 9);
}
"""
BY_NAME = {form.name: form for form in FORMS}
INFERENCE = [form for form in FORMS if not form.training]


@pytest.fixture(scope="module")
def net() -> ts.SparseMLP:
    net = ts.SparseMLP((64, 100, 100, 10), epsilon=10, seed=0, threads=1)
    for layer in net.layers:
        layer.bias[:] = 0.5  # biases that are all 0 take nothing
    return net


def test_bytes_are_those_of_the_files(net, rng, tmp_path):
    source, network, X = source_of(net), DeviceNetwork.of(net), rng.random((20, 64))
    for form in INFERENCE:
        calibrate = X if form.weights == "int8" else None
        size = ts.export.c(net, tmp_path / "net.c", form.weights, form.index, calibrate)
        assert bytes_of(source, network, form) == Bytes(size.flash + form.code, size.ram), form
    blob = ts.export.save_blob(net, tmp_path / "net.blob")
    for form in FORMS[len(INFERENCE) :]:
        taken = bytes_of(source, network, form, batch=4)
        assert taken.flash == blob + form.code
        assert taken.ram == ts.export.train_memory(net, velocity=form.velocity, batch=4)


def test_bytes_are_those_counted_by_hand(net):
    """4 bytes a weight, 2 an index but in the last, full layer, 4 a bias, 1 a row's length; RAM: two hidden layers."""
    taken = bytes_of(source_of(net), DeviceNetwork.of(net), BY_NAME["float32, u16"])
    indexed = net.layers[0].n_connections + net.layers[1].n_connections
    assert net.layers[2].n_connections == 1000
    assert taken.flash - BY_NAME["float32, u16"].code == 4 * 4640 + 2 * indexed + 4 * 210 + 200
    assert taken.ram == 4 * 200
    small = bytes_of(source_of(net), DeviceNetwork.of(net), BY_NAME["int8, delta8"])
    assert 2 * indexed + 1000 < small.flash - BY_NAME["int8, delta8"].code < 11_000


def test_limits():
    assert Bytes(10, 10).within(Bytes(10, 10))
    assert Bytes(10, 10).within(Bytes(None, None))
    assert not Bytes(11, 1).within(Bytes(10, None))
    assert not Bytes(1, 11).within(Bytes(None, 10))


@pytest.mark.slow
def test_code_is_what_the_compiler_makes_of_it(net, rng, tmp_path):
    board = BOARDS["M4F"]
    if missing(board):
        pytest.skip(missing(board))
    for form in FORMS:
        path = tmp_path / ("net.h" if form.training else "net.c")
        calibrate = rng.random((20, 64)) if form.weights == "int8" else None
        if form.training:
            ts.export.c(net, path, training=True)
        else:
            ts.export.c(net, path, form.weights, form.index, calibrate)
        sources = {path.name: path.read_text()} | ({"main.c": TRAINING} if form.training else {})
        code = object_sizes(sources, board, tmp_path)["code"]
        assert 0.6 * form.code <= code <= form.code, (form.name, code)
