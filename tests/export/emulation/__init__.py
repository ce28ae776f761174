"""C programs on emulated microcontrollers: built by cross compilers, run by QEMU, measured exactly.

    program = build({"main.c": text, "net.c": path}, BOARDS["M4F"], folder)
    program.text, program.data, program.bss           # bytes
    output = run(program, samples.tobytes())
    output.code, output.printed, output.data          # main's value, what it printed, the bytes it wrote

A program includes device.h: device_read, device_write, COUNT_START, COUNT_STOP, device_stack_used.
"""

from .boards import BOARDS, HOST, Board, missing
from .forward import Forward, forward, frozen_scores
from .programs import BuildError, Output, Program, build, object_sizes, run
from .training import Training, train

__all__ = [
    "BOARDS",
    "HOST",
    "Board",
    "BuildError",
    "Forward",
    "Output",
    "Program",
    "Training",
    "build",
    "forward",
    "frozen_scores",
    "missing",
    "object_sizes",
    "run",
    "train",
]
