"""Evaluation in the course of a training, and what depends on it, by Stable-Baselines3's names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from trulysparse._core import checks
from trulysparse._core.files import write_whole
from trulysparse.errors import InputError
from trulysparse.rl.base_callback import BaseCallback, folder_path, make_callbacks
from trulysparse.rl.environment_interface import Environments
from trulysparse.rl.environments import open_environments
from trulysparse.rl.evaluate import check_agents, evaluate_policy
from trulysparse.rl.seeds import seed_of


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

    def check(self, model: Any, n_before: int) -> None:
        """Refuses any place but that in an EvalCallback."""
        if not isinstance(self.parent, EvalCallback):
            raise InputError(
                "StopTrainingOnRewardThreshold must be the callback_on_new_best or callback_after_eval of EvalCallback"
            )

    def _on_step(self) -> bool:
        assert isinstance(self.parent, EvalCallback)
        return self.parent.best_mean_reward < self.reward_threshold


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
        self.log_path = None if log_path is None else folder_path("log_path", log_path)
        self.best_model_save_path = (
            None if best_model_save_path is None else folder_path("best_model_save_path", best_model_save_path)
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

    def check(self, model: Any, n_before: int) -> None:
        """Refuses the environment in which the agent learns, another kind of environment, and the evaluations of
        another run; reads those of a run that goes on."""
        super().check(model, n_before)
        self._open(model)
        file = None if self.log_path is None else self.log_path / "evaluations.npz"
        if file is None or not file.exists():
            return
        if n_before == 0:
            raise InputError(f"log_path must be a folder without the evaluations of another run: there is '{file}'")
        if not self.evaluations_timesteps:
            self._read(file)
        before = len(self.evaluations_results[0]) if self.evaluations_results else self.n_eval_episodes
        if before != self.n_eval_episodes:
            self._forget()
            raise InputError(f"n_eval_episodes must be {before}, as in '{file}', not {self.n_eval_episodes}")

    def _open(self, model: Any) -> None:
        """Opens the environment, or refuses it."""
        if self.eval_env is model.environments.env:
            raise InputError("eval_env must be an environment of its own, not the one in which the agent learns")
        environments = self._environments or open_environments(self.eval_env)
        try:
            model.environments.spaces.require_same(environments.spaces, "eval_env")
            check_agents(model, environments, self.n_eval_episodes)
        except InputError:
            environments.close()
            raise
        self._environments = environments

    def _episodes(self, seed: int) -> tuple[list[float], list[int]]:
        """Returns and lengths of the episodes of an evaluation."""
        return evaluate_policy(
            self.model,
            self._environments,
            self.n_eval_episodes,
            deterministic=self.deterministic,
            seed=seed,
            return_episode_rewards=True,
        )

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
        try:
            returns, lengths = self._episodes(seed_of(self.seed, self.num_timesteps))
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
            self._save_policy(self.best_model_save_path)

    def _save_policy(self, folder: Path) -> None:
        self.model.freeze().save(folder / "best_policy.safetensors")

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
        except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
            raise InputError(f"log_path has an evaluations.npz that cannot be read: '{path}': {error}") from None

    def _on_training_end(self) -> None:
        if self._environments is not None:
            self._environments.close()
            if self._environments.owned:
                self._environments = None
