"""Evaluation of teams in the course of their training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trulysparse.errors import InputError
from trulysparse.rl.callbacks import EvalCallback
from trulysparse.rl.team_environment import TeamEnvironment
from trulysparse.rl.team_evaluation import evaluate_team


class TeamEvalCallback(EvalCallback):
    """Evaluates a team every `eval_freq` steps, in an environment of its own; see EvalCallback.

    The return of an episode is what an agent has earned in it, on average.

    Args:
        eval_env: a PettingZoo parallel environment.
        options: those of EvalCallback; `best_model_save_path` is a folder for best_model.safetensors, the team, and
            best_policy_{agent}.safetensors, the frozen policy of each agent.

    Raises:
        InputError: where an option is not what it must be.

    Example:
        >>> callback = TeamEvalCallback(None, eval_freq=5000, n_eval_episodes=20)
        >>> callback.eval_freq
        5000
    """

    def __init__(self, eval_env: Any, *args: Any, **options: Any) -> None:
        super().__init__(eval_env, *args, **options)

    def _open(self, model: Any) -> None:
        """Refuses an environment that the team could not act in."""
        if self.eval_env is model.environment.env:
            raise InputError("eval_env must be an environment of its own, not the one in which the team learns")
        found = TeamEnvironment(self.eval_env, with_state=model.with_state).spaces
        if found != model.spaces:
            raise InputError(f"eval_env must have the spaces of the team's own, {model.spaces}, not {found}")

    def _episodes(self, seed: int) -> tuple[list[float], list[int]]:
        """Means over the agents, and lengths, of the episodes of an evaluation."""
        returns: Any
        lengths: Any
        returns, lengths = evaluate_team(
            self.model,
            self.eval_env,
            self.n_eval_episodes,
            deterministic=self.deterministic,
            seed=seed,
            return_episode_rewards=True,
        )
        return [float(each) for each in returns.mean(axis=1)], lengths

    def _save_policy(self, folder: Path) -> None:
        for agent, policy in self.model.freeze().items():
            policy.save(folder / f"best_policy_{agent}.safetensors")
