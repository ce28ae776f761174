"""trulysparse rl evaluate"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from trulysparse._core import checks
from trulysparse.cli._console import handle_user_errors, print_json, show
from trulysparse.cli._options import JsonLine
from trulysparse.errors import InputError
from trulysparse.report.numbers import number

VIDEO = "episode.gif"


@handle_user_errors
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `rl train` wrote, finished or not.")],
    episodes: Annotated[int, typer.Option(help="Of each seed.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the environment.")] = 0,
    best: Annotated[
        bool, typer.Option("--best", help="The policy of the best evaluation in training, not that of the end.")
    ] = False,
    video: Annotated[bool, typer.Option("--video", help=f"Write an episode to RUN/{VIDEO}.")] = False,
    json: JsonLine = False,
) -> None:
    """Let trained policies act without exploration: mean and deviation of the returns of whole episodes."""
    from trulysparse.cli.rl._policies import read_policies
    from trulysparse.cli.rl._run_folder import read_settings

    checks.integer("--episodes", episodes, low=1)
    checks.integer("--seed", seed, low=0)
    settings, _ = read_settings(run)
    policies = read_policies(run, settings, best)
    figures: dict[str, Any] = {}
    path = run / VIDEO if video else None
    if path is not None:
        figures["video_return"] = _record(settings, next(iter(policies.values())), path, seed)
    began = time.perf_counter()
    returns = {number: _returns(settings, policy, episodes, seed) for number, policy in policies.items()}
    seconds = time.perf_counter() - began
    everything = [value for each in returns.values() for value in each]
    rows = {f"seed {which}": _text(each) for which, each in returns.items()} if len(returns) > 1 else {}
    rows["return"] = _text(everything)
    rows["episodes"] = f"{episodes:,}" + (" of each seed" if len(returns) > 1 else "")
    if path is not None:
        rows["video"] = f"{path} (return {number(round(figures['video_return'], 2))})"
    show(f"{run} in {settings.env}", rows)
    if json:
        means = {which: float(np.mean(each)) for which, each in returns.items()}
        figures |= {
            "mean_return": float(np.mean(everything)),
            "std_return": float(np.std(everything)),
            "episodes": len(everything),
            "seconds": round(seconds, 3),
            "returns": everything,
            "seeds": [{"seed": which, "mean_return": value} for which, value in means.items()],
        }
        print_json({**figures, "video": None if path is None else str(path)})


def _text(returns: list[float]) -> str:
    return f"{number(round(float(np.mean(returns)), 2))} ± {number(round(float(np.std(returns)), 2))}"


def _returns(settings: Any, policy: Any, episodes: int, seed: int) -> list[float]:
    from trulysparse.cli.rl._environment import environment
    from trulysparse.rl.evaluate import evaluate_policy
    from trulysparse.rl.team_evaluation import evaluate_team

    returns: Any
    with environment(settings) as env:
        if settings.is_team:
            of_agents, _ = evaluate_team(policy, env, episodes, seed=seed, return_episode_rewards=True)
            returns = np.mean(of_agents, axis=1)
        else:
            returns, _ = evaluate_policy(policy, env, episodes, seed=seed, return_episode_rewards=True)
    return [float(value) for value in returns]


def draw_without_screen() -> None:
    """Has pygame and MuJoCo draw into memory, where the user has not chosen how. They look at this when they are
    imported."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("MUJOCO_GL", "egl")


def _record(settings: Any, policy: Any, path: Path, seed: int) -> float:
    from trulysparse.cli.rl._environment import environment
    from trulysparse.rl.video import record_episode, require_pillow

    require_pillow()
    draw_without_screen()
    if settings.is_team:
        raise InputError("--video: environments of teams are not recorded; evaluate without --video")
    with environment(settings) as env:
        modes = env.metadata.get("render_modes") or []
    if "rgb_array" not in modes:
        raise InputError(f"--video: '{settings.env}' renders no pictures; evaluate it without --video")
    with environment(settings, render_mode="rgb_array") as env:
        try:
            return record_episode(policy, env, path, seed=seed)
        except InputError as error:
            raise InputError(f"--video: '{settings.env}': {error}") from None
