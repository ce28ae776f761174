"""Building of programs for an emulated board, and running of them."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .boards import HOST, SHIFT, Board

HERE = Path(__file__).parent
STACK_LEAST = 512
# Signs are warned about everywhere else; -Wconversion is for the library's own files, which host builds check.
WARNINGS = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wdouble-promotion")
SECTIONS = ("-ffunction-sections", "-fdata-sections")


class BuildError(Exception):
    """The compiler's or the linker's message."""


@dataclass(frozen=True)
class Program:
    """A program for a board. Flash: text + data; RAM: data + bss, and the stack."""

    path: Path
    board: Board
    text: int
    data: int
    bss: int

    @property
    def flash(self) -> int:
        return self.text + self.data

    @property
    def ram(self) -> int:
        """Bytes without the stack."""
        return self.data + self.bss


@dataclass(frozen=True)
class Output:
    """What a program left: main's value, the text it printed and the bytes it wrote."""

    code: int
    printed: str
    data: bytes


def build(
    sources: Mapping[str, str | Path],
    board: Board,
    folder: Path,
    optimise: str = "-O2",
    *,
    ram: int | None = None,
    flags: Sequence[str] = (),
) -> Program:
    """Compiles and links `sources` with the start code.

    Args:
        sources: names and texts, or paths, of .c files to compile and of .h and .bin files that those include
        board: one of `BOARDS`
        folder: where texts and the program are written; it is searched for headers
        optimise: flags of optimisation, separated by blanks
        ram: bytes of RAM, the stack among them, when they are to be fewer than the board has
        flags: further flags of the compiler

    Raises:
        BuildError: does not compile, or does not fit
    """
    paths = _written(sources, folder)
    program = folder / f"{board.name}.elf"
    start, link = (HERE / "host.c", ()) if board is HOST else (HERE / "start.c", _linking(board, ram))
    files = map(str, (start, *paths))
    _compiler(board, *optimise.split(), *flags, *link, "-I", str(folder), *files, "-lm", "-o", str(program))
    return Program(program, board, **_sizes(board, program))


def object_sizes(
    sources: Mapping[str, str | Path], board: Board, folder: Path, optimise: str = "-O2", *, flags: Sequence[str] = ()
) -> dict[str, int]:
    """Bytes of code ("code"), constants ("constants"), "data" and "bss" of .c files, compiled and not linked."""
    total = dict.fromkeys(("code", "constants", "data", "bss"), 0)
    for path in _written(sources, folder):
        made = folder / f"{path.stem}.{board.name}.o"
        _compiler(board, *optimise.split(), *flags, "-I", str(folder), "-c", str(path), "-o", str(made))
        listed = subprocess.run(
            (board.prefix + "size", "-A", str(made)), capture_output=True, text=True, check=True
        ).stdout
        for name, size in re.findall(r"^\.(\S+)\s+(\d+)", listed, re.MULTILINE):
            kind = name.split(".")[0]
            for key, kinds in _KINDS.items():
                total[key] += int(size) * (kind in kinds)
    return total


_KINDS = {
    "code": ("text",),
    "constants": ("rodata", "srodata"),
    "data": ("data", "sdata"),
    "bss": ("bss", "sbss"),
}


def run(program: Program, data: bytes = b"", *, seconds: float = 60) -> Output:
    """Runs a program to its end.

    Args:
        program: from `build`
        data: what device_read reads
        seconds: of real time, after which it is stopped

    Raises:
        TimeoutError: it ran too long
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "input").write_bytes(data)
        command = (
            *program.board.emulator,
            *("-nographic", "-monitor", "none", "-serial", "none", "-icount", f"shift={SHIFT},sleep=off"),
            *("-semihosting-config", "enable=on,target=native", "-kernel", str(program.path.resolve())),
        )
        if program.board is HOST:
            command = (str(program.path.resolve()),)
        try:
            ended = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{program.path.name} ran for more than {seconds} s") from None
        written = Path(folder) / "output"
        return Output(
            ended.returncode, ended.stderr.decode(errors="replace"), written.read_bytes() if written.exists() else b""
        )


def _written(sources: Mapping[str, str | Path], folder: Path) -> list[Path]:
    """The .c files among `sources`, all of which lie in `folder` afterwards."""
    paths = []
    for name, content in sources.items():
        path = folder / name
        if isinstance(content, str):
            path.write_text(content)
        elif content.resolve() != path.resolve():
            path.write_bytes(content.read_bytes())
        if path.suffix == ".c":
            paths.append(path)
    return paths


def _linking(board: Board, ram: int | None) -> tuple[str, ...]:
    """Flags of the linker: where memory is, and that nothing unused is kept."""
    limits = {
        "FLASH_ORIGIN": board.flash[0],
        "FLASH_LENGTH": board.flash[1],
        "RAM_ORIGIN": board.ram[0],
        "RAM_LENGTH": board.ram[1] if ram is None else ram,
        "STACK_LEAST": STACK_LEAST,
    }
    places = (f"-Wl,--defsym={name}={number:#x}" for name, number in limits.items())
    script = str(HERE / "device.ld")
    return ("-nostartfiles", "-T", script, f"-Wl,-e,{board.entry}", "-Wl,--gc-sections", *places)


def _compiler(board: Board, *arguments: str) -> None:
    command = (board.prefix + "gcc", *board.flags, *WARNINGS, *SECTIONS, "-I", str(HERE), *arguments)
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        lines = (line[:300] for line in ended.stderr.splitlines()[:40])  # a line may hold a whole array
        raise BuildError("\n".join((" ".join(command), *lines)))


def _sizes(board: Board, program: Path) -> dict[str, int]:
    """text, data and bss in bytes."""
    listed = subprocess.run((board.prefix + "size", str(program)), capture_output=True, text=True, check=True).stdout
    return dict(zip(("text", "data", "bss"), map(int, listed.splitlines()[1].split()[:3]), strict=True))
