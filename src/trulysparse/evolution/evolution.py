"""Topology evolution: a prune rule, a growth rule and a schedule, composed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from trulysparse._core import checks
from trulysparse.connectivity.coordinates import INDEXED, storages_of
from trulysparse.errors import InputError
from trulysparse.evolution.budget import Budget, as_lost
from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.grow import Grow
from trulysparse.evolution.layers import EvolvableLayers, consecutive_layers, evolving_layers
from trulysparse.evolution.prune import LayerPrune, NetworkPrune, decides_across
from trulysparse.evolution.schedule import Schedule
from trulysparse.evolution.step import EvolutionStep
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.fleet_layer import FleetLayer
from trulysparse.nn.network import Network
from trulysparse.optim import OptimizerState


class Evolution:
    """Replaces connections during training.

    Connections that remain keep weight and optimizer state. All evolving layers are pruned before any grows, unless the
    prune rule needs gradients. Each rule declares the storages it works with (`storages`, {"indexed", "tiled"} or, the
    default, {"indexed"}); a method works with those that all its rules do.

    Args:
        prune: which connections are removed; see trulysparse.evolution.prune.
        grow: where as many are added; see trulysparse.evolution.grow.
        schedule: when, and which fraction.
        budget: how many each layer grows; see trulysparse.evolution.budget. Default: as many as it lost.
        fresh: weights of new connections: 'init' (drawn as the network's at its start) or 'zero'. Their optimizer state
            is zero. With 'zero', a connection that is removed and chosen again in the same evolution keeps its weight
            and state (in tiles it starts anew).
        output_layer: whether the output layer evolves too.
        density: lets the number of connections fall in the course of training, such as CubicDensity or SigmoidDensity;
            None: the number is constant.
        percolate: keep every evolving connection on a path from an input to an output of the network. After the prune
            rule, connections into neurons without outputs and out of neurons without inputs are removed too, across
            layers; as many as each layer lost grow again, between neurons that paths go through; where these have no
            room, others join them. It needs layers that follow one another, with storage='indexed', and a prune rule
            without gradients. Connections of a layer that does not evolve stay: a sparse output layer should evolve.

    Raises:
        InputError: where `fresh` is neither, or a prune rule that needs gradients comes with another budget or with
            percolate.

    Example:
        A method of one's own, in a `Trainer`:

        >>> import numpy as np
        >>> import trulysparse as ts
        >>> from trulysparse.evolution import grow, prune
        >>> method = ts.Evolution(prune.magnitude, grow.uniform, ts.Schedule(0.3, every_epochs=1))
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.standard_normal((64, 20)), rng.integers(0, 3, 64)
        >>> history = ts.Trainer(net, evolution=method, batch_size=16).fit(X, y, epochs=2)
        >>> net.n_connections
        290

        In a loop of one's own, without a `Trainer`, see Evolver:

        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> optimizer_state = [layer.new_state(ts.SGD(0.1, momentum=0.9)) for layer in net.layers]
        >>> evolver = ts.Evolver(method, net, optimizer_state, updates_per_epoch=10, total_updates=30)
        >>> replaced = 0
        >>> for _ in range(30):
        ...     if evolver.due():
        ...         replaced += evolver.evolve()
        ...     pass  # one update of net.layers and optimizer_state
        ...     evolver.step_done()
        >>> replaced  # 60 of 200 connections of the hidden layer, twice
        120
    """

    name = "custom"
    made_with: tuple[tuple[Any, ...], dict[str, Any]]
    """Of subclasses, the arguments that the object was made with, by which a file can name it."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = _noting(cls.__init__)  # type: ignore[method-assign]

    def __init__(
        self,
        prune: LayerPrune | NetworkPrune,
        grow: Grow,
        schedule: Schedule,
        *,
        budget: Budget = as_lost,
        fresh: str = "init",
        output_layer: bool = False,
        density: DensitySchedule | None = None,
        percolate: bool = False,
    ) -> None:
        self.prune = prune
        self.grow = grow
        self.schedule = schedule
        self.budget = budget
        self.fresh = checks.choice("fresh", fresh, ("init", "zero"))
        if not isinstance(output_layer, bool | np.bool_):
            raise InputError(f"output_layer must be True or False, not {output_layer!r:.80}")
        self.output_layer = bool(output_layer)
        self.density = density
        self.percolate = bool(percolate)
        if density is not None and hasattr(prune, "remember"):
            raise InputError("density cannot be combined with a prune rule that remembers single connections")
        if density is not None and density.scope != "network" and budget is not as_lost:
            raise InputError(
                f"{type(density).__name__} keeps each layer's share of connections: budget must be as_lost"
            )
        if getattr(prune, "needs_gradient", False) and (budget is not as_lost or percolate):
            wrong = "percolate must be False" if percolate else "budget must be as_lost"
            raise InputError(f"a prune rule that needs gradients decides layer by layer: {wrong}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule})"

    @property
    def needs_gradient(self) -> bool:
        """Whether a rule looks at gradients: evolution then takes the place of an update, on that update's batch."""
        return bool(getattr(self.prune, "needs_gradient", False) or getattr(self.grow, "needs_gradient", False))

    @property
    def storages(self) -> frozenset[str]:
        """The storages that all rules work with, of 'indexed' and 'tiled'."""
        common = storages_of(self.prune) & storages_of(self.grow) & storages_of(self.budget)
        # Deciding across layers needs the index.
        needs_index = decides_across(self.prune) or self.density is not None or self.percolate
        return common & INDEXED if needs_index else common

    def check_storage(self, layers: EvolvableLayers, evolving: Sequence[int] | None = None) -> None:
        """Checks that this method can evolve layers that are stored like these.

        Args:
            layers: a network, a layer or a sequence of layers.
            evolving: see `start`.

        Raises:
            InputError: where it cannot, with the rule that is the reason.
        """
        storages = self.storages
        for number, layer in evolving_layers(layers, self.output_layer, evolving).items():
            if isinstance(layer, FleetLayer):
                raise InputError("layers of a fleet must evolve by FleetEvolver, agent by agent")
            wanted = "tiled" if layer.tiled else "indexed"
            if wanted in storages:
                continue
            parts = (("prune", self.prune), ("grow", self.grow), ("budget", self.budget))
            reason = next((f"its {part} rule" for part, rule in parts if wanted not in storages_of(rule)), "it")
            if reason == "it" and self.percolate:
                reason = "percolation, which needs the index,"
            what = "a network" if isinstance(layers, Network) else f"layers[{number}]"
            advice = ""
            if layer.tiled:
                advice = "; SET can, or use " + ("net.indexed()" if isinstance(layers, Network) else "layer.indexed()")
            raise InputError(
                f"evolution {self.name!r} cannot evolve {what} with storage={'compact' if layer.tiled else wanted!r}: "
                f"{reason} does not declare {wanted!r} among its storages{advice}"
            )
        if self.percolate:
            if isinstance(layers, Network) and layers.tied:
                raise InputError(f"evolution {self.name!r} needs percolate=False where the network's ends are tied")
            consecutive_layers(layers)

    def due(self, done: int, steps_per_epoch: int | None, total: int | None) -> bool:
        """Whether to evolve now.

        Args:
            done: updates so far.
            steps_per_epoch: updates per epoch; None only where the schedule counts updates.
            total: updates of the whole training; None where that is not known and not needed.

        Returns:
            What the schedule says.

        Raises:
            InputError: where a number is None that is needed.
        """
        return self.schedule.due(done, steps_per_epoch, total)

    @property
    def needs_total(self) -> bool:
        """Whether the method depends on how many updates the whole training has."""
        if self.density is not None and self.density.needs_total:
            return True
        counted = isinstance(self.schedule.until, int)  # progress is then counted in updates
        return self.schedule.needs_total or (getattr(self.prune, "needs_progress", False) and not counted)

    def start(
        self,
        layers: EvolvableLayers,
        optimizer_state: OptimizerState | Sequence[OptimizerState],
        *,
        key: int,
        threads: int,
        training_progress: float = 0.0,
        evolution_state: dict[str, Any] | None = None,
        init: WeightInit | None = None,
        evolving: Sequence[int] | None = None,
        total_updates: int | None = None,
    ) -> EvolutionStep:
        """Begins one evolution. No layer changes until it is evolved, except that `density` removes connections at
        once. An Evolver keeps clock, keys and evolution_state in a loop of one's own.

        Args:
            layers: a network, a layer, or a sequence of layers, which need not belong together.
            optimizer_state: of each layer, as `layer.new_state(optimizer)` makes it, those included that do not
                evolve; it is changed in place.
            key: of the random streams, another one for each evolution.
            threads: threads that kernels may use.
            training_progress: fraction of training that is over, 0 to 1.
            evolution_state: a dictionary in which rules store what they need at the next evolution; pass the same one
                each time. None: a new one.
            init: how weights of new connections are drawn; None: as those of the network, of plain layers
                WeightInit().
            evolving: numbers of the layers that evolve, from 0. None: of a network all, the last one only with
                `output_layer`; of other layers all.
            total_updates: of the whole training; needed where the end of evolution is a number of updates.

        Returns:
            The step.

        Raises:
            InputError: where the method cannot evolve layers that are stored like these, or an argument does not fit.
        """
        return EvolutionStep(
            self,
            layers,
            optimizer_state,
            key,
            threads,
            training_progress,
            {} if evolution_state is None else evolution_state,
            init=init,
            evolving=evolving,
            total_updates=total_updates,
        )

    def evolve(
        self,
        layers: EvolvableLayers,
        optimizer_state: OptimizerState | Sequence[OptimizerState],
        key: int,
        threads: int,
        **settings: Any,
    ) -> int:
        """Evolves all layers once, without gradients.

        Args:
            layers: see `start`.
            optimizer_state: see `start`.
            key: see `start`.
            threads: see `start`.
            **settings: the other arguments of `start`.

        Returns:
            The number of connections that were added.

        Raises:
            InputError: where the method needs gradients.
        """
        if self.needs_gradient:
            raise InputError(
                f"{type(self).__name__} needs gradients: use Trainer.evolve(X_batch, y_batch), or start() and hand the "
                "step to a backward pass as its sink"
            )
        step = self.start(layers, optimizer_state, key=key, threads=threads, **settings)
        return sum(map(step.evolve_layer, step.views))


def _noting(init: Callable[..., None]) -> Callable[..., None]:
    """An __init__ that keeps its arguments as `made_with`, where no subclass has done so before."""

    @wraps(init)
    def noted(self: Evolution, *arguments: Any, **options: Any) -> None:
        self.__dict__.setdefault("made_with", (arguments, options))
        init(self, *arguments, **options)

    return noted
