"""Checkpoints in the course of fit, and going on from them with the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from training_helpers import network, same, samples
from trulysparse.io import checkpoints


class _Break(ts.Callback):
    def __init__(self, after):
        self.left = after

    def on_step_end(self, trainer, loss):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def trainer_for(net, fresh_state="typical"):
    optimizer = ts.Adam(0.01, fresh_state=fresh_state)
    return ts.Trainer(net, optimizer=optimizer, evolution=ts.SET(0.3), batch_size=16, dropout=0.1, seed=2)


def test_checkpointer_makes_its_folder(rng, tmp_path):
    trainer = ts.Trainer(network(), batch_size=8)
    keeper = ts.Checkpointer(tmp_path / "new" / "folder", every=1)
    trainer.fit(rng.normal(size=(20, 8)), rng.integers(0, 3, 20), epochs=1, callbacks=[keeper])
    assert (tmp_path / "new" / "folder" / "state.safetensors").is_file()


@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize(
    ("after", "activation", "fresh_state"),
    [(3, "all_relu", "typical"), (5, Softsign(), "typical"), (5, "relu", "zero"), (11, "gelu", "typical")],
)
def test_fit_resumes_from_a_checkpoint_with_the_same_bits(tmp_path, after, activation, fresh_state, in_files):
    """From the Checkpointer's folder or its file, into a trainer of another network of this form."""
    unbroken = trainer_for(network(tmp_path / "unbroken" if in_files else None, activation=activation), fresh_state)
    wanted = unbroken.fit(*samples(), epochs=4)
    keeper = ts.Checkpointer(tmp_path / "kept", every=1)
    first_net = network(tmp_path / "kept" / "layers" if in_files else None, activation=activation)
    first = trainer_for(first_net, fresh_state)
    with pytest.raises(KeyboardInterrupt):
        first.fit(*samples(), epochs=4, callbacks=[keeper, _Break(after)])
    path = tmp_path / "kept" if in_files or after > 3 else tmp_path / "kept" / "state.safetensors"
    second_net = network(tmp_path / "other" if in_files else None, seed=9, activation=activation)
    second = trainer_for(second_net, fresh_state)
    history = second.fit(*samples(), epochs=4, resume=path)
    assert history["loss"] == wanted["loss"]
    assert second.step_count == unbroken.step_count
    same(second.net, unbroken.net)


def test_fit_resumes_at_a_position(tmp_path):
    unbroken = trainer_for(network())
    unbroken.fit(*samples(), epochs=3)
    trainer = trainer_for(network())
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(*samples(), epochs=3, callbacks=[_Break(7)])
    trainer.fit(*samples(), epochs=3, resume=trainer.position)
    same(trainer.net, unbroken.net)


def test_resume_refuses_what_it_cannot_go_on_from(tmp_path):
    checkpoints.write(tmp_path / "plain", trainer_for(network(seed=3)))
    trainer, before = trainer_for(network()), network()
    with pytest.raises(ts.InputError, match="was not written in the course of fit"):
        trainer.fit(*samples(), epochs=1, resume=tmp_path / "plain")
    with pytest.raises(ts.InputError, match="nowhere"):
        trainer.fit(*samples(), epochs=1, resume=tmp_path / "nowhere")
    with pytest.raises(ts.InputError, match="7 features"):
        trainer.fit(np.zeros((4, 7)), [0, 1, 2, 0], epochs=1, resume=tmp_path / "plain")
    parallel = ts.Trainer(network(), parallel=ts.WASAP(2))
    with pytest.raises(ts.InputError, match="resume is for training that is not parallel"):
        parallel.fit(*samples(), epochs=1, resume=tmp_path / "plain")
    same(trainer.net, before)
    assert trainer.step_count == parallel.step_count == 0
