"""The report of a run: one file with all that is there."""

from __future__ import annotations

import re

import numpy as np
import pytest

import trulysparse as ts
from pictures import parsed, tables
from trulysparse.report import RunReport, write_network_page, write_report
from trulysparse.report.run_report import report_html

NASTY = "<script>alert('x')</script>"
RECORDS = [{"epoch": e, "loss": 1 / e, "val_accuracy": 0.5, "connections_per_layer": [100, 50]} for e in (1, 2)]


def report(**options):
    net = options.pop("net", None) or ts.SparseMLP((10, 20, 3), epsilon=2, seed=0)
    known = {"title": "A run", "command": "trulysparse train", "records": RECORDS, "kind": "classification"}
    return RunReport(**{**known, "net": net, **options})


def classified(k, n=300, **options):
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(k), n)
    net = ts.SparseMLP((10, 20, k), epsilon=2, seed=0)
    known = {"y_true": rng.integers(0, k, n), "y_pred": probability.argmax(axis=1), "probability": probability}
    return report(net=net, **known, **options)


def check(page):
    """Whole pictures, nothing from elsewhere, no script, of bounded size."""
    pictures = re.findall("<svg.*?</svg>", page, re.S)
    for picture in pictures:
        parsed(picture)
    assert len(page) < 2_000_000
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page)
    assert page.startswith("<!doctype html>")
    return re.findall("<h3>(.*?)</h3>", page)


def test_report_has_all_parts_of_a_classification():
    page = report_html(
        classified(
            3,
            facts={"data": "digits", "target": ""},
            scores={"accuracy": 0.98765, "loss": 0.1},
            notes=["separator: ';' (detected)"],
            labels=np.array(["cat", "dog", "eel"]),
            feature_names=[f"f{i}" for i in range(10)],
            importance=np.arange(10.0),
            parts={"updates": 1.5, "reading": 0.5},
            command="trulysparse train 'my data.csv' --out r",
        )
    )
    titles = check(page)
    wanted = ["Loss", "Validation accuracy", "Confusion matrix", "Calibration", "Classes", "Most frequent confusions"]
    wanted += ["Inputs by importance", "Drawn", "Layers", "Connections per layer", "Layer 1: inputs per neuron"]
    wanted += ["Parts of the training"]
    assert set(wanted) <= set(titles)
    assert "<b>0.9877</b><span>accuracy</span>" in page
    assert "<pre>trulysparse train &#x27;my data.csv&#x27; --out r</pre>" in page
    assert "separator: &#x27;;&#x27; (detected)" in page
    assert tables(page)[0] == [["data", "digits"]]


def test_two_classes_are_calibrated_by_the_second():
    page = report_html(classified(2, labels=np.array(["no", "yes"])))
    check(page)
    assert "The probability of &#x27;yes&#x27;." in page
    assert "Most frequent confusions" not in page


@pytest.mark.parametrize("k", [100, 1000])
def test_many_classes(k):
    assert "Confusion matrix" in check(report_html(classified(k, labels=np.arange(k))))


def test_a_skip_layer_is_in_the_tables():
    net = ts.SparseMLP((10, 20, 3), epsilon=2, skip=True, skip_density=0.5, seed=0)
    page = report_html(report(net=net))
    check(page)
    row = next(row for row in re.findall("<tr>.*?</tr>", page, re.S) if "none: skip layer" in row)
    assert re.findall("<t[dh][^>]*>(.*?)</t[dh]>", row)[1:3] == ["15", "50 %"]
    assert "15 of them from the inputs straight to the outputs" in page


def test_several_labels():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (50, 3)), rng.random((50, 3))
    net = ts.SparseMLP((10, 20, 3), epsilon=2, output="sigmoid", seed=0)
    known = {"y_true": y, "y_pred": (p > 0.5).astype(int), "probability": p}
    titles = check(report_html(report(net=net, kind="multilabel", **known)))
    assert {"Labels", "Wrong labels per sample", "Calibration"} <= set(titles)


def test_regression():
    y = np.random.default_rng(0).normal(size=(50, 2))
    net = ts.SparseMLP((10, 20, 2), epsilon=2, output="identity", seed=0)
    titles = check(report_html(report(net=net, kind="regression", targets=("a", "b"), y_true=y, y_pred=y * 0.9)))
    assert {"a: predicted and true", "b: residuals", "Targets"} <= set(titles)


@pytest.mark.parametrize("records", [[], RECORDS[:1], [{"epoch": 1, "loss": float("nan")}]])
def test_nothing_held_out_and_few_records(records):
    page = report_html(report(records=records))
    check(page)
    assert "No samples were held out" in page
    assert "Confusion matrix" not in page


def test_texts_are_escaped():
    page = report_html(
        classified(
            3,
            title=NASTY,
            command=NASTY,
            facts={NASTY: NASTY},
            scores={NASTY: 1.0},
            notes=[NASTY],
            labels=np.array([NASTY] * 3),
            feature_names=[NASTY] * 10,
            importance=np.ones(10),
            parts={NASTY: 1.0},
        )
    )
    check(page)
    assert page.count("&lt;script&gt;") > 20


def test_a_very_wide_network_makes_a_small_page(tmp_path):
    net = ts.SparseMLP((1_000_000, 50, 2), epsilon=0.3, seed=0, storage="compact")
    names, values = [f"gene{i}" for i in range(1_000_000)], np.random.default_rng(0).gamma(1, size=1_000_000)
    write_report(tmp_path / "r.html", report(net=net, feature_names=names, importance=values, records=RECORDS * 5000))
    page = (tmp_path / "r.html").read_text()
    check(page)
    assert len(page) < 300_000


@pytest.mark.parametrize("options", [{}, {"storage": "compact"}, {"storage": "compact", "folder": True}])
def test_all_storages_have_degrees_and_layer_times(options, tmp_path):
    if "folder" in options:
        options = {**options, "folder": tmp_path / "layers"}
    net = ts.SparseMLP((30, 40, 3), epsilon=3, seed=0, **options)
    before = [np.array(layer.values) for layer in net.layers]
    titles = check(report_html(report(net=net)))
    assert {"Layer 2: outputs per neuron", "Drawn", "Layers"} <= set(titles)
    assert all(np.array_equal(a, layer.values) for a, layer in zip(before, net.layers, strict=True))


def test_existing_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("x" * 10_000_000)
    write_report(path, report())
    assert path.read_text().startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_network_page(tmp_path):
    write_network_page(tmp_path / "n.html", ts.SparseMLP((10, 20, 3), epsilon=2, seed=0), title=NASTY)
    assert {"Drawn", "Layers"} <= set(check((tmp_path / "n.html").read_text()))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"kind": "ranking"}, "kind must be one of classification, multilabel, regression, not 'ranking'"),
        ({"y_true": np.zeros(3)}, "must be given together"),
        ({"y_true": np.zeros(3), "y_pred": np.zeros(2)}, "y_pred must have 3 samples as y_true has, not 2"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ts.InputError, match=message):
        report(**options)
