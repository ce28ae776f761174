"""The emulated boards: processor, memory, compiler and emulator of each."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache

ARM_PACKAGES = ("gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "qemu-system-arm")
RISCV_PACKAGES = ("gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf", "qemu-system-misc")

# An instruction takes 2^SHIFT nanoseconds of the emulator's clock, which start.c turns into instructions again.
SHIFT = 7


@dataclass(frozen=True)
class Board:
    """A processor as QEMU emulates it, and how programs for it are compiled.

    Args:
        name: key of `BOARDS`
        processor: for messages
        prefix: of the compiler and its tools
        flags: of the compiler, for this processor
        emulator: command of QEMU with the machine
        flash, ram: first address and bytes
        entry: first function
        packages: of Debian, in which compiler, C library and emulator come
    """

    name: str
    processor: str
    prefix: str
    flags: tuple[str, ...]
    emulator: tuple[str, ...]
    flash: tuple[int, int]
    ram: tuple[int, int]
    entry: str
    packages: tuple[str, ...]


def _cortex(name: str, processor: str, flags: str, machine: str, flash: int, ram: int) -> Board:
    emulator = ("qemu-system-arm", "-M", machine)
    cpu = (f"-mcpu={processor.lower()}", "-mthumb", *flags.split(), "--specs=nano.specs")
    return Board(
        name, processor, "arm-none-eabi-", cpu, emulator, (0, flash), (0x20000000, ram), "device_reset", ARM_PACKAGES
    )


_HARD = "-mfloat-abi=hard -mfpu="
_M = 1 << 20
BOARDS = {
    "M4F": _cortex("M4F", "Cortex-M4", _HARD + "fpv4-sp-d16", "mps2-an386", 4 * _M, 4 * _M),
    "M7": _cortex("M7", "Cortex-M7", _HARD + "fpv5-sp-d16", "mps2-an500", 4 * _M, 4 * _M),
    "M0": _cortex("M0", "Cortex-M0", "-mfloat-abi=soft -DBOARD_NRF51", "microbit", 256 << 10, 16 << 10),
    "RISC-V": Board(
        name="RISC-V",
        processor="RV32IMAFC",
        prefix="riscv64-unknown-elf-",
        flags=("-march=rv32imafc", "-mabi=ilp32f", "-Wa,-march=rv32imafc_zicsr", "--specs=picolibc.specs"),
        emulator=("qemu-system-riscv32", "-M", "virt", "-bios", "none"),
        flash=(0x80000000, 4 * _M),
        ram=(0x80400000, 4 * _M),
        entry="device_entry",
        packages=RISCV_PACKAGES,
    ),
}
# This machine, without emulation: device.h is host.c there.
HOST = Board("host", "processor of this machine", "", (), (), (0, 0), (0, 0), "main", ("gcc",))


@cache
def missing(board: Board) -> str | None:
    """What this machine lacks for a board, in a sentence that names Debian's packages; None: nothing."""
    tools = (board.prefix + "gcc", *board.emulator[:1])
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    if not lacking:
        command = (board.prefix + "gcc", *board.flags, "-E", "-x", "c", "-")
        found = subprocess.run(command, input="#include <math.h>", capture_output=True, text=True, check=False)
        lacking = [] if found.returncode == 0 else ["the C library's math.h"]
    if not lacking:
        return None
    install = " ".join(board.packages)
    return f"programs for the {board.processor} need {' and '.join(lacking)}: apt-get install {install}"
