"""python -m export.emulation BOARD FILE.c ... (in tests/): builds, runs, prints sizes and what the program printed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import BOARDS, build, missing, run

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("board", choices=BOARDS)
parser.add_argument("files", nargs="+", type=Path)
parser.add_argument("--optimise", default="-O2", help="for example --optimise='-O3 -ffast-math'")
parser.add_argument("--flags", default="", help="further flags, for example --flags='-I folder -D NAME=1'")
parser.add_argument("--input", type=Path, help="the file that device_read reads")
parser.add_argument("--output", type=Path, help="where the bytes of device_write go")
parser.add_argument("--ram", type=int, help="bytes of RAM, the stack among them")
parser.add_argument("--seconds", type=float, default=60)
given = parser.parse_args()
lacking = missing(BOARDS[given.board])
if lacking:
    sys.exit(lacking)
with tempfile.TemporaryDirectory() as folder:
    sources = {path.name: path for path in given.files}
    program = build(
        sources, BOARDS[given.board], Path(folder), given.optimise, ram=given.ram, flags=given.flags.split()
    )
    print(f"text {program.text}, data {program.data}, bss {program.bss} bytes")
    output = run(program, given.input.read_bytes() if given.input else b"", seconds=given.seconds)
print(output.printed, end="")
if given.output:
    given.output.write_bytes(output.data)
print(f"exit code {output.code}")
sys.exit(output.code)
