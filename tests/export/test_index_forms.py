"""Every form gives the connections of the layer back, and 'auto' is the smaller one."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.errors import InputError
from trulysparse.export.device_network import DeviceLayer, DeviceNetwork
from trulysparse.export.index_forms import IndexedRows, index_rows, length_type


def layer_of(matrix: sp.spmatrix) -> DeviceLayer:
    return DeviceNetwork.of(ts.SparseMLP.from_matrices([matrix])).layers[0]


def random_layer(n_in: int, n_out: int, count: int, seed: int) -> DeviceLayer:
    rng = np.random.default_rng(seed)
    cells = rng.choice(n_in * n_out, count, replace=False)
    return layer_of(sp.csr_array((rng.standard_normal(count), (cells // n_in, cells % n_in)), shape=(n_out, n_in)))


def read(rows: IndexedRows, layer: DeviceLayer) -> sp.csr_array:
    """The layer as a device walks it, one entry at a time."""
    stream, found, at = rows.stream(layer.weight), [], 0
    for output, length in enumerate(rows.length.tolist()):
        place = 0
        for entry in range(at, at + length):
            if rows.form == "full":
                place = entry - at
            elif rows.form == "u16":
                place = int(rows.index[entry])
            else:
                place += int(rows.index[entry])
            if stream[entry]:
                found.append((output, place, stream[entry]))
        at += length
    assert at == rows.n_stored == len(stream)
    o, i, w = np.array(found).T if found else np.zeros((3, 0))
    return sp.csr_array((w, (o.astype(int), i.astype(int))), shape=(layer.n_out, layer.n_in))


@pytest.mark.parametrize("form", ["u16", "delta8", "auto"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 3), (300, 5, 40), (65536, 3, 50), (2000, 4, 5), (900, 2, 0)])
def test_connections_come_back(form: str, shape: tuple[int, int, int]) -> None:
    layer = random_layer(*shape, seed=sum(shape))
    rows = index_rows(layer, form)
    assert (
        read(rows, layer) != sp.csr_array((layer.weight, layer.index, layer.ptr), (layer.n_out, layer.n_in))
    ).nnz == 0
    assert rows.form == ("full" if layer.full else rows.form)
    assert rows.index is None or rows.index.dtype == {"u16": np.uint16, "delta8": np.uint8}[rows.form]


@pytest.mark.parametrize("gap", [0, 1, 254, 255, 256, 509, 510, 511, 765])
def test_steps_of_every_size(gap: int) -> None:
    row = np.zeros((2, 800), np.float32)
    row[0, [20, 20 + gap]] = 1
    row[1, gap] = 1  # the first step of a row is from 0
    layer = layer_of(row)
    rows = index_rows(layer, "delta8")
    assert (read(rows, layer).toarray() == row).all()
    assert rows.n_stored - layer.n_connections == 2 * (max(gap - 1, 0) // 255)


@pytest.mark.parametrize("weight_bytes", [1, 4])
def test_auto_takes_fewer_bytes(weight_bytes: int) -> None:
    forms = set()
    for count in (4, 10, 20, 30, 60, 400):
        layer = random_layer(3000, 4, count, seed=count)
        n_bytes = {}
        for form in ("u16", "delta8"):
            rows = index_rows(layer, form)
            n_bytes[form] = rows.n_stored * weight_bytes + rows.index.nbytes
        chosen = index_rows(layer, "auto", weight_bytes=weight_bytes).form
        assert n_bytes[chosen] == min(n_bytes.values())
        forms.add(chosen)
    assert forms == {"u16", "delta8"}


def test_layers_too_wide_for_two_bytes() -> None:
    layer = layer_of(sp.csr_array(([1.0, 2.0], ([0, 1], [65536, 3])), shape=(2, 65537)))
    with pytest.raises(InputError, match=r"index='u16' holds 65,536 inputs, but layers\[0\] has 65,537.*'delta8'"):
        index_rows(layer, "u16", name="layers[0]")
    assert index_rows(layer, "auto").form == "delta8"
    assert (read(index_rows(layer, "delta8"), layer).toarray()[0].nonzero()[0] == [65536]).all()
    with pytest.raises(InputError, match="index must be one of auto, u16, delta8"):
        index_rows(layer, "u32")


def test_lengths_have_one_type() -> None:
    def rows(most: int, index: bool = True) -> IndexedRows:
        return IndexedRows("u16", np.array([0, most]), np.zeros(most, np.uint16) if index else None, np.arange(most))

    assert length_type([rows(255), rows(3)]) == np.uint8
    assert length_type([rows(256)]) == np.uint16
    assert length_type([rows(65536), rows(1)]) == np.uint32
    assert length_type([rows(300, index=False)]) == np.uint8
