"""What the report of a training shows."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from command import SMALL, run


def page_of(tmp_path, data, *options) -> str:
    run("train", data, "--out", tmp_path / "r", *SMALL, "--report", *options)
    return (tmp_path / "r" / "report.html").read_text()


def test_the_report_has_the_command_that_repeats_it(tmp_path):
    page = page_of(tmp_path, "breast_cancer")
    command = re.search(r"<pre>(trulysparse train .*?)</pre>", page)[1]
    assert command.startswith(f"trulysparse train breast_cancer --out {tmp_path / 'r'} --hidden 30,20")
    for part in ("reading", "updates, evolution", "scores, checkpoints"):
        assert part in page


def test_columns_are_called_by_their_names(tmp_path, rng):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    rows = [f"{rng.normal():.3f},{rng.choice(['Paris', 'Rome'])},{rng.normal() * 9:.2f}" for _ in range(60)]
    (tmp_path / "t.csv").write_text("age,town <i>,price\n" + "\n".join(rows) + "\n")
    page = page_of(tmp_path, tmp_path / "t.csv")
    assert "town &lt;i&gt;=Paris" in page
    assert "<i>" not in page
    assert "Residuals" in page or "residuals" in page
    assert "the last column" in page  # a guess that is said


def test_several_labels_per_sample(tmp_path, rng):
    X = rng.normal(size=(80, 6))
    np.savez(tmp_path / "m.npz", X=X, y=(X[:, :3] > 0).astype(int))
    assert "Calibration" in page_of(tmp_path, tmp_path / "m.npz")


def test_constant_inputs_have_no_importance(tmp_path, rng):
    X = rng.normal(size=(80, 5))
    X[:, 2] = 7.0
    np.savez(tmp_path / "c.npz", X=X, y=X[:, 0] > 0)
    page = page_of(tmp_path, tmp_path / "c.npz")
    shares = dict(re.findall(r"<td>input (\d)</td><td class='n'>[^<]*</td><td class='n'>([^<]*)</td>", page))
    assert sorted(shares) == list("01234")
    assert [name for name, share in shares.items() if share == "0 %"] == ["2"]


def test_cross_validation(tmp_path):
    page = page_of(tmp_path, "breast_cancer", "--cv", "3")
    assert "accuracy, mean of 3 folds" in page
    assert "Cross-validation" in page
    assert "had not seen it" in page
    assert "No samples were held out" not in page
    found = re.findall(r"<td>([a-z, ]+)</td><td class='n'>([0-9.e-]+)</td><td class='n'>[0-9.]+ %</td>", page)
    parts = {name: float(seconds) for name, seconds in found}
    assert set(parts) == {"reading", "preparing", "folds", "updates, evolution", "scores, checkpoints"}
    seconds = json.loads((tmp_path / "r" / "results.json").read_text())["seconds"]
    assert sum(parts.values()) - parts["reading"] == pytest.approx(seconds, rel=0.1, abs=0.1)
