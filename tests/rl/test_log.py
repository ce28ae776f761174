from __future__ import annotations

import csv
import sys

import numpy as np
import pytest

from trulysparse.errors import InputError

gymnasium = pytest.importorskip("gymnasium")

from counting_environment import CountingEnvironment, StubAgent  # noqa: E402
from trulysparse.rl import log as log_module  # noqa: E402
from trulysparse.rl.log import ProgressFile, read_progress  # noqa: E402
from trulysparse.rl.loop import collect_and_learn  # noqa: E402

STEPS = "time/total_timesteps"


class Learner:
    """What the log asks of one: two of four hidden neurons are dormant."""

    batch_size = 2
    nets = (None,)

    def __init__(self, n_connections, replaced):
        self.n_connections, self.replaced = n_connections, replaced

    def forward(self):
        pass

    def hidden(self, number):
        return [np.float32([[1, 1], [0, 0], [0, 0], [1, 1]])]


def learn(folder, total=30, agent=None, **options):
    agent = agent or StubAgent(CountingEnvironment(length=3))
    agent.learners = {"actor": Learner(10, 1), "critic": Learner(20, 4)}
    agent.replay.nbytes = 1234
    collect_and_learn(agent, total, log=folder, **options)
    return agent


def test_figures_of_a_run(tmp_path):
    agent = learn(tmp_path / "run", 30, log_interval=2)
    rows = read_progress(tmp_path / "run" / "progress.csv")
    # Episodes take 3, 4, 3, 4, ... steps; every second one ends at 7, 14, 21, 28; the last line is of the end.
    assert [row[STEPS] for row in rows] == [7, 14, 21, 28, 30]
    assert [row["time/episodes"] for row in rows] == [2, 4, 6, 8, 8]
    assert rows[0]["rollout/ep_len_mean"] == 3.5
    assert rows[0]["rollout/ep_rew_mean"] == np.mean([1 + 2 + 3, 4 * 100 + 1 + 2 + 3 + 4])
    assert rows[1]["rollout/ep_len_mean"] == 3.5
    assert "train/critic_loss" not in rows[0]
    assert [row["train/n_updates"] for row in rows] == [0, 4, 11, 18, 20]
    assert rows[-1]["train/critic_loss"] == agent.metrics["train/critic_loss"]
    assert {row["sparse/connections"] for row in rows} == {30}
    assert {row["sparse/replaced"] for row in rows} == {5}
    assert [row.get("sparse/dormant") for row in rows] == [None, 0.5, 0.5, 0.5, 0.5]
    assert [row["replay/transitions"] for row in rows] == [7, 14, 21, 28, 30]
    assert {row["replay/bytes"] for row in rows} == {1234}
    seconds = [row["time/time_elapsed"] for row in rows]
    assert seconds == sorted(seconds)
    assert all(row["time/fps"] > 0 for row in rows)


def test_any_reader_of_tables_reads_it(tmp_path):
    learn(tmp_path)
    with (tmp_path / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [set(row) for row in rows] == [set(rows[0])] * len(rows)
    assert rows[0]["train/critic_loss"] != ""
    assert rows[0][STEPS].isdigit()


def test_run_that_goes_on(tmp_path):
    agent = learn(tmp_path, 30, log_interval=2)
    before = read_progress(tmp_path / "progress.csv")
    agent.num_timesteps = 14  # as a checkpoint left it
    learn(tmp_path, 10, agent, log_interval=2)
    rows = read_progress(tmp_path / "progress.csv")
    assert [row[STEPS] for row in rows][:2] == [7, 14]
    assert rows[:2] == before[:2]
    steps = [row[STEPS] for row in rows]
    assert steps == sorted(set(steps))
    assert steps[-1] == 24
    assert rows[2]["time/time_elapsed"] >= rows[1]["time/time_elapsed"]


def test_seconds_and_episodes_go_on(tmp_path):
    file = ProgressFile(tmp_path / "progress.csv", 0)
    file.write({STEPS: 10, "time/time_elapsed": 1000.5, "time/episodes": 7})
    agent = StubAgent(CountingEnvironment())
    agent.num_timesteps = 10
    learn(tmp_path, 10, agent)
    last = read_progress(tmp_path / "progress.csv")[-1]
    assert 1000.5 <= last["time/time_elapsed"] < 1030
    assert last["time/episodes"] == 7 + 3  # of 3, 4 and 3 steps


def test_another_run_in_the_folder_is_refused(tmp_path):
    learn(tmp_path)
    before = (tmp_path / "progress.csv").read_bytes()
    other = StubAgent(CountingEnvironment())
    with pytest.raises(InputError, match="without the progress of another run"):
        learn(tmp_path, 10, other)
    assert other.num_timesteps == 0
    assert other.environments.env.seeds == []
    assert (tmp_path / "progress.csv").read_bytes() == before


def test_line_that_was_broken_off_is_dropped(tmp_path):
    agent = learn(tmp_path, 30, log_interval=2)
    path = tmp_path / "progress.csv"
    before = read_progress(path)
    with path.open("a") as file:
        file.write("35,1.2,8")
    assert read_progress(path) == before
    learn(tmp_path, 10, agent)
    rows = read_progress(path)
    assert rows[: len(before)] == before
    assert rows[-1][STEPS] == 40


def test_columns_are_added_as_they_come(tmp_path):
    path = tmp_path / "progress.csv"
    file = ProgressFile(path, 0)
    file.write({STEPS: 1, "a": 0.1})
    file.write({STEPS: 2})
    file.write({STEPS: 3, "b": 1e-9, "a": -2.0})
    file.write({STEPS: 4, "b": float("nan")})
    assert path.read_text() == (f"{STEPS},a,b\n1,0.1,\n2,,\n3,-2,1e-09\n4,,nan\n")
    rows = read_progress(path)
    assert rows[:3] == [{STEPS: 1, "a": 0.1}, {STEPS: 2}, {STEPS: 3, "a": -2, "b": 1e-9}]


def test_lines_are_whole_as_soon_as_they_are_written(tmp_path):
    steps = []

    def look(agent):
        path = tmp_path / "progress.csv"
        rows = read_progress(path)
        steps.append(rows[-1][STEPS] if rows else 0)

    agent = StubAgent(CountingEnvironment(length=3))
    collect_and_learn(agent, 20, look, tmp_path, log_interval=2)
    assert steps == [*[0] * 6, *[7] * 7, *[14] * 7]


def test_file_that_is_no_progress(tmp_path):
    (tmp_path / "progress.csv").write_text("a,b\n1,2\n1,x\n")
    with pytest.raises(InputError, match=r"is not a progress\.csv"):
        learn(tmp_path)
    (tmp_path / "progress.csv").write_text("a,b\n1,2\n1\n")
    with pytest.raises(InputError, match=r"is not a progress\.csv"):
        read_progress(tmp_path / "progress.csv")
    (tmp_path / "progress.csv").write_text("")
    assert read_progress(tmp_path / "progress.csv") == []


def test_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="log must be a folder, not the file"):
        learn(tmp_path / "file")


def test_last_line_is_written_whatever_ends_the_training(tmp_path):
    def fail(agent):
        if agent.num_timesteps == 11:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        learn(tmp_path, 40, callbacks=fail)
    assert read_progress(tmp_path / "progress.csv")[-1][STEPS] == 11


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    agent = StubAgent(CountingEnvironment())
    collect_and_learn(agent, 30)
    assert list(tmp_path.iterdir()) == []


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    learn(tmp_path, 30, log_interval=2)
    read = accumulator.EventAccumulator(str(tmp_path))
    read.Reload()
    rows = read_progress(tmp_path / "progress.csv")
    for name in ("rollout/ep_rew_mean", "train/critic_loss", "sparse/connections", "replay/bytes", "time/fps"):
        events = [(each.step, each.value) for each in read.Scalars(name)]
        expected = [(row[STEPS], pytest.approx(row[name], rel=1e-6)) for row in rows if name in row]
        assert events == expected
    assert STEPS not in read.Tags()["scalars"]


def test_without_tensorboard_the_table_is_there(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    learn(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["progress.csv"]


def test_numbers_are_spelled_shortly():
    assert [log_module._text(each) for each in (None, 3, 3.0, 0.1, 1e300, np.float32(0.5))] == [
        "",
        "3",
        "3",
        "0.1",
        "1e+300",
        "0.5",
    ]
