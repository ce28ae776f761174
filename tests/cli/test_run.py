"""Run folders: what is in them, and what becomes of them when a later command fails."""

from __future__ import annotations

import json
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from command import SMALL, contents, last_json, refused, run
from trulysparse.cli._run import CONFIG, METRICS, MODEL, REPORT, settle

FILES = [CONFIG, METRICS, MODEL, "results.json"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run."""
    folder = tmp_path_factory.mktemp("finished") / "r"
    run("train", "digits", "--out", folder, *SMALL)
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of it, to spoil."""
    return Path(shutil.copytree(finished, tmp_path / "r"))


@contextmanager
def small_files():
    """No file may become larger than 6,000 bytes; within the test alone, as pytest may write to a file itself."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_model_that_cannot_be_written_leaves_the_old_run(copy):
    before = contents(copy)
    with small_files():
        error = run("train", "digits", "--out", copy, *SMALL, "--seed", 7, code=1)
    assert "cannot be written" in error
    assert len(error.strip().splitlines()) == 1
    after = contents(copy)
    assert {name: after[name] for name in FILES} == before
    assert set(after) <= {*FILES, "metrics.partial.jsonl"}


@pytest.mark.parametrize("moves", range(5))
def test_run_that_is_put_in_place_half_is_old_or_new(copy, tmp_path, monkeypatch, moves):
    """The process dies after so many of the files have been put in place."""
    run("train", "digits", "--out", tmp_path / "new", *SMALL, "--seed", 7)
    replace, seen = Path.replace, 0

    def dying(self, target):
        nonlocal seen
        if self.parent.name == ".new" and Path(target).parent == copy:
            seen += 1
            if seen > moves:
                raise SystemExit(9)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying)
        patch.setattr("trulysparse.cli._run.shutil.rmtree", lambda *_, **__: None)
        run("train", "digits", "--out", copy, *SMALL, "--seed", 7, code=9 if moves < 4 else 0)
    reference = tmp_path / "new" if moves else None
    found = last_json(run("info", copy, "--json"))["config"]
    assert found["seed"] == (7 if moves else 0)
    score = last_json(run("evaluate", copy, "digits", "--json"))
    if reference:
        assert score == last_json(run("evaluate", reference, "digits", "--json"))
    settle(copy)
    left = sorted(name for name in contents(copy) if not name.startswith("checkpoint"))
    assert left == sorted({*FILES} | ({"metrics.partial.jsonl"} if moves < 4 else set()))
    assert json.loads((copy / CONFIG).read_text())["seed"] == (7 if moves else 0)
    assert last_json(run("evaluate", copy, "digits", "--json")) == score


@pytest.mark.parametrize("command", ["evaluate", "predict", "info"])
def test_settings_of_another_training_are_refused(copy, tmp_path, command):
    run("train", "digits", "--out", tmp_path / "other", *SMALL, "--seed", 1)
    shutil.copy(tmp_path / "other" / CONFIG, copy / CONFIG)
    assert "does not belong to the model.safetensors" in refused(*use(command, copy, tmp_path))


def use(command: str, folder: Path, tmp_path: Path) -> list[object]:
    return {
        "evaluate": ["evaluate", folder, "digits"],
        "predict": ["predict", folder, "digits", "--out", tmp_path / "p.csv"],
        "info": ["info", folder],
    }[command]


def test_settings_that_do_not_name_their_model_are_taken(copy):
    score = run("evaluate", copy, "digits", "--json")
    config = json.loads((copy / CONFIG).read_text())
    del config["model"]
    (copy / CONFIG).write_text(json.dumps(config))
    assert run("evaluate", copy, "digits", "--json") == score


@pytest.mark.parametrize("command", ["evaluate", "predict", "info"])
@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "3",
        "null",
        '"text"',
        "{",
        "",
        "[" * 100_000,
        b"\xff\xfe\x00",
        {"features": 3},
        {"features": [1, 2]},
        {"seed": "x"},
        {"seed": True},
        {"test_size": None},
        {"test_size": "0.2"},
        {"target": 7},
        {"fingerprint": []},
        {"model": 1},
        {"data": {}},
        {"seed": 10**400},
        "without seed",
    ],
    ids=lambda value: str(value)[:20],
)
def test_settings_that_are_not_what_they_must_be_are_refused(copy, tmp_path, command, text):
    config = json.loads((copy / CONFIG).read_text())
    if text == "without seed":
        del config["seed"]
        text = json.dumps(config)
    elif isinstance(text, dict):
        text = json.dumps(config | text)
    (copy / CONFIG).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "config.json' cannot be read" in refused(*use(command, copy, tmp_path))


@pytest.mark.parametrize("text", [b"\xff\xfe\x00\n", b"none\n", b"[1]\n", b"[" * 100_000])
def test_metrics_that_are_not_text_are_named(copy, text):
    (copy / METRICS).write_bytes(text)
    assert "metrics.jsonl' cannot be read" in refused("info", copy)


@pytest.mark.parametrize(
    "options, code",
    [
        (["--learning-rate", "1e9"], 1),
        (["--connectivity", "small_world", *("--storage", "compact")], 2),
        (["--epsilon", "0"], 2),
        (["--workers", "2", "--parallel", "mpi"], 2),
        (["--momentum-precision", "bfloat16"], 2),
        (["--hidden", "2000000000", "--epsilon", "1000"], 2),
    ],
)
def test_training_that_fails_leaves_a_finished_run_as_it_was(copy, options, code):
    before = contents(copy)
    run("train", "digits", "--out", copy, *SMALL, *options, code=code)
    after = contents(copy)
    after.pop("metrics.partial.jsonl", None)
    assert after == before


def test_report_of_an_earlier_run_goes_with_it(copy):
    (copy / REPORT).write_text("of the run before")
    run("train", "digits", "--out", copy, *SMALL, "--learning-rate", "1e9", code=1)
    assert (copy / REPORT).exists()
    run("train", "digits", "--out", copy, *SMALL)
    assert sorted(contents(copy)) == FILES
