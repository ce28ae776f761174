"""One evolution of a network or of any layers: decide and apply, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from trulysparse._core.arrays import Floats, Stored, zeros
from trulysparse._core.random import stream_key
from trulysparse.connectivity.coordinates import Uniform
from trulysparse.errors import InputError
from trulysparse.evolution.budget import Budget, as_lost
from trulysparse.evolution.density import DensitySchedule
from trulysparse.evolution.grow import Grow, no_growth
from trulysparse.evolution.layers import (
    EvolvableLayers,
    consecutive_layers,
    evolving_layers,
    init_of,
    listed_states,
)
from trulysparse.evolution.live import Live, grow_among, live_neurons, revive
from trulysparse.evolution.percolation import percolate
from trulysparse.evolution.prune import LayerPrune, NetworkPrune, decides_across
from trulysparse.evolution.reduce import reduce
from trulysparse.evolution.rewire import Change, draw_fresh, rewire
from trulysparse.evolution.schedule import Schedule
from trulysparse.evolution.view import LayerView, check_keep_mask, check_new_connections
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.initialization import WeightInit
from trulysparse.nn.layers.base import Layer
from trulysparse.nn.layers.indexed import IndexedLayer
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.nn.network import Network
from trulysparse.optim import OptimizerState

COUNT_REGROWN = "count_regrown"
"""Where evolution_state has this, steps count what is removed and grown again; see LayerView.count_regrown."""


class Method(Protocol):
    """What a step needs of an evolution method; see Evolution."""

    prune: LayerPrune | NetworkPrune
    grow: Grow
    schedule: Schedule
    budget: Budget
    fresh: str
    output_layer: bool
    density: DensitySchedule | None
    percolate: bool

    @property
    def needs_gradient(self) -> bool:
        """Whether a rule looks at gradients."""

    def check_storage(self, layers: EvolvableLayers, evolving: Sequence[int] | None = None) -> None:
        """InputError where the method cannot evolve layers that are stored like these."""


class EvolutionStep:
    """One evolution, layer by layer in any order. Made by `Evolution.start` and `Evolver.start`; works without a
    `Trainer`.

    `views` maps the number of each evolving layer to its LayerView. `evolve_layer` is `decide`, which leaves the layer
    unchanged, then `apply`. A step is also a sink of a backward pass (see nn/sinks.py): each layer then evolves on the
    pass's gradients, in place of an update, and the pass itself still uses the old connections.

    Args:
        method: the evolution method.
        layers: a network, a layer or a sequence of layers.
        optimizer_state: of each of them, those included that do not evolve; it is changed in place.
        key: of the random streams.
        threads: threads that kernels may use.
        training_progress: fraction of training that is over, 0 to 1.
        evolution_state: where rules store what they need at the next evolution.
        init: how weights of new connections are drawn; None: as those of the network, of plain layers WeightInit().
        evolving: numbers of the layers that evolve. None: of a network all, the last one only where the method's
            output_layer says so; of other layers all.
        total_updates: of the whole training; needed where the method's end is a number of updates.

    Attributes:
        views: as above.
        n_added: connections that were added so far.

    Raises:
        InputError: where the method cannot evolve layers that are stored like these, or an argument does not fit.

    Example:
        A method that needs gradients. x holds the layer's input and dy the loss gradient at its pre-activation, one row
        per neuron and one column per sample:

        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> optimizer = ts.SGD(0.1, momentum=0.9)
        >>> optimizer_state = [layer.new_state(optimizer) for layer in net.layers]
        >>> step = ts.RigL(fraction=0.3).start(net, optimizer_state, key=1, threads=1)
        >>> rng = np.random.default_rng(0)
        >>> x, dy = (rng.standard_normal((n, 25)).astype(np.float32) for n in (20, 30))
        >>> step.decide(0, x, dy)
        >>> step.views[0].removed >= step.views[0].count > 0
        True
        >>> step.apply(0) > 0, net.layers[0].n_connections
        (True, 200)
    """

    def __init__(
        self,
        method: Method,
        layers: EvolvableLayers,
        optimizer_state: OptimizerState | Sequence[OptimizerState],
        key: int,
        threads: int,
        training_progress: float,
        evolution_state: dict[str, Any],
        *,
        init: WeightInit | None = None,
        evolving: Sequence[int] | None = None,
        total_updates: int | None = None,
    ) -> None:
        method.check_storage(layers, evolving)
        states = listed_states(layers, optimizer_state)
        self._method = method
        self._needs_gradient = method.needs_gradient
        self._init = init_of(layers, init)
        self._threads = threads
        self.n_added = 0
        self._evolved: set[int] = set()
        self._count_regrown = bool(evolution_state.get(COUNT_REGROWN))
        fraction = method.schedule.fraction_at(training_progress, total_updates)
        elapsed = method.schedule.elapsed(training_progress, total_updates)
        self.views = {
            number: LayerView(
                layer,
                states[number],
                number,
                fraction,
                key,
                threads,
                evolution_state.setdefault(f"{number}", {}),
                elapsed=elapsed,
            )
            for number, layer in evolving_layers(layers, method.output_layer, evolving).items()
        }
        tied = isinstance(layers, Network) and layers.tied
        self._tied = (layers.layers[-1], states[-1]) if tied else None  # type: ignore[union-attr]
        views = list(self.views.values())
        if method.density is not None and views:
            reduce(method.density, views, evolution_state, training_progress, total_updates)
            self._follow(0)
        # Masks of all layers at once only where layers depend on each other: they take one byte per connection.
        prune = method.prune
        self._prune = cast(LayerPrune, prune)  # not called where it decides across layers
        self._decided_jointly = decides_across(prune) or method.budget is not as_lost or method.percolate
        self._live: dict[int, Live] = {}
        if self._decided_jointly and views:
            keep_masks = prune.across(views) if decides_across(prune) else [self._prune(view) for view in views]
            for view, keep_mask in zip(views, keep_masks, strict=True):
                view.keep_mask = keep_mask
                check_keep_mask(view, prune)
            if method.percolate:
                self._percolate(consecutive_layers(layers))
            for view, count in zip(views, method.budget(views), strict=True):
                view.count = count
            if self._live:
                self._make_room(stream_key(key, "revive"))

    def _follow(self, number: int) -> None:
        """Has the tied last layer follow the first, where that is the layer that has changed."""
        if number == 0 and self._tied is not None and number in self.views:
            layer, state = self._tied
            layer.follow(self.views[number].layer)
            state.weight[:] = [values.copy() for values in state.weight]  # of these connections: see LayerWatch.stale

    def _percolate(self, layers: Sequence[IndexedLayer]) -> None:
        """Removes what lies on no path, and remembers the neurons that paths go through."""
        keep_masks = [self.views[number].keep_mask if number in self.views else None for number in range(len(layers))]
        percolate(layers, keep_masks, self._threads)
        self._live = dict(enumerate(live_neurons(layers, keep_masks)))

    def _make_room(self, key: int) -> None:
        """Revives neurons of layers in which the live ones have no room for as many connections as there are to be."""
        wanted = {
            number: view.layer.n_connections - view.removed + view.count
            for number, view in self.views.items()
            if number in self._live  # a skip layer is not
        }
        revive([self._live[number] for number in sorted(self._live)], wanted, key)

    def evolve_layer(self, number: int, x: Floats | None = None, dy: Floats | None = None) -> int:
        """Evolves one layer: `decide`, then `apply`.

        Args:
            number: of the layer, from 0. Layers that do not evolve are left as they are.
            x: the layer's input, (n_in, samples), of the type of its weights, where a rule needs gradients.
            dy: the loss gradient at its pre-activation, (n_out, samples), likewise.

        Returns:
            The number of connections that were added.
        """
        if number not in self.views:
            return 0
        self.decide(number, x, dy)
        return self.apply(number)

    def decide(self, number: int, x: Floats | None, dy: Floats | None) -> None:
        """Decides which connections are removed and where others grow; the layer does not change.

        Args:
            number: of an evolving layer.
            x: see `evolve_layer`.
            dy: see `evolve_layer`.

        Raises:
            InputError: where a rule returns something else than it must, needs gradients and has none or others than
                the layer's, or the layer has evolved in this step before.
        """
        view = self.views[number]
        if number in self._evolved:
            raise InputError(f"layer {number} has evolved in this step: a step takes a batch as a whole, and once")
        if self._needs_gradient:
            view.set_batch(x, dy)
        if not self._decided_jointly:
            view.keep_mask = self._prune(view)
            check_keep_mask(view, self._method.prune)
            view.count = view.lost
        grow = self._method.grow
        if not view.count:
            view.new_connections = no_growth(view)
        elif number in self._live:
            view.new_connections = grow_among(grow, view, self._live[number])
        else:
            view.new_connections = grow(view)
        check_new_connections(view, grow)
        if self._count_regrown:
            view.count_regrown()
        if self._method.fresh == "zero":
            view.restore_regrown()
        view.x = view.dy = None

    def apply(self, number: int) -> int:
        """Changes the layer as `decide` decided.

        Args:
            number: of an evolving layer.

        Returns:
            The number of connections that were added.
        """
        view = self.views[number]
        layer, count = view.layer, view.count
        if view.new_values is not None:
            layer.values, view.new_values = view.new_values, None
        if isinstance(layer, TiledLayer):
            assert view.keep_mask is not None
            layer.fetch()
            keys = view.stream("grow"), view.stream("fresh")
            init = None if self._method.fresh == "zero" else self._init
            layer.evolve(view.keep_mask, count, init, keys, view.optimizer_state, self._threads)
            layer.release()
        elif view.removed or count:
            assert not isinstance(view.new_connections, Uniform)
            change = Change(view.keep_mask, view.new_connections)
            view.keep_mask = view.new_connections = None
            if self._method.fresh == "zero":
                change.new_weights = zeros(count, layer.values.dtype)
            else:
                change.new_weights = draw_fresh(layer, change, self._init, view.stream("fresh"), self._threads)
            rewire(layer, view.optimizer_state, change, self._threads)
        view.keep_mask = view.new_connections = None
        remember = getattr(self._method.prune, "remember", None)
        if remember is not None:
            remember(view)
        self._follow(number)
        self.n_added += count
        self._evolved.add(number)
        return count

    def take(self, number: int, layer: Layer, dy: Stored, x: Activations, dx: Stored | None, threads: int) -> None:
        """Evolves a layer in a backward pass, in place of its update; see Sink. Layers are told apart by what they are,
        not by their number: the pass may be that of a network of which only some layers were given to the step.

        Args:
            number: of the layer in the pass.
            layer: the layer; one that does not evolve only passes the gradient on.
            dy: the loss gradient at its pre-activation.
            x: its input.
            dx: where to write the gradient at the pre-activation of x; None: not wanted.
            threads: how many.
        """
        number = next((known for known, view in self.views.items() if view.layer is layer), -1)
        if number >= 0:
            self.decide(number, x.values, dy)
        if dx is not None:  # with the connections that made the activations
            layer.input_gradient(dy, x, dx, threads)
        if number >= 0:
            self.apply(number)
