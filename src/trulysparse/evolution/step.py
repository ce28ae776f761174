"""One evolution of a network: decide and apply, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from trulysparse._core.arrays import Floats, zeros
from trulysparse.connectivity.coordinates import Uniform
from trulysparse.evolution.budget import Budget, as_lost
from trulysparse.evolution.grow import Grow, no_growth
from trulysparse.evolution.prune import LayerPrune, NetworkPrune, keep_largest
from trulysparse.evolution.rewire import Change, rewire
from trulysparse.evolution.schedule import CubicDensity, Schedule
from trulysparse.evolution.view import LayerView, check_keep_mask, check_new_connections
from trulysparse.nn.layers.tiled import TiledLayer
from trulysparse.optim import OptimizerState

if TYPE_CHECKING:
    from trulysparse.nn.mlp import SparseMLP


class Method(Protocol):
    """What a step needs of an evolution method; see Evolution."""

    prune: LayerPrune | NetworkPrune
    grow: Grow
    schedule: Schedule
    budget: Budget
    fresh: str
    output_layer: bool
    density: CubicDensity | None

    def check_storage(self, net: SparseMLP) -> None:
        """InputError where the method cannot evolve a network that is stored like `net`."""


class EvolutionStep:
    """One evolution of a network, layer by layer in any order. Made by `Evolution.start`; works without a `Trainer`.

    `views` maps the number of each evolving layer to its LayerView. `evolve_layer` is `decide`, which leaves the layer
    unchanged, then `apply`. Between the two, a backward pass can still use the layer's old connections.

    Args:
        method: the evolution method.
        net: the network.
        optimizer_state: of each layer; it is changed in place.
        key: of the random streams.
        threads: threads that kernels may use.
        training_progress: fraction of training that is over, 0 to 1.
        evolution_state: where rules store what they need at the next evolution.

    Raises:
        InputError: where the method cannot evolve a network that is stored like this one.

    Example:
        A method that needs gradients. x holds the layer's input and dy the loss gradient at its pre-activation, one row
        per neuron; a sink of `SparseMLP.backward` is given both:

        >>> import numpy as np
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((20, 30, 3), epsilon=4, seed=0)
        >>> optimizer = ts.SGD(0.1, momentum=0.9)
        >>> optimizer_state = [layer.new_state(optimizer) for layer in net.layers]
        >>> step = ts.RigL(fraction=0.3).start(net, optimizer_state, key=1, threads=1)
        >>> rng = np.random.default_rng(0)
        >>> x, dy = (rng.standard_normal((n, 32)).astype(np.float32) for n in (20, 30))
        >>> step.decide(0, x, dy)
        >>> step.views[0].removed >= step.views[0].count > 0
        True
        >>> step.apply(0) > 0, net.layers[0].n_connections
        (True, 200)
    """

    def __init__(
        self,
        method: Method,
        net: SparseMLP,
        optimizer_state: Sequence[OptimizerState],
        key: int,
        threads: int,
        training_progress: float,
        evolution_state: dict[str, Any],
    ) -> None:
        method.check_storage(net)
        self._method = method
        self._net = net
        self._threads = threads
        layers = net.layers if method.output_layer else net.layers[:-1]
        fraction = method.schedule.fraction_at(training_progress)
        self.views = {
            number: LayerView(
                layer,
                optimizer_state[number],
                number,
                fraction,
                key,
                threads,
                evolution_state.setdefault(f"{number}", {}),
            )
            for number, layer in enumerate(layers)
        }
        views = list(self.views.values())
        if method.density is not None and views:
            self._reduce_density(views, method.density, training_progress, evolution_state)
        # Masks of all layers at once only where layers depend on each other: they take one byte per connection.
        self._decided_jointly = isinstance(method.prune, NetworkPrune) or method.budget is not as_lost
        if self._decided_jointly and views:
            if isinstance(method.prune, NetworkPrune):
                keep_masks = method.prune.across(views)
            else:
                keep_masks = [method.prune(view) for view in views]
            for view, keep_mask in zip(views, keep_masks, strict=True):
                view.keep_mask = keep_mask
            for view, count in zip(views, method.budget(views), strict=True):
                view.count = count

    def _reduce_density(
        self,
        views: Sequence[LayerView],
        density: CubicDensity,
        training_progress: float,
        evolution_state: dict[str, Any],
    ) -> None:
        n_connections = sum(view.layer.n_connections for view in views)
        initial = evolution_state.setdefault("initial", n_connections)
        surplus = n_connections - density.target(initial, training_progress)
        if surplus > 0:
            for view, keep_mask in zip(views, keep_largest(views, surplus), strict=True):
                assert not isinstance(view.layer, TiledLayer)  # see Evolution.check_storage
                rewire(view.layer, view.optimizer_state, Change(keep_mask), self._threads)

    def evolve_layer(self, number: int, x: Floats | None = None, dy: Floats | None = None) -> int:
        """Evolves one layer: `decide`, then `apply`.

        Args:
            number: of the layer, from 0. Layers that do not evolve are left as they are.
            x: the layer's input, (n_in, stride), where a rule needs gradients.
            dy: the loss gradient at its pre-activation, (n_out, stride), likewise.

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
            InputError: where a rule returns something else than it must, or needs gradients and has none.
        """
        view = self.views[number]
        view.x, view.dy = x, dy
        if not self._decided_jointly:
            assert not isinstance(self._method.prune, NetworkPrune)
            view.keep_mask = self._method.prune(view)
            view.count = view.removed
        check_keep_mask(view, self._method.prune)
        view.new_connections = self._method.grow(view) if view.count else no_growth(view)
        check_new_connections(view, self._method.grow)
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
            layer.evolve(view.keep_mask, count, self._net.init, keys, view.optimizer_state, self._threads)
            layer.release()
        elif view.removed or count:
            assert not isinstance(view.new_connections, Uniform)
            change = Change(view.keep_mask, view.new_connections)
            view.keep_mask = view.new_connections = None
            if self._method.fresh == "zero":
                change.new_weights = zeros(count, self._net.dtype)
            else:
                scale = self._net.init.scale(layer.connectivity)
                key = view.stream("fresh")
                change.new_weights = self._net.init.draw(count, scale, self._net.dtype, key, self._threads)
            rewire(layer, view.optimizer_state, change, self._threads)
        view.keep_mask = view.new_connections = None
        remember = getattr(self._method.prune, "remember", None)
        if remember is not None:
            remember(view)
        return count
