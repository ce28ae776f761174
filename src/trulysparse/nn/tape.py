"""Tape: the record of a forward pass of any number of samples, from which gradients are taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from trulysparse._core.arrays import Floats, store_samples
from trulysparse.data import Matrix
from trulysparse.errors import InputError
from trulysparse.nn.columns import Columns, load_tiles, spans
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.output_gradient import OutputGradient
from trulysparse.nn.passes import Layered, tile_columns
from trulysparse.nn.sinks import Sink
from trulysparse.nn.tape_memory import Lease, TileMemory, leased_view
from trulysparse.nn.tape_passes import backward_passes, gradient_passes, update_passes
from trulysparse.optim import OptimizerState


class NetworkGradient(NamedTuple):
    """The gradient of a loss.

    Attributes:
        parameters: of each layer, along its connections (in the order of connectivity.by_input, or of the tiles) and
            along its biases.
        input: (n_samples, n_inputs) at the network's input, or None where it was not asked for.
    """

    parameters: Sequence[ParameterGradient]
    input: Floats | None


class Tape:
    """What `Network.forward` returns: the activations of its samples, on which the backward pass goes back.

    A backward pass overwrites the activations of hidden layers, so it can be taken once.

    Args:
        net: the network.
        X: its samples, or Columns of them.
        keep_probability: of dropout; 1: none.
        activated: whether the output activation is to be applied.
        threads: how many.

    Attributes:
        net: the network.
        n_samples: how many.
        columns: its samples as they were laid out, which other networks may share.

    Example:
        A step of gradient descent on the mean of the outputs:

        >>> import numpy as np, trulysparse as ts
        >>> net = ts.SparseMLP((4, 8, 2), epsilon=3, output="identity", seed=0)
        >>> optimizer = ts.SGD(0.1, momentum=0.0)
        >>> state = [layer.new_state(optimizer) for layer in net.layers]
        >>> X = np.random.default_rng(0).standard_normal((16, 4)).astype(np.float32)
        >>> tape = net.forward(X, training=True)
        >>> before, dY = tape.output.mean(), np.full((16, 2), 1 / 32)
        >>> dX = tape.backward(dY, state, optimizer.rule(0, 0.0, None), input_gradient=True)
        >>> dX.shape, bool(net.forward(X).output.mean() < before)
        ((16, 4), True)
    """

    def __init__(
        self, net: Layered, X: Matrix | Columns, *, keep_probability: float, activated: bool, threads: int
    ) -> None:
        self.net = net
        self.n_samples = X.n_samples
        self._spans = X.spans() if isinstance(X, Columns) else spans(X.n_samples, tile_columns(net.layer_sizes))
        self.threads = threads
        self.activated = activated
        self._lease = Lease(net, self._spans, keep_probability)
        self.tiles = [memory.tile for memory in self._lease.memory]
        if isinstance(X, Columns):
            self.columns = X
            for tile, x in zip(self.tiles, X.inputs, strict=True):
                tile.signals[0] = x
        else:
            inputs = [memory.own_input for memory in self._lease.memory]
            load_tiles(X, self._spans, inputs, net.scaling, threads)
            self.columns = Columns(inputs, X.n_samples, self._lease)
        self.spent = False
        self._topology = [layer.connectivity for layer in net.layers]

    def finish(self) -> None:
        """Called when the layers have been computed."""
        if self.activated:
            for tile in self.tiles:
                self.net.activate_output(tile.signals[-1].values, self.threads)

    # ---- values ----

    @property
    def output(self) -> Floats:
        """(n_samples, n_outputs) values of the output layer: a view where the samples are one tile, else a copy."""
        return self.samples(len(self.net.layer_sizes) - 1)

    @property
    def hidden(self) -> HiddenValues:
        """hidden[l]: (n_samples, n_neurons) activations of hidden layer l, counted from 0, with dropout where there was
        some: a view where the samples are one tile of floats, else a copy. Gone once a backward pass was taken."""
        self.require_unspent("hidden activations are gone: a backward pass has overwritten them")
        return HiddenValues(self)

    def samples(self, number: int) -> Floats:
        """Values of layer `number`, the input counted as 0, as (n_samples, n_neurons)."""
        values = [tile.signals[number].values for tile in self.tiles]
        if len(values) == 1 and values[0].dtype != np.uint16:
            view: Floats = leased_view(values[0][:, : self.n_samples].T, self._lease)
            return view
        out = np.empty((self.n_samples, self.net.layer_sizes[number]), self.net.dtype)
        for span, each in zip(self._spans, values, strict=True):
            store_samples(each, out[span], None, self.threads)
        return out

    # ---- gradients ----

    def backward(
        self,
        dY: ArrayLike | Columns,
        optimizer_state: Sequence[OptimizerState] | None = None,
        rule: Any = None,
        *,
        input_gradient: bool = False,
        key: int | None = None,
    ) -> Floats | None:
        """Takes a gradient from the output down, and updates the network's parameters on the way.

        Args:
            dY: (n_samples, n_outputs), the gradient of the loss at `output`; or Columns of it.
            optimizer_state: of each layer, as `layer.new_state(optimizer)` makes it; updated too. None: parameters
                stay as they are.
            rule: what the optimizer's `rule` returned for this update.
            input_gradient: whether the gradient at the input is wanted.
            key: of the random numbers with which networks of bfloat16 weights round, another one per update; None: made
                of the network's seed and the number of its updates.

        Returns:
            (n_samples, n_inputs), the gradient at X, or None where it is not wanted.

        Raises:
            InputError: where dY does not fit the output, or a backward pass was taken before; nothing is updated then.
        """
        states = None if optimizer_state is None else [optimizer_state]
        return update_passes([self], [self.output_gradient(dY)], states, [rule], input_gradient, key)[0]

    def backward_to(self, dY: ArrayLike | Columns, sink: Sink) -> None:
        """A backward pass that hands each layer's gradient to a sink, as a topology evolution that looks at gradients.

        Args:
            dY: see `backward`.
            sink: say the step that `Evolver.start` returns; see nn.sinks.

        Raises:
            InputError: where the samples are more than one tile, as a sink is given each layer once; see Columns.of.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP((20, 50, 3), epsilon=4, output="identity", seed=0)
            >>> state = [layer.new_state(ts.SGD()) for layer in net.layers]
            >>> evolver = ts.Evolver(ts.RigL(every_updates=1), net, state, total_updates=10)
            >>> evolution = evolver.start()
            >>> net.forward(np.ones((16, 20))).backward_to(np.ones((16, 3)), evolution)
            >>> evolution.n_added > 0
            True
        """
        if len(self.tiles) > 1:
            raise InputError(
                f"backward_to takes one tile of samples, at most {self._spans[0].stop} of this network, not "
                f"{self.n_samples}; lay out more as one tile with Columns.of"
            )
        backward_passes([self], [self.output_gradient(dY)], [[sink]], inputs=False)

    def gradients(
        self,
        dY: ArrayLike | Columns,
        *,
        input_gradient: bool = False,
        into: Sequence[ParameterGradient] | None = None,
        add: bool = False,
    ) -> NetworkGradient:
        """As `backward`, but the gradients of parameters are returned, and parameters stay as they are.

        Args:
            dY: see `backward`.
            input_gradient: see `backward`.
            into: arrays of each layer to write to, see NetworkGradient; None: new ones.
            add: add to what `into` holds.

        Returns:
            The gradient.

        Raises:
            InputError: where dY or `into` does not fit, or a backward pass was taken before.
        """
        arrays, inputs = gradient_passes([self], [self.output_gradient(dY)], [into], add, input_gradient)
        return NetworkGradient(arrays[0], inputs[0])

    def require_unspent(self, message: str) -> None:
        """InputError where a backward pass has been taken."""
        if self.spent:
            raise InputError(message)

    def output_gradient(self, dY: ArrayLike | Columns) -> OutputGradient:
        """The gradient at the output's pre-activation; see `backward`."""
        self.require_unspent("a backward pass has been taken on this tape; take another forward pass first")
        if [layer.connectivity for layer in self.net.layers] != self._topology:
            raise InputError("the network's topology has changed since the forward pass; take another one")
        outputs = [tile.signals[-1].values for tile in self.tiles]
        memory = [each.output_gradient for each in self._lease.memory]
        return OutputGradient(
            dY, outputs, self._spans, memory, self.net.output if self.activated else "identity", self.threads
        )

    def input_gradient(self, part: int) -> Floats:
        """Memory for the gradient at the input of tile `part`, (n_inputs, columns)."""
        memory: TileMemory = self._lease.memory[0 if part < len(self.tiles) - 1 else -1]  # all before are of one size
        return memory.input_gradient()

    def new_input_gradient(self) -> Floats:
        """An array for the gradient at X, (n_samples, n_inputs), not set."""
        return np.empty((self.n_samples, self.net.layer_sizes[0]), self.net.dtype)

    def store_input_gradient(self, part: int, out: Floats) -> None:
        """Puts what a backward pass has left of tile `part` into such an array, by the units of X."""
        factor = None if self.net.scaling is None else self.net.scaling.factor
        store_samples(self.input_gradient(part), out[self._spans[part]], factor, self.threads)


class HiddenValues(Sequence[Floats]):
    """The activations of a tape's hidden layers; see Tape.hidden."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __len__(self) -> int:
        return len(self._tape.net.layer_sizes) - 2

    @overload
    def __getitem__(self, layer: int) -> Floats: ...
    @overload
    def __getitem__(self, layer: slice) -> list[Floats]: ...
    def __getitem__(self, layer: int | slice) -> Floats | list[Floats]:
        self._tape.require_unspent("hidden activations are gone: a backward pass has overwritten them")
        numbers = range(len(self))[layer]
        if isinstance(numbers, range):
            return [self._tape.samples(number + 1) for number in numbers]
        return self._tape.samples(numbers + 1)
