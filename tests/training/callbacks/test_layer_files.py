"""Commits of layers in files, with what callbacks remember."""

from __future__ import annotations

import numpy as np

import trulysparse as ts
from training_helpers import network
from trulysparse.io.callback_state import Kept
from trulysparse.io.checkpoint_folder import open_network, position_in_files
from trulysparse.training.callbacks.layer_files import LayerFiles


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_arrays_are_written_where_they_are_others_and_the_old_file_goes(tmp_path):
    trainer = ts.Trainer(network(tmp_path / "layers"))
    (tmp_path / "callbacks-00000099.safetensors").touch()  # of a process that was killed
    commits, first, second = LayerFiles(tmp_path), np.arange(4.0), np.arange(5)

    def kept_now():
        _, _, state = open_network(tmp_path, 1)
        return position_in_files(tmp_path, state).kept.states

    commits.commit(trainer, Kept(["A"], [{"best": 1.5}]))
    assert files(tmp_path) == []
    assert kept_now() == [{"best": 1.5}]
    commits.commit(trainer, Kept(["A"], [{"best": 0.5, "x": first}]))
    before = (tmp_path / "callbacks-00000000.safetensors").stat().st_mtime_ns
    trainer.step_count = 3
    commits.commit(trainer, Kept(["A"], [{"best": 0.4, "x": first}]))
    assert files(tmp_path) == ["callbacks-00000000.safetensors"]
    assert (tmp_path / "callbacks-00000000.safetensors").stat().st_mtime_ns == before
    (state,) = kept_now()
    assert state["best"] == 0.4
    np.testing.assert_array_equal(state["x"], first)
    commits.commit(trainer, Kept(["A"], [{"best": 0.4, "x": second}]))
    assert files(tmp_path) == ["callbacks-00000003.safetensors"]
    np.testing.assert_array_equal(kept_now()[0]["x"], second)
