"""Evaluation of a team in the course of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trulysparse.errors import InputError
from trulysparse.rl.callbacks import EvalCallback
from trulysparse.rl.team import Team
from trulysparse.rl.team_environment import checked_team_spaces
from trulysparse.rl.team_evaluation import evaluate_team


class TeamEvalCallback(EvalCallback):
    """An EvalCallback for teams: a return is the mean over agents, and of the best team the folder has the policy of
    each agent, best_policy_AGENT.safetensors.

    Args:
        eval_env: a PettingZoo parallel environment of its own.
        callback_on_new_best: see EvalCallback.
        callback_after_eval: likewise.
        n_eval_episodes: likewise.
        eval_freq: steps of the environment between evaluations.
        log_path: see EvalCallback.
        best_model_save_path: likewise.
        deterministic: likewise.
        seed: likewise.

    Example:
        >>> from mpe2 import simple_spread_v3
        >>> import trulysparse as ts
        >>> evaluation = ts.rl.TeamEvalCallback(simple_spread_v3.parallel_env(), n_eval_episodes=2, eval_freq=100)
        >>> _ = ts.rl.VDN(simple_spread_v3.parallel_env(), learning_starts=100, seed=0).learn(200, callbacks=evaluation)
        >>> evaluation.evaluations_timesteps, evaluation.best_mean_reward < 0
        ([100, 200], True)
    """

    def _open(self, model: Any) -> None:
        if not isinstance(model, Team):
            raise InputError(f"TeamEvalCallback is for teams, not {type(model).__name__}: use EvalCallback")
        if model.environment is not None and self.eval_env is model.environment.env:
            raise InputError("eval_env must be an environment of its own, not the one in which the team learns")
        found = checked_team_spaces(self.eval_env)
        own = model.spaces
        if (found.agents, found.n_observations, found.n_actions) != (own.agents, own.n_observations, own.n_actions):
            raise InputError(f"eval_env must have the spaces of the team's own, {own}, not {found}")

    def _episodes(self, seed: int) -> tuple[list[float], list[int]]:
        returns, lengths = evaluate_team(
            self.model,
            self.eval_env,
            self.n_eval_episodes,
            deterministic=self.deterministic,
            seed=seed,
            return_episode_rewards=True,
        )
        return returns.mean(axis=1).tolist(), lengths

    def _save_policy(self, folder: Path) -> None:
        for agent, policy in self.model.freeze().items():
            policy.save(folder / f"best_policy_{agent}.safetensors")
