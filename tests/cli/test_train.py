"""trulysparse train: what it learns and what it writes."""

from __future__ import annotations

import json

import numpy as np
import pytest

import trulysparse as ts
from command import RUN_FILES, SMALL, last_json, refused, run, write_table
from trulysparse.evolution import NAMES
from trulysparse.recipe.presets import preset


@pytest.mark.parametrize("options", [["--workers", 2], ["--workers", 3, "--parallel", "wassp", "--phase1-epochs", 1]])
def test_workers_write_a_record_per_epoch_they_share(tmp_path, options):
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *SMALL, *options, "--json"))
    assert figures["epochs"] == 3
    lines = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert [line["phase"] for line in lines] == ([1, 1, 2] if len(options) == 2 else [1, 2])
    assert "staleness" in lines[0]
    assert lines[-1]["epoch"] == 3
    assert last_json(run("evaluate", tmp_path / "r", "digits", "--json"))["accuracy"] == figures["accuracy"]


def test_a_preset_is_used_where_no_option_says_otherwise(tmp_path):
    options = ["--preset", "fashion-mnist-5min", "--epochs", 3, "--hidden", "40,30", "--density", "0.2,0.2,1"]
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *options, "--json"))
    assert figures["epochs"] == 3
    assert figures["accuracy"] > 0.5
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    values = preset("fashion-mnist-5min").others({"epochs", "hidden", "density"})
    assert {name: config[name] for name in values} == json.loads(json.dumps(dict(values)))
    assert (config["epochs"], config["hidden"], config["density"]) == (3, [40, 30], [0.2, 0.2, 1])
    message = refused("train", "digits", "--out", tmp_path / "r", "--preset", "best")
    assert message.startswith("error: --preset must be one of fashion-mnist-5min, ")


def test_images_are_augmented(tmp_path):
    augment = ["--augment", "rotation=10,shift=0.1", "--image-shape", "8,8"]
    figures = [
        last_json(run("train", "digits", "--out", tmp_path / str(i), *SMALL, *options, "--json"))
        for i, options in enumerate(([], augment, augment))
    ]
    assert figures[1]["loss"] == figures[2]["loss"] != figures[0]["loss"]
    config = json.loads((tmp_path / "1" / "config.json").read_text())
    assert (config["augmentation"], config["image_shape"]) == ("rotation=10,shift=0.1", [8, 8])


@pytest.mark.parametrize("data", ["digits", "breast_cancer", "madelon-like"])
def test_built_in_data_is_learned_and_written(tmp_path, data):
    figures = last_json(run("train", data, "--out", tmp_path / "r", *SMALL, "--json"))
    assert list(figures) == ["accuracy", "loss", "seconds", "epochs", "connections", "neurons", "peak_rss_mb"]
    assert figures["accuracy"] > (0.5 if data == "madelon-like" else 0.7)
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == RUN_FILES
    again = last_json(run("evaluate", tmp_path / "r", data, "--json"))
    assert again["accuracy"] == figures["accuracy"]
    assert again["loss"] == figures["loss"]


def test_topology_options_and_report_reach_the_run_folder(tmp_path):
    options = ["--evolution", "rigl", "--connectivity", "small_world", "--density", "0.2", "--report", "--json"]
    pruning = ["--importance-pruning", 20, "--importance-start", 1, "--importance-every", 1]
    small = [*SMALL[:4], *SMALL[6:]]  # without --epsilon, in whose place --density is
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *small, *options, *pruning))
    assert figures["neurons"] < 30 + 20 + 10
    page = (tmp_path / "r" / "report.html").read_text()
    for title in ("Loss", "Validation accuracy", "Exploration", "Dead neurons", "Map of the inputs", "Calibration"):
        assert f"<h3>{title}</h3>" in page
    assert page.count("<svg") >= 15
    records = [json.loads(line) for line in (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["neurons"] == figures["neurons"] - 10
    again = last_json(run("evaluate", tmp_path / "r", "digits", "--json"))
    assert again["accuracy"] == figures["accuracy"]
    found = last_json(run("info", tmp_path / "r", "--topology", "--json"))
    assert len(found["topology"]["layers"]) == 3
    run("train", "digits", "--out", tmp_path / "r", *SMALL)
    assert not (tmp_path / "r" / "report.html").exists()


@pytest.mark.parametrize("storage", ["indexed", "compact"])
def test_skip_and_noise_reach_the_run(tmp_path, storage):
    options = ["--skip", "--skip-density", 0.5, "--input-noise", 0.1, "--input-dropout", 0.1, "--storage", storage]
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *SMALL, *options, "--report", "--json"))
    net = ts.load(tmp_path / "r" / "model.safetensors")
    assert net.skip_layer.n_connections == 320
    assert figures["connections"] == net.n_connections
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert (config["input_noise"], config["input_dropout"], config["skip"]) == (0.1, 0.1, True)
    assert last_json(run("evaluate", tmp_path / "r", "digits", "--json"))["accuracy"] == figures["accuracy"]
    output = run("info", tmp_path / "r", "--topology", "--json")
    assert "skip layer" in output
    assert len(last_json(output)["topology"]["layers"]) == 4
    plain = last_json(
        run("train", "digits", "--out", tmp_path / "p", *SMALL, *options[:3], "--storage", storage, "--json")
    )
    assert plain["loss"] != figures["loss"]


def test_starts_and_densities_reach_the_network_and_are_resumed(tmp_path):
    options = ["--density", "0.1,0.2,1", "--connectivity", "csti", "--json"]
    small = [*SMALL[:4], *SMALL[6:]]
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *small, *options))
    found = last_json(run("info", tmp_path / "r", "--json"))
    densities = [layer["density"] for layer in found["layers"]]
    assert densities == pytest.approx([0.1, 0.2, 1.0], abs=0.01)
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert (config["density"], config["connectivity"]) == ([0.1, 0.2, 1.0], "csti")
    uniform = ["--density", "0.05", "--densities", "uniform", "--output-density", "1", "--json"]
    for more in (["--connectivity", "connected"], ["--storage", "compact"]):
        again = last_json(run("train", "digits", "--out", tmp_path / "s", *small, *uniform, *more))
        assert again["connections"] == round(0.05 * 64 * 30) + round(0.05 * 30 * 20) + 200
    assert figures["accuracy"] > 0.3
    assert "--density must be a number" in refused("train", "digits", "--out", tmp_path / "t", "--density", "0.1,x")


@pytest.mark.parametrize("evolution", NAMES)
def test_every_evolution_method_learns(tmp_path, evolution):
    figures = last_json(run("train", "digits", "--out", tmp_path / "r", *SMALL, "--evolution", evolution, "--json"))
    assert figures["accuracy"] > 0.5


def test_same_seed_same_model_whatever_the_threads(tmp_path):
    for threads in (1, 2):
        run("train", "digits", "--out", tmp_path / str(threads), *SMALL, "--threads", threads, "--dropout", 0.2)
    models = [(tmp_path / str(t) / "model.safetensors").read_bytes() for t in (1, 2)]
    assert models[0] == models[1]


def test_options_reach_the_network(tmp_path):
    run(
        "train",
        "digits",
        "--out",
        tmp_path / "r",
        "--hidden",
        "12",
        "--epochs",
        1,
        "--activation",
        "leaky_relu",
        "--alpha",
        0.2,
        "--connectivity",
        "erdos_renyi",
        "--init",
        "xavier_uniform",
        "--fan",
        "sparse",
        "--scale",
        "minmax",
        "--epsilon",
        3,
        "--seed",
        7,
        "--evolution",
        "none",
        "--optimizer",
        "adam",
        "--schedule",
        "cosine",
        "--warmup",
        0.5,
        "--weight-decay",
        0.01,
    )
    net = ts.load(tmp_path / "r" / "model.safetensors")
    assert net.activation == ts.LeakyReLU(0.2)
    assert net.init == ts.WeightInit("xavier_uniform", "sparse")
    assert net.scaling.kind == "minmax"
    assert (net.layer_sizes, net.epsilon, net.seed) == ((64, 12, 10), 3.0, 7)
    drawn = ts.SparseMLP((64, 12, 10), epsilon=3, seed=7)
    np.testing.assert_array_equal(net.layers[0].connectivity.indices, drawn.layers[0].connectivity.indices)


def test_streamed_training_learns(tmp_path, table):
    X, y = table
    folder = tmp_path / "data"
    folder.mkdir()
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    figures = last_json(run("train", folder, "--out", tmp_path / "r", *SMALL, "--json"))
    assert figures["accuracy"] > 0.8
    assert last_json(run("evaluate", tmp_path / "r", folder, "--json"))["accuracy"] == figures["accuracy"]
    run("predict", tmp_path / "r", folder, "--out", tmp_path / "p.csv")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 151
    path = write_table(tmp_path, "libsvm", X, y)
    streamed = last_json(
        run("train", path, "--out", tmp_path / "s", "--stream", "--connectivity", "csti", *SMALL, "--json")
    )
    assert streamed["accuracy"] > 0.8


def test_divergence_ends_with_a_sentence(tmp_path):
    error = run("train", "digits", "--out", tmp_path / "r", *SMALL, "--learning-rate", 1e6, code=1)
    assert "training has diverged" in error
    assert not (tmp_path / "r" / "model.safetensors").exists()


def test_a_failed_run_leaves_the_old_model(tmp_path):
    run("train", "digits", "--out", tmp_path / "r", *SMALL)
    model = (tmp_path / "r" / "model.safetensors").read_bytes()
    run("train", "digits", "--out", tmp_path / "r", *SMALL, "--learning-rate", 1e6, code=1)
    assert (tmp_path / "r" / "model.safetensors").read_bytes() == model


def test_a_regression_on_a_small_table_is_sound_without_options(tmp_path, rng):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    X = rng.normal(size=(300, 3))
    rows = np.column_stack([X, 1e4 + 3e3 * X[:, 0] - 1e3 * X[:, 1]])
    np.savetxt(tmp_path / "lin.csv", rows, delimiter=",", header="a,b,c,t", comments="")
    fast = ["--hidden", "300,300", "--epochs", "40", "--json"]
    figures = last_json(run("train", tmp_path / "lin.csv", "--out", tmp_path / "run", *fast))
    assert figures["r2"] > 0.9  # 0.4 where SET goes on to the end with batches of 128
