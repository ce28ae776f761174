"""What a network will need, before anything is allocated, and what the machine has free."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from trulysparse import _kernels
from trulysparse.errors import NotEnoughMemoryError

# Per connection: input and output index, position of the weight, 4 bytes each; the weight by its type.
INDEX_BYTES = 12
# While a layer is drawn or evolved: the ranks (8 bytes), the fresh indices and the ordered copy.
BUILD_BYTES = 16
MARGIN = 64 << 20


def connection_count(n_in: int, n_out: int, epsilon: float) -> int:
    """Connections of an Erdős-Rényi layer: epsilon * (n_in + n_out), or all n_in * n_out if fewer."""
    return min(round(epsilon * (n_in + n_out)), n_in * n_out)


def network_bytes(layer_sizes: tuple[int, ...], counts: Sequence[int], itemsize: int = 4) -> int:
    """Peak bytes to build a network with so many connections a layer: all connections and biases, plus the scratch of
    the largest layer."""
    pointers = sum(8 * (a + b + 2) for a, b in pairwise(layer_sizes))
    biases = itemsize * sum(layer_sizes[1:])
    return sum(counts) * (INDEX_BYTES + itemsize) + pointers + biases + BUILD_BYTES * max(counts)


def training_bytes(layer_sizes: tuple[int, ...], n_connections: int, batch_size: int, slots: int, itemsize: int) -> int:
    """Bytes that training adds: the activations of one batch and `slots` values a parameter."""
    stride = int(_kernels.padded_batch(batch_size))
    return sum(layer_sizes) * stride * itemsize + (n_connections + sum(layer_sizes[1:])) * slots * itemsize


def free_bytes() -> int | None:
    """Memory this process can still get, by the system's and its control group's account; None if unknown."""
    found = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except OSError:
        pass
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            found.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError):
        pass
    if not found:
        try:
            found.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (AttributeError, OSError, ValueError):
            return None
    return max(0, min(found))


def human(n_bytes: float) -> str:
    """1536 -> '1.5 KiB'."""
    units = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    power = 0
    while n_bytes >= 1024 and power < len(units) - 1:
        n_bytes /= 1024
        power += 1
    return f"{n_bytes:.1f} {units[power]}" if power else f"{n_bytes:.0f} B"


def require(needed: int, what: str, advice: str) -> None:
    """Raises NotEnoughMemoryError where `needed` bytes (and a margin) are more than there is free."""
    free = free_bytes()
    if free is not None and needed + MARGIN > free:
        raise NotEnoughMemoryError(
            f"{what} needs about {human(needed)}, but only {human(free)} of memory is free; {advice}"
        )
