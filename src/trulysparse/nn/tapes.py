"""Forward passes of one network, or of several that share a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.random import stream_key
from trulysparse.data import Matrix
from trulysparse.errors import InputError
from trulysparse.nn.columns import Columns
from trulysparse.nn.layers.base import ParameterGradient
from trulysparse.nn.output_gradient import OutputGradient
from trulysparse.nn.passes import Layered
from trulysparse.nn.tape import NetworkGradient, Tape
from trulysparse.nn.tape_passes import forward_passes, gradient_passes, update_passes
from trulysparse.optim import OptimizerState


class Tapes(list[Tape]):
    """Tapes of several networks, whose backward passes run in one call, side by side where there are threads for it."""

    def backward(
        self,
        dY: ArrayLike | Columns | Sequence[ArrayLike | Columns],
        optimizer_state: Sequence[Sequence[OptimizerState]] | None = None,
        rule: Any = None,
        *,
        input_gradient: bool = False,
        key: int | None = None,
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
        rules = list(rule) if isinstance(rule, list | tuple) else [rule] * len(self)
        for name, given in (("rule", rules), ("optimizer_state", self if optimizer_state is None else optimizer_state)):
            if len(given) != len(self):
                raise InputError(f"{name} must have one entry for each of {len(self)} networks, not {len(given)}")
        if optimizer_state is not None and len({id(tape.net) for tape in self}) < len(self):
            raise InputError("optimizer_state must be None where a network has several tapes; add up their gradients")
        return update_passes(self, self._output_gradients(dY), optimizer_state, rules, input_gradient, key)

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
        given = [None] * len(self) if into is None else list(into)
        if len(given) != len(self):
            raise InputError(f"into must have one entry for each of {len(self)} networks, not {len(given)}")
        arrays, inputs = gradient_passes(self, self._output_gradients(dY), given, add, input_gradient)
        return [NetworkGradient(*each) for each in zip(arrays, inputs, strict=True)]

    def _output_gradients(self, dY: Any) -> list[OutputGradient]:
        """The gradient at the output of each network."""
        if isinstance(dY, list | tuple):
            if len(dY) != len(self):
                raise InputError(f"dY must be one gradient, or a list of {len(self)}, one per network")
            return [tape.output_gradient(each) for tape, each in zip(self, dY, strict=True)]
        found = [tape.output_gradient(dY) for tape in self]
        return [found[0] if found[0].fits(each) else each for each in found]  # laid out once


def record(
    networks: Sequence[Layered],
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
    for net in networks:
        workers = net.threads if threads is None else checks.thread_count(threads)
        if shared is None or (not isinstance(X, Columns) and net.scaling is not networks[0].scaling):
            samples: Matrix | Columns = net.matrix(X)  # which checks the layers, too
        else:
            net.check_layers()
            samples = shared
            _check_columns(net, shared)
        tape = Tape(net, samples, keep_probability=keep_probability, activated=activated, threads=workers)
        tapes.append(tape)
        shared = shared or tape.columns
    forward_passes(tapes, keys)
    for tape in tapes:
        tape.finish()
    return tapes


def forward_all(
    networks: Sequence[Layered],
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
    return record(networks, X, training=training, dropout=dropout, keys=keys, activated=activated, threads=threads)


def _check_columns(net: Layered, columns: Columns) -> None:
    """InputError where a network cannot take samples that are laid out."""
    if columns.n_features != net.layer_sizes[0]:
        raise InputError(f"X has {columns.n_features} features, but the network has {net.layer_sizes[0]} inputs")
    if columns.inputs[0].values.dtype != net.dtype:
        raise InputError(f"X must be {net.dtype} as the network, not {columns.inputs[0].values.dtype}")
