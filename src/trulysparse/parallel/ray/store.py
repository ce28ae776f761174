"""Small actors on the driver's node: they outlive the server and workers, which may be restarted."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from trulysparse._core.files import write_whole


class CheckpointStore:
    """Keeps the server's last state in a file in `folder`, for a server that is restarted, and those of workers that
    train alone in files of their own, for workers that are restarted and trainings that are resumed."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / "server.safetensors"

    def save_worker(self, path: str, state: bytes) -> None:
        """Replaces the state of a worker in the file `path`."""
        Path(path).parent.mkdir(exist_ok=True)
        write_whole(path, lambda temporary: temporary.write_bytes(state))

    def load_worker(self, path: str) -> bytes | None:
        """The state of a worker in the file `path`, or None."""
        return Path(path).read_bytes() if Path(path).exists() else None

    def save(self, state: bytes) -> None:
        """Replaces the state."""
        temporary = self._path.with_suffix(".part")
        temporary.write_bytes(state)
        temporary.replace(self._path)

    def load(self) -> bytes | None:
        """The last state, or None."""
        return self._path.read_bytes() if self._path.exists() else None

    def clear(self) -> None:
        """Removes the state, which must not be loaded in the next phase."""
        self._path.unlink(missing_ok=True)


class ProgressMailbox:
    """Collects the losses of the batches that workers have done, for the callbacks on the driver."""

    def __init__(self) -> None:
        self._losses: dict[int, list[float]] = defaultdict(list)

    def post(self, worker: int, losses: list[float]) -> None:
        """Adds the losses of batches that a worker has done."""
        self._losses[worker] += losses

    def collect(self) -> dict[int, list[float]]:
        """The losses since the last call, by worker."""
        losses, self._losses = dict(self._losses), defaultdict(list)
        return losses
