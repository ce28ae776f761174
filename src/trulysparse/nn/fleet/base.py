"""What a fleet consists of, seen agent by agent, and what it computes. How it is made and changed: fleet.py."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.nn.activations import Activation
from trulysparse.nn.fleet.call import FleetCalls
from trulysparse.nn.fleet.passes import FleetPasses
from trulysparse.nn.fleet.predict import predict_fleet
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings


class FleetBase:
    """The part of a Fleet that does not change it. Attributes: see Fleet."""

    n_agents: int
    seeds: NDArray[np.uint64]
    network: SparseMLP
    calls: FleetCalls

    # ---- what it consists of ----

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """Neurons per layer of one agent."""
        return tuple(n // self.n_agents for n in self.network.layer_sizes)

    @property
    def layers(self) -> list[Any]:
        """The layers, first to last, each a FleetLayer of all agents."""
        return self.network.layers

    @property
    def settings(self) -> NetworkSettings:
        """What a fleet of other layers needs to be like this one."""
        return self.network.settings

    @property
    def storage_config(self) -> StorageConfig:
        """How layers are stored: indexed, in memory."""
        return self.network.storage_config

    @property
    def activation(self) -> Activation:
        """Of the hidden layers."""
        return self.network.activation

    @property
    def output(self) -> str:
        """'softmax', 'sigmoid' or 'identity'."""
        return self.network.output

    @property
    def init(self) -> Any:
        """How new weights are drawn, a WeightInit."""
        return self.network.init

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """Type of weights, biases and activations."""
        return self.network.dtype

    @property
    def seed(self) -> int:
        """The seed that the fleet was made with."""
        return self.network.seed

    @property
    def threads(self) -> int:
        """Threads that compute."""
        return self.network.threads

    @threads.setter
    def threads(self, threads: int | None) -> None:
        self.network.threads = checks.thread_count(threads)

    @property
    def n_connections(self) -> int:
        """Stored weights of all agents, biases not counted."""
        return self.network.n_connections

    @property
    def connections_per_agent(self) -> NDArray[np.int64]:
        """Stored weights of each agent, (N,)."""
        total: NDArray[np.int64] = sum(layer.connections_per_agent for layer in self.layers)
        return total

    @property
    def density(self) -> float:
        """Connections as a share of those of dense networks of these sizes."""
        return self.network.density * self.n_agents

    @property
    def sizes_text(self) -> str:
        """The layer sizes of one agent as '24-32-2'."""
        return "-".join(map(str, self.layer_sizes))

    def seed_of(self, agent: int) -> int:
        """The seed of an agent: of its topology and weights, and of its evolution.

        Args:
            agent: its number; negative ones count from the end.

        Returns:
            0 to 2^64 - 1.

        Raises:
            IndexError: where there is no such agent.

        Example:
            >>> import trulysparse as ts
            >>> fleet = ts.Fleet(3, (4, 8, 2), density=0.5, seed=0)
            >>> fleet.seed_of(1) == fleet[1].seed != fleet.seed_of(2)
            True
        """
        return int(self.seeds[self._number(agent)])

    def blocks(self, layer: int | FleetLayer) -> NDArray[np.int64]:
        """Where each agent's connections lie in a layer.

        Args:
            layer: one of `layers`, or its number.

        Returns:
            (N + 1,) places in layer.values and in the rows of both indices: agent i's are [p[i], p[i + 1]).

        Example:
            >>> import trulysparse as ts
            >>> ts.Fleet(3, (4, 8, 2), density=0.5, seed=0).blocks(0).tolist()
            [0, 13, 26, 39]
        """
        return (layer if isinstance(layer, FleetLayer) else self.layers[layer]).blocks

    def __len__(self) -> int:
        return self.n_agents

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.n_agents} agents of {self.sizes_text}, {self.n_connections} connections, "
            f"density {self.density:.3g}, {self.activation}, output={self.output!r}, {self.dtype})"
        )

    def check_layers(self) -> None:
        """InputError where the layers, which may be set from outside, do not fit the sizes or each other."""
        self.network.check_layers()

    def _number(self, agent: Any) -> int:
        try:
            number = operator.index(agent)
        except TypeError:
            raise InputError(f"an agent must be an integer, a slice or an array, not {agent!r:.80}") from None
        if not -self.n_agents <= number < self.n_agents:
            raise IndexError(f"there is no agent {number} in a fleet of {self.n_agents}")
        return number % self.n_agents

    # ---- what it computes ----

    def passes(self, columns: int, *, threads: int | None = None) -> FleetPasses:
        """Forward and backward passes with memory of their own.

        Args:
            columns: samples of each agent, padded: a power of two up to 16 or a multiple of 16.
            threads: at least 1; None: the fleet's.

        Returns:
            FleetPasses of this fleet alone.
        """
        return FleetPasses([self], columns, self.threads if threads is None else checks.thread_count(threads))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """What each agent says of its own samples.

        Args:
            X: (N, n, n_inputs), n samples for each agent, or (N, n_inputs), one for each.

        Returns:
            Of output='identity', (N, n, n_outputs) values of the fleet's type; of 'softmax', (N, n) classes; of
            'sigmoid', (N, n, n_outputs) of 0 and 1: for each agent what SparseMLP.predict gives. Without the n where X
            has none.

        Raises:
            InputError: where X has another shape or holds what is not finite.
            NotEnoughMemoryError: where the outputs would not fit into memory.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> fleet = ts.Fleet(3, (4, 8, 2), density=0.5, output="identity", seed=0)
            >>> X = np.random.default_rng(0).standard_normal((3, 6, 4))
            >>> bool((fleet.predict(X)[1] == fleet[1].predict(X[1])).all())
            True
        """
        return predict_fleet(self, X, activated=False, decided=True)

    def decision_function(self, X: ArrayLike) -> Floats:
        """The output layers' values before their activation.

        Args:
            X: see `predict`.

        Returns:
            (N, n, n_outputs) of the fleet's type, or (N, n_outputs).

        Raises:
            InputError: see `predict`.
        """
        return predict_fleet(self, X, activated=False, decided=False)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Probabilities of classes (output='softmax') or of labels (output='sigmoid').

        Args:
            X: see `predict`.

        Returns:
            (N, n, n_outputs) of the fleet's type, or (N, n_outputs).

        Raises:
            InputError: see `predict`; and of a fleet with output='identity'.
        """
        if self.output == "identity":
            raise InputError("predict_proba needs output='softmax' or 'sigmoid'; this fleet has output='identity'")
        return predict_fleet(self, X, activated=True, decided=False)
