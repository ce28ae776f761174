"""Runs of MLflow in a folder, read back by its client."""

from __future__ import annotations

import subprocess
import sys

import pytest

import trulysparse as ts

tracking = pytest.importorskip("mlflow.tracking")


@pytest.fixture
def samples(rng):
    X = rng.standard_normal((64, 4))
    return X, (X[:, 0] > 0).astype(int)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return (tmp_path / "store").as_uri()


def trainer():
    net = ts.SparseMLP((4, 8, 2), epsilon=3, seed=0, threads=1)
    return ts.Trainer(net, evolution=ts.SET(), batch_size=16)


class BreakOff(ts.Callback):
    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_step_end(self, trainer, loss):
        if trainer.step_count == self.step:
            raise self.error


def read(store, run_id, name):
    return [(m.step, m.value) for m in tracking.MlflowClient(store).get_metric_history(run_id, name)]


def test_metrics_and_parameters_are_those_of_the_training(samples, store):
    logger = ts.MLflowLogger(store, experiment="tables", run_name="first", tags={"kind": "test"})
    assert logger.run_id is None
    history = trainer().fit(*samples, epochs=3, validation_data=samples, callbacks=[logger])
    run = tracking.MlflowClient(store).get_run(logger.run_id)
    for name in set(history.records[0]) - {"epoch"}:
        assert read(store, logger.run_id, name) == list(zip([1, 2, 3], history[name], strict=True))
    assert set(run.data.metrics) == set(history.records[0]) - {"epoch"} | {"samples_per_second", "neurons"}
    assert (run.data.params["layers"], run.data.params["epochs"]) == ("4-8-2", "3")
    assert (run.info.run_name, run.info.status, run.data.tags["kind"]) == ("first", "FINISHED", "test")


@pytest.mark.parametrize("error, status", [(KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED")])
def test_a_run_ends_as_its_training_does(samples, store, error, status):
    logger = ts.MLflowLogger(store)
    with pytest.raises(error):
        trainer().fit(*samples, epochs=3, callbacks=[logger, BreakOff(10, error)])
    assert tracking.MlflowClient(store).get_run(logger.run_id).info.status == status
    assert [step for step, _ in read(store, logger.run_id, "loss")] == [1, 2]


def test_training_in_the_course_of_another_error_is_no_failure(samples, store):
    logger = ts.MLflowLogger(store)
    try:
        raise ValueError
    except ValueError:
        trainer().fit(*samples, epochs=1, callbacks=[logger])
    assert tracking.MlflowClient(store).get_run(logger.run_id).info.status == "FINISHED"


@pytest.mark.parametrize("how", ["run_id", "run_name", "same"])
def test_a_resumed_training_goes_on_in_its_run(samples, store, tmp_path, how):
    name = "it's mine" if how == "run_name" else "mine"
    first = ts.MLflowLogger(store, run_name=name)
    kept = ts.Checkpointer(tmp_path / "state", every=1)
    with pytest.raises(KeyboardInterrupt):
        trainer().fit(*samples, epochs=4, callbacks=[first, kept, BreakOff(10, KeyboardInterrupt())])
    by = {"run_id": {"run_id": first.run_id}, "run_name": {"run_name": name}}
    second = first if how == "same" else ts.MLflowLogger(store, **by[how])
    history = trainer().fit(*samples, epochs=4, callbacks=[second], resume=tmp_path / "state")
    assert second.run_id == first.run_id
    assert read(store, first.run_id, "loss") == list(zip([1, 2, 3, 4], history["loss"], strict=True))
    assert tracking.MlflowClient(store).get_run(first.run_id).info.status == "FINISHED"


def test_a_new_training_of_the_same_name_has_a_run_of_its_own(samples, store):
    first, second = (ts.MLflowLogger(store, run_name="same") for _ in range(2))
    for logger in (first, second):
        trainer().fit(*samples, epochs=1, callbacks=[logger])
    assert first.run_id != second.run_id


@pytest.mark.filterwarnings("ignore:MLflow has not taken")
def test_what_mlflow_refuses_at_the_start_is_an_input_error_and_later_a_warning(samples, store):
    with pytest.raises(ts.InputError, match="MLflow refuses"):
        trainer().fit(*samples, epochs=1, callbacks=[ts.MLflowLogger(store, run_id="nothing")])
    with pytest.raises(ts.InputError, match="MLflow refuses"):
        trainer().fit(*samples, epochs=1, callbacks=[ts.MLflowLogger("gopher://there")])
    logger = ts.MLflowLogger(store)

    class Delete(ts.Callback):
        def on_fit_start(self, trainer, epochs, steps):
            tracking.MlflowClient(store).delete_run(logger.run_id)

    with pytest.warns(UserWarning, match="MLflow has not taken the figures of epoch 1"):
        assert len(trainer().fit(*samples, epochs=2, callbacks=[logger, Delete()])) == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(tracking_uri=3), "tracking_uri must be a text or None, not 3"),
        (dict(experiment=""), "experiment must be the name of an experiment, not ''"),
        (dict(tags=["a"]), r"tags must be texts by name or None, not \['a'\]"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ts.InputError, match=message):
        ts.MLflowLogger(**arguments)


def test_without_mlflow_the_extra_is_named():
    code = (
        "import sys; sys.modules['mlflow'] = None; import trulysparse as ts\n"
        "try: ts.MLflowLogger()\nexcept ts.MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "MLflowLogger needs mlflow: pip install 'trulysparse[mlflow]'\n"
