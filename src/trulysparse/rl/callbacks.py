"""What may be called in the course of a training, by Stable-Baselines3's names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trulysparse._core import checks
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.rl.environments import Environments, open_environments
from trulysparse.rl.evaluate import evaluate_policy
from trulysparse.rl.seeds import seed_of

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

    def check(self, model: Any) -> None:
        """Called before anything else happens.

        Args:
            model: the agent.

        Raises:
            InputError: where this callback cannot do its work with this agent.
        """
        for child in self.children():
            child.parent = self
            child.check(model)

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
        return self._on_step() is not False

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
        return self.callback(self.model) is not False


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


class EveryNTimesteps(BaseCallback):
    """Calls another callback every `n_steps` steps.

    Args:
        n_steps: steps in environments, of all together.
        callback: that, or a function of the agent.

    Example:
        >>> callback = EveryNTimesteps(1000, lambda agent: print(agent.num_timesteps))
    """

    def __init__(self, n_steps: int, callback: BaseCallback | Callable[[Any], Any]) -> None:
        self.n_steps = checks.integer("n_steps", n_steps, low=1)
        (self.callback,) = make_callbacks([callback])
        self._last = 0

    def children(self) -> Sequence[BaseCallback]:
        """See BaseCallback."""
        return (self.callback,)

    def _init_callback(self) -> None:
        self._last = self.num_timesteps // self.n_steps

    def _on_step(self) -> bool:
        if self.num_timesteps // self.n_steps == self._last:
            return True
        self._last = self.num_timesteps // self.n_steps
        return self.callback.on_step()


class StopTrainingOnRewardThreshold(BaseCallback):
    """Stops the training when the best mean return of an EvalCallback is at least a threshold.

    Args:
        reward_threshold: that.

    Example:
        >>> evaluation = EvalCallback("Pendulum-v1", callback_on_new_best=StopTrainingOnRewardThreshold(-200))
    """

    def __init__(self, reward_threshold: float) -> None:
        self.reward_threshold = checks.real("reward_threshold", reward_threshold)

    def check(self, model: Any) -> None:
        """Refuses any place but that in an EvalCallback."""
        if not isinstance(self.parent, EvalCallback):
            raise InputError(
                "StopTrainingOnRewardThreshold must be the callback_on_new_best or callback_after_eval of EvalCallback"
            )

    def _on_step(self) -> bool:
        assert isinstance(self.parent, EvalCallback)
        return self.parent.best_mean_reward < self.reward_threshold


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
        self.save_path = _folder("save_path", save_path)
        if not isinstance(name_prefix, str) or not name_prefix or "/" in name_prefix:
            raise InputError(f"name_prefix must be the beginning of a file's name, not {name_prefix!r:.80}")
        self.name_prefix = name_prefix
        self.save_replay_buffer = checks.flag("save_replay_buffer", save_replay_buffer)
        self.keep = None if keep is None else checks.integer("keep", keep, low=1)
        self.paths: list[Path] = []
        self._last = 0

    def check(self, model: Any) -> None:
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


class EvalCallback(BaseCallback):
    """Evaluates the agent every `eval_freq` steps, in an environment of its own.

    Evaluation changes nothing of the training: with it or without it there are the same bits. The start states of an
    evaluation depend on `seed` and the number of steps alone.

    Args:
        eval_env: the id of an environment, a Gymnasium environment or a vector environment.
        callback_on_new_best: called after an evaluation with the best mean return so far.
        callback_after_eval: called after each evaluation.
        n_eval_episodes: episodes of an evaluation.
        eval_freq: steps in environments, of all together (Stable-Baselines3 counts calls).
        log_path: a folder for evaluations.npz (timesteps, results, ep_lengths, seconds), or None.
        best_model_save_path: a folder for best_model.safetensors, the agent, and best_policy.safetensors, its frozen
            policy; None for none.
        deterministic: whether the agent acts without noise.
        seed: of the environment.

    Attributes:
        evaluations_timesteps: steps at each evaluation.
        evaluations_results: returns of each evaluation.
        evaluations_length: lengths of its episodes.
        evaluations_seconds: seconds of the run at each.
        best_mean_reward, last_mean_reward: mean returns.

    Example:
        >>> callback = EvalCallback("Pendulum-v1", n_eval_episodes=5, eval_freq=2000)
        >>> callback.best_mean_reward
        -inf
    """

    def __init__(
        self,
        eval_env: Any,
        callback_on_new_best: BaseCallback | Callable[[Any], Any] | None = None,
        callback_after_eval: BaseCallback | Callable[[Any], Any] | None = None,
        n_eval_episodes: int = 5,
        eval_freq: int = 10_000,
        log_path: str | os.PathLike[str] | None = None,
        best_model_save_path: str | os.PathLike[str] | None = None,
        deterministic: bool = True,
        *,
        seed: int = 0,
    ) -> None:
        self.eval_env = eval_env
        self.on_new_best = make_callbacks(callback_on_new_best)
        self.after_eval = make_callbacks(callback_after_eval)
        self.n_eval_episodes = checks.integer("n_eval_episodes", n_eval_episodes, low=1)
        self.eval_freq = checks.integer("eval_freq", eval_freq, low=1)
        self.log_path = None if log_path is None else _folder("log_path", log_path)
        self.best_model_save_path = (
            None if best_model_save_path is None else _folder("best_model_save_path", best_model_save_path)
        )
        self.deterministic = checks.flag("deterministic", deterministic)
        self.seed = checks.integer("seed", seed, low=0)
        self._environments: Environments | None = None
        self._forget()

    def _forget(self) -> None:
        self.evaluations_timesteps: list[int] = []
        self.evaluations_results: list[list[float]] = []
        self.evaluations_length: list[list[int]] = []
        self.evaluations_seconds: list[float] = []
        self.best_mean_reward = self.last_mean_reward = -np.inf

    def children(self) -> Sequence[BaseCallback]:
        """See BaseCallback."""
        return (*self.on_new_best, *self.after_eval)

    def check(self, model: Any) -> None:
        """Refuses the environment in which the agent learns, and another kind of environment; reads the evaluations of
        a run that goes on."""
        super().check(model)
        if self.eval_env is model.environments.env:
            raise InputError("eval_env must be an environment of its own, not the one in which the agent learns")
        environments = self._environments or open_environments(self.eval_env)
        try:
            model.environments.spaces.require_same(environments.spaces, "eval_env")
        except InputError:
            environments.close()
            raise
        self._environments = environments
        file = None if self.log_path is None else self.log_path / "evaluations.npz"
        if file is not None and file.exists() and not self.evaluations_timesteps:
            self._read(file)

    def _init_callback(self) -> None:
        self._last = self.num_timesteps // self.eval_freq
        n_kept = sum(steps <= self.num_timesteps for steps in self.evaluations_timesteps)
        for kept in (self.evaluations_timesteps, self.evaluations_results, self.evaluations_length):
            del kept[n_kept:]
        del self.evaluations_seconds[n_kept:]
        self.best_mean_reward = max((float(np.mean(each)) for each in self.evaluations_results), default=-np.inf)

    def _on_step(self) -> bool:
        if self.num_timesteps // self.eval_freq == self._last:
            return True
        self._last = self.num_timesteps // self.eval_freq
        return self.evaluate()

    def evaluate(self) -> bool:
        """Evaluates the agent now.

        Returns:
            Whether the callbacks that it calls want to go on.
        """
        drawn = self.model.rng.bit_generator.state
        seed = seed_of(self.seed, self.num_timesteps)
        try:
            returns, lengths = evaluate_policy(
                self.model,
                self._environments,
                self.n_eval_episodes,
                deterministic=self.deterministic,
                seed=seed,
                return_episode_rewards=True,
            )
        finally:
            self.model.rng.bit_generator.state = drawn
        self.evaluations_timesteps.append(self.num_timesteps)
        self.evaluations_results.append(returns)
        self.evaluations_length.append(lengths)
        self.evaluations_seconds.append(self.logger.seconds)
        self.last_mean_reward = float(np.mean(returns))
        self.logger.record("eval/mean_reward", self.last_mean_reward)
        self.logger.record("eval/std_reward", float(np.std(returns)))
        self.logger.record("eval/mean_ep_length", float(np.mean(lengths)))
        self.logger.write()
        if self.log_path is not None:
            self._write(self.log_path / "evaluations.npz")
        called = list(self.after_eval)
        if self.last_mean_reward > self.best_mean_reward:
            self.best_mean_reward = self.last_mean_reward
            self._save_best()
            called = [*self.on_new_best, *called]
        return False not in [callback.on_step() for callback in called]

    def _save_best(self) -> None:
        if self.best_model_save_path is not None:
            self.best_model_save_path.mkdir(parents=True, exist_ok=True)
            self.model.save(self.best_model_save_path / "best_model.safetensors")
            self.model.freeze().save(self.best_model_save_path / "best_policy.safetensors")

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {
            "timesteps": np.array(self.evaluations_timesteps),
            "results": np.array(self.evaluations_results),
            "ep_lengths": np.array(self.evaluations_length),
            "seconds": np.array(self.evaluations_seconds),
        }

        def save(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]

        write_whole(path, save, sync=False)

    def _read(self, path: Path) -> None:
        try:
            with np.load(path) as file:
                self.evaluations_timesteps = file["timesteps"].tolist()
                self.evaluations_results = file["results"].tolist()
                self.evaluations_length = file["ep_lengths"].tolist()
                self.evaluations_seconds = file["seconds"].tolist()
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"log_path has an evaluations.npz that cannot be read: '{path}': {error}") from None

    def _on_training_end(self) -> None:
        if self._environments is not None:
            self._environments.close()
            if self._environments.owned:
                self._environments = None


def _folder(name: str, path: Any) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"{name} must be the path of a folder, not {path!r:.80}")
    return Path(path)
