"""trulysparse rl train and rl resume."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import trulysparse as ts
from command import contents, last_json, refused, run

ONE = [
    "agent.safetensors",
    "best_model.safetensors",
    "best_policy.safetensors",
    "config.json",
    "evaluations.npz",
    "policy.safetensors",
    "progress.csv",
    "report.html",
    "results.json",
]
OF_SEED = [name for name in ONE if name not in ("config.json", "report.html")]
POLICY = "policy.safetensors"


def train(out, quick, *options, env="Pendulum-v1"):
    return ["rl", "train", env, "--out", out, *quick, *options]


def signalled(monkeypatch, *arguments, at=150, number=signal.SIGINT):
    """Standard error of a training that gets a signal after so many steps from here."""
    from trulysparse.cli.rl import _seed

    before = _seed.load_agent, _seed.SeedTraining.__enter__

    def enter(self):
        ready = before[1](self)
        explore, steps = self.agent.environments.step, 0

        def step(*values):
            nonlocal steps
            steps += 1
            if steps == at:
                os.kill(os.getpid(), number)
            return explore(*values)

        self.agent.environments.step = step
        return ready

    with monkeypatch.context() as patch:
        patch.setattr(_seed.SeedTraining, "__enter__", enter)
        return run(*arguments, code=128 + number)


def test_a_run_leaves_what_its_figures_say(tmp_path, quick):
    out = tmp_path / "r"
    figures = last_json(run(*train(out, quick, "--algorithm", "td3", "--json")))
    assert sorted(contents(out)) == ONE
    assert figures == json.loads((out / "results.json").read_text())
    [seed] = figures["seeds"]
    with np.load(out / "evaluations.npz") as evaluations:
        assert evaluations["timesteps"].tolist() == [100, 200, 300]
        last = evaluations["results"][-1]
        assert seed["returns"] == last.tolist()
        assert figures["mean_return"] == pytest.approx(last.mean())
        assert figures["std_return"] == pytest.approx(last.std())
        assert figures["best_return"] == pytest.approx(evaluations["results"].mean(axis=1).max())
    assert (figures["steps"], seed["updates"]) == (300, 250)
    agent = ts.rl.TD3.load(out / "agent.safetensors")
    assert agent.num_timesteps == 300
    assert figures["connections"] == agent.n_connections
    assert figures["neurons"] == 17 + 17 + 17
    policy = ts.rl.Policy.load(out / POLICY)
    seen = np.float32([0.5, -0.5, 1.0])
    np.testing.assert_array_equal(policy(seen), agent.predict(seen, deterministic=True)[0])
    config = json.loads((out / "config.json").read_text())
    assert (config["env"], config["algorithm"], config["density"], config["hidden"]) == (
        "Pendulum-v1",
        "td3",
        0.5,
        [16],
    )
    text = (out / "report.html").read_text()
    for part in ("Return against steps", "Return against seconds", "Memory of the replay buffer", "Network: actor"):
        assert part in text
    assert "trulysparse rl train Pendulum-v1" in text
    assert "SET, 5 % of the connections, every 1,000 updates until 80 % of the training" in text


@pytest.mark.parametrize(
    "env, options, algorithm",
    [
        ("Pendulum-v1", ["--preset", "anf", "--noise-features", "0.9", "--density", "0.2,0.5"], "td3"),
        ("CartPole-v1", ["--train-freq", 1], "dqn"),
        ("Pendulum-v1", [], "td3"),
        ("Pendulum-v1", ["--algorithm", "sac", "--ent-coef", "0.1"], "sac"),
        ("Pendulum-v1", ["--n-envs", 3, "--env-kwargs", '{"g": 9.0}', "--normalize", "--evolution", "rigl"], "td3"),
    ],
)
def test_algorithms_and_environments(tmp_path, quick, env, options, algorithm):
    figures = last_json(run(*train(tmp_path / "r", quick, *options, "--no-report", "--json", env=env)))
    assert (figures["algorithm"], figures["steps"]) == (algorithm, 300)
    assert sorted(contents(tmp_path / "r")) == [name for name in ONE if name != "report.html"]


def test_the_report_says_what_was_found_for_what_is_not_given(tmp_path, quick):
    at = quick.index("--learning-starts")
    run(*train(tmp_path / "r", [*quick[:at], *quick[at + 2 :]]))
    text = (tmp_path / "r" / "report.html").read_text()
    assert "<th>learning starts</th><td>75</td>" in text  # a quarter of the steps
    assert "<th>learning rate</th><td>0.001</td>" in text


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--algorithm", "iql"], marks=pytest.mark.slow),
        ["--algorithm", "qmix", "--soft-mellowmax", "--mixer-density", "0.5"],
    ],
)
def test_teams(tmp_path, quick, options):
    spread = pytest.importorskip("mpe2.simple_spread_v3", reason="mpe2 comes with trulysparse[multiagent]")
    out = tmp_path / "r"
    arguments = train(out, quick, *options, "--env-kwargs", '{"N": 2}', env="mpe2:simple_spread_v3")
    figures = last_json(run(*arguments, "--json"))
    names = [f"{best}policy_agent_{k}.safetensors" for best in ("", "best_") for k in range(2)]
    assert sorted(contents(out)) == sorted([*(name for name in ONE if "policy" not in name), *names])
    found = last_json(run("rl", "evaluate", out, "--episodes", 2, "--json"))
    team = getattr(ts.rl, options[1].upper()).load(out / "agent.safetensors")
    returns, _ = ts.rl.evaluate_team(team, spread.parallel_env(N=2), 2, return_episode_rewards=True)
    assert found["returns"] == pytest.approx(returns.mean(axis=1))
    assert figures["connections"] == team.n_connections
    assert "are not recorded" in refused("rl", "evaluate", out, "--video")
    assert "agent_1: 12 observations, 5 choices" in (out / "report.html").read_text()
    before = contents(out)
    assert "a replay of 1,000,000,000,000 transitions" in refused(*arguments, "--overwrite", "--buffer-size", 10**12)
    assert contents(out) == before
    run(*arguments, "--overwrite", "--no-report", "--seeds", 2)
    assert not [name for name in contents(out) if name in names]


def test_the_same_seed_gives_the_same_bits(tmp_path, quick):
    for name, threads in (("a", 1), ("b", 2)):
        run(*train(tmp_path / name, quick, "--threads", threads, "--no-report"))
    assert (tmp_path / "a" / POLICY).read_bytes() == (tmp_path / "b" / POLICY).read_bytes()
    run(*train(tmp_path / "c", quick, "--seed", 1, "--no-report"))
    assert (tmp_path / "a" / POLICY).read_bytes() != (tmp_path / "c" / POLICY).read_bytes()


def test_several_seeds_are_those_trained_alone(tmp_path, quick):
    out = tmp_path / "r"
    figures = last_json(run(*train(out, quick, "--seeds", 3, "--json")))
    assert sorted(contents(out)) == sorted(
        ["config.json", "report.html", "results.json", *(f"seed-{k}/{name}" for k in range(3) for name in OF_SEED)]
    )
    run(*train(tmp_path / "alone", quick, "--seed", 2, "--no-report"))
    assert (out / "seed-2" / POLICY).read_bytes() == (tmp_path / "alone" / POLICY).read_bytes()
    means = [seed["mean_return"] for seed in figures["seeds"]]
    assert figures["mean_return"] == pytest.approx(np.mean(means))
    assert figures["std_over_seeds"] == pytest.approx(np.std(means, ddof=1))
    assert "Return of each seed" in (out / "report.html").read_text()


@pytest.mark.slow
def test_seeds_in_processes_are_those_one_after_the_other(tmp_path, quick):
    for name, options in {"a": [], "b": ["--processes", 3]}.items():
        run(*train(tmp_path / name, quick, "--seeds", 3, *options, "--no-report"))
    for k in range(3):
        paths = [tmp_path / name / f"seed-{k}" / POLICY for name in "ab"]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def wait_until(condition, process, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_seeds_in_processes(tmp_path, quick, number):
    """Ctrl-C on a terminal goes to all processes of the command, SIGTERM to the first alone."""
    out = tmp_path / "r"
    arguments = train(out, quick, "--seeds", 3, "--processes", 2, "--steps", 50_000, "--eval-every", 500)
    command = [sys.executable, "-m", "trulysparse", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    wait_until(lambda: all((out / f"seed-{k}" / "agent.safetensors").exists() for k in (0, 1)), process)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.terminate()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number, error
    assert error == f"stopped: `trulysparse rl resume {out}` goes on from the last checkpoint\n"
    assert not (out / "seed-2").exists()
    for k in (0, 1):
        assert 500 < ts.rl.TD3.load(out / f"seed-{k}" / "agent.safetensors").num_timesteps < 50_000
    assert not (out / ".lock").exists()


@pytest.mark.slow
def test_the_error_of_one_process_ends_the_others(tmp_path, quick):
    out = tmp_path / "r"
    run(*train(out, quick, "--seeds", 2, "--no-report"))
    for path in (out / "results.json", *(out / f"seed-{k}" / "results.json" for k in (0, 1))):
        path.unlink()
    (out / "seed-1" / "agent.safetensors").write_bytes(b"nothing")
    *_, error = run("rl", "resume", out, "--processes", 2, code=2).strip().splitlines()
    assert error.startswith("error: seed 1: ")
    assert "agent.safetensors" in error
    assert (out / "seed-0" / "results.json").exists() or (out / "seed-0" / "agent.safetensors").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("at", [150, 300])
def test_a_signal_keeps_the_state_and_says_how_to_go_on(tmp_path, quick, monkeypatch, number, at):
    out = tmp_path / "r"
    error = signalled(monkeypatch, *train(out, quick), at=at, number=number)
    if at == 300:  # the last step: the run is finished all the same
        assert json.loads((out / "results.json").read_text())["steps"] == 300
        return
    assert error == f"stopped: `trulysparse rl resume {out}` goes on from the last checkpoint\n"
    assert "results.json" not in contents(out)
    assert ts.rl.TD3.load(out / "agent.safetensors").num_timesteps == 150
    assert "return" in run("rl", "evaluate", out, "--episodes", 1)
    assert "broken off; go on with `trulysparse rl resume" in refused(*train(out, quick))
    figures = last_json(run("rl", "resume", out, "--json"))
    assert figures["steps"] == 300
    assert sorted(contents(out)) == ONE
    with np.load(out / "evaluations.npz") as evaluations:
        assert evaluations["timesteps"].tolist() == [100, 200, 300]
    assert "has finished" in refused("rl", "resume", out)


def test_a_run_that_goes_on_twice_has_the_same_bits(tmp_path, quick, monkeypatch):
    for name in "ab":
        signalled(monkeypatch, *train(tmp_path / name, quick))
        run("rl", "resume", tmp_path / name, "--no-report")
    assert (tmp_path / "a" / POLICY).read_bytes() == (tmp_path / "b" / POLICY).read_bytes()


def test_seeds_that_have_finished_stay(tmp_path, quick, monkeypatch):
    out = tmp_path / "r"
    signalled(monkeypatch, *train(out, quick, "--seeds", 2), at=150, number=signal.SIGTERM)
    assert not (out / "seed-1").exists()
    run("rl", "resume", out, "--no-report")
    before = contents(out / "seed-0")
    figures = json.loads((out / "seed-1" / "results.json").read_text())
    for path in (out, out / "seed-1"):  # as where the process died just before it wrote them
        (path / "results.json").unlink()
    run("rl", "resume", out)
    assert contents(out / "seed-0") == before
    again = json.loads((out / "seed-1" / "results.json").read_text())
    assert {**again, "peak_rss_mb": 0} == {**figures, "peak_rss_mb": 0}
    assert len(json.loads((out / "results.json").read_text())["seeds"]) == 2


def test_another_run_is_not_written_over_but_where_asked_for(tmp_path, quick):
    out = tmp_path / "r"
    run(*train(out, quick, "--seeds", 2))
    before = contents(out)
    assert "holds a finished run; give another folder, or --overwrite" in refused(*train(out, quick))
    assert contents(out) == before
    assert "CartPole-v1" not in run(*train(out, quick, "--overwrite"))
    assert sorted(contents(out)) == ONE


REFUSALS = [
    (["NoSuch-v0"], "ENV must be the id of a registered environment, not 'NoSuch-v0'"),
    (["CartPole-v1", "--algorithm", "td3"], "which TD3 does not choose: use DQN"),
    (["Pendulum-v1", "--algorithm", "dqn"], "use TD3 or SAC"),
    (["Pendulum-v1", "--algorithm", "a2c"], "--algorithm must be one of td3, sac, dqn, iql, vdn, qmix, not 'a2c'"),
    (["Blackjack-v1"], "ENV's observations must be one vector"),
    (["Pendulum-v1", "--policy-delay", "0"], "--policy-delay must be at least 1"),
    (["Pendulum-v1", "--double"], "--double is a setting of dqn, iql, vdn and qmix, not of td3"),
    (["Pendulum-v1", "--evolution", "darwin"], "--evolution must be one of"),
    (["Pendulum-v1", "--preset", "best"], "--preset must be one of default"),
    (["Pendulum-v1", "--env-kwargs", '{"x": 1}'], "--env-kwargs: 'Pendulum-v1' does not take them"),
    (["simple_spread_v3", "--algorithm", "vdn"], "ENV must be a module and an environment in it, such as mpe2:"),
    (["no_such_module:x", "--algorithm", "iql"], "ENV: 'no_such_module:x' cannot be imported"),
    (["json:dumps", "--algorithm", "qmix"], "ENV: 'json:dumps' is no environment of PettingZoo"),
    (["Pendulum-v1", "--buffer-size", 10**14], "a replay buffer of"),
    (["Pendulum-v1", "--threads", "0"], "--threads must be between 1 and"),
    (["Pendulum-v1", "--processes", "0"], "--processes must be at least 1"),
]


@pytest.mark.parametrize("arguments, message", REFUSALS)
def test_refusals_leave_nothing(tmp_path, arguments, message):
    pytest.importorskip("gymnasium", reason="gymnasium comes with the extra trulysparse[rl]")
    assert message in refused("rl", "train", *arguments, "--out", tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_used(tmp_path, quick, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in refused(*train(tmp_path / "file", quick))
    monkeypatch.setattr("os.access", lambda *_: False)  # tests may run as root
    assert "cannot be written to" in refused(*train(tmp_path / "r", quick))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_reward_that_is_no_number_leaves_nothing_or_the_last_checkpoint(tmp_path, quick, monkeypatch):
    from gymnasium.envs.classic_control import PendulumEnv

    step, count = PendulumEnv.step, 0

    def broken(self, action):
        nonlocal count
        count += 1
        observation, reward, *rest = step(self, action)
        return observation, float("nan") if count == at else reward, *rest

    monkeypatch.setattr(PendulumEnv, "step", broken)
    at = 60
    assert "reward is nan at step 60" in refused(*train(tmp_path / "r", quick))
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_one_of_several_seeds_says_which(tmp_path, quick, monkeypatch):
    from trulysparse.errors import DivergenceError

    update = ts.rl.TD3.update

    def diverges(self):
        if self.seed == 1:
            raise DivergenceError("critic_loss is nan")
        update(self)

    monkeypatch.setattr(ts.rl.TD3, "update", diverges)
    out = tmp_path / "r"
    *_, error = run(*train(out, quick, "--seeds", 2), code=1).strip().splitlines()
    assert error == "error: seed 1: critic_loss is nan"
    assert (out / "seed-0" / "results.json").exists()


def test_a_process_that_dies_is_a_sentence(monkeypatch):
    from trulysparse.cli._interrupts import Interrupts
    from trulysparse.cli.rl import _processes
    from trulysparse.cli.rl._seed import Seed
    from trulysparse.cli.rl._settings import AgentSettings

    class Dead:
        """A process that the system has killed."""

        exitcode, sentinel = -9, object()

        def join(self):
            pass

    def start(context, seed):
        says, said = context.Pipe(duplex=False)
        said.close()
        return _processes._Worker(seed, Dead(), says)

    monkeypatch.setattr(_processes, "_start", start)
    monkeypatch.setattr(_processes, "wait", lambda sentinels, timeout: sentinels)
    seed = Seed(AgentSettings(env="Pendulum-v1"), 3, None, 1)
    with pytest.raises(OSError, match="the process of seed 3 was ended by signal 9"):
        _processes.train_in_processes([seed], 1, Interrupts(), lambda _: None)


def test_a_training_goes_on_with_other_threads(tmp_path, quick, monkeypatch):
    out, used = tmp_path / "r", []
    signalled(monkeypatch, *train(out, quick))
    learn = ts.rl.TD3.learn
    monkeypatch.setattr(ts.rl.TD3, "learn", lambda self, *a, **k: used.append(self.threads) or learn(self, *a, **k))
    run("rl", "resume", out, "--threads", 2)
    assert used == [2]


def test_a_report_that_is_missing_is_made(tmp_path, quick):
    out = tmp_path / "r"
    run(*train(out, quick))
    whole = json.loads((out / "results.json").read_text())
    (out / "results.json").write_text(json.dumps(whole["seeds"][0]))  # as the agent leaves it at its end
    (out / "report.html").unlink()
    run("rl", "resume", out)
    assert json.loads((out / "results.json").read_text()) == whole
    assert sorted(contents(out)) == ONE
    assert "has finished" in refused("rl", "resume", out)


def test_without_gymnasium_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    error = refused("rl", "train", "Pendulum-v1", "--out", tmp_path / "r")
    assert "pip install 'trulysparse[rl]'" in error
    assert list(tmp_path.iterdir()) == []


def test_the_command_of_the_report_repeats_the_run(tmp_path, quick, monkeypatch):
    import html
    import re

    monkeypatch.chdir(tmp_path)
    run(*train("r", quick, "--evolution", "static", "--gamma", "0.9"))
    [line] = re.findall("<pre>(trulysparse rl train.*?)</pre>", (tmp_path / "r" / "report.html").read_text())
    before = (tmp_path / "r" / POLICY).read_bytes()
    run(*shlex.split(html.unescape(line))[1:], "--overwrite", "--no-report")
    assert (tmp_path / "r" / POLICY).read_bytes() == before


def test_help_names_the_commands():
    text = run("rl", "--help")
    for name in ("train", "resume", "evaluate", "compare"):
        assert name in text
    assert "rl " in run("--help")
    assert "--critic-density" in run("rl", "train", "--help")
