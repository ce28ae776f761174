"""Tape: the record of a forward pass of any number of samples, from which gradients are taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats, empty, store_samples
from trulysparse._core.random import stream_key
from trulysparse.data import Matrix
from trulysparse.data.matrix import as_matrix
from trulysparse.errors import InputError
from trulysparse.nn.activations_buffer import Activations
from trulysparse.nn.passes import Gradients, InputGradient, ParameterGradient, Sink, TilePass, Update, tile_columns

if TYPE_CHECKING:
    from trulysparse.nn.network import Network
    from trulysparse.optim import OptimizerState

# Memory that a network keeps for its next tapes.
_POOL_BYTES = 64 << 20


class Columns:
    """Samples laid out for the kernels: features x samples, in tiles of columns. Networks can share them.

    Args:
        inputs: a tile of values (n_features, columns) each. Samples fill all columns but some of the last tile's, which
            are 0.
        n_samples: how many.
        lease: whatever must live as long as the values, or None.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> first, second = (ts.SparseMLP((4, 8, 1), epsilon=1, output="identity", seed=seed) for seed in (0, 1))
        >>> columns = first.lay_out(np.ones((3, 4)))
        >>> [net.forward(columns).output.shape for net in (first, second)]  # laid out once
        [(3, 1), (3, 1)]
    """

    def __init__(self, inputs: Sequence[Activations], n_samples: int, lease: object = None) -> None:
        self.inputs = inputs
        self.n_samples = n_samples
        self._lease = lease  # of the tape whose memory this is, or None

    @staticmethod
    def of(values: Floats, n_samples: int) -> Columns:
        """Samples that somebody else has laid out.

        Args:
            values: (n_features, columns), contiguous, columns a power of two up to 16 or a multiple of 16; those beyond
                the samples must be 0. It is read in place.
            n_samples: how many, at most `columns`.

        Returns:
            One tile.

        Raises:
            InputError: where the array does not have this form.
        """
        if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind != "f":
            raise InputError("values must be an array (n_features, columns) of float32 or float64")
        columns = values.shape[1]
        if not values.flags.c_contiguous or int(_kernels.padded_batch(columns)) != columns:
            raise InputError(
                f"values must be contiguous, and its columns a power of two up to 16 or a multiple of 16, not {columns}"
            )
        checks.integer("n_samples", n_samples, low=1, high=columns)
        return Columns([Activations(values)], n_samples)

    @property
    def n_features(self) -> int:
        """Rows."""
        return int(self.inputs[0].values.shape[0])

    @property
    def width(self) -> int:
        """Samples per tile, of all but the last."""
        return int(self.inputs[0].values.shape[1]) if len(self.inputs) > 1 else self.n_samples

    def spans(self) -> list[slice]:
        """The samples of each tile."""
        return _spans(self.n_samples, self.width)


def _spans(n_samples: int, width: int) -> list[slice]:
    return [slice(start, min(n_samples, start + width)) for start in range(0, n_samples, width)]


class NetworkGradient(NamedTuple):
    """The gradient of a loss.

    Attributes:
        parameters: of each layer, along its connections (in the order of connectivity.by_input, or of the tiles) and
            along its biases.
        input: (n_samples, n_inputs) at the network's input, or None where it was not asked for.
    """

    parameters: Sequence[ParameterGradient]
    input: Floats | None


@dataclass(eq=False)
class _TileMemory:
    """A tile's activations, and memory for the gradients at its output and input, made when needed."""

    tile: TilePass
    own_input: Activations
    dy: Floats | None = None
    dx: Floats | None = None

    def output_gradient(self) -> Floats:
        if self.dy is None:
            self.dy = np.empty_like(self.tile.signals[-1].values)
        return self.dy

    def input_gradient(self) -> Floats:
        if self.dx is None:
            self.dx = np.empty_like(self.tile.signals[0].values)
        return self.dx


class TapePool:
    """Memory that a network's tapes have given back, for its next ones: kernels' calls that were prepared for it stay
    valid."""

    def __init__(self) -> None:
        self._sizes: tuple[int, ...] = ()
        self._bytes = 0
        self._free: dict[tuple[int, float], list[_TileMemory]] = {}

    def take(self, net: Network, columns: int, keep_probability: float) -> _TileMemory:
        """Memory for a tile."""
        if net.layer_sizes is not self._sizes:
            self._sizes, self._bytes, self._free = net.layer_sizes, 0, {}
        free = self._free.get((columns, keep_probability))
        try:
            memory = free.pop() if free else None
        except IndexError:  # another thread was faster
            memory = None
        if memory is None:
            signals = net.workspace().signals(columns, keep_probability)
            return _TileMemory(TilePass(net, signals), signals[0])
        self._bytes -= _bytes_of(memory)
        return memory

    def give_back(self, sizes: tuple[int, ...], columns: int, keep_probability: float, memory: _TileMemory) -> None:
        """Keeps memory for the next tape, unless there is enough."""
        if sizes is self._sizes and self._bytes + _bytes_of(memory) <= _POOL_BYTES:
            self._bytes += _bytes_of(memory)
            self._free.setdefault((columns, keep_probability), []).append(memory)

    def __reduce__(self) -> tuple[type[TapePool], tuple[()]]:
        """Copies and pickles have memory of their own."""
        return TapePool, ()


def _bytes_of(memory: _TileMemory) -> int:
    return sum(signal.values.nbytes for signal in memory.tile.signals)


class _Lease:
    """Gives a tape's memory back once neither the tape nor a view of its values is in use."""

    def __init__(self, net: Network, spans: Sequence[slice], keep_probability: float) -> None:
        self._pool, self._sizes, self._keep = net.tape_pool, net.layer_sizes, keep_probability
        self._columns = [int(_kernels.padded_batch(span.stop - span.start)) for span in spans]
        self.memory = [self._pool.take(net, columns, keep_probability) for columns in self._columns]

    def __del__(self) -> None:
        for columns, memory in zip(getattr(self, "_columns", ()), getattr(self, "memory", ()), strict=False):
            self._pool.give_back(self._sizes, columns, self._keep, memory)


class _View:
    """An array that holds on to a lease; see np.asarray."""

    def __init__(self, array: NDArray[Any], lease: _Lease) -> None:
        self.__array_interface__ = array.__array_interface__
        self._held = array, lease


class Tape:
    """What `Network.forward` returns: the activations of its samples, on which the backward pass goes back.

    A backward pass overwrites the activations of hidden layers, so it can be taken once.

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
        self, net: Network, X: Matrix | Columns, *, keep_probability: float, activated: bool, threads: int
    ) -> None:
        self.net = net
        self.n_samples = X.n_samples
        self._spans = X.spans() if isinstance(X, Columns) else _spans(X.n_samples, tile_columns(net.layer_sizes))
        self._threads = threads
        self._activated = activated
        self._lease = _Lease(net, self._spans, keep_probability)
        self._tiles = [memory.tile for memory in self._lease.memory]
        inputs = X.inputs if isinstance(X, Columns) else [memory.own_input for memory in self._lease.memory]
        for tile, x in zip(self._tiles, inputs, strict=True):
            tile.net = net
            tile.signals[0] = x
        if isinstance(X, Columns):
            self.columns = X
        else:
            with X.reader(np.arange(X.n_samples)) as reader:
                for span, x in zip(self._spans, inputs, strict=True):
                    reader.load(np.arange(span.start, span.stop), x.values, net.scaling, threads)
            self.columns = Columns(inputs, X.n_samples, self._lease)
        self._spent = False

    def finish(self) -> None:
        """Called when the layers have been computed."""
        if self._activated:
            for tile in self._tiles:
                self.net.activate_output(tile.signals[-1].values, self._threads)

    # ---- values ----

    @property
    def output(self) -> Floats:
        """(n_samples, n_outputs) values of the output layer: a view where the samples are one tile, else a copy."""
        return self._samples(len(self.net.layers))

    @property
    def hidden(self) -> HiddenValues:
        """hidden[l]: (n_samples, n_neurons) activations of hidden layer l, counted from 0, with dropout where there was
        some: a view where the samples are one tile of floats, else a copy. Gone once a backward pass was taken."""
        self._require_unspent("hidden activations are gone: a backward pass has overwritten them")
        return HiddenValues(self)

    def _samples(self, number: int) -> Floats:
        values = [tile.signals[number].values for tile in self._tiles]
        if len(values) == 1 and values[0].dtype != np.uint16:
            view: Floats = np.asarray(_View(values[0][:, : self.n_samples].T, self._lease))
            return view
        out = np.empty((self.n_samples, self.net.layer_sizes[number]), self.net.dtype)
        for span, each in zip(self._spans, values, strict=True):
            store_samples(each, out[span], None, self._threads)
        return out

    # ---- gradients ----

    def backward(
        self,
        dY: ArrayLike | Columns,
        optimizer_state: Sequence[OptimizerState] | None = None,
        rule: Any = None,
        *,
        input_gradient: bool = False,
        key: int = 0,
    ) -> Floats | None:
        """Takes a gradient from the output down, and updates the network's parameters on the way.

        Args:
            dY: (n_samples, n_outputs), the gradient of the loss at `output`; or Columns of it.
            optimizer_state: of each layer, as `layer.new_state(optimizer)` makes it; updated too. None: parameters
                stay as they are.
            rule: what the optimizer's `rule` returned for this update.
            input_gradient: whether the gradient at the input is wanted.
            key: of the random numbers with which networks of bfloat16 weights round; another one per update.

        Returns:
            (n_samples, n_inputs), the gradient at X, or None where it is not wanted.

        Raises:
            InputError: where dY does not fit the output, or a backward pass was taken before; nothing is updated then.
        """
        return Tapes([self]).backward(
            [dY],
            None if optimizer_state is None else [optimizer_state],
            rule,
            input_gradient=input_gradient,
            key=key,
        )[0]

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
        return Tapes([self]).gradients([dY], input_gradient=input_gradient, into=[into], add=add)[0]

    def _require_unspent(self, message: str) -> None:
        if self._spent:
            raise InputError(message)

    def _output_gradients(self, dY: ArrayLike | Columns) -> list[Floats]:
        """The gradient at the output's pre-activation, in tiles."""
        self._require_unspent("a backward pass has been taken on this tape; take another forward pass first")
        n_outputs = self.net.layer_sizes[-1]
        if isinstance(dY, Columns):
            columns = [x.values for x in dY.inputs]
            z = [tile.signals[-1].values for tile in self._tiles]
            if [(a.shape, a.dtype) for a in columns] != [(a.shape, a.dtype) for a in z]:
                raise InputError("dY must be laid out in the tiles of the tape's output")
            if not (self._activated and self.net.output != "identity"):
                return columns
            targets = [memory.output_gradient() for memory in self._lease.memory]
            for target, values in zip(targets, columns, strict=True):
                target[:] = values
        else:
            matrix = as_matrix(dY, "dY")
            if (matrix.n_samples, matrix.n_features) != (self.n_samples, n_outputs):
                raise InputError(
                    f"dY must have the shape of the output, ({self.n_samples}, {n_outputs}), not "
                    f"({matrix.n_samples}, {matrix.n_features})"
                )
            targets = [memory.output_gradient() for memory in self._lease.memory]
            for span, target in zip(self._spans, targets, strict=True):
                matrix.load(np.arange(span.start, span.stop), target, None, self._threads)
        if self._activated:
            for target, tile in zip(targets, self._tiles, strict=True):
                _through_activation(self.net.output, target, tile.signals[-1].values)
        return targets

    def _input_gradients(self) -> list[Floats]:
        return [memory.input_gradient() for memory in self._lease.memory]

    def _samples_of_input_gradient(self) -> Floats:
        factor = None if self.net.scaling is None else self.net.scaling.factor
        out = np.empty((self.n_samples, self.net.layer_sizes[0]), self.net.dtype)
        for span, dx in zip(self._spans, self._input_gradients(), strict=True):
            store_samples(dx, out[span], factor, self._threads)
        return out


class HiddenValues(Sequence[Floats]):
    """The activations of a tape's hidden layers; see Tape.hidden."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def __len__(self) -> int:
        return len(self._tape.net.layers) - 1

    @overload
    def __getitem__(self, layer: int) -> Floats: ...
    @overload
    def __getitem__(self, layer: slice) -> list[Floats]: ...
    def __getitem__(self, layer: int | slice) -> Floats | list[Floats]:
        self._tape._require_unspent("hidden activations are gone: a backward pass has overwritten them")
        numbers = range(len(self))[layer]
        if isinstance(numbers, range):
            return [self._tape._samples(number + 1) for number in numbers]
        return self._tape._samples(numbers + 1)


class Tapes(list[Tape]):
    """Tapes of several networks, whose backward passes run in one call, side by side where there are threads for it."""

    def backward(
        self,
        dY: ArrayLike | Columns | Sequence[ArrayLike | Columns],
        optimizer_state: Sequence[Sequence[OptimizerState]] | None = None,
        rule: Any = None,
        *,
        input_gradient: bool = False,
        key: int = 0,
    ) -> list[Floats | None]:
        """See Tape.backward.

        Args:
            dY: one gradient for all networks, which is laid out once, or a list with one of each.
            optimizer_state: of each network; None: parameters stay as they are.
            rule: one for all, or a list with one of each.
            input_gradient: see Tape.backward.
            key: see Tape.backward.

        Returns:
            The gradients at the input of each network, or None where they are not wanted.

        Raises:
            InputError: see Tape.backward.
        """
        if (optimizer_state is None) != (rule is None):
            raise InputError("optimizer_state and rule belong together: give both, or neither")
        rules = list(rule) if isinstance(rule, list | tuple) else [rule] * len(self)
        if optimizer_state is not None and len({id(tape.net) for tape in self}) < len(self):
            raise InputError("optimizer_state must be None where a network has several tapes; add up their gradients")
        if len(rules) != len(self) or (optimizer_state is not None and len(optimizer_state) != len(self)):
            raise InputError(f"optimizer_state and rule must have one entry for each of {len(self)} networks")
        sinks: list[list[Sink]] = []
        for number, tape in enumerate(self):
            count = len(tape._tiles)
            if optimizer_state is None:
                sinks.append([InputGradient()] * count)
                continue
            state = optimizer_state[number]
            if len(state) != len(tape.net.layers):
                raise InputError(f"optimizer_state must be that of {len(tape.net.layers)} layers, not of {len(state)}")
            rounding = stream_key(key, "network", number) if tape.net.storage_config.tiled else None
            sums = [layer.new_gradient() for layer in tape.net.layers] if count > 1 else None
            parts: list[Sink] = [Gradients(sums, add=part > 0) for part in range(count - 1)] if sums else []
            sinks.append([*parts, Update(state, rules[number], rounding, sums)])
        self._run(dY, sinks, input_gradient)
        return [tape._samples_of_input_gradient() if input_gradient else None for tape in self]

    def gradients(
        self,
        dY: ArrayLike | Columns | Sequence[ArrayLike | Columns],
        *,
        input_gradient: bool = False,
        into: Sequence[Sequence[ParameterGradient] | None] | None = None,
        add: bool = False,
    ) -> list[NetworkGradient]:
        """See Tape.gradients.

        Args:
            dY: see `backward`.
            input_gradient: see Tape.backward.
            into: of each network; see Tape.gradients.
            add: see Tape.gradients.

        Returns:
            The gradient of each network.

        Raises:
            InputError: see Tape.gradients.
        """
        sinks: list[list[Sink]] = []
        arrays = [None] * len(self) if into is None else list(into)
        for number, tape in enumerate(self):
            given = arrays[number]
            if given is not None:
                check_gradients(tape.net, given)
            adding = add and given is not None
            arrays[number] = given = given or [layer.new_gradient() for layer in tape.net.layers]
            sinks.append([Gradients(given, add=adding or part > 0) for part in range(len(tape._tiles))])
        self._run(dY, sinks, input_gradient)
        return [
            NetworkGradient(each or (), tape._samples_of_input_gradient() if input_gradient else None)
            for each, tape in zip(arrays, self, strict=True)
        ]

    def _run(
        self, dY: ArrayLike | Columns | Sequence[ArrayLike | Columns], sinks: Sequence[Sequence[Sink]], inputs: bool
    ) -> None:
        """One backward pass of all networks. sinks: of each network, for each of its tiles."""
        if isinstance(dY, list | tuple):
            if len(dY) != len(self):
                raise InputError(f"dY must be one gradient, or a list of {len(self)}, one per network")
            columns = [tape._output_gradients(each) for tape, each in zip(self, dY, strict=True)]
        else:
            columns = [self[0]._output_gradients(dY)]
            shared = Columns([Activations(values) for values in columns[0]], self[0].n_samples)
            same = not any(tape._activated for tape in self)
            columns += [tape._output_gradients(shared if same else dY) for tape in self[1:]]
        chains: list[Any] = []
        for tape, dys, parts in zip(self, columns, sinks, strict=True):
            dxs = tape._input_gradients() if inputs else [None] * len(dys)
            chain = [
                tile.backward_calls(dy, sink, dx) for tile, dy, sink, dx in zip(tape._tiles, dys, parts, dxs, strict=True)
            ]
            tape._spent = True
            if all(link is not None for link in chain):
                chains.append(chain)
                continue
            for tile, dy, sink, dx in zip(tape._tiles, dys, parts, dxs, strict=True):
                tile.backward(dy, sink, tape._threads, dx)
        if chains:
            _kernels.run_backward(chains, self[0]._threads)


def record(
    networks: Sequence[Network],
    X: Any,
    *,
    training: bool,
    dropout: float,
    keys: Sequence[int],
    activated: bool,
    threads: int | None,
) -> Tapes:
    """Forward passes of networks that share a batch; see Network.forward and forward_all."""
    checks.real("dropout", dropout, low=0, high=1, high_open=True)
    keep_probability = 1.0 - dropout if training else 1.0
    tapes, shared = Tapes(), X if isinstance(X, Columns) else None
    for number, net in enumerate(networks):
        net.check_layers()
        workers = net.threads if threads is None else checks.thread_count(threads)
        samples = shared
        if samples is None or (number and not isinstance(X, Columns) and net.scaling is not networks[0].scaling):
            samples = net.matrix(X)
        elif samples.n_features != net.layer_sizes[0]:
            raise InputError(f"X has {samples.n_features} features, but the network has {net.layer_sizes[0]} inputs")
        elif samples.inputs[0].values.dtype != net.dtype:
            raise InputError(f"X must be {net.dtype} as the network, not {samples.inputs[0].values.dtype}")
        tape = Tape(net, samples, keep_probability=keep_probability, activated=activated, threads=workers)
        tapes.append(tape)
        shared = shared or tape.columns
    chains: list[list[_kernels.ForwardCall]] = []
    stream_keys: list[Sequence[int]] = []
    for tape, key in zip(tapes, keys, strict=True):
        for part, tile in enumerate(tape._tiles):
            part_key = stream_key(key, "part", part) if part and key else key
            calls = tile.forward_calls()
            if calls is None:
                tile.forward(part_key, tape._threads)
            else:
                tile.start(part_key)
                chains.append(calls)
                stream_keys.append(tile.keys)
    if chains:
        _kernels.run_forward(chains, stream_keys, tapes[0]._threads)
    for tape in tapes:
        tape.finish()
    return tapes


def lay_out(net: Network, X: Any, threads: int) -> Columns:
    """Samples as a network's kernels take them, scaled; see Network.lay_out."""
    matrix = net.matrix(X)
    width = min(tile_columns(net.layer_sizes), matrix.n_samples)
    inputs = []
    with matrix.reader(np.arange(matrix.n_samples)) as reader:
        for start in range(0, matrix.n_samples, width):
            rows = np.arange(start, min(matrix.n_samples, start + width))
            columns = int(_kernels.padded_batch(len(rows)))
            values = empty(matrix.n_features * columns, net.dtype).reshape(matrix.n_features, columns)
            reader.load(rows, values, net.scaling, threads)
            inputs.append(Activations(values))
    return Columns(inputs, matrix.n_samples)


def forward_all(
    networks: Sequence[Network],
    X: Any,
    *,
    training: bool = False,
    dropout: float = 0.0,
    key: int = 0,
    activated: bool = False,
    threads: int | None = None,
) -> Tapes:
    """Forward passes of several networks, such as twin critics, on one batch, which is laid out once.

    The networks run side by side, each on a thread of its own, where there are as many networks as threads.

    Args:
        networks: at least one; all with as many inputs.
        X: see Network.forward.
        training: see Network.forward.
        dropout: see Network.forward.
        key: of the random streams of dropout; each network has one of its own.
        activated: see Network.forward.
        threads: None: those of each network.

    Returns:
        A tape per network; `backward` and `gradients` of the list take one gradient for all, or one of each.

    Raises:
        InputError: where X or an argument does not fit the networks.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> critics = [ts.SparseMLP((6, 16, 1), epsilon=4, output="identity", seed=seed) for seed in (0, 1)]
        >>> optimizer = ts.Adam(0.01)
        >>> states = [[layer.new_state(optimizer) for layer in net.layers] for net in critics]
        >>> X = np.random.default_rng(0).standard_normal((32, 6)).astype(np.float32)
        >>> y, losses = X[:, :1], []
        >>> for step in range(100):
        ...     tapes = ts.forward_all(critics, X, training=True)
        ...     errors = [tape.output - y for tape in tapes]
        ...     losses.append(float(np.mean(np.square(errors))))
        ...     _ = tapes.backward([error * 2 / 32 for error in errors], states, optimizer.rule(step, 0.0, None))
        >>> losses[-1] < 0.1 * losses[0]
        True
    """
    networks = checks.listed("networks", networks, "networks")
    if not networks:
        raise InputError("networks must have at least one network")
    keys = [key, *(stream_key(key, "network", number) for number in range(1, len(networks)))]
    return record(
        networks, X, training=training, dropout=dropout, keys=keys, activated=activated, threads=threads
    )


def check_gradients(net: Network, gradients: Sequence[ParameterGradient], name: str = "into") -> None:
    """InputError where arrays of gradients do not have the sizes of a network's layers."""
    fit = len(gradients) == len(net.layers) and all(
        weight.shape == (layer.n_connections,) and bias.shape == layer.bias.shape and weight.dtype == net.dtype
        for (weight, bias), layer in zip(gradients, net.layers, strict=True)
    )
    if not fit:
        raise InputError(f"{name} must hold, for each layer, arrays along its connections and its biases")


def _through_activation(output: str, gradient: Floats, values: Floats) -> None:
    """Takes a gradient at activated outputs, (n_outputs, columns), to their pre-activations, in place."""
    if output == "sigmoid":
        gradient *= values * (1 - values)
    elif output == "softmax":
        gradient -= np.einsum("oc,oc->c", gradient, values)
        gradient *= values

