"""Fleet: many independent sparse networks of the same sizes, trained and asked in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks, memory
from trulysparse.connectivity.indexed import MAX_WIDTH
from trulysparse.connectivity.network_patterns import AnyPattern
from trulysparse.errors import InputError
from trulysparse.nn import memory_use
from trulysparse.nn.activations import Activation
from trulysparse.nn.fleet.base import FleetBase
from trulysparse.nn.fleet.blocks import block, side_by_side, taken
from trulysparse.nn.fleet.build import FleetPlan, checked_seeds, draw_fleet, make_plan
from trulysparse.nn.fleet.call import FleetCalls
from trulysparse.nn.fleet.checks import check_member, check_same_form
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.settings import NetworkSettings
from trulysparse.nn.soft_update_all import mixed_in_place


class Fleet(FleetBase):
    """N independent truly sparse networks of the same sizes, one per agent, that are computed together.

    Each agent has a topology, weights and biases of its own. Layer l of all agents is one FleetLayer, whose weight
    matrix is block-diagonal: the neurons of agent i are rows i * n to (i + 1) * n, its connections lie next to each
    other, and nothing leads from one agent to another. Agent i is bit for bit SparseMLP(layer_sizes, ..., seed=s) with
    s = fleet.seed_of(i).

    Args:
        n_agents: at least 1.
        layer_sizes: neurons per layer of one agent, input first, output last.
        epsilon: see SparseMLP.
        density: see SparseMLP; of each agent.
        densities: see SparseMLP.
        output_density: see SparseMLP.
        connectivity: see SparseMLP. All agents are drawn by one call of the kernels where it is 'erdos_renyi'; by other
            patterns they are made one after the other.
        activation: of the hidden layers.
        output: 'softmax', 'sigmoid' or 'identity'.
        init: rule of the starting weights, see WeightInit.
        fan: see WeightInit.
        balance: see WeightInit.
        bias: whether neurons have biases.
        dtype: 'float32' or 'float64'.
        seed: of all agents, at least 0; each has a seed made of it and of its number, see `seed_of`.
        threads: at least 1; None: all of this machine's. The same bits for any number.

    Attributes:
        n_agents: N.
        layer_sizes: of one agent.
        seeds: of each agent, (N,) uint64.
        network: the fleet as one SparseMLP of N times as many neurons per layer. Passes, optimizer state and updates
            work on it as on any network.
        soft_updates: soft updates so far.
        calls: calls of the kernels that are prepared for predictions.

    Raises:
        InputError: where an argument is out of range or does not go with another.
        NotEnoughMemoryError: where the fleet would not fit into memory, before anything is allocated.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity" (2018), of
        each agent.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> fleet = ts.Fleet(1000, (24, 32, 32, 2), density=0.33, output="identity", seed=0, threads=1)
        >>> len(fleet), fleet.n_connections, int(fleet.connections_per_agent[7])
        (1000, 612000, 612)
        >>> fleet.predict(np.ones((1000, 5, 24), np.float32)).shape  # 5 samples of each agent's own
        (1000, 5, 2)
        >>> alone = ts.SparseMLP((24, 32, 32, 2), density=0.33, output="identity", seed=fleet.seed_of(7), threads=1)
        >>> bool((alone.layers[0].values == fleet[7].layers[0].values).all())
        True
    """

    skip = tied = False
    soft_updates = 0

    def __init__(
        self,
        n_agents: int,
        layer_sizes: Sequence[int],
        *,
        epsilon: float | Sequence[float] | None = None,
        density: float | Sequence[float] | None = None,
        densities: str = "erk",
        output_density: float | None = None,
        connectivity: str | AnyPattern = "erdos_renyi",
        activation: Activation | str = "all_relu",
        output: str = "softmax",
        init: str = "he_uniform",
        fan: str = "dense",
        balance: bool = True,
        bias: bool = True,
        dtype: str = "float32",
        seed: int = 0,
        threads: int | None = None,
    ) -> None:
        plan: FleetPlan = make_plan(
            n_agents,
            layer_sizes,
            epsilon=epsilon,
            density=density,
            densities=densities,
            output_density=output_density,
            connectivity=connectivity,
            activation=activation,
            output=output,
            init=init,
            fan=fan,
            balance=balance,
            bias=bias,
            dtype=dtype,
            seed=seed,
            threads=threads,
        )
        self._set(plan.settings, plan.layer_sizes, plan.seeds, draw_fleet(plan))

    def _set(
        self,
        settings: NetworkSettings,
        layer_sizes: Sequence[int],
        seeds: NDArray[np.uint64],
        layers: Sequence[FleetLayer],
    ) -> None:
        self.n_agents, self.seeds, self.calls = len(seeds), seeds, FleetCalls()
        network = SparseMLP.without_layers([self.n_agents * n for n in layer_sizes], settings)
        network.layers = list(layers)
        network.check_layers()
        self.network = network

    @classmethod
    def from_layers(
        cls,
        layers: Sequence[FleetLayer],
        seeds: ArrayLike,
        settings: NetworkSettings,
    ) -> Self:
        """A fleet of given layers.

        Args:
            layers: of all agents, first to last; the fleet uses them themselves, not copies.
            seeds: of each agent, (N,) integers from 0 to 2^64 - 1.
            settings: everything else.

        Returns:
            The fleet.

        Raises:
            InputError: where they do not fit together.
        """
        fleet = cls.__new__(cls)
        layers = checks.listed("layers", layers, "layers")
        if not layers or not all(isinstance(layer, FleetLayer) for layer in layers):
            raise InputError("layers must have at least one layer, each a FleetLayer")
        checked = checked_seeds(seeds, layers[0].n_agents)
        sizes = [layer.n_in // layer.n_agents for layer in layers]
        fleet._set(settings, [*sizes, layers[-1].n_out // layers[-1].n_agents], checked, layers)
        return fleet

    @classmethod
    def from_networks(cls, networks: Sequence[SparseMLP], *, threads: int | None = None) -> Self:
        """A fleet of networks that exist already.

        Args:
            networks: at least one, of the same sizes, activation, output, weight initialization and type, with
                storage='indexed', without a skip layer, tied ends, a scaling or a preprocessor. Topologies and numbers
                of connections may differ.
            threads: at least 1; None: those of the first.

        Returns:
            The fleet. It has copies of their weights, and their seeds.

        Raises:
            InputError: where the networks do not go together.

        Example:
            >>> import trulysparse as ts
            >>> nets = [ts.SparseMLP((4, 8, 2), epsilon=epsilon, seed=3) for epsilon in (1, 2)]
            >>> ts.Fleet.from_networks(nets).connections_per_agent.tolist()
            [22, 40]
        """
        networks = checks.listed("networks", networks, "networks")
        if not networks:
            raise InputError("networks must have at least one entry")
        for number, net in enumerate(networks):
            check_member(f"networks[{number}]", net)
            check_same_form(f"networks[{number}]", net, "networks[0]", networks[0])
        first = networks[0]
        threads = first.threads if threads is None else checks.thread_count(threads)
        ones = [1] * len(networks)
        layers = [
            side_by_side([net.layers[number] for net in networks], ones, threads) for number in range(len(first.layers))
        ]
        seeds = np.array([net.seed & (2**64 - 1) for net in networks], np.uint64)
        return cls.from_layers(layers, seeds, replace(first.settings, epsilon=None, threads=threads))

    # ---- agents taken out and put in ----

    def __getitem__(self, agents: Any) -> Any:
        """An agent as a SparseMLP, by its number; or some agents as a Fleet, by a slice, a list or array of numbers, or
        one of N marks. All arrays are copies."""
        if isinstance(agents, slice | list | tuple | np.ndarray):
            return self._taken(self._numbers(agents))
        agent = self._number(agents)
        parts = [block(layer, agent, self.threads) for layer in self.layers]
        settings = replace(self.settings, seed=int(self.seeds[agent]))
        connectivities, values, biases = zip(*parts, strict=True)
        return SparseMLP.from_layers(connectivities, values, biases, settings)

    def __setitem__(self, agent: int, net: SparseMLP) -> None:
        """Replaces an agent by a copy of a network of the same form, whose seed it takes. Layers get new connectivity
        and values; optimizer state of before does not fit them any more where the number of connections changes."""
        place = self._number(agent)
        check_member("net", net)
        check_same_form("net", net, "this fleet", self)
        numbers = np.arange(self.n_agents)
        numbers[place] = self.n_agents
        made = [
            taken(side_by_side([layer, own], [self.n_agents, 1], self.threads), numbers, self.threads)
            for layer, own in zip(self.layers, net.layers, strict=True)
        ]
        for layer, new in zip(self.layers, made, strict=True):  # all of them, or none
            layer.connectivity, layer.values, layer.bias = new.connectivity, new.values, new.bias
        self.seeds = self.seeds.copy()
        self.seeds[place] = net.seed & (2**64 - 1)

    def __iter__(self) -> Iterator[SparseMLP]:
        return (self[agent] for agent in range(self.n_agents))

    def repeat(self, times: int) -> Self:
        """A fleet of several copies of each agent, such as candidates of an evolution strategy.

        Args:
            times: copies of each, at least 1.

        Returns:
            A fleet of N * times agents; copies of agent i are i * times to i * times + times - 1, and have its seed.

        Raises:
            InputError: where times is out of range.
            NotEnoughMemoryError: where the fleet would not fit into memory.

        Example:
            >>> import trulysparse as ts
            >>> fleet = ts.Fleet(2, (4, 8, 2), density=0.5, seed=0)
            >>> [fleet.repeat(3).seeds.tolist().count(seed) for seed in fleet.seeds.tolist()]
            [3, 3]
        """
        times = checks.integer("times", times, low=1, high=MAX_WIDTH // self.n_agents)
        return self._taken(np.repeat(np.arange(self.n_agents), times))

    def copy(self) -> Self:
        """A fleet with weights and biases of its own; connectivity, which never changes, is shared.

        Returns:
            The copy.

        Example:
            >>> import trulysparse as ts
            >>> fleet = ts.Fleet(2, (4, 8, 2), density=0.5, seed=0)
            >>> fleet.copy().layers[0].connectivity is fleet.layers[0].connectivity
            True
        """
        return self.from_layers([layer.copy() for layer in self.layers], self.seeds, self.settings)

    def _taken(self, numbers: NDArray[np.int64]) -> Self:
        memory.require(
            memory_use.network_bytes(
                [n * len(numbers) for n in self.layer_sizes],
                [int(layer.connections_per_agent[numbers].sum()) for layer in self.layers],
                self.storage_config,
            ),
            f"a fleet of {len(numbers)} networks of layers {self.sizes_text}",
            "choose fewer agents",
        )
        layers = [taken(layer, numbers, self.threads) for layer in self.layers]
        return self.from_layers(layers, self.seeds[numbers], self.settings)

    def _numbers(self, agents: Any) -> NDArray[np.int64]:
        """The numbers that a slice, or an array of numbers or marks, names; InputError where there are none."""
        if isinstance(agents, slice):
            numbers = np.arange(self.n_agents)[agents]
        else:
            given = np.asarray(agents)
            marks = given.dtype == bool and given.shape == (self.n_agents,)
            if given.ndim != 1 or (given.dtype.kind not in "iu" and not marks and given.size):
                raise InputError(f"agents must be a list of numbers or of {self.n_agents} marks, not {agents!r:.80}")
            wrong = given[(given < -self.n_agents) | (given >= self.n_agents)] if not marks else given[:0]
            if len(wrong):
                raise IndexError(f"there is no agent {wrong[0]} in a fleet of {self.n_agents}")
            numbers = np.arange(self.n_agents)[given if given.size else []]
        if not len(numbers):
            raise InputError("agents must name at least one agent")
        return numbers

    # ---- other fleets ----

    def check_source(self, source: Any) -> None:
        """InputError where a fleet cannot be the source of a soft update, or of a topology.

        Args:
            source: the fleet.
        """
        if not isinstance(source, Fleet):
            raise InputError(f"source must be a Fleet, not {type(source).__name__}")
        if source.n_agents != self.n_agents:
            raise InputError(f"source must have {self.n_agents} agents, as this fleet, not {source.n_agents}")
        self.network.check_source(source.network)

    def take_topology(self, source: Fleet) -> int:
        """Takes the topologies of another fleet, as targets do when the networks that they follow have evolved.

        Layers get the connectivity objects of the source's. Weights stay where a connection stays, new connections
        start at 0, and biases stay.

        Args:
            source: of as many agents of the same sizes and type; it is not changed.

        Returns:
            How many connections are new.

        Raises:
            InputError: where the fleets do not fit together. Nothing has changed then.

        Source:
            Tan et al., "RLx2: training a sparse deep reinforcement learning model from scratch", ICLR 2023, section 4.

        Example:
            >>> import trulysparse as ts
            >>> online, target = (ts.Fleet(2, (4, 8, 2), density=0.5, seed=seed) for seed in (0, 1))
            >>> target.take_topology(online) > 0, target.take_topology(online)
            (True, 0)
        """
        self.check_source(source)
        return self.network.take_topology(source.network)

    def soft_update(self, source: Fleet, tau: float) -> None:
        """Draws the weights towards those of another fleet of the same topologies: w + tau * (w_source - w).

        Args:
            source: a fleet whose layers have the very connectivity objects of this one's: a copy, or one whose
                topologies were taken with `take_topology`.
            tau: 0 to 1, the share of the source.

        Raises:
            InputError: where the fleets do not fit together, or topologies differ. Nothing has changed then.

        Source:
            Lillicrap et al., "Continuous control with deep reinforcement learning", ICLR 2016, algorithm 1.

        Example:
            >>> import trulysparse as ts
            >>> fleet = ts.Fleet(2, (4, 8, 2), density=0.5, seed=0)
            >>> target = fleet.copy()
            >>> fleet.layers[0].values[:] = 1
            >>> target.soft_update(fleet, 0.25)
            >>> bool((target.layers[0].values == fleet.layers[0].values).any())
            False
        """
        tau = checks.real("tau", tau, low=0, high=1)
        if mixed_in_place((self,), (source,), tau):
            return
        self.check_source(source)
        if any(a.connectivity is not b.connectivity for a, b in zip(self.layers, source.layers, strict=True)):
            raise InputError("source must have the topologies of this fleet: call take_topology(source) first")
        self.network.soft_update(source.network, tau)
        self.soft_updates += 1
