"""Checkpoints in the course of fit, and going on from them with the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from own_activations import Softsign
from training_helpers import network, same, samples
from trulysparse.analysis import Exploration
from trulysparse.io import checkpoints
from trulysparse.io.checkpoint_folder import state_file, states
from trulysparse.training.callbacks import checkpointer


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
    assert (tmp_path / "new" / "folder" / "state-00000003.safetensors").is_file()


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
    path = tmp_path / "kept" if in_files or after > 3 else states(tmp_path / "kept")[-1]
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
    same(trainer.net, before)
    assert trainer.step_count == 0


def kept_steps(folder):
    return [int(path.stem.removeprefix("state-")) for path in states(folder)]


@pytest.mark.parametrize(("keep", "every", "wanted"), [(1, None, [20]), (2, None, [15, 20]), (3, 3, [15, 18, 20])])
def test_the_last_checkpoints_stay(tmp_path, monkeypatch, keep, every, wanted):
    monkeypatch.setattr(checkpointer, "FLUSH_INTERVAL", 0)
    keeper = ts.Checkpointer(tmp_path, every=every, keep=keep)
    trainer_for(network()).fit(*samples(), epochs=4, callbacks=[keeper])
    assert [step for step in kept_steps(tmp_path) if step in wanted[-keep:]] == wanted
    assert len(kept_steps(tmp_path)) <= keep + 1  # the last one counts when a loss of its parameters is known


def test_the_newest_checkpoint_that_was_flushed_stays(tmp_path, monkeypatch):
    """Others would be of no use where the power fails at once."""
    monkeypatch.setattr(checkpointer, "FLUSH_INTERVAL", 1e9)
    flushed = []
    write = checkpoints.write

    def watched(path, *arguments, sync, **options):
        flushed.append((path.name, sync))
        write(path, *arguments, sync=sync, **options)

    monkeypatch.setattr(checkpoints, "write", watched)
    trainer_for(network()).fit(*samples(), epochs=4, callbacks=[ts.Checkpointer(tmp_path, keep=1)])
    assert [sync for _, sync in flushed] == [True, False, False, False]
    assert kept_steps(tmp_path) == [5, 15, 20]


def test_states_of_another_training_go_with_the_first_of_this_one(tmp_path):
    trainer_for(network()).fit(*samples(), epochs=5, callbacks=[ts.Checkpointer(tmp_path)])
    assert kept_steps(tmp_path)[-1] == 25
    trainer_for(network()).fit(*samples(), epochs=1, callbacks=[ts.Checkpointer(tmp_path)])
    assert kept_steps(tmp_path) == [5]


def test_resume_with_damage_then_break_and_resume_again(tmp_path):
    """States later than the one that training goes on from belong to what was given up."""
    unbroken = trainer_for(network())
    unbroken.fit(*samples(), epochs=4)
    with pytest.raises(KeyboardInterrupt):
        trainer_for(network()).fit(*samples(), epochs=4, callbacks=[ts.Checkpointer(tmp_path), _Break(17)])
    assert kept_steps(tmp_path)[-2:] == [10, 15]
    state_file(tmp_path, 15).write_bytes(b"damaged")
    keeper = ts.Checkpointer(tmp_path, every=1)
    with pytest.warns(UserWarning, match="going on from"), pytest.raises(KeyboardInterrupt):
        trainer_for(network()).fit(*samples(), epochs=4, callbacks=[keeper, _Break(2)], resume=tmp_path)
    assert kept_steps(tmp_path)[-1] == 11
    trainer = trainer_for(network())
    trainer.fit(*samples(), epochs=4, resume=tmp_path)
    same(trainer.net, unbroken.net)


@pytest.mark.parametrize("max_loss", [np.inf, 50.0])
def test_checkpoint_from_which_training_diverges_goes(tmp_path, max_loss):
    class Spoil(ts.Callback):
        def on_epoch_over(self, trainer):
            if trainer.step_count == 15:
                trainer.net.layers[-1].values[:] *= np.inf if max_loss == np.inf else 1e4

    keeper = ts.Checkpointer(tmp_path, max_loss=max_loss, keep=3)
    trainer = trainer_for(network())
    if max_loss == np.inf:
        with pytest.raises(ts.DivergenceError, match="not finite after step 14"):
            trainer.fit(*samples(), epochs=4, callbacks=[Spoil(), keeper])
        assert kept_steps(tmp_path) == [5, 10]
    else:
        trainer.fit(*samples(), epochs=4, callbacks=[Spoil(), keeper])
        assert 15 not in kept_steps(tmp_path)
        assert {5, 10} <= set(kept_steps(tmp_path))


def stopping_trainer(folder=None, seed=1):
    return ts.Trainer(network(folder, seed=seed), optimizer=ts.Adam(0.05), evolution=ts.SET(0.3), batch_size=16, seed=2)


class _Counting(ts.Callback):
    """A user's own, with a state of numbers and an array."""

    def on_fit_start(self, trainer, epochs, steps):
        self.losses = np.zeros(0)

    def on_step_end(self, trainer, loss):
        self.losses = np.append(self.losses, loss)

    def state(self):
        return {"losses": self.losses, "count": len(self.losses)}

    def load_state(self, trainer, state):
        assert len(state["losses"]) == state["count"]
        self.losses = state["losses"]


@pytest.mark.parametrize("in_files", [False, True])
@pytest.mark.parametrize("after", [3, 11, 24, 30, 31])
def test_callbacks_go_on_with_what_they_had_seen(tmp_path, in_files, after):
    def callbacks(keeper=None):
        own = [_Counting(), ts.EarlyStopping("val_loss", patience=3), *([] if in_files else [Exploration()])]
        return own, [*([keeper] if keeper else []), *own]

    X, X_other = (np.random.default_rng(seed).standard_normal((70, 8)) for seed in (0, 1))
    data = dict(epochs=40, validation_data=(X_other, X_other[:, :3].argmax(1)))
    X_and_y = X, X[:, :3].argmax(1)
    unbroken = stopping_trainer(tmp_path / "unbroken" if in_files else None)
    wanted, every = callbacks()
    history = unbroken.fit(*X_and_y, callbacks=every, **data)
    assert 6 < len(history) < 40
    first = stopping_trainer(tmp_path / "kept" / "layers" if in_files else None)
    _, every = callbacks(ts.Checkpointer(tmp_path / "kept", every=1))  # it comes last wherever it stands
    with pytest.raises(KeyboardInterrupt):
        first.fit(*X_and_y, callbacks=[*every, _Break(after)], **data)
    second = stopping_trainer(tmp_path / "other" if in_files else None, seed=9)
    found, every = callbacks()
    resumed = second.fit(*X_and_y, callbacks=every, resume=tmp_path / "kept", **data)
    for a, b in zip(resumed.records, history.records, strict=True):
        assert a | {"seconds": 0} == b | {"seconds": 0}
    same(second.net, unbroken.net)
    np.testing.assert_array_equal(found[0].losses, wanted[0].losses)
    assert found[1].best_epoch == wanted[1].best_epoch


def test_training_that_was_stopped_is_not_gone_on_with(tmp_path):
    class Stop(ts.Callback):
        def on_epoch_end(self, trainer, record):
            trainer.stop = record["epoch"] == 2

    trainer_for(network()).fit(*samples(), epochs=9, callbacks=[Stop(), ts.Checkpointer(tmp_path)])
    trainer = trainer_for(network())
    assert len(trainer.fit(*samples(), epochs=9, resume=tmp_path)) == 2
    assert trainer.step_count == 10


@pytest.mark.parametrize("in_files", [False, True])
def test_other_callbacks_than_those_of_the_checkpoint_are_refused(tmp_path, in_files):
    first = trainer_for(network(tmp_path / "kept" / "layers" if in_files else None))
    first.fit(*samples(), epochs=1, callbacks=[ts.EarlyStopping("loss"), ts.Checkpointer(tmp_path / "kept")])
    trainer = trainer_for(network(tmp_path / "other" if in_files else None, seed=9))
    before = [np.array(layer.values) for layer in trainer.net.layers]
    for callbacks in ([], [_Counting()], [ts.EarlyStopping("loss"), _Counting()]):
        with pytest.raises(ts.InputError, match="the state of the callbacks EarlyStopping, but fit was given"):
            trainer.fit(*samples(), epochs=2, callbacks=callbacks, resume=tmp_path / "kept")
        assert trainer.step_count == 0
        for layer, values in zip(trainer.net.layers, before, strict=True):
            np.testing.assert_array_equal(layer.values, values)
    trainer.fit(*samples(), epochs=2, callbacks=[ts.EarlyStopping("loss")], resume=tmp_path / "kept")


def test_state_that_a_checkpoint_cannot_hold_is_refused(tmp_path):
    class Odd(ts.Callback):
        def state(self):
            return {"what": self.what}

    for what, message in ((object(), "must be an array or what JSON can hold"), (np.zeros(2, complex), "complex128")):
        odd = Odd()
        odd.what = what
        with pytest.raises(ts.InputError, match=message):
            trainer_for(network()).fit(*samples(), epochs=1, callbacks=[odd, ts.Checkpointer(tmp_path)])
