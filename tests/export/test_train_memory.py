"""The count of a training's memory, against the one of the C runtime."""

from __future__ import annotations

import subprocess
from itertools import product

import pytest

import trulysparse as ts
from export.c_host import build
from trulysparse.export import DeviceNetwork
from trulysparse.export.train_memory import train_memory

SIZES = [(64, 100, 100, 10), (3, 1, 5), (7, 2), (300, 33, 1)]
CASES = list(product(SIZES, (None, "bfloat16", "float32"), (1, 5), (False, True)))
CODES = {None: "TS_NO_VELOCITY", "bfloat16": "TS_BFLOAT16", "float32": "TS_FLOAT32"}


def program() -> str:
    """C that prints what ts_train_memory says of all cases, drawn with epsilon 3."""
    lines = []
    for sizes, velocity, batch, target in CASES:
        listed = ", ".join(f"{size}u" for size in sizes)
        lines.append(
            f"{{ static const uint32_t sizes[] = {{{listed}}}; c = ts_train_defaults(); c.sizes = sizes; "
            f"c.n_sizes = {len(sizes)}u; c.epsilon = 3.0f; c.velocity = {CODES[velocity]}; "
            f"c.momentum = {0.9 if velocity else 0.0}f; c.batch = {batch}u; c.target_network = {int(target)}u; "
            'printf("%ld\\n", (long)ts_train_memory(&c)); }'
        )
    body = "\n    ".join(lines)
    return f'#include <stdio.h>\n#include "ts_train.h"\nint main(void) {{\n    ts_train_config c;\n    {body}\n    return 0;\n}}\n'


def expected(address_bytes: int) -> list[int]:
    networks = {sizes: DeviceNetwork.of(ts.SparseMLP(sizes, epsilon=3, seed=0, threads=1)) for sizes in SIZES}
    return [
        train_memory(
            networks[sizes], velocity=velocity, batch=batch, target_network=target, address_bytes=address_bytes
        )
        for sizes, velocity, batch, target in CASES
    ]


def test_it_is_what_the_runtime_asks_for(tmp_path):
    made = build(tmp_path, {"main.c": program()}, ["-O0"], sanitize=False)
    assert [int(line) for line in made.run().split()] == expected(8)


@pytest.mark.slow
def test_it_is_what_the_runtime_asks_for_with_addresses_of_32_bits(tmp_path):
    (tmp_path / "none.c").write_text("int main(void) { return 0; }\n")
    try:
        subprocess.run(["cc", "-m32", "none.c", "-o", "none"], cwd=tmp_path, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("cc makes no programs of 32 bits here (Debian: gcc-multilib)")
    made = build(tmp_path, {"main.c": program()}, ["-O0", "-m32"], sanitize=False)
    assert [int(line) for line in made.run().split()] == expected(4)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"velocity": "float16"}, "velocity must be one of float32, bfloat16, not 'float16'"),
        ({"batch": 0}, "batch must be between 1 and 65536, not 0"),
        ({"target_network": 1}, "target_network must be True or False"),
        ({"address_bytes": 6}, "address_bytes must be one of 4, 8"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    network = DeviceNetwork.of(ts.SparseMLP((3, 2), epsilon=1, threads=1))
    with pytest.raises(ts.InputError, match=message):
        train_memory(network, **options)
