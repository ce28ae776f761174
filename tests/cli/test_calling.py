"""How `train` was called, besides its settings."""

from __future__ import annotations

import json

import pytest

import trulysparse as ts
from trulysparse.analysis import TopologyRecorder
from trulysparse.cli._calling import Calling


def test_a_calling_survives_its_json():
    calling = Calling(report=True, topology=True, log="mlflow", address="here:1", fold=2)
    assert Calling.from_json(json.loads(json.dumps(calling.to_json()))) == calling
    assert Calling.from_json({"report": None, "seed": 3}) == Calling()
    with pytest.raises(ValueError, match="report cannot be"):
        Calling.from_json({"report": "yes"})


def test_what_follows_a_training(tmp_path):
    assert Calling().make_callbacks(tmp_path) == []
    assert [type(each) for each in Calling(topology=True).make_callbacks(tmp_path)] == [TopologyRecorder]
    pytest.importorskip("tensorboardX", reason="tensorboardX comes with the extra trulysparse[tensorboard]")
    logger = Calling(log="tensorboard").make_callbacks(tmp_path)[0]
    assert logger.folder == tmp_path / "tensorboard"


def test_unknown_loggers_are_refused():
    with pytest.raises(ts.InputError, match="--log must be one of tensorboard, mlflow, not 'wandb'"):
        Calling(log="tensorboard, wandb").check()
