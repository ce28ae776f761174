"""trulysparse rl evaluate."""

from __future__ import annotations

import os

import numpy as np
import pytest

import trulysparse as ts
from command import contents, last_json, refused, run


@pytest.fixture
def trained(tmp_path, quick):
    out = tmp_path / "r"
    run("rl", "train", "Pendulum-v1", "--out", out, *quick, "--no-report")
    return out


def test_returns_are_those_of_the_policy(trained):
    before = contents(trained)
    figures = last_json(run("rl", "evaluate", trained, "--episodes", 3, "--seed", 5, "--json"))
    policy = ts.rl.Policy.load(trained / "policy.safetensors")
    returns, _ = ts.rl.evaluate_policy(policy, "Pendulum-v1", 3, seed=5, return_episode_rewards=True)
    assert figures["returns"] == returns
    assert figures["mean_return"] == pytest.approx(np.mean(returns))
    assert figures["std_return"] == pytest.approx(np.std(returns))
    assert (figures["episodes"], figures["video"]) == (3, None)
    assert contents(trained) == before


def test_the_best_policy_and_those_of_several_seeds(tmp_path, quick):
    out = tmp_path / "r"
    run("rl", "train", "Pendulum-v1", "--out", out, *quick, "--no-report", "--seeds", 2, "--seed", 7)
    output = run("rl", "evaluate", out, "--episodes", 2, "--best", "--json")
    figures = last_json(output)
    assert [seed["seed"] for seed in figures["seeds"]] == [7, 8]
    assert figures["mean_return"] == pytest.approx(np.mean([seed["mean_return"] for seed in figures["seeds"]]))
    assert "seed 8" in output
    best = ts.rl.Policy.load(out / "seed-8" / "best_policy.safetensors")
    assert figures["seeds"][1]["mean_return"] == pytest.approx(ts.rl.evaluate_policy(best, "Pendulum-v1", 2)[0])


def test_a_video_of_an_episode(trained, monkeypatch):
    pytest.importorskip("pygame", reason="pygame comes with gymnasium[classic-control]")
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra trulysparse[images]")
    monkeypatch.setattr("trulysparse.rl.video._MOST_FRAMES", 20)
    figures = last_json(run("rl", "evaluate", trained, "--episodes", 1, "--video", "--json"))
    assert figures["video"] == str(trained / "episode.gif")
    assert figures["video_return"] == pytest.approx(figures["returns"][0])
    with image.open(trained / "episode.gif") as picture:
        assert 10 <= picture.n_frames <= 20
        assert picture.width == 320


def test_pictures_need_no_screen(monkeypatch):
    from trulysparse.cli.rl.evaluate import draw_without_screen

    for name in ("DISPLAY", "MUJOCO_GL", "SDL_VIDEODRIVER"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("sys.platform", "linux")
    draw_without_screen()
    assert (os.environ["SDL_VIDEODRIVER"], os.environ["MUJOCO_GL"]) == ("dummy", "egl")
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    draw_without_screen()
    assert os.environ["MUJOCO_GL"] == "osmesa"


def test_an_environment_that_renders_nothing(trained, monkeypatch):
    from gymnasium.envs.classic_control import PendulumEnv

    pytest.importorskip("PIL", reason="Pillow comes with the extra trulysparse[images]")
    monkeypatch.setattr(PendulumEnv, "metadata", {"render_modes": []})
    assert "--video: 'Pendulum-v1' renders no pictures" in refused("rl", "evaluate", trained, "--video")
    assert "episode.gif" not in contents(trained)


@pytest.mark.parametrize(
    "options, message",
    [
        (["none"], "RUN: 'none' does not exist"),
        (["."], "is not a run folder of agents"),
        (["r", "--episodes", 0], "--episodes must be at least 1"),
        (["r", "--seed", -1], "--seed must be at least 0"),
    ],
)
def test_refusals(trained, monkeypatch, options, message):
    monkeypatch.chdir(trained.parent)
    assert message in refused("rl", "evaluate", *options)


def test_damaged_and_missing_policies(trained):
    (trained / "policy.safetensors").write_bytes(b"nothing")
    assert "policy.safetensors" in refused("rl", "evaluate", trained)
    (trained / "policy.safetensors").unlink()
    assert "return" in run("rl", "evaluate", trained, "--episodes", 1)  # the agent is there
    (trained / "agent.safetensors").unlink()
    assert "holds no policy yet" in refused("rl", "evaluate", trained)
