"""Files that the version of commit 3fc8adb wrote still work: models, a finished run, and two broken-off trainings.

tests/data/version_0_1.zip holds them, with the data they were trained on and what that version answered (expected.json,
predictions.csv)."""

from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import trulysparse as ts
from trulysparse.cli import app
from trulysparse.cli._settings import Settings
from trulysparse.recipe.recipe import EARLIER

ARCHIVE = Path(__file__).parent / "data" / "version_0_1.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    for config in tmp_path.glob("*/checkpoint/config.json"):  # the data lay elsewhere then
        values = json.loads(config.read_text())
        config.write_text(json.dumps(values | {"data": str(tmp_path / "data.csv")}))
    return tmp_path


def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6)).astype(np.float32)
    codes = np.arange(40) % 3
    X[:, 1] += 2 * codes
    return X, codes


def run(*arguments: str | Path) -> Any:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.mark.parametrize("name, tolerance", [("indexed", 1e-6), ("compact", 1e-6), ("regression", 1e-12)])
def test_a_model_gives_the_outputs_it_gave(folder: Path, name: str, tolerance: float) -> None:
    net = ts.load(folder / f"{name}.safetensors")
    X, _ = samples()
    outputs = net.predict(X) if name == "regression" else net.predict_proba(X)
    expected = json.loads((folder / "expected.json").read_text())[name]
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=tolerance)
    if name == "indexed":
        assert net.labels is not None
        assert net.labels.tolist() == ["ant", "bee", "cat"]


def test_a_model_written_anew_is_the_same_network(folder: Path) -> None:
    X, _ = samples()
    for name in ("indexed", "compact", "regression"):
        net = ts.load(folder / f"{name}.safetensors")
        ts.save(net, folder / "again.safetensors")
        np.testing.assert_array_equal(
            net.decision_function(X), ts.load(folder / "again.safetensors").decision_function(X)
        )


def test_a_run_evaluates_as_it_did(folder: Path) -> None:
    figures = json.loads(run("evaluate", folder / "run", folder / "data.csv", "--json").stdout.splitlines()[-1])
    expected = json.loads((folder / "expected.json").read_text())["evaluate"]
    assert figures["accuracy"] == expected["accuracy"]
    assert figures["loss"] == pytest.approx(expected["loss"], abs=1e-6)


def test_a_run_predicts_as_it_did(folder: Path) -> None:
    run("predict", folder / "run", folder / "data.csv", "--part", "all", "--out", folder / "again.csv")
    before, after = (list(csv.DictReader((folder / f"{name}.csv").open())) for name in ("predictions", "again"))
    assert [row["prediction"] for row in after] == [row["prediction"] for row in before]
    for old, new in zip(before, after, strict=True):
        assert float(new["probability"]) == pytest.approx(float(old["probability"]), abs=1e-6)


def test_a_run_is_described(folder: Path) -> None:
    assert "6-16-8-3" in run("info", folder / "run").stdout


@pytest.mark.parametrize("name", ["broken_off", "broken_off_on_disk"])
def test_a_broken_off_training_goes_on(folder: Path, name: str) -> None:
    run("resume", folder / name, "--json")
    records = [json.loads(line) for line in (folder / name / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3, 4]
    net = ts.load(folder / name / "model.safetensors")
    X = np.loadtxt(folder / "data.csv", delimiter=",", skiprows=1)[:, :6]
    expected = json.loads((folder / "expected.json").read_text())[name]  # as the version before went on
    np.testing.assert_allclose(net.predict_proba(X), expected, rtol=0, atol=1e-4)
    assert not (folder / name / "checkpoint").exists()


@pytest.mark.parametrize("name", ["broken_off", "broken_off_on_disk"])
def test_settings_are_written_under_the_names_they_had(folder: Path, name: str) -> None:
    before = json.loads((folder / name / "checkpoint" / "config.json").read_text())
    before.pop("fingerprint")
    after = Settings.from_json(before).to_json()
    assert {option: after[option] for option in before} == before
    new = set(after) - set(before)  # which that version did not have: at their defaults, a training goes on as it began
    defaults = {each.name: each.default for each in fields(Settings) if each.default is not MISSING}
    as_then = {**defaults, "image_shape": [], **EARLIER}
    assert {option: after[option] for option in new} == {option: as_then[option] for option in new}
