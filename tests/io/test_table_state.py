"""Networks that read tables, through files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import trulysparse as ts
from trulysparse.data import Scaling, as_matrix, fit_scaling, fit_target_scaling
from trulysparse.errors import InputError
from trulysparse.io import checkpoints
from trulysparse.io.models import ENTRY

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")


def table(rng, n=60):
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, n).astype(float),
            "city": pd.Series(rng.choice(["Paris", "Rome", "São Paulo"], n), dtype=object),
            "flag": rng.random(n) < 0.5,
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[::9, "city"] = None
    return frame


@pytest.fixture
def net(rng):
    frame = table(rng)
    preprocessor = ts.TablePreprocessor(sparse_threshold=1).fit(frame)
    net = ts.SparseMLP((preprocessor.n_features_out_, 10, 2), epsilon=5, output="identity", seed=0)
    net.preprocessor = preprocessor
    net.scaling = fit_scaling("standard", as_matrix(preprocessor.transform(frame)), scaled=preprocessor.scaled_)
    net.target_scaling = fit_target_scaling(rng.standard_normal((60, 2)) * [1e5, 1e-5] + 7)
    return net


def metadata(path):
    with safe_open(path, "np") as file:
        return file.metadata()


def test_predictions_of_a_table_are_the_same_bits(net, rng, tmp_path):
    ts.save(net, tmp_path / "net")
    again = ts.load(tmp_path / "net")
    other = table(rng)
    other.loc[::5, "city"] = "never seen"
    np.testing.assert_array_equal(again.predict(other), net.predict(other))
    assert again.predict(other).dtype == np.float64
    assert again.feature_names == net.feature_names == tuple(net.preprocessor.get_feature_names_out())
    assert again.preprocessor.get_params() == net.preprocessor.get_params()
    ts.save(again, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "net").read_bytes()


def test_older_releases_refuse_what_they_would_read_wrongly(net, tmp_path):
    """They know version 1 alone, and have kept to it."""
    versions = []
    for scaling, preprocessor in ((None, None), (net.target_scaling, None), (None, net.preprocessor)):
        net.target_scaling, net.preprocessor = scaling, preprocessor
        net.feature_names = [f"input {i}" for i in range(net.layer_sizes[0])]
        ts.save(net, tmp_path / "net")
        versions.append(json.loads(metadata(tmp_path / "net")[ENTRY])["version"])
        ts.load(tmp_path / "net")
    assert versions == [1, 2, 2]


def test_names_of_inputs_are_kept(tmp_path):
    net = ts.SparseMLP((3, 4, 2), epsilon=1)
    ts.save(net, tmp_path / "without")
    assert ts.load(tmp_path / "without").feature_names is None
    net.feature_names = ["a", "", "日本"]
    ts.save(net, tmp_path / "net")
    assert ts.load(tmp_path / "net").feature_names == ("a", "", "日本")


def test_a_preprocessor_that_changes_nothing_is_left_out(rng, tmp_path):
    net = ts.SparseMLP((3, 4, 2), epsilon=1)
    net.preprocessor = ts.TablePreprocessor().fit(rng.standard_normal((5, 3)))
    ts.save(net, tmp_path / "net")
    assert ts.load(tmp_path / "net").preprocessor is None


def test_many_categories_are_not_in_the_settings(tmp_path):
    frame = pd.DataFrame({"c": np.repeat([f"category {i}" for i in range(3000)], 2), "x": np.arange(6000.0)[::-1]})
    preprocessor = ts.TablePreprocessor(max_categories=None).fit(frame)
    net = ts.SparseMLP((preprocessor.n_features_out_, 4, 2), epsilon=1)
    net.preprocessor = preprocessor
    ts.save(net, tmp_path / "net")
    assert sum(map(len, metadata(tmp_path / "net").values())) < 3000
    np.testing.assert_array_equal(ts.load(tmp_path / "net").predict(frame), net.predict(frame))


def damaged(path, **changes):
    """Writes a file anew, without checksums, with other tensors or settings."""
    arrays, config = load_file(path), json.loads(metadata(path)[ENTRY])
    for name, value in changes.items():
        if name in config:
            config[name] = value
        elif value is None:
            del arrays[name]
        else:
            arrays[name] = value
    save_file(arrays, path, {ENTRY: json.dumps(config)})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"preprocessing.kind": None}, "preprocessing.kind is missing"),
        ({"preprocessing.kind": np.array([1, 1, 1], np.uint8)}, "do not fit each other"),
        ({"preprocessing.names": np.array([255, 255], np.uint8)}, "preprocessing.names"),
        ({"preprocessing.fill": np.array([1, np.nan, 1])}, "holds NaN"),
        ({"preprocessing": {}}, "preprocessing must name"),
        ({"preprocessing": 3}, "preprocessing must name"),
        ({"target_scaling.factor": np.array([1.0, -1.0])}, "factors at least 0"),
        ({"target_scaling.factor": np.array([1.0])}, "target_scaling.factor is float64"),
        ({"target_scaling": "cubic"}, "target_scaling must be one of"),
        ({"output": "softmax"}, "must be of output='identity'"),
    ],
)
def test_damaged_files(net, tmp_path, changes, message):
    ts.save(net, tmp_path / "net")
    damaged(tmp_path / "net")
    ts.load(tmp_path / "net")
    damaged(tmp_path / "net", **changes)
    with pytest.raises(InputError, match=message):
        ts.load(tmp_path / "net")


def test_preprocessing_of_another_number_of_outputs(net, tmp_path):
    ts.save(net, tmp_path / "net")
    other = ts.TablePreprocessor().fit(pd.DataFrame({"a": [1, 2]}))
    settings, arrays = other.state()
    damaged(tmp_path / "net", preprocessing=settings, **{f"preprocessing.{k}": v for k, v in arrays.items()})
    with pytest.raises(InputError, match="preprocessing has 1 outputs for 7 inputs"):
        ts.load(tmp_path / "net")


def test_checkpoints_keep_it(net, rng, tmp_path):
    frame, y = table(rng), rng.standard_normal((60, 2)) * [1e5, 1e-5] + 7
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=16)
    trainer.fit(frame, y, epochs=2)
    checkpoints.write(tmp_path / "state", trainer)
    other = ts.SparseMLP(net.layer_sizes, epsilon=5, output="identity", seed=5)
    again = ts.Trainer(other, optimizer=ts.Adam(0.01), batch_size=16)
    checkpoints.read(tmp_path / "state", again)
    np.testing.assert_array_equal(other.predict(frame), net.predict(frame))
    for each in (trainer, again):
        each.fit(frame, y, epochs=1)
    np.testing.assert_array_equal(other.predict(frame), net.predict(frame))


def test_resuming_gives_the_same_bits(net, rng, tmp_path):
    frame, y = table(rng), rng.standard_normal((60, 2)) * [1e5, 1e-5] + 7
    start = net.copy()
    ts.Trainer(net, batch_size=16).fit(frame, y, epochs=4)
    first = ts.Trainer(start, batch_size=16)
    first.fit(frame, y, epochs=2, callbacks=[ts.Checkpointer(tmp_path / "checkpoint", every=3)])
    resumed = ts.SparseMLP(net.layer_sizes, epsilon=5, output="identity", seed=9)
    resumed.preprocessor, resumed.target_scaling = net.preprocessor, net.target_scaling
    resumed.scaling = Scaling("standard", *net.scaling.arrays())
    ts.Trainer(resumed, batch_size=16).fit(frame, y, epochs=4, resume=tmp_path / "checkpoint")
    np.testing.assert_array_equal(resumed.predict(frame), net.predict(frame))
