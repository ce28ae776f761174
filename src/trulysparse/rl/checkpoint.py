"""KeptAgent: agents in files, from which learning goes on with the same bits."""

from __future__ import annotations

import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from os import PathLike
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from trulysparse._core import checks, memory
from trulysparse._core.progress import Progress, silent
from trulysparse.errors import InputError
from trulysparse.io import kept_models, models
from trulysparse.io.kept_models import Parts
from trulysparse.io.parameters import allow, decoded, encoded
from trulysparse.io.table_state import VERSIONS
from trulysparse.io.tensors import opened
from trulysparse.nn.activations import Activation
from trulysparse.rl.learner import Learner
from trulysparse.rl.learner_state import learner_parts, restore_learner
from trulysparse.rl.spaces import Spaces

allow(Spaces)
_log = logging.getLogger(__name__)

_OF_NETWORKS = re.compile(
    "hidden_layer_sizes|activation|densities|(.*_)?(density|epsilon)|share_parameters|mixing_units|hypernetwork_size"
)
"""Settings by which networks are made, which stay as they were."""

_COUNTERS = ("num_timesteps", "total_timesteps", "n_updates")


class KeptAgent(ABC):
    """Base of agents that files can keep: what is kept, and how it is put back."""

    name: ClassVar[str]
    learners: dict[str, Learner]
    rng: np.random.Generator
    settings: Any
    parameters: dict[str, Any]
    metrics: dict[str, float]
    spaces: Any
    replay: Any
    replay_folder: Any

    def save(self, path: str | PathLike[str], replay: bool = False, *, progress: Progress = silent) -> None:
        """Writes the agent to one safetensors file: networks, targets, optimizer state, evolution, counters, random
        state, normalization of observations, settings and spaces.

        The state of the environment is not in it, as environments have no way to give it: learning that goes on from
        the file begins with a new episode, as each call of `learn` does.

        Args:
            path: of the file; one that is there is replaced as a whole.
            replay: whether the transitions go with it. Their bytes are logged before they are written.
            progress: called as the file is written, see trulysparse._core.progress.

        Raises:
            OSError: where the file cannot be written; one that was there stays then.
        """
        parts = self.to_parts(replay=checks.flag("replay", replay))
        if parts.large:
            size = sum(array.nbytes for array in parts.large.values())
            _log.info("%s: the replay buffer takes %s of the file", os.fspath(path), memory.human(size))
        kept_models.write_parts(parts, type(self).__name__, path, models.ENTRY, progress)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        env: Any = None,
        *,
        replay_folder: str | PathLike[str] | None = None,
        threads: int | None = None,
        progress: Progress = silent,
        **settings: Any,
    ) -> Self:
        """Reads an agent that `save` wrote.

        `learn(..., reset_num_timesteps=False)` goes on, with the same bits as the agent that was saved would, where the
        transitions were saved too and the environment is deterministic. No file holds the state of an environment:
        learning goes on with new episodes, as it does at each call of `learn`. Without transitions the replay buffer
        is empty, and the first updates see few of them.

        Args:
            path: of the file.
            env: to learn in, see the constructor; its spaces are those of the agent. None: none yet; see `set_env`.
            replay_folder: see the constructor.
            threads: of the kernels, at least 1; None: as it was saved.
            progress: called as the file is read.
            settings: in place of those that were kept, by name, but not those by which networks were made. A setting
                that was an object of your own, such as an evolution of your own rules, is not in the file and must be
                given again.

        Returns:
            The agent.

        Raises:
            InputError: where the file is missing, truncated, damaged or of another kind, a setting cannot be changed,
                or env has other spaces.
            NotEnoughMemoryError: where the agent or its replay buffer does not fit into memory.

        Example:
            >>> import tempfile
            >>> import pytest
            >>> gymnasium = pytest.importorskip("gymnasium")
            >>> import trulysparse as ts
            >>> agent = ts.rl.TD3("Pendulum-v1", learning_starts=100, hidden_layer_sizes=(32, 32), seed=0).learn(150)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     agent.save(folder + "/agent.safetensors", replay=True)
            ...     same = ts.rl.TD3.load(folder + "/agent.safetensors", "Pendulum-v1")
            >>> for each in (agent, same):
            ...     _ = each.learn(100, reset_num_timesteps=False)
            >>> (same.rng.random(), same.metrics) == (agent.rng.random(), agent.metrics)
            True
        """
        own = settings.get("activation")
        activation = None if isinstance(own, str) else own
        versions = (*VERSIONS, kept_models.VERSION)
        with opened(path, models.ENTRY, versions, f"file of an agent ({cls.__name__})", progress) as file:
            kind = file.config.get("kind", "network")
            if kind != cls.__name__:
                raise InputError(f"it holds a {kind!s:.40}, not a {cls.__name__}")
            parts = kept_models.read_parts(file, threads, activation)
            agent = cls._made_of(parts, threads, settings, replay_folder)
        _log.info(
            "%s: learning goes on with new episodes, as no file holds the state of an environment", os.fspath(path)
        )
        if env is not None:
            agent.set_env(env)  # type: ignore[attr-defined]
        return agent

    def to_parts(self, *, replay: bool = False) -> Parts:
        """What a file keeps of the agent.

        Args:
            replay: whether the transitions go with it.

        Returns:
            Its parts; arrays of the replay buffer are the buffer's own.
        """
        parts = Parts({}, {}, {})
        learners = {}
        for number, (name, learner) in enumerate(self.learners.items()):
            own = learner_parts(learner)
            parts.networks.update(_named(f"{number}.{name}", own.networks))
            parts.arrays.update(_named(f"{number}.{name}", own.arrays))
            learners[name] = own.config
        numbers, arrays = self.own_state()
        parts.arrays.update(_named("own", arrays))
        parts.config.update(
            parameters=_kept(self.parameters),
            settings=_kept({each.name: getattr(self.settings, each.name) for each in fields(self.settings)}),
            spaces=encoded({"spaces": self.spaces})["spaces"],
            learners=learners,
            counters={name: getattr(self, name) for name in _COUNTERS},
            random_state=self.rng.bit_generator.state,
            metrics=self.metrics,
            own=numbers,
            replay=replay and self.replay is not None,
        )
        if parts.config["replay"]:
            for name, array in self.replay.state().items():
                # What is large is written from where it is.
                (parts.large if array.ndim > 1 else parts.arrays)[f"replay.{name}"] = array
        return parts

    @classmethod
    def from_parts(cls, parts: Parts, threads: int | None, activation: Activation | None) -> Self:
        """The agent that gave these parts, without an environment.

        Args:
            parts: what a file holds.
            threads: of the kernels; None: as it was saved.
            activation: of the networks, where it is one of the user's own.

        Raises:
            InputError: where they do not hold together.
        """
        return cls._made_of(parts, threads, {} if activation is None else {"activation": activation}, None)

    @classmethod
    def _made_of(
        cls,
        parts: Parts,
        threads: int | None,
        given: Mapping[str, Any],
        replay_folder: str | PathLike[str] | None,
    ) -> Self:
        config = parts.config
        _check_given(given, config["settings"], with_replay=config["replay"])
        parameters = _restored(config["parameters"], given)
        settings = _restored(config["settings"], given)
        if threads is not None:
            parameters["threads"] = threads
        spaces = decoded({"spaces": config["spaces"]})["spaces"]
        makes = {name: parameters[name] for name in ("preset", "fleet", "seed", "threads") if name in parameters}
        agent = cls(spaces, **makes, **settings)  # type: ignore[call-arg]
        agent.parameters = {**parameters, **given}
        agent.replay_folder = replay_folder
        if list(config["learners"]) != list(agent.learners):
            raise InputError(f"it has learners {', '.join(config['learners'])}, not {', '.join(agent.learners)}")
        for number, (name, learner) in enumerate(agent.learners.items()):
            prefix = f"{number}.{name}"
            own = Parts(_of(prefix, parts.networks), _of(prefix, parts.arrays), config["learners"][name])
            restore_learner(learner, own)
        for name in _COUNTERS:
            setattr(agent, name, checks.integer(name, config["counters"][name], low=0))
        agent.rng.bit_generator.state = config["random_state"]
        agent.metrics = dict(config["metrics"])
        agent.restore_own_state(config["own"], _of("own", parts.arrays))
        if config["replay"]:
            agent.restore_replay({**_of("replay", parts.arrays), **_of("replay", parts.large)})
        return agent

    # ---- what an agent says ----

    @abstractmethod
    def own_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What else a file keeps.

        Returns:
            What JSON can hold, and arrays by name.
        """

    @abstractmethod
    def restore_own_state(self, numbers: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Takes what `own_state` gave; InputError where it does not fit.

        Args:
            numbers: what JSON can hold.
            arrays: by name.
        """

    @abstractmethod
    def restore_replay(self, state: dict[str, Any]) -> None:
        """Makes the replay buffer of what its `state` gave; InputError where it does not fit.

        Args:
            state: arrays, or the LargeArrays of a file.
        """


def _named(prefix: str, things: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{name}": each for name, each in things.items()}


def _of(prefix: str, things: Mapping[str, Any]) -> dict[str, Any]:
    """Those whose names begin with a prefix, without it."""
    return {name[len(prefix) + 1 :]: each for name, each in things.items() if name.startswith(f"{prefix}.")}


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as files have them; of objects of the user's own the name alone."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        try:
            kept |= encoded({name: value})
        except InputError:
            kept[name] = {"own": type(value).__name__}
    return kept


def _restored(kept: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings from what `_kept` gave, but for those that were given."""
    values = {}
    for name, value in kept.items():
        if name in given:
            values[name] = given[name]
        elif isinstance(value, dict) and "own" in value:
            raise InputError(f"{name} was {value['own']!r:.40}, one of your own: load with {name}=")
        else:
            values |= decoded({name: value})
    return values


def _check_given(given: Mapping[str, Any], kept: Mapping[str, Any], *, with_replay: bool) -> None:
    """InputError where a setting is unknown, or belongs to what the file holds."""
    for name in given:
        if name not in kept:
            raise InputError(f"there is no setting {name!r:.40}; there are {', '.join(kept)}")
        own = isinstance(kept[name], dict) and "own" in kept[name]
        if not own and _OF_NETWORKS.fullmatch(name):
            raise InputError(f"{name} cannot change: the networks of the file were made by it")
        if name == "buffer_size" and with_replay:
            raise InputError("buffer_size cannot change: the file holds a replay buffer of that size")
