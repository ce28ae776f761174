"""What a network will need, before anything is allocated, and what the machine has free."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from trulysparse import _kernels
from trulysparse._core.arrays import HELD
from trulysparse.connectivity.tiled import n_tiles, tile_shift
from trulysparse.errors import NotEnoughMemoryError

if TYPE_CHECKING:
    from trulysparse.nn.layers.storage import Layout

# Per connection: input and output index, position of the weight, 4 bytes each; in tiles one place.
INDEX_BYTES, TILE_BYTES = 12, 4
# While a layer is drawn or evolved: the ranks (8 bytes), the fresh indices and the ordered copy.
BUILD_BYTES = 16
MARGIN = 64 << 20


def connection_count(n_in: int, n_out: int, epsilon: float) -> int:
    """Connections of an Erdős-Rényi layer: epsilon * (n_in + n_out), or all n_in * n_out if fewer."""
    return min(round(epsilon * (n_in + n_out)), n_in * n_out)


def bit_bytes(n: int, stride: int, compact: bool) -> int:
    """Bytes for a bit a value of n x stride: each row in whole bytes or, in compact networks, all in a row, in groups
    of sixteen."""
    return (n * stride + 15) // 16 * 2 if compact else n * int(_kernels.bit_stride(stride))


def network_parts(layer_sizes: Sequence[int], counts: Sequence[int], layout: Layout) -> dict[str, int]:
    """Bytes of a network with so many connections a layer, by part. 'scratch': while the largest layer is made."""
    item = HELD[layout.weights].itemsize
    pairs = list(zip(pairwise(layer_sizes), counts, strict=True))
    if layout.compact:
        index = sum(TILE_BYTES * count + 8 * n_tiles(a, b, tile_shift(a, b, count)) for (a, b), count in pairs)
    else:
        index = sum(INDEX_BYTES * count + 8 * (a + b + 2) for (a, b), count in pairs)
    return {
        "connectivity": index,
        "weights": item * sum(counts),
        "biases": item * sum(layer_sizes[1:]),
        "scratch": BUILD_BYTES * max(counts),
    }


def network_bytes(layer_sizes: Sequence[int], counts: Sequence[int], layout: Layout) -> int:
    """Peak bytes in memory to build a network: all connections and biases, plus the scratch of the largest layer. Of
    layers that live in files, the one at work."""
    parts = network_parts(layer_sizes, counts, layout)
    if layout.folder is not None:
        return parts["scratch"] + (TILE_BYTES + HELD[layout.weights].itemsize) * max(counts)
    return sum(parts.values())


def training_parts(
    layer_sizes: Sequence[int],
    n_connections: int,
    batch_size: int,
    slots: int,
    layout: Layout,
    *,
    state: str | None = None,
    every: int = 1,
) -> dict[str, int]:
    """Bytes that training adds, by part: the activations of one batch (of each every-th layer, and of those between
    two), their bits, and `slots` values of optimizer state a parameter, of type `state`, or float as the weights."""
    stride = int(_kernels.padded_batch(batch_size))
    item, last = HELD[layout.signals].itemsize, len(layer_sizes) - 1
    wide = 8 if layout.signals == "float64" else 4
    kept = [number % every == 0 or number == last for number in range(last + 1)]
    values = sum(
        n * stride * (wide if number in (0, last) else item) for number, n in enumerate(layer_sizes) if kept[number]
    )
    for turn in range(1, every):
        values += item * stride * max((layer_sizes[i] for i in range(turn, last, every)), default=0)
    size = HELD[state].itemsize if state else (8 if layout.weights == "float64" else 4)
    return {
        "activations": values,
        "activation bits": sum(bit_bytes(n, stride, layout.compact) for n in layer_sizes[1:-1]),
        "optimizer state": (n_connections + sum(layer_sizes[1:])) * slots * size,
    }


def training_bytes(
    layer_sizes: Sequence[int],
    n_connections: int,
    batch_size: int,
    slots: int,
    layout: Layout,
    *,
    state: str | None = None,
    every: int = 1,
) -> int:
    """Bytes in memory that training adds. The state of layers that live in files is there too."""
    parts = training_parts(layer_sizes, n_connections, batch_size, slots, layout, state=state, every=every)
    if layout.folder is not None:
        del parts["optimizer state"]
    return sum(parts.values())


def free_bytes(root: Path = Path("/")) -> int | None:
    """Memory this process can still get, by the system's and its control groups' account; None if unknown. root: where
    the file systems /proc and /sys are."""
    found = []
    available = _numbers_in(root / "proc/meminfo").get("MemAvailable:")
    if available is not None:
        found.append(available * 1024)
    found += [left for folder, files in _control_groups(root) if (left := _left_in(folder, *files)) is not None]
    if not found:
        try:
            found.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (AttributeError, OSError, ValueError):
            return None
    return max(0, min(found))


# The files of a control group's limit and its use, in version 2 and version 1.
_V2, _V1 = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")


def _control_groups(root: Path) -> Iterator[tuple[Path, tuple[str, str]]]:
    """The control groups that this process is in, from its own to the outermost, each of which may set a limit. Within
    a container the names in /proc may be those outside, while /sys shows its own group at the top."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    names = {_V2: "/", _V1: "/"}
    for line in lines:
        _, controllers, name = line.split(":", 2) if line.count(":") >= 2 else ("", "-", "")
        if controllers == "":
            names[_V2] = name
        elif "memory" in controllers.split(","):
            names[_V1] = name
    for files, mount in ((_V2, root / "sys/fs/cgroup"), (_V1, root / "sys/fs/cgroup/memory")):
        parts = [part for part in names[files].split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            yield mount.joinpath(*parts[:depth]), files


def _left_in(group: Path, limit: str, use: str) -> int | None:
    """What a control group has left, or None where it sets no limit. Cached files count as used there, but those that
    are not at work the system takes back when it needs room."""
    try:
        most, used = (int((group / name).read_text()) for name in (limit, use))
    except (OSError, ValueError):  # not there, or "max"
        return None
    stat = _numbers_in(group / "memory.stat")
    cached = max(0, stat.get("file", 0) - stat.get("shmem", 0))
    return most - used + stat.get("total_inactive_file", stat.get("inactive_file", cached))


def _numbers_in(file: Path) -> dict[str, int]:
    """The numbers in a file of lines such as 'name number ...'; none where it cannot be read."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except (OSError, ValueError):
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}


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
