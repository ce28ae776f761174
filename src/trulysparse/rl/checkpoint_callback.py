"""Agents saved in the course of their training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.rl.base_callback import BaseCallback, folder_path


class CheckpointCallback(BaseCallback):
    """Saves the agent every `save_freq` steps.

    Args:
        save_freq: steps in environments, of all together.
        save_path: a folder; made if it is not there. Files are `{name_prefix}_{steps}_steps.safetensors`.
        name_prefix: what their names begin with.
        save_replay_buffer: whether they contain the replay memory.
        keep: how many of the files made here to keep; None for all. Others are never touched.

    Attributes:
        paths: the files made here, the oldest first.

    Example:
        >>> callback = CheckpointCallback(10_000, "runs/cheetah", keep=2)
    """

    def __init__(
        self,
        save_freq: int,
        save_path: str | os.PathLike[str],
        name_prefix: str = "agent",
        *,
        save_replay_buffer: bool = False,
        keep: int | None = None,
    ) -> None:
        self.save_freq = checks.integer("save_freq", save_freq, low=1)
        self.save_path = folder_path("save_path", save_path)
        if not isinstance(name_prefix, str) or not name_prefix or "/" in name_prefix:
            raise InputError(f"name_prefix must be the beginning of a file's name, not {name_prefix!r:.80}")
        self.name_prefix = name_prefix
        self.save_replay_buffer = checks.flag("save_replay_buffer", save_replay_buffer)
        self.keep = None if keep is None else checks.integer("keep", keep, low=1)
        self.paths: list[Path] = []
        self._last = 0

    def check(self, model: Any, n_before: int) -> None:
        """Refuses a file in place of the folder."""
        if self.save_path.exists() and not self.save_path.is_dir():
            raise InputError(f"save_path must be a folder, not the file '{self.save_path}'")

    def _init_callback(self) -> None:
        self._last = self.num_timesteps // self.save_freq

    def _on_step(self) -> bool:
        if self.num_timesteps // self.save_freq != self._last:
            self._last = self.num_timesteps // self.save_freq
            self.save_path.mkdir(parents=True, exist_ok=True)
            path = self.save_path / f"{self.name_prefix}_{self.num_timesteps}_steps.safetensors"
            self.model.save(path, replay=self.save_replay_buffer)
            self.paths = [*(each for each in self.paths if each != path), path]
            while self.keep is not None and len(self.paths) > self.keep:
                self.paths.pop(0).unlink(missing_ok=True)
        return True
