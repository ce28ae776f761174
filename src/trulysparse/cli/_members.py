"""The networks of an ensemble, one training after the other; those that are over are kept for `resume`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from trulysparse._core.files import write_whole
from trulysparse.cli._json import read_object
from trulysparse.cli._run import CHECKPOINT
from trulysparse.errors import InputError
from trulysparse.io.models import load_network, save
from trulysparse.nn.mlp import SparseMLP
from trulysparse.training.history import History

FOLDER = "members"


class FinishedMembers:
    """The folder of the networks of an ensemble whose training is over, in the checkpoint folder of a run.

    Args:
        out: the run folder.
    """

    def __init__(self, out: Path) -> None:
        self._folder = out / CHECKPOINT / FOLDER

    def __len__(self) -> int:
        """How many are over: each has its history, which is written last."""
        number = 0
        while self._history(number).is_file() and self._model(number).is_file():
            number += 1
        return number

    def add(self, net: SparseMLP, history: History) -> None:
        """Keeps one more."""
        number = len(self)
        self._folder.mkdir(parents=True, exist_ok=True)
        save(net, self._model(number))
        text = json.dumps({"records": history.records}) + "\n"
        write_whole(self._history(number), lambda path: path.write_text(text))

    def read(self, threads: int | None = None) -> tuple[list[SparseMLP], list[History]]:
        """The networks and their histories; InputError where a file is damaged."""
        networks, histories = [], []
        for number in range(len(self)):
            networks.append(load_network(self._model(number), threads=threads))
            records = read_object(self._history(number)).get("records")
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise InputError(f"RUN: '{self._history(number)}' cannot be read (it does not hold records)")
            histories.append(History(records))
        return networks, histories

    def clear(self) -> None:
        """Removes them."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _model(self, number: int) -> Path:
        return self._folder / f"{number}.safetensors"

    def _history(self, number: int) -> Path:
        return self._folder / f"{number}.json"


def has_members(out: Path) -> bool:
    """Whether networks of an ensemble that are over are kept."""
    return len(FinishedMembers(out)) > 0
