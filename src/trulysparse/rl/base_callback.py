"""What may be called in the course of a training, and functions in its place."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trulysparse.errors import InputError

if TYPE_CHECKING:
    from trulysparse.rl.log import RunLog


class BaseCallback:
    """Called after each step of a training; subclass it and override the methods that begin with an underscore.

    Attributes:
        model: the agent.
        logger: where `record(name, value)` adds a figure to the next line of the log.
        num_timesteps: steps in environments so far.
        n_calls: how often it was called.
        parent: the callback that calls this one, or None.

    Example:
        >>> class StopAfter(BaseCallback):
        ...     def _on_step(self):
        ...         return self.num_timesteps < 100
        >>> StopAfter().n_calls
        0
    """

    model: Any = None
    logger: RunLog
    num_timesteps: int = 0
    n_calls: int = 0
    parent: BaseCallback | None = None

    def children(self) -> Sequence[BaseCallback]:
        """The callbacks that this one calls."""
        return ()

    def check(self, model: Any, n_before: int) -> None:
        """Called before anything else happens.

        Args:
            model: the agent.
            n_before: steps in environments so far; 0 where a run begins.

        Raises:
            InputError: where this callback cannot do its work with this agent.
        """
        for child in self.children():
            child.parent = self
            child.check(model, n_before)

    def init_callback(self, model: Any, logger: RunLog) -> None:
        """Called at the start of a training.

        Args:
            model: the agent.
            logger: its log.
        """
        self.model, self.logger = model, logger
        self.num_timesteps = model.num_timesteps
        for child in self.children():
            child.init_callback(model, logger)
        self._init_callback()

    def on_training_start(self) -> None:
        """Called before the first step."""
        for child in self.children():
            child.on_training_start()
        self._on_training_start()

    def on_step(self) -> bool:
        """Called after each step and its updates.

        Returns:
            Whether to go on.
        """
        self.n_calls += 1
        self.num_timesteps = self.model.num_timesteps
        return _goes_on(self._on_step())

    def on_training_end(self) -> None:
        """Called at the end, whatever ends the training."""
        for child in self.children():
            child.on_training_end()
        self._on_training_end()

    def _init_callback(self) -> None:
        pass

    def _on_training_start(self) -> None:
        pass

    def _on_step(self) -> bool | None:
        return True

    def _on_training_end(self) -> None:
        pass


class ConvertCallback(BaseCallback):
    """A function as a callback.

    Args:
        callback: called with the agent after each step; training stops where it returns False.

    Example:
        >>> callback = ConvertCallback(lambda agent: agent.num_timesteps < 100)
    """

    def __init__(self, callback: Callable[[Any], Any]) -> None:
        if not callable(callback):
            raise InputError(f"callback must be a function of the agent, not {callback!r:.80}")
        self.callback = callback

    def _on_step(self) -> bool:
        return _goes_on(self.callback(self.model))


def _goes_on(answer: Any) -> bool:
    """Whether a callback wants to go on: where it returned nothing, or what is true. NumPy's False is False too."""
    return answer is None or bool(answer)


def make_callbacks(callbacks: Any) -> list[BaseCallback]:
    """Callbacks of any form as a list.

    Args:
        callbacks: a BaseCallback, a function of the agent, or a sequence of them; None for none.

    Returns:
        A list of BaseCallback.

    Raises:
        InputError: where one is neither.
    """
    if callbacks is None:
        return []
    given = callbacks if isinstance(callbacks, list | tuple) else [callbacks]
    made = []
    for each in given:
        if isinstance(each, BaseCallback):
            made.append(each)
        elif callable(each) and not isinstance(each, type):
            made.append(ConvertCallback(each))
        else:
            raise InputError(f"callbacks must be callbacks (BaseCallback) or functions of the agent, not {each!r:.80}")
    return made


def folder_path(name: str, path: Any) -> Path:
    """`path` as a Path, or InputError where it is not the path of a folder; whether it exists is not asked."""
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{name} must be the path of a folder, not {path!r:.80}")
    return Path(path)
