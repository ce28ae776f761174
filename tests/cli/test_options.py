"""No option of `train` is taken and then ignored: each combination works, or is refused before anything is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import typer
from sklearn.datasets import dump_svmlight_file
from typer.testing import CliRunner

from command import refused, run
from trulysparse import parallel
from trulysparse.cli import app
from trulysparse.cli._options import takes_recipe
from trulysparse.cli._settings import CommandRecipe
from trulysparse.recipe import option

TINY = ["--hidden", "8", "--epochs", "2", "--threads", "1"]
STORAGES = {
    "indexed": [],
    "compact": ["--storage", "compact"],
    "bfloat16": ["--storage", "compact", "--precision", "bfloat16"],
    "on disk": ["--storage", "compact", "--on-disk"],
}
WAYS = {"alone": [], "wasap": ["--workers", "2"], "wassp": ["--workers", "2", "--parallel", "wassp"]}

# Each option with what it needs to have an effect; None: it has one in every training.
OPTIONS = {
    "--epsilon 5": None,
    "--density 0.3": None,
    "--density 0.3 --epsilon 5": False,
    "--density 0.3,0.5": None,
    "--density 0.3 --densities uniform": None,
    "--densities uniform": False,
    "--density 0.3,0.5 --densities uniform": False,
    "--density 0.3 --output-density 1": None,
    "--output-density 0.5": None,
    "--density 0.3,0.5 --output-density 1": False,
    "--connectivity connected": "indexed",
    "--connectivity fixed_fan_in": "indexed",
    "--activation relu": None,
    "--activation relu --alpha 0.1": False,
    "--activation tanh --alpha 0.1": False,
    "--activation leaky_relu --alpha 0.1": None,
    "--alpha 0.1": None,
    "--init normal": None,
    "--init normal --fan sparse": False,
    "--init xavier_uniform --fan sparse": None,
    "--init uniform --fan sparse": None,
    "--no-balance": None,
    "--precision bfloat16": "compact",
    "--evolution none": None,
    "--evolution none --zeta 0.1": False,
    "--evolution deepr --zeta 0.1": False,
    "--evolution set --zeta 0.1": None,
    "--evolution deepr --evolve-until 0.5": False,
    "--evolution set --evolve-until 0.5": None,
    "--importance-pruning 20": False,  # begins after epoch 200
    "--importance-pruning 20 --importance-start 1": "indexed",
    "--importance-start 1": False,
    "--importance-every 1": False,
    "--optimizer adam": None,
    "--optimizer adam --momentum 0.5": False,
    "--optimizer adam --nesterov": False,
    "--nesterov": None,
    "--nesterov --momentum 0": False,
    "--momentum-precision float32": "float32",
    "--momentum-precision bfloat16": "compact",
    "--momentum-precision float32 --momentum 0": False,
    "--weight-decay 0.1 --weight-decay-mode direct": None,
    "--weight-decay-mode direct": False,
    "--schedule cosine": None,
    "--schedule cosine --warmup 1": None,
    "--warmup 1": False,
    "--dropout 0.1": None,
    "--patience 5": None,
    "--recompute 2": "alone",
    "--micro-batch-size 50": "alone",
    "--checkpoint-every 3": "alone",
    "--no-checkpoints": "in memory",
    "--no-checkpoints --checkpoint-every 3": False,
    "--keep-checkpoints 1": "in memory",
    "--keep-checkpoints 0": False,
    "--phase1-epochs 1": "parallel",
    "--backend threads": "parallel",
    "--backend nonsense": False,
    "--backend ray --workers 1": False,
    "--address here:1": False,
    "--stream": False,
    "--target y": False,
    "--test-size 0.3": None,
    "--scale minmax": None,
}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """As quick to read and to train on as data may be."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    path = tmp_path_factory.mktemp("data") / "few.npz"
    np.savez(path, X=rng.standard_normal((200, 16)) + y[:, None], y=y)
    return path


@pytest.mark.parametrize("option", OPTIONS)
def test_option_works_or_is_refused(few, tmp_path, option):
    for (storage, stored), (way, ways) in product(STORAGES.items(), WAYS.items()):
        if option in ("--recompute 2", "--micro-batch-size 50") and way != "alone":
            continue
        out = tmp_path / f"{storage} {way}".replace(" ", "_")
        need = OPTIONS[option]
        works = {
            None: True,
            False: False,
            "indexed": storage == "indexed",
            "compact": storage != "indexed",
            "float32": True,
            "in memory": storage != "on disk",
            "alone": way == "alone",
            "parallel": way != "alone",
        }[need]
        if storage != "indexed" and way != "alone":
            works = False
        if option == "--backend ray --workers 1" and way == "wassp":
            continue  # one worker that is asked for
        if option == "--connectivity fixed_fan_in":
            works = works or None  # a pattern may know compact networks or not
        arguments = ["train", str(few), "--out", str(out), *TINY, *stored, *ways, *option.split()]
        result = CliRunner().invoke(app, arguments)
        text = f"{arguments}: {result.output}"
        assert result.exit_code == (0 if works else 2) or (works is None and result.exit_code in (0, 2)), text
        if result.exit_code == 2:
            assert len(result.stderr.strip().splitlines()) == 1, text
            assert result.stderr.startswith("error: "), text
            assert not out.exists(), text
        else:
            assert (out / "model.safetensors").exists(), text


@pytest.fixture
def sources(tmp_path, rng):
    """The same samples in every kind of source that needs no extra."""
    y = rng.integers(0, 2, 60)
    X = rng.standard_normal((60, 4)) + y[:, None]
    np.savez(tmp_path / "plain.npz", X=X, y=y)
    np.savez(tmp_path / "split.npz", X_train=X[:40], y_train=y[:40], X_test=X[40:], y_test=y[40:])
    dump_svmlight_file(X, y, str(tmp_path / "d.libsvm"))
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "X.npy", X)
    np.save(tmp_path / "folder" / "y.npy", y)
    return tmp_path


@pytest.mark.parametrize(
    "source, option, message",
    [
        ("plain.npz", ["--target", "y"], "--target: '.*' has no columns"),
        ("plain.npz", ["--stream"], "--stream: '.*plain.npz' is read as a whole"),
        ("plain.npz", ["--test-size", 0.3], None),
        ("split.npz", ["--test-size", 0.3], "--test-size: '.*' has a test set of its own"),
        ("d.libsvm", ["--target", "y"], "--target: '.*' has no columns"),
        ("d.libsvm", ["--stream"], None),
        ("folder", ["--target", "y"], "--target: '.*' has no columns"),
        ("folder", ["--stream"], None),
    ],
)
def test_option_that_depends_on_the_data(sources, source, option, message):
    import re

    arguments = ["train", sources / source, "--out", sources / "r", *TINY, *option]
    if message is None:
        run(*arguments)
        return
    assert re.search(message, refused(*arguments))
    assert not (sources / "r").exists()


@pytest.mark.parametrize("source, option", [("d.libsvm", ["--stream"]), ("d.libsvm", []), ("folder", [])])
def test_workers_on_a_cluster_read_the_same_samples(sources, monkeypatch, source, option):
    """Each worker opens the data for itself, in a directory of its own."""
    seen = {}

    def train(plan, loop, job):
        with monkeypatch.context() as patch:
            patch.chdir("/")
            seen["X"], seen["y"] = plan.data()
        rows = np.arange(len(seen["y"]))
        np.testing.assert_array_equal(seen["y"], job.targets)
        assert type(seen["X"]) is type(job.matrix.x)
        assert len(rows) == job.matrix.n_samples
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel.WASAP, "train", train)
    monkeypatch.chdir(sources)
    arguments = ["train", source, "--out", "r", *TINY, "--workers", "2", "--backend", "ray", *option]
    assert CliRunner().invoke(app, arguments).exit_code in (1, 130)
    assert seen


@dataclass(frozen=True)
class Example(CommandRecipe):
    """A recipe with an option that no command has yet."""

    novelty: int | None = option(None, "Something new.")


def test_field_that_is_added_becomes_an_option():
    """Its name, type, default and help reach the command, its value the recipe."""
    seen = []
    example = typer.Typer()

    @example.command()
    @takes_recipe(Example, ("novelty", "hidden", "nesterov"))
    def command(recipe: Example, given: Collection[str], *, more: str = "x") -> None:
        seen.append((recipe, set(given), more))

    result = CliRunner().invoke(example, ["--help"])
    assert "Something new." in result.output
    for arguments in ([], ["--novelty", "3", "--hidden", "4,5", "--nesterov", "--more", "y"]):
        assert CliRunner().invoke(example, arguments).exit_code == 0
    assert seen[0] == (Example(), set(), "x")
    assert seen[1] == (Example(novelty=3, hidden=(4, 5), nesterov=True), {"novelty", "hidden", "nesterov", "more"}, "y")
    assert CliRunner().invoke(example, ["--novelty", "much"]).exit_code == 2
