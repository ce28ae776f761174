"""What the report says of the data and of the training."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

from command import SMALL, run
from trulysparse._core.version import __version__
from trulysparse.bench.report import processor


def facts(tmp_path, data, *options) -> dict[str, str]:
    run("train", data, "--out", tmp_path / "r", *SMALL, "--report", *options)
    page = (tmp_path / "r" / "report.html").read_text()
    found = re.findall(r"<tr><th>([^<]*)</th><td>(.*?)</td></tr>", page.split("<h2>Training")[0])
    assert len(dict(found)) == len(found)  # no name twice
    return {name: html.unescape(text) for name, text in found}


@pytest.fixture
def table(tmp_path, rng):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    rows = [
        f"{rng.normal():.3f},{rng.choice(['Paris', 'Rome'])},{i // 10},2024-01-{1 + i % 28:02},{rng.normal() * 9:.2f}"
        for i in range(100)
    ]
    path = tmp_path / "t.csv"
    path.write_text("age,town,ward,day,price\n" + "\n".join(rows) + "\n")
    return path


def test_a_classification(tmp_path):
    found = facts(tmp_path, "breast_cancer", "--seed", "3", "--validation-fraction", "0.1", "--scale", "minmax")
    assert found["task"] == "classification"
    assert found["trained on"] == "409 samples"
    assert found["held out"] == "114 (20 %), at random, each class with its share"
    assert found["scored after each epoch"].startswith("46 more (10 % of the other samples)")
    assert found["inputs"] == "30; put between 0 and 1"
    assert found["seed"] == "3"
    assert found["loss function"] == "softmax_cross_entropy"
    assert found["optimizer"] == "sgd, learning rate 0.05, batches of 16 samples"
    assert found["topology"] == "none"
    assert found["machine"].startswith(processor())
    assert f"trulysparse {__version__}," in found["version"]


def test_groups_and_columns_that_became_inputs(tmp_path, table):
    found = facts(tmp_path, table, "--group", "ward", "--ignore", "day", "--workers", "2")
    assert found["task"] == "regression"
    assert found["held out"] == "20 (20 %), at random, those of a 'ward' together"
    assert found["inputs"] == "3, made of 2 of 2 columns; standardised"
    assert found["machine"].endswith("; 2 workers")


def test_times_folds_and_test_sets(tmp_path, table):
    found = facts(tmp_path / "a", table, "--time", "day", "--ignore", "ward")
    assert found["held out"] == "20 (20 %), the last by 'day'"
    found = facts(tmp_path / "b", table, "--ignore", "ward,day", "--cv", "2")
    assert found["held out"].startswith("2 folds, at random; then a network of all samples")
    assert found["trained on"] == "100 samples"
    assert found["scored after each epoch"] == "none"
    assert "those of the folds included" in found["training"]
    found = facts(tmp_path / "c", table, "--ignore", "ward,day", "--test", table)
    assert found["held out"] == f"100, of {table}"
    np.savez(tmp_path / "s.npz", **{f"X_{p}": np.eye(9) for p in ("train", "test")}, y_train=[0, 1, 2] * 3,
             y_test=[0, 1, 2] * 3)  # fmt: skip
    assert facts(tmp_path / "d", tmp_path / "s.npz")["held out"] == "9, the test set of the data"
