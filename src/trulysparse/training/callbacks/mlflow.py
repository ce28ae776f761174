"""Figures of a training for MLflow, which is loaded when a logger is made."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trulysparse.errors import InputError, MissingExtraError
from trulysparse.training.callbacks.logger import Logger

_LONGEST = 500  # characters of a parameter that every MLflow server takes


class MLflowLogger(Logger):
    """Writes the parameters and the figures of each epoch to a run of MLflow.

    Figures are those of the epoch's record (loss, val_*, learning_rate, connections, seconds), samples per second and
    neurons, at the epoch's number. The run ends as FINISHED, as KILLED where the user broke it off, else as FAILED.
    A resumed training goes on in its run: that of `run_id`, or the newest one called `run_name`. Where MLflow can no
    longer be reached, a warning says so and training goes on.

    Args:
        tracking_uri: of the server, data base or folder; None: as MLflow is set up (MLFLOW_TRACKING_URI).
        experiment: its name; made if it is not there.
        run_name: what the run is called; None: MLflow makes a name up.
        run_id: of a run to go on with; None: a new one, unless training is resumed.
        tags: by name, put on a new run.

    Attributes:
        run_id: of the run; None before the first.

    Raises:
        InputError: where an argument is not usable; from fit, where MLflow does not begin a run.
        MissingExtraError: where mlflow (extra 'mlflow') is not installed.

    Example:
        >>> import trulysparse as ts
        >>> logger = ts.MLflowLogger("http://localhost:5000", experiment="digits", run_name="epsilon 20")
        >>> trainer = ts.Trainer(ts.SparseMLP((4, 8, 2), epsilon=3, threads=1), callbacks=[logger])
        >>> logger.run_id is None
        True
    """

    _client: Any = None

    def __init__(
        self,
        tracking_uri: str | None = None,
        *,
        experiment: str = "trulysparse",
        run_name: str | None = None,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        for name, value in (("tracking_uri", tracking_uri), ("run_name", run_name), ("run_id", run_id)):
            if not isinstance(value, str | None):
                raise InputError(f"{name} must be a text or None, not {value!r:.80}")
        if not isinstance(experiment, str) or not experiment:
            raise InputError(f"experiment must be the name of an experiment, not {experiment!r:.80}")
        if not isinstance(tags, Mapping | None):
            raise InputError(f"tags must be texts by name or None, not {tags!r:.80}")
        _client_class()
        self.tracking_uri = tracking_uri
        self.experiment = experiment
        self.run_name = run_name
        self.run_id = run_id
        self.tags = dict(tags or {})
        self._raised: BaseException | None = None

    def open(self, parameters: Mapping[str, str], first_step: int, resumed: bool) -> None:
        """Begins a run, or goes on with one."""
        from mlflow.entities import Param

        self._raised = sys.exception()  # of the caller, if it trains while it handles one
        with _refusals():
            client = _client_class()(tracking_uri=self.tracking_uri)
            self.run_id = self.run_id or (self._newest(client) if resumed else None)
            if self.run_id is None:
                found = client.get_experiment_by_name(self.experiment)
                number = client.create_experiment(self.experiment) if found is None else found.experiment_id
                self.run_id = client.create_run(number, run_name=self.run_name, tags=self.tags).info.run_id
            else:
                client.update_run(self.run_id, status="RUNNING")
            # MLflow never changes a parameter of a run, so those that a run has already are left as they are.
            known = client.get_run(self.run_id).data.params
            new = [Param(name, value[:_LONGEST]) for name, value in parameters.items() if name not in known]
            client.log_batch(self.run_id, params=new)
        self._client = client

    def write(self, figures: Mapping[str, float], step: int) -> None:
        """Sends the figures."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        with _warnings(f"the figures of epoch {step}"):
            self._client.log_batch(self.run_id, [Metric(name, value, now, step) for name, value in figures.items()])

    def close(self) -> None:
        """Ends the run."""
        if self._client is None:
            return
        client, self._client, error = self._client, None, sys.exception()
        failed = "KILLED" if isinstance(error, KeyboardInterrupt | SystemExit) else "FAILED"
        with _warnings("the end of the run"):
            client.set_terminated(self.run_id, "FINISHED" if error is self._raised else failed)

    def _newest(self, client: Any) -> str | None:
        """The newest run called run_name, if there is one."""
        found = client.get_experiment_by_name(self.experiment)
        if self.run_name is None or found is None:
            return None
        quote = '"' if "'" in self.run_name else "'"
        wanted = f"attributes.run_name = {quote}{self.run_name}{quote}"
        runs = client.search_runs([found.experiment_id], wanted, order_by=["attributes.start_time DESC"], max_results=1)
        return runs[0].info.run_id if runs else None


def _client_class() -> Any:
    try:
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise MissingExtraError("MLflowLogger", "mlflow", "mlflow") from None
    return MlflowClient


@contextmanager
def _refusals() -> Iterator[None]:
    """MLflow's refusals as InputError."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise InputError(f"MLflow refuses: {error}") from error


@contextmanager
def _warnings(what: str) -> Iterator[None]:
    """MLflow's refusals as warnings: no training is lost for want of its figures elsewhere."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        warnings.warn(f"MLflow has not taken {what}: {error}", stacklevel=4)
