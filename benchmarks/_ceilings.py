"""The machine's limits (gather, copy, multiply-add), measured by a small C++ library that is compiled here."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AHEAD, TOGETHER = (0, 4, 8, 16, 32), (40, 1024)


class Ceilings:
    """Rates that `threads` threads reach, each measured by one short run."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        source = Path(__file__).parent / "probes" / "probes.cpp"
        with tempfile.TemporaryDirectory() as folder:
            library = str(Path(folder) / "probes.so")
            flags = ["-O3", "-march=native", "-std=gnu++20", "-pthread", "-shared", "-fPIC", "-Wno-psabi"]
            subprocess.run(["c++", *flags, str(source), "-o", library], check=True)
            self._probes = ctypes.CDLL(library)
        for name in ("copy_gbs", "fma_gflops", "gather_gbs"):
            getattr(self._probes, name).restype = ctypes.c_double
        self._probes.gather_make.restype = ctypes.c_void_p
        self._probes.gather_make.argtypes = [ctypes.c_int64] * 3
        self._probes.gather_gbs.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_int]
        self._probes.gather_free.argtypes = [ctypes.c_void_p]

    def copy_gbs(self) -> float:
        """GB per second that a stream copy reads and writes."""
        return float(self._probes.copy_gbs(self.threads))

    def fma_gflops(self) -> float:
        """Billions of multiplications and additions in registers per second."""
        return float(self._probes.fma_gflops(self.threads))

    @contextmanager
    def gather(self, rows: int, row: int) -> Iterator[Gather]:
        """A gather of random rows of `row` floats out of `rows` rows."""
        handle = self._probes.gather_make(rows, row, max(1 << 16, min(rows, 1 << 19)))
        try:
            yield Gather(self, handle)
        finally:
            self._probes.gather_free(handle)


class Gather:
    """The random gather, with the prefetch distance and length of sums that were fastest at the start."""

    def __init__(self, ceilings: Ceilings, handle: int) -> None:
        self._ceilings, self._handle = ceilings, handle
        ways = list(itertools.product(AHEAD, TOGETHER))
        self._way = max(ways, key=lambda way: max(self._rate(way) for _ in range(3)))

    def _rate(self, way: tuple[int, int]) -> float:
        return float(self._ceilings._probes.gather_gbs(self._handle, self._ceilings.threads, *way))

    def gbs(self) -> float:
        """GB of rows per second, the better of two runs."""
        return max(self._rate(self._way) for _ in range(2))
