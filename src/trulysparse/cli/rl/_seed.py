"""One agent of a run: made or read from its checkpoint, trained, its figures written."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from trulysparse.cli._console import peak_rss_mb
from trulysparse.cli._interrupts import Interrupts
from trulysparse.cli._run import RESULTS
from trulysparse.cli.rl._algorithms import class_of
from trulysparse.cli.rl._environment import environment
from trulysparse.cli.rl._run_folder import (
    AGENT,
    POLICY,
    PROGRESS,
    clear_seed,
    read_progress,
    read_returns,
    write_object,
)
from trulysparse.cli.rl._settings import AgentSettings, as_options
from trulysparse.report.numbers import number
from trulysparse.report.rl_figures import REPLAY
from trulysparse.report.rl_records import SECONDS

# Added to a seed for the environment of evaluations: their episodes are others than those of training.
_EVALUATION = 1_000_003


@dataclass(frozen=True)
class Seed:
    """An agent that is to be trained.

    Args:
        settings: of the run.
        seed: of the agent.
        folder: for its files.
        threads: of the kernels.
        resumed: whether its checkpoint is there to go on from.
    """

    settings: AgentSettings
    seed: int
    folder: Path
    threads: int
    resumed: bool = False


class SeedTraining:
    """While entered, an agent with environments to learn and to be evaluated in. Entering refuses all that can be
    refused before anything is written.

    Args:
        seed: the agent.
    """

    def __init__(self, seed: Seed) -> None:
        self.seed = seed
        self._open = ExitStack()

    def __enter__(self) -> SeedTraining:
        seed, settings = self.seed, self.seed.settings
        with ExitStack() as opened:
            env = opened.enter_context(environment(settings, settings.n_envs))
            self._evaluated_in = opened.enter_context(environment(settings))
            with as_options(settings):
                self.agent = self._resumed(env) if seed.resumed else self._new(env)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def _resumed(self, env: Any) -> Any:
        return load_agent(self.seed.settings, self.seed.folder / AGENT, env, self.seed.threads)

    def _new(self, env: Any) -> Any:
        seed, settings = self.seed, self.seed.settings
        preset = {} if settings.is_team else {"preset": settings.preset}
        agent = algorithm_of(settings)(env, **preset, seed=seed.seed, threads=seed.threads, **settings.given_settings())
        agent.replay = agent.new_replay()  # refused where it is larger than memory
        return agent

    def train(self, interrupts: Interrupts, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Trains to the end, with evaluations and checkpoints; then writes agent, policy and figures.

        Args:
            interrupts: a signal that they catch ends the training after the step in progress, with a checkpoint.
            wanted: asked at each step whether to go on.

        Returns:
            Whether the training has come to its end.
        """
        from trulysparse.rl.callbacks import EveryNTimesteps

        agent, settings, folder = self.agent, self.seed.settings, self.seed.folder
        if not self.seed.resumed:
            clear_seed(folder)
        folder.mkdir(exist_ok=True)
        evaluation = _evaluation(self.seed, self._evaluated_in)
        keep = EveryNTimesteps(settings.checkpoint_steps, lambda _: self.keep())
        with interrupts.deferred():
            if agent.num_timesteps < settings.steps:
                agent.learn(
                    settings.steps - agent.num_timesteps,
                    callbacks=[evaluation, keep, lambda _: interrupts.caught is None and wanted()],
                    log=folder,
                    progress_bar=True,
                    reset_num_timesteps=not self.seed.resumed,
                )
            if agent.num_timesteps < settings.steps:
                self.keep()
                return False
            self._finish()
        return True

    def keep(self) -> None:
        """Writes the checkpoint."""
        self.agent.save(self.seed.folder / AGENT, replay=self.seed.settings.save_replay)

    def _finish(self) -> None:
        agent, folder = self.agent, self.seed.folder
        # A training that goes on from its last step evaluates nothing more.
        returns = read_returns(folder)
        log = read_progress(folder / PROGRESS)
        agent.save(folder / AGENT)
        for name, policy in _policies(agent).items():
            policy.save(folder / name)
        nets = [net for learner in agent.learners.values() for net in learner.nets]
        figures = {
            "seed": self.seed.seed,
            "mean_return": float(returns[-1].mean()),
            "std_return": float(returns[-1].std()),
            "returns": returns[-1].tolist(),
            "best_return": float(returns.mean(axis=1).max()),
            "steps": agent.num_timesteps,
            "updates": agent.n_updates,
            "seconds": round(log[-1][SECONDS], 3),
            "connections": agent.n_connections,
            "neurons": sum(net.n_neurons for net in nets),
            "replay_mb": round(log[-1][REPLAY] / 1e6, 3),
            "peak_rss_mb": peak_rss_mb(),
        }
        write_object(folder / RESULTS, figures)


def algorithm_of(settings: AgentSettings) -> Any:
    """The class of agents."""
    return class_of(settings.algorithm or "td3")


def load_agent(settings: AgentSettings, path: Path, env: Any = None, threads: int | None = None) -> Any:
    """An agent as its checkpoint has it. env: to learn in, or None; threads: None for as many as before."""
    return algorithm_of(settings).load(path, env, threads=threads)


def _policies(agent: Any) -> dict[str, Any]:
    """Frozen policies by the names of their files: one, or one of each agent of a team."""
    frozen = agent.freeze()
    if not isinstance(frozen, dict):
        return {POLICY: frozen}
    return {f"policy_{name}.safetensors": policy for name, policy in frozen.items()}


def _evaluation(seed: Seed, env: Any) -> Any:
    """What evaluates the agent every so many steps, and at the end."""
    if seed.settings.is_team:
        from trulysparse.rl.team_callbacks import TeamEvalCallback as Base
    else:
        from trulysparse.rl.callbacks import EvalCallback as Base  # type: ignore[assignment]

    class Evaluation(Base):
        """Evaluates at the last step too."""

        def _on_step(self) -> bool:
            go_on = super()._on_step()
            if self.num_timesteps >= seed.settings.steps and self.evaluations_timesteps[-1:] != [self.num_timesteps]:
                go_on &= self.evaluate()
            return go_on

    settings = seed.settings
    return Evaluation(
        env,
        n_eval_episodes=settings.eval_episodes,
        eval_freq=settings.evaluation_steps,
        log_path=seed.folder,
        best_model_save_path=seed.folder,
        seed=seed.seed + _EVALUATION,
    )


def seed_text(figures: dict[str, Any]) -> str:
    """What came of a seed, in a line."""
    return (
        f"seed {figures['seed']}: return {number(figures['mean_return'])} ± {number(figures['std_return'])}, best "
        f"{number(figures['best_return'])}, {figures['seconds']:,.1f} s"
    )
