"""Event files, read back by TensorBoard."""

from __future__ import annotations

import subprocess
import sys

import pytest

import trulysparse as ts

pytest.importorskip("tensorboardX")


@pytest.fixture
def samples(rng):
    X = rng.standard_normal((64, 4))
    return X, (X[:, 0] > 0).astype(int)


def trainer():
    net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
    return ts.Trainer(net, evolution=ts.SET(), batch_size=16)


def read(folder):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return events


class BreakOff(ts.Callback):
    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_step_end(self, trainer, loss):
        if trainer.step_count == self.step:
            raise self.error


def test_scalars_are_those_of_the_history(samples, tmp_path):
    folder = tmp_path / "new" / "run"
    logger = ts.TensorBoardLogger(folder)
    history = trainer().fit(*samples, epochs=3, validation_data=samples, callbacks=[logger])
    events = read(folder)
    names = set(history.records[0]) - {"epoch"}
    assert set(events.Tags()["scalars"]) == names | {"samples_per_second", "neurons"}
    for name in names:
        found = events.Scalars(name)
        assert [each.step for each in found] == [1, 2, 3]
        assert [each.value for each in found] == pytest.approx(history[name], rel=1e-6)
    text = events.Tensors("parameters/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| layers | 4-8-2 |" in text
    assert logger._writer is None


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_training_that_ends_with_an_error_leaves_what_was_measured(samples, tmp_path, error):
    logger = ts.TensorBoardLogger(tmp_path)
    with pytest.raises(error):
        trainer().fit(*samples, epochs=3, callbacks=[logger, BreakOff(10, error)])
    assert [each.step for each in read(tmp_path).Scalars("loss")] == [1, 2]
    assert logger._writer is None


def test_a_resumed_training_goes_on_in_the_folder(samples, tmp_path):
    kept = ts.Checkpointer(tmp_path / "state", every=1)
    callbacks = [ts.TensorBoardLogger(tmp_path / "log"), kept, BreakOff(10, KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(*samples, epochs=4, callbacks=callbacks)
    history = trainer().fit(
        *samples, epochs=4, callbacks=[ts.TensorBoardLogger(tmp_path / "log")], resume=tmp_path / "state"
    )
    found = read(tmp_path / "log").Scalars("loss")
    assert [each.step for each in found] == [1, 2, 3, 4]
    assert [each.value for each in found] == pytest.approx(history["loss"], rel=1e-6)


def test_bad_folders_are_refused(samples, tmp_path):
    with pytest.raises(ts.InputError, match="folder must be the path of a folder, not 3"):
        ts.TensorBoardLogger(3)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(ts.InputError, match="not the file"):
        trainer().fit(*samples, epochs=1, callbacks=[ts.TensorBoardLogger(tmp_path / "file")])
    assert (tmp_path / "file").read_text() == "kept"


def test_without_tensorboardx_the_extra_is_named():
    code = (
        "import sys; sys.modules['tensorboardX'] = None; import trulysparse as ts\n"
        "try: ts.TensorBoardLogger('runs')\nexcept ts.MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "TensorBoardLogger needs tensorboardX: pip install 'trulysparse[tensorboard]'\n"
