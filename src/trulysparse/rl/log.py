"""Figures of a training: progress.csv always, TensorBoard's files where tensorboardX is installed."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.rl.dormant import dormant_share

STEPS = "time/total_timesteps"
SECONDS = "time/time_elapsed"
EPISODES = "time/episodes"
# As in Stable-Baselines3, for TensorBoard these are no curves.
_NOT_CURVES = (EPISODES, SECONDS, STEPS)


class ProgressFile:
    """A table of figures, a line at a time. Columns may be added as it grows.

    Args:
        path: of the CSV file.
        n_before: steps of the run that goes on; lines after them are dropped, because those steps come again.

    Raises:
        InputError: where a run begins and the file has lines of another one.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = ProgressFile(Path(folder) / "progress.csv", 0)
        ...     file.write({"time/total_timesteps": 10, "rollout/ep_rew_mean": 1.5})
        ...     read_progress(Path(folder) / "progress.csv")
        [{'time/total_timesteps': 10.0, 'rollout/ep_rew_mean': 1.5}]
    """

    def __init__(self, path: Path, n_before: int) -> None:
        self.path = path
        rows = read_progress(path) if path.exists() else []
        if rows and n_before == 0:
            raise InputError(
                f"log must be a folder without the progress of another run: '{path}' has {len(rows)} lines"
            )
        self._rows = [row for row in rows if row.get(STEPS, 0) <= n_before]
        self._columns = list(dict.fromkeys(name for row in self._rows for name in row))

    def last(self, name: str) -> float:
        """The largest value of a figure that only grows, 0 where there is none.

        Args:
            name: its column.
        """
        return max((row.get(name, 0.0) for row in self._rows), default=0.0)

    def begin(self) -> None:
        """Writes what stays of the lines before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write_all()

    def write(self, figures: Mapping[str, float]) -> None:
        """Appends a line.

        Args:
            figures: by name.
        """
        self._rows.append(dict(figures))
        new = [name for name in figures if name not in self._columns]
        if new or not self.path.exists():
            self._columns += new
            self._write_all()
            return
        with self.path.open("a", newline="") as file:
            file.write(_line([_text(figures.get(name)) for name in self._columns]))

    def _write_all(self) -> None:
        lines = [_line(self._columns)] if self._columns else []
        lines += [_line([_text(row.get(name)) for name in self._columns]) for row in self._rows]
        write_whole(self.path, lambda temporary: temporary.write_text("".join(lines)), sync=False)


def read_progress(path: str | os.PathLike[str]) -> list[dict[str, float]]:
    """The lines of a progress.csv; a last one that was broken off is left out.

    Args:
        path: of the file.

    Returns:
        Of each line the figures that it has, by name.

    Raises:
        InputError: where the file is no table of numbers.
    """
    text = Path(path).read_text()
    whole = text[: text.rfind("\n") + 1]  # a line without an end was broken off
    lines = list(csv.reader(io.StringIO(whole)))
    if not lines:
        return []
    header = lines[0]
    try:
        return [
            {name: float(value) for name, value in zip(header, line, strict=True) if value != ""} for line in lines[1:]
        ]
    except ValueError:
        raise InputError(f"'{path}' is not a progress.csv: a line has other columns than its head") from None


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _text(value: float | None) -> str:
    """The shortest spelling of a number; whole numbers without a point."""
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))


class RunLog:
    """What a training writes down. Without a folder it only keeps what callbacks record.

    Args:
        agent: what learns.
        folder: for progress.csv and TensorBoard's files, or None.
        n_before: steps before this call of learn.

    Attributes:
        collector: the episodes of the training.
    """

    def __init__(self, agent: Any, folder: Path | None, n_before: int) -> None:
        self.agent = agent
        self.collector: Any = None
        self.folder = folder
        self._file = None if folder is None else ProgressFile(folder / "progress.csv", n_before)
        self._pending: dict[str, float] = {}
        self._n_before = n_before
        self._seconds_before = 0.0 if self._file is None else self._file.last(SECONDS)
        self._began = time.perf_counter()
        self._written_at = -1
        self._board: Any = None

    def begin(self) -> None:
        """Makes the folder and the files."""
        if self._file is not None and self.folder is not None:
            self._file.begin()
            self._board = _board(self.folder, self._n_before)
        self._began = time.perf_counter()  # loading TensorBoard is no part of the run

    def record(self, name: str, value: float) -> None:
        """Keeps a figure for the next line.

        Args:
            name: such as 'eval/mean_reward'.
            value: what it is.
        """
        self._pending[name] = float(value)

    def write(self) -> None:
        """Writes a line of all figures."""
        if self._file is None:
            self._pending.clear()
            return
        figures = {**self.figures(), **self._pending}
        self._pending.clear()
        step = self._written_at = self.agent.num_timesteps
        self._file.write(figures)
        if self._board is not None:
            for name, value in figures.items():
                if name not in _NOT_CURVES:
                    self._board.add_scalar(name, value, step)
            self._board.flush()

    def finish(self) -> None:
        """Writes the last line and closes the files."""
        if self._file is not None and (self._pending or self._written_at != self.agent.num_timesteps):
            self.write()
        if self._board is not None:
            self._board.close()
            self._board = None

    @property
    def episodes_before(self) -> int:
        """How many episodes the run that goes on has had."""
        return 0 if self._file is None else int(self._file.last(EPISODES))

    @property
    def seconds(self) -> float:
        """How long the run has taken, with what it took before it was broken off."""
        return self._seconds_before + time.perf_counter() - self._began

    def figures(self) -> dict[str, float]:
        """The figures of the moment, by Stable-Baselines3's names and some of our own."""
        agent, collector = self.agent, self.collector
        elapsed = time.perf_counter() - self._began
        figures: dict[str, float] = {
            STEPS: agent.num_timesteps,
            SECONDS: round(self.seconds, 3),
            "time/fps": round((agent.num_timesteps - self._n_before) / max(elapsed, 1e-9), 1),
            EPISODES: collector.episodes,
        }
        if collector.last_returns:
            figures["rollout/ep_rew_mean"] = float(np.mean(collector.last_returns))
            figures["rollout/ep_len_mean"] = float(np.mean(collector.last_lengths))
        figures["train/n_updates"] = agent.n_updates
        figures |= agent.metrics
        learners = agent.learners.values()
        if agent.n_updates > 0:  # there is a batch to look at
            figures["sparse/dormant"] = round(dormant_share(learners), 6)
        figures["sparse/connections"] = sum(learner.n_connections for learner in learners)
        figures["sparse/replaced"] = sum(learner.replaced for learner in learners)
        figures["replay/transitions"] = agent.replay.n_transitions
        figures["replay/bytes"] = agent.replay.nbytes
        return figures


@contextmanager
def open_log(folder: str | os.PathLike[str] | None, agent: Any, n_before: int) -> Iterator[RunLog]:
    """A log that is closed at the end.

    Args:
        folder: for its files, or None.
        agent: what learns.
        n_before: steps of the run so far.

    Yields:
        The log; nothing is written until its `begin`.

    Raises:
        InputError: where `folder` is not the path of a folder, or has the lines of another run.
    """
    if folder is not None and not isinstance(folder, str | os.PathLike):
        raise InputError(f"log must be the path of a folder, not {folder!r:.80}")
    path = None if folder is None else Path(folder)
    if path is not None and path.exists() and not path.is_dir():
        raise InputError(f"log must be a folder, not the file '{path}'")
    log = RunLog(agent, path, n_before)
    try:
        yield log
    finally:
        log.finish() if log.collector is not None else None


def _board(folder: Path, n_before: int) -> Any:
    """A writer of TensorBoard's files, where tensorboardX is installed."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        return None
    suffix = f".{n_before:09d}.{os.getpid()}"  # two files may begin in one second, which is all that names tell
    return SummaryWriter(str(folder), purge_step=n_before + 1 if n_before else None, filename_suffix=suffix)
