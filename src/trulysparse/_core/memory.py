"""How much memory this process holds and can still get, and an error where that is not enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from trulysparse.errors import NotEnoughMemoryError

MARGIN = 64 << 20


def free_bytes(root: Path = Path("/")) -> int | None:
    """Memory this process can still get, as the system and its control groups say; None if unknown. root: where the
    file systems /proc and /sys are."""
    limits = []
    available = _numbers_in(root / "proc/meminfo").get("MemAvailable:")
    if available is not None:
        limits.append(available * 1024)
    limits += [left for folder, files in _control_groups(root) if (left := _left_in(folder, *files)) is not None]
    if not limits:
        try:
            limits.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        except (AttributeError, OSError, ValueError):
            return None
    return max(0, min(limits))


def resident_bytes(root: Path = Path("/")) -> int | None:
    """Memory this process holds now; None where the system does not say. root: where the file system /proc is."""
    try:
        pages = int((root / "proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


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
    """What a control group has left, or None where it sets no limit. Cached files count as used there, but the
    system takes back inactive ones when it needs memory."""
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
