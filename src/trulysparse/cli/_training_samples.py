"""The samples that a network of a run was trained on, never those held out, for the calibration of an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from trulysparse.cli._run import Run
from trulysparse.cli._samples import Reading, read_for
from trulysparse.cli._settings import Settings
from trulysparse.data import as_matrix, check_finite
from trulysparse.data.builtin import is_builtin
from trulysparse.data.files import read
from trulysparse.data.matrix import Matrix
from trulysparse.data.readers.openml import is_openml
from trulysparse.errors import InputError

_MOST_STREAMED = 10_000  # of samples that stay in their files, which a calibration has no use for as a whole
_ADVICE = "give samples like those of the training with --calibrate FILE"


def training_samples(run: Run) -> Any:
    """What a network was trained on: the run's data, without what was held out, as the network's inputs.

    Args:
        run: of `trulysparse train`.

    Returns:
        (n_samples, n_inputs), a NumPy array or a CSR array, before scaling.

    Raises:
        InputError: where the data are gone or have changed, or the run does not say which they were.
    """
    config = run.config
    if "data" not in config or "fingerprint" not in config:
        raise InputError(f"RUN: the settings of '{run.folder}' do not say what it was trained on; {_ADVICE}")
    try:
        settings = Settings.from_json(config).resolved()
        settings.check()
    except ValueError as error:
        raise InputError(f"RUN: the settings of '{run.folder}' cannot be read ({error}); {_ADVICE}") from None
    source = settings.source(settings.cv)  # of a cross-validation the network that is kept has seen all samples
    for name in (source.data, source.test):
        if name is not None and not (is_builtin(name) or is_openml(name) or Path(name).exists()):
            raise InputError(f"DATA: '{name}', which the run was trained on, is not there; {_ADVICE}")
    if source.fingerprint() != config["fingerprint"]:
        raise InputError(f"DATA: '{source.data}' has changed since the training; {_ADVICE}")
    return _in_memory(run.net.matrix(source.dataset(source.table()).train.X))


def samples_in_file(path: str, run: Run | None, model: Any) -> Any:
    """The samples in a file of the user's, as the network's inputs.

    Args:
        path: of a file or folder, as DATA of `train`; labels are not needed.
        run: the run of `train` whose network is calibrated, with the columns of whose data it is read; or None.
        model: what is calibrated.

    Returns:
        See training_samples.

    Raises:
        InputError: where they cannot be read, or are not those of the network's inputs.
    """
    try:
        if run is not None:
            matrix = run.net.matrix(read_for(run, path, Reading(), need_target=False).X)
        else:
            X = read(path, unlabelled=True).X
            matrix = model.matrix(X) if hasattr(model, "matrix") else as_matrix(X)
    except InputError as error:
        raise InputError(f"--calibrate: {str(error).removeprefix('DATA: ')}") from None
    n_inputs = getattr(model, "n_observations", matrix.n_features)
    if matrix.n_features != n_inputs:
        raise InputError(f"--calibrate: '{path}' has {matrix.n_features} features, but observations have {n_inputs}")
    return _in_memory(matrix)


def _in_memory(matrix: Matrix) -> Any:
    """All samples, or the first ones of those that are in files."""
    if not matrix.streamed:
        check_finite(matrix)
        return matrix.x
    with matrix.reader() as reader:
        first = as_matrix(np.array(reader.chunk(0, min(matrix.n_samples, _MOST_STREAMED))))
    check_finite(first)
    return first.x
