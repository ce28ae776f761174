"""Networks in eight bits in C: the bits of the NumPy reference."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pytest

import trulysparse as ts
from export.c_host import build
from export.random_networks import draw
from trulysparse.export.c_int8 import int8_part
from trulysparse.export.c_text import array_text
from trulysparse.export.calibration import calibrate
from trulysparse.export.device_network import DeviceNetwork
from trulysparse.export.index_forms import index_rows
from trulysparse.export.int8_reference import Int8Reference
from trulysparse.export.quantize import quantize


@dataclass
class Made:
    """A network in C, and what it must say."""

    name: str
    part: object
    network: DeviceNetwork
    reference: Int8Reference
    X: np.ndarray
    words: str

    @property
    def has_actions(self):
        return self.network.head in ("tanh", "identity")


def made(seed, name):
    case = draw(seed)
    index = ("auto", "u16", "delta8")[seed % 3] if case.widest <= 65_536 else "auto"
    network = DeviceNetwork.of(case.model)
    reference = Int8Reference(quantize(network, calibrate(network, case.X)))
    rows = [index_rows(layer, index, weight_bytes=1) for layer in network.layers]
    X = np.concatenate([case.X, 30 * case.X, np.full_like(case.X[:1], np.inf)])
    X[-1, ::2] = np.nan
    return Made(name, int8_part(reference.quantized, rows, name), network, reference, X, f"{case.words} {index}")


# Each sample as floats, then as bytes: scores and predictions of both, actions where there are some.
CALLS = """
static void NAME_test(void) {
    static float x[N_IN], z[N_OUT];
    static int8_t q[N_IN];
    uint32_t n;
    if (fread(&n, sizeof n, 1, stdin) != 1) exit(3);
    for (; n; n--) {
        int labels[2];
        if (fread(x, sizeof x, 1, stdin) != 1 || fread(q, sizeof q, 1, stdin) != 1) exit(3);
        labels[0] = NAME_predict(x);
        labels[1] = NAME_predict_int8(q);
        fwrite(labels, sizeof labels, 1, stdout);
        NAME_scores(x, z);
        fwrite(z, sizeof z, 1, stdout);
        NAME_scores_int8(q, z);
        fwrite(z, sizeof z, 1, stdout);
        ACT
    }
}
"""
ACT = "NAME_act(x, z); fwrite(z, sizeof z, 1, stdout); NAME_act_int8(q, z); fwrite(z, sizeof z, 1, stdout);"


def source(nets, number):
    """A C file of networks with the same macros."""
    lines = ["#include <stdio.h>", "#include <stdlib.h>"]
    lines += [f"#define {each}" for each in nets[0].part.defines] + ['#include "ts_int8.h"']
    for net in nets:
        lines += [array_text(array) for array in net.part.arrays]
        lines += [f"{head};" for head in net.part.public] + [net.part.code]
        calls = CALLS.replace("ACT", ACT if net.has_actions else "").replace("NAME", net.name)
        lines.append(calls.replace("N_IN", str(net.network.n_inputs)).replace("N_OUT", str(net.network.n_outputs)))
    calls = "".join(f"{net.name}_test();" for net in nets)
    return "\n".join([*lines, f"void group{number}(void);", f"void group{number}(void) {{ {calls} }}", ""])


def differences(folder, nets, rng, flags, *, sanitize):
    """What is said of networks whose C answers otherwise than the reference."""
    groups = defaultdict(list)
    for net in nets:
        groups[net.part.defines].append(net)
    ordered = list(groups.values())
    sources = {f"group{number}.c": source(group, number) for number, group in enumerate(ordered)}
    numbers = range(len(ordered))
    main = "".join(f"void group{number}(void);" for number in numbers) + "int main(void) {"
    sources["main.c"] = main + "".join(f"group{number}();" for number in numbers) + "return 0; }\n"
    program = build(folder, sources, flags, sanitize=sanitize)
    given, order = [], [net for group in ordered for net in group]
    bytes_ = [rng.integers(-128, 128, net.X.shape).astype(np.int8) for net in order]
    for net, Q in zip(order, bytes_, strict=True):
        given.append(np.uint32(len(net.X)).tobytes())
        given += [x.tobytes() + q.tobytes() for x, q in zip(net.X, Q, strict=True)]
    out, at, found = program.run(b"".join(given)), 0, []
    for net, Q in zip(order, bytes_, strict=True):
        n_out = net.network.n_outputs
        fields = [("labels", "<i4", 2), ("z", "<f4", (2, n_out))]
        fields += [("actions", "<f4", (2, n_out))] * net.has_actions
        answers = np.frombuffer(out, np.dtype(fields), len(net.X), at)
        at += answers.nbytes
        z = np.stack([net.reference.scores(net.X), net.reference.scores_of(Q)], axis=1)
        labels = [net.reference.largest(each) for each in (z[:, 0], z[:, 1])]
        equal = np.array_equal(answers["z"].view("<u4"), z.view("<u4"))  # the sign of 0 too
        equal &= np.array_equal(answers["labels"], np.stack(labels, axis=1))
        if net.has_actions:
            equal &= np.array_equal(answers["actions"][:, 0], net.reference.act(net.X))
        if not equal:
            found.append(net.words)
    assert at == len(out)
    return found


def named(seeds):
    return [made(seed, f"net{seed}") for seed in seeds]


# Small ones, which compile fast; among them policies of each head, skip layers, each activation and form.
FAST = (0, 1, 2, 5, 9, 11, 22, 24, 29, 32, 33, 35)


def test_c_is_the_reference_bit_for_bit(tmp_path, rng):
    assert differences(tmp_path, named(FAST), rng, ["-O1"], sanitize=True) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ["-O0"],
        ["-O3", "-march=native", "-ffp-contract=fast"],
        ["-O2", "-funsigned-char"],
        ["-Os"],
    ],
)
def test_many_networks_and_compilers_flags(tmp_path, rng, flags):
    nets = named([seed for seed in range(220) if seed % 20 != 7 or seed == 27])
    assert differences(tmp_path, nets, rng, flags, sanitize=False) == []
    assert len(nets) > 200


def test_functions_and_sizes():
    network = DeviceNetwork.of(ts.SparseMLP((30, 20, 10, 3), epsilon=3, seed=0, threads=1))
    quantized = quantize(network, calibrate(network, np.eye(30)))
    part = int8_part(quantized, [index_rows(layer, weight_bytes=1) for layer in network.layers], "a")
    assert [head.split("(")[0].split()[-1] for head in part.public] == [
        *("a_scores", "a_predict", "a_scores_int8", "a_quantize", "a_predict_int8"),
    ]
    assert part.ram == 20 + 30 + 3 * 4
    names = {array.name: array.n_bytes for array in part.arrays}
    assert (names["a_offset"], names["a_factor"], names["a_bias0"], names["a_multiplier0"]) == (4, 4, 80, 40)
    assert "a_length2" not in names  # the last layer is full
