"""Training: agents of a grid learn, with a log, checkpoints, and a resume that gives the same bits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.grid.agents.exchange import Exchange
from trulysparse.grid.agents.independent import IndependentTraining
from trulysparse.grid.agents.new_homes import with_new_homes
from trulysparse.grid.agents.policy import ActionMap, Agents
from trulysparse.grid.agents.rollout import EnvironmentMaker
from trulysparse.grid.agents.strategy_training import StrategyTraining
from trulysparse.grid.homes import FORECASTS
from trulysparse.grid.splits import Split
from trulysparse.io import kept_models, models
from trulysparse.io.kept_models import Parts
from trulysparse.io.table_state import VERSIONS
from trulysparse.io.tensors import opened
from trulysparse.nn.fleet.fleet import Fleet
from trulysparse.rl.interrupts import deferred_interrupts

KINDS = ("es", "td3", "dqn")
FILE = "training.safetensors"
_KIND = "GridTraining"


class Method(Protocol):
    """A way to learn: what Training needs of it."""

    homes: NDArray[np.int64]
    action_map: ActionMap
    choices: Any
    exchange: Exchange | None
    length: int
    unit: str

    @property
    def fleet(self) -> Fleet:
        """The networks that act."""

    @property
    def done(self) -> int:
        """How much of `length` is over."""

    @property
    def hours_lived(self) -> float:
        """Hours of life that the training stands for so far."""

    def advance(self) -> dict[str, float]:
        """One part of the training; returns what the log has of it."""

    def parts(self) -> Parts:
        """What a run goes on from."""

    def restore(self, parts: Parts, threads: int) -> None:
        """Goes on from `parts` of a training with the same arguments."""


class Training:
    """Agents of the training homes learn in the training weeks. No test hour has any part in it, and no other home but
    where homes are coupled (a feeder, a market, a broadcast): there all homes of the scenario live side by side, and
    those that do not learn keep to self-consumption.

    Args:
        kind: 'es' (evolution strategy), 'td3' or 'dqn'.
        scenario: Scenario or GridData, of all homes.
        split: which homes and hours are learned from.
        environment: options of GridEnvironment by name, such as {"tariff": "peakfee"}.
        shared: whether one network decides for all homes, and learns from all training homes; else each home's agent
            learns alone, from its own data.
        density: of the networks, in (0, 1]; 1 makes them dense.
        hidden: neurons of the hidden layers.
        evolve: whether topologies evolve.
        exchange: hours between averaging with neighbours, 168 for weekly; None: agents never exchange anything.
        neighbours: models that an agent receives in an exchange.
        length: generations ('es') or hours that each agent lives through; None: as the kind has it.
        settings: of the kind by name, see StrategySettings and IndependentSettings.
        seed: of everything random, at least 0.
        threads: at least 1; the same bits for any number.

    Attributes:
        method: what learns.
        log: a row of numbers for each part of the training so far.
        seconds: that it took so far.

    Raises:
        InputError: where an argument is out of range, unknown, or does not go with another.
        NotEnoughMemoryError: where it would not fit into memory, before anything is allocated.

    Example:
        >>> from trulysparse import grid
        >>> from trulysparse.grid.agents import Training
        >>> data = grid.sample_data()
        >>> split = grid.split_of(data.names, len(data.hour))
        >>> settings = {"candidates": 4, "windows": 1, "window_hours": 24}
        >>> training = Training("es", data, split, hidden=(16,), density=0.3, length=2, settings=settings)
        >>> agents = training.run().agents()
        >>> training.done, agents.n_homes
        (2, 6)
    """

    def __init__(
        self,
        kind: str,
        scenario: Any,
        split: Split,
        *,
        environment: Mapping[str, Any] | None = None,
        shared: bool = False,
        density: float = 0.1,
        hidden: Sequence[int] = (32, 32),
        evolve: bool = True,
        exchange: float | None = None,
        neighbours: int = 3,
        length: int | None = None,
        settings: Mapping[str, Any] | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.kind = checks.choice("kind", kind, KINDS)
        self.maker = EnvironmentMaker(scenario, environment, split.train_hours)
        forecasts = checks.choice("forecasts", self.maker.options.get("forecasts", "persistence"), tuple(FORECASTS))
        self.split = split = replace(split, history_days=max(split.history_days, FORECASTS[forecasts]))
        sizes = checks.listed("hidden", hidden, "numbers of neurons")
        self._arguments = {
            "shared": checks.flag("shared", shared),
            "density": checks.real("density", density, low=0, high=1, low_open=True),
            "hidden": tuple(checks.integer("hidden", size, low=1) for size in sizes),
            "evolve": checks.flag("evolve", evolve),
            "exchange": exchange,
            "neighbours": neighbours,
            "seed": checks.integer("seed", seed, low=0),
        }
        self._settings = {**(settings or {}), **({} if length is None else {_LENGTH[kind]: length})}
        homes = split.train_homes
        if not len(homes) or homes.max() >= self.maker.n_homes:
            raise InputError(f"split must name training homes among the {self.maker.n_homes} of scenario")
        options = {"threads": checks.thread_count(threads), **self._arguments}
        self.method = _new_method(kind, self._settings, self.maker, split, **options)
        self.log: list[dict[str, float]] = []
        self.seconds = 0.0

    @property
    def done(self) -> int:
        """Generations or hours that are over."""
        return self.method.done

    @property
    def length(self) -> int:
        """Generations or hours in all."""
        return self.method.length

    def run(
        self,
        folder: str | PathLike[str] | None = None,
        *,
        until: int | None = None,
        stop: Callable[[], bool] = lambda: False,
        progress: Progress = silent,
        checkpoint_seconds: float = 60.0,
    ) -> Training:
        """Learns until the end.

        Args:
            folder: where checkpoints are written, in `training.safetensors`; None: nowhere.
            until: stop after so many generations or hours; None: at the end.
            stop: asked after each part; where it says True, a checkpoint is written and learning ends.
            progress: called after each part, when the log has its row, see trulysparse._core.progress.
            checkpoint_seconds: between checkpoints, at least 0.

        Returns:
            This training.

        Raises:
            KeyboardInterrupt: on an interrupt, after a whole part and a checkpoint.
            OSError: where a checkpoint cannot be written.
        """
        pause = checks.real("checkpoint_seconds", checkpoint_seconds, low=0)
        end = self.length if until is None else min(self.length, checks.integer("until", until, low=0))
        path = None if folder is None else Path(folder) / FILE
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        last = written = time.perf_counter()
        with deferred_interrupts() as interrupted:
            while self.done < end and not interrupted and not stop():
                row = self.method.advance()
                now = time.perf_counter()
                self.seconds += now - last
                last = now
                self.log.append({"step": self.done, "seconds": self.seconds, **row})
                progress("training", self.done, self.length)
                if path is not None and now - written >= pause:
                    self.save(path)
                    last = written = time.perf_counter()  # writing is not learning
            if path is not None:
                self.save(path)
        if interrupted:
            raise KeyboardInterrupt
        return self

    def agents(self) -> Agents:
        """The agents as they are now, of all homes of the scenario: those that learned, and for all others the average
        of these, see `with_new_homes`."""
        method = self.method
        return with_new_homes(
            method.fleet.copy(),
            method.action_map,
            method.homes,
            self.maker.n_homes,
            choices=method.choices,
        )

    # ---- files ----

    def save(self, path: str | PathLike[str]) -> None:
        """Writes all that the training goes on from into one file, whole or not at all."""
        columns = sorted({name for row in self.log for name in row})
        own = {
            "kind": self.kind,
            "arguments": self._arguments,
            "settings": self._settings,
            "seconds": self.seconds,
            "log": {name: [row.get(name) for row in self.log] for name in columns},
            "homes": self.maker.n_homes,
        }
        parts = self.method.parts()
        parts.config["training"] = own
        kept_models.write_parts(parts, _KIND, path, models.ENTRY, silent)

    @classmethod
    def resume(
        cls,
        folder: str | PathLike[str],
        scenario: Any,
        split: Split,
        *,
        environment: Mapping[str, Any] | None = None,
        threads: int = 1,
    ) -> Training:
        """The training of a folder's checkpoint, which goes on with the same bits as if nothing had happened.

        Args:
            folder: that `run` was given.
            scenario: as it was.
            split: as it was.
            environment: as it was.
            threads: at least 1.

        Returns:
            The training; `run` goes on.

        Raises:
            InputError: where there is no checkpoint, it is damaged, or of another grid.
        """
        versions = (*VERSIONS, kept_models.VERSION)
        with opened(Path(folder) / FILE, models.ENTRY, versions, "checkpoint of a grid's training") as file:
            if file.config.get("kind", "network") != _KIND:
                raise InputError(f"it holds a {file.config.get('kind', 'network')!s:.40}, not a grid's training")
            parts = kept_models.read_parts(file, threads, None)
            config = parts.config["training"]
            if config["homes"] != (n_homes := EnvironmentMaker(scenario).n_homes):
                raise InputError(f"scenario must have {config['homes']} homes, as it had, not {n_homes}")
            training = cls(
                config["kind"],
                scenario,
                split,
                environment=environment,
                settings=config["settings"],
                threads=threads,
                **config["arguments"],
            )
            training.method.restore(parts, threads)
        log = config["log"]
        rows = zip(*log.values(), strict=True)
        training.log = [
            {name: value for name, value in zip(log, row, strict=True) if value is not None} for row in rows
        ]
        training.seconds = float(config["seconds"])
        return training


def _new_method(kind: str, given: Mapping[str, Any], maker: EnvironmentMaker, split: Split, **options: Any) -> Method:
    if kind == "es":
        return StrategyTraining(maker, split.train_homes, split, given, **options)
    return IndependentTraining(kind, maker, split.train_homes, split, given, **options)


_LENGTH = {"es": "generations", "td3": "hours", "dqn": "hours"}
