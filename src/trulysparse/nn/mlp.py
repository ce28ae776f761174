"""SparseMLP: how a network is built, from a sparsity, from layers or from matrices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse._core import checks, memory
from trulysparse._core.arrays import Floats, Stored
from trulysparse._core.progress import Progress, silent
from trulysparse._core.random import stream_key
from trulysparse.connectivity import (
    Connectivity,
    TiledConnectivity,
    from_matrix,
    largest,
    layer_counts,
    make_pattern,
    skip_count,
)
from trulysparse.connectivity.counts import DEFAULT_EPSILON, checked_epsilon
from trulysparse.connectivity.network_patterns import AnyPattern, drawn_layers
from trulysparse.data.matrix import array_of_samples, as_matrix
from trulysparse.errors import InputError
from trulysparse.nn import activations, memory_use
from trulysparse.nn.activations import Activation
from trulysparse.nn.initialization import StartSignals, WeightInit
from trulysparse.nn.layers.storage import StorageConfig
from trulysparse.nn.layers.tied import TiedLayer, checked_tied, is_transposed
from trulysparse.nn.network import Network
from trulysparse.nn.settings import NetworkSettings
from trulysparse.nn.skip import checked_skip, new_skip_layer


class SparseMLP(Network):
    """A multilayer perceptron whose weights exist only where a connection exists.

    Args:
        layer_sizes: neurons per layer, input first, output last, each 1 to 2^31 - 1.
        epsilon: Erdős-Rényi sparsity, above 0: a layer n_in x n_out gets round(epsilon * (n_in + n_out)) connections,
            at most all; one number, or one per layer. None: 20 where no density is given.
        density: in place of epsilon, in (0, 1]: connections of the whole network as a share of the dense one's, or one
            such share per layer; the attribute epsilon is None then.
        densities: how one density is divided among layers: 'erk' or 'uniform', see `layer_counts`.
        output_density: the output layer's own density, in (0, 1]; 1.0 makes it dense. density or epsilon is then that
            of the other layers. None: as for the others.
        connectivity: where connections go: 'erdos_renyi', 'fixed_fan_in', 'small_world', 'scale_free', 'block_local',
            'connected' (every connection on a path from an input to an output), 'brf' (receptive fields), 'csti' or
            'correlated' (by correlations in X, in the first or in all hidden layers), or a function or object of that
            form, such as functools.partial(small_world, rewiring=0.3); see Pattern and NetworkPattern.
        X: (n_samples, n_features) samples in any form that fit takes, for 'csti' and 'correlated'; of streamed ones the
            first 10,000 count. None for all others.
        activation: of the hidden layers, an object or a name; one of your own: see ActivationFunction.
        output: 'softmax' (classes), 'sigmoid' (several labels per sample) or 'identity' (regression).
        init: rule of the starting weights, see WeightInit.
        fan: see WeightInit.
        balance: see WeightInit.
        skip: whether a sparse layer goes from the inputs straight to the outputs, beside the hidden layers, its
            product added before the output activation: a linear model and a network in one. Its weights start at 0,
            its connections anywhere; it comes last in `layers`.
        skip_density: share of the skip layer's possible connections, in (0, 1]. None: as many as a layer of this
            network, n_inputs x n_outputs, has by epsilon, or by what epsilon the density amounts to.
        tied: whether the last layer has the first one's connections and weights, transposed, with biases of its own,
            as in autoencoders (n_1, n_2, ..., n_2, n_1): the gradients of both ends add up, and where the first evolves
            the last follows. Without a skip layer, with storage='indexed'.
        bias: whether neurons have biases; those of a network without them have arrays of length 0.
        dtype: 'float32' or 'float64'.
        storage: 'indexed', connections indexed by input and by output neuron, 16 bytes each with a float32 weight; or
            'compact', in tiles, 6 to 8 bytes, for networks of millions of neurons (Erdős-Rényi connectivity, Static
            and SET evolution).
        weights: type of weights and biases: 'float32' or, in compact networks, 'bfloat16'; None: dtype.
        signals: type of hidden activations, likewise.
        folder: of a compact network that does not fit into memory: where its layers live in memory-mapped files. New,
            empty, or of an earlier such network, whose layers go with the first checkpoint of this one.
        seed: of connectivity and weights; the same bits whatever `threads`.
        threads: at least 1; None: all of this machine's.
        progress: called with (stage, done, total) as layers are made; silent by default.

    Attributes:
        layers: the layers, first to last; `layers[l].weight` is a csr_array (n_out, n_in).
        scaling: of the input, or None.
        labels: names of the classes in the order of the output neurons, or None for 0, 1, ...
        epsilon: that given, a tuple where it was one per layer; or None.

    Raises:
        InputError: where an argument is out of range or does not go with another.
        NotEnoughMemoryError: where the network would not fit into memory, before anything is allocated.

    Source:
        Mocanu et al., "Scalable training of artificial neural networks with adaptive sparse connectivity" (2018);
        Curci, Mocanu, Pechenizkiy, "Truly sparse neural networks at scale" (2021). skip: Cheng et al., "Wide & deep
        learning for recommender systems" (2016).

    Example:
        >>> import trulysparse as ts
        >>> net = ts.SparseMLP((784, 1000, 10), epsilon=20)
        >>> net.n_connections  # 20 * (784 + 1000), and all 1000 * 10 of the last layer
        45680
        >>> net = ts.SparseMLP((784, 1000, 10), epsilon=20, skip=True)
        >>> net.layers[-1].n_in, net.layers[-1].n_out, net.layers[-1].n_connections
        (784, 10, 7840)
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        epsilon: float | Sequence[float] | None = None,
        density: float | Sequence[float] | None = None,
        densities: str = "erk",
        output_density: float | None = None,
        connectivity: str | AnyPattern = "erdos_renyi",
        X: Any = None,
        activation: Activation | str = "all_relu",
        output: str = "softmax",
        init: str = "he_uniform",
        fan: str = "dense",
        balance: bool = True,
        skip: bool = False,
        skip_density: float | None = None,
        tied: bool = False,
        bias: bool = True,
        dtype: str = "float32",
        storage: str = "indexed",
        weights: str | None = None,
        signals: str | None = None,
        folder: str | PathLike[str] | None = None,
        seed: int = 0,
        threads: int | None = None,
        progress: Progress = silent,
    ) -> None:
        storage_config = StorageConfig.create(storage, weights, signals, folder, dtype)
        super().__init__(
            layer_sizes,
            NetworkSettings(
                activation=activation,
                output=output,
                init=WeightInit(init, fan, balance),
                dtype=dtype,
                seed=seed,
                threads=threads,
                storage_config=storage_config,
                skip=checked_skip(skip, skip_density),
                tied=checked_tied(tied, density, output_density),
            ),
        )
        if not isinstance(bias, bool | np.bool_):
            raise InputError(f"bias must be True or False, not {bias!r:.80}")
        if folder is not None and not bias:
            raise InputError("bias must be True where layers live in a folder")
        counts = layer_counts(
            self.layer_sizes, epsilon=epsilon, density=density, densities=densities, output_density=output_density
        )
        self.epsilon = None if density is not None else DEFAULT_EPSILON
        if epsilon is not None:
            self.epsilon = checked_epsilon(epsilon, len(counts))
        if storage_config.tiled and connectivity != "erdos_renyi":
            raise InputError(f"connectivity must be 'erdos_renyi' where storage='compact', not {connectivity!r}")
        skip_counts = [skip_count(self.layer_sizes, counts, skip_density)] if skip else []
        sparsity = f"density {density}" if self.epsilon is None else f"epsilon {self.epsilon}"
        memory.require(
            memory_use.network_bytes(self.layer_sizes, [*counts, *skip_counts], storage_config),
            f"a network of layers {self.sizes_text} at {sparsity}",
            f"choose a smaller {sparsity.split(maxsplit=1)[0]} or smaller layers",
        )
        pattern = make_pattern(connectivity, None if X is None else array_of_samples(as_matrix(X)))
        if not callable(progress):
            raise InputError(f"progress must be a function, not {progress!r:.80}")
        start = StartSignals(threads=self.threads)
        total = sum(counts)
        drawn_sizes = self.layer_sizes[:-1] if self.tied else self.layer_sizes
        drawn = drawn_layers(pattern, drawn_sizes, counts[: len(drawn_sizes) - 1], self.seed, self.threads)
        for number, (n_in, n_out) in enumerate(pairwise(self.layer_sizes)):
            progress("building", sum(counts[:number]), total)
            if self.tied and number == len(counts) - 1:
                self._append_tied(storage_config.zeros(f"layer{number}.bias", n_out if bias else 0))
                break
            con: Connectivity | TiledConnectivity
            if storage_config.tiled:
                key = stream_key(self.seed, "connectivity", number)
                con = TiledConnectivity.draw(n_in, n_out, counts[number], seed=key, threads=self.threads)
                con = storage_config.store_connectivity(con, f"layer{number}")
            else:
                con = next(drawn)
            last = number == len(self.layer_sizes) - 2
            values = storage_config.empty(f"layer{number}.weight", con.n_connections)
            self._append(con, values, storage_config.zeros(f"layer{number}.bias", n_out if bias else 0))
            layer = self.layers[-1]
            f = layer.activation
            scale = self.init.output_scale(con, start, f) if last else self.init.scale(con, f)
            self.init.fill(layer.values, con, scale, stream_key(self.seed, "weights", number), self.threads)
            layer.release()
            if not last:
                start = self.init.signals_after(con, start, f)
        for count in skip_counts:
            key = stream_key(self.seed, "connectivity", len(self.layers))
            self.layers.append(new_skip_layer(self.layer_sizes, count, storage_config, seed=key, threads=self.threads))
        progress("building", total, total)

    @classmethod
    def from_layers(
        cls,
        connectivities: Sequence[Connectivity | TiledConnectivity],
        values: Sequence[Stored],
        biases: Sequence[Stored],
        settings: NetworkSettings,
    ) -> Self:
        """A network of given connectivity, weights and biases.

        Args:
            connectivities: one per layer, a skip layer's last.
            values: weights of each layer, in the order of connectivity.by_input or of the tiles.
            biases: (n_out,) each, or (0,) of layers without biases.
            settings: everything else.

        Returns:
            The network; it uses the arrays themselves, not copies.

        Raises:
            InputError: where they do not fit together.
        """
        tiled = settings.storage_config is not None and settings.storage_config.tiled
        kind = TiledConnectivity if tiled else Connectivity
        connectivities = checks.listed("connectivities", connectivities, "connectivities")
        values, biases = checks.listed("values", values, "arrays"), checks.listed("biases", biases, "arrays")
        for name, given in (("connectivities", connectivities), ("values", values), ("biases", biases)):
            if len(given) != len(connectivities) or len(given) <= settings.skip:
                raise InputError(f"{name} must have one entry for each of at least one layer, not {len(given)}")
        for number, con in enumerate(connectivities):
            if not isinstance(con, kind):
                raise InputError(f"connectivities[{number}] must be a {kind.__name__}, not {type(con).__name__}")
        chain = connectivities[:-1] if settings.skip else connectivities
        net = cls.without_layers([connectivities[0].n_in, *(c.n_out for c in chain)], settings)
        for con, weight, bias in zip(connectivities, values, biases, strict=True):
            net._append(con, weight, bias)
        if settings.tied:
            last = net.layers.pop()
            if not is_transposed(last, net.layers[0]):
                raise InputError(
                    "the last of tied layers must have the first one's connections and weights, transposed"
                )
            net._append_tied(last.bias)
        net.check_layers()
        return net

    @classmethod
    def without_layers(cls, layer_sizes: Sequence[int], settings: NetworkSettings) -> Self:
        """A network to which layers are still to be appended."""
        net = cls.__new__(cls)
        Network.__init__(net, layer_sizes, settings)
        return net

    @classmethod
    def from_matrices(
        cls,
        matrices: Sequence[Any],
        biases: Sequence[ArrayLike] | None = None,
        *,
        density: float | None = None,
        activation: Activation | str = "all_relu",
        output: str = "softmax",
        init: WeightInit | None = None,
        dtype: str = "float32",
        seed: int = 0,
        threads: int | None = None,
    ) -> Self:
        """A network with the given weights, say of a trained model.

        Of torch: [layer.weight.detach().numpy() for each linear layer]; of scikit-learn: [w.T for w in mlp.coefs_].

        Args:
            matrices: one per layer, (n_out, n_in): SciPy sparse (a connection for each stored value) or NumPy (for
                each value that is not 0).
            biases: (n_out,) each, or (0,) of layers without biases; None: 0.
            density: of dense matrices keep only this share of each layer, in (0, 1], the largest in magnitude; None:
                all.
            activation: see SparseMLP.
            output: see SparseMLP.
            init: of connections that evolution grows; None: WeightInit().
            dtype: 'float32' or 'float64'.
            seed: of what is drawn later.
            threads: at least 1; None: all of this machine's.

        Returns:
            A network with storage='indexed'.

        Raises:
            InputError: where matrices do not fit together or hold what is not finite.

        Example:
            >>> import numpy as np, trulysparse as ts
            >>> net = ts.SparseMLP.from_matrices([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 4.0]]], output="identity")
            >>> net.n_connections
            4
            >>> net.predict(np.ones((1, 2))).tolist()  # 3 * 1 + 4 * 2
            [[11.0]]
        """
        matrices = checks.listed("matrices", matrices, "matrices")
        if not matrices:
            raise InputError("matrices must name at least one layer")
        checks.choice("dtype", dtype, ("float32", "float64"))
        biases = None if biases is None else checks.listed("biases", biases, "arrays")
        if biases is not None and len(biases) != len(matrices):
            raise InputError(f"biases must have one entry for each of {len(matrices)} matrices, not {len(biases)}")
        cons: list[Connectivity] = []
        values, offsets = [], []
        for number, matrix in enumerate(matrices):
            name = f"matrices[{number}]"
            sparse = matrix if density is None else largest(matrix, density, name=name)
            con, weight = from_matrix(sparse, name=name, threads=threads)
            if cons and con.n_in != cons[-1].n_out:
                raise InputError(f"{name} has {con.n_in} inputs, but the layer before has {cons[-1].n_out} outputs")
            bias = np.zeros(con.n_out) if biases is None else _numbers(f"biases[{number}]", biases[number])
            if bias.shape not in ((con.n_out,), (0,)):
                raise InputError(f"biases[{number}] must have shape ({con.n_out},), not {bias.shape}")
            cons.append(con)
            values.append(_cast(name, weight, dtype))
            offsets.append(_cast(f"biases[{number}]", bias, dtype))
        return cls.from_layers(
            cons,
            values,
            offsets,
            NetworkSettings(
                epsilon=sum(c.n_connections for c in cons) / sum(c.n_in + c.n_out for c in cons),
                activation=activation,
                output=output,
                init=init or WeightInit(),
                dtype=dtype,
                seed=seed,
                threads=threads,
            ),
        )

    def _append_tied(self, bias: Floats) -> None:
        """Appends the last layer of tied ends."""
        self.layers.append(TiedLayer(self.layers[0], bias, activations.IDENTITY))

    def _append(self, con: Connectivity | TiledConnectivity, values: Stored, bias: Stored) -> None:
        number = len(self.layers) + 1
        last = number >= len(self.layer_sizes) - 1  # or the skip layer
        activation = activations.IDENTITY if last else activations.on_layer(self.activation, number)
        self.layers.append(self.storage_config.layer(con, values, bias, activation, f"layer{number - 1}"))


def _numbers(name: str, values: ArrayLike) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be an array of numbers") from None


def _cast(name: str, values: NDArray[Any], dtype: str) -> Floats:
    """The values in the network's type, or InputError where it cannot hold them."""
    with np.errstate(over="ignore"):
        cast: Floats = values.astype(dtype)
    if not np.isfinite(cast).all():
        raise InputError(f"{name} holds NaN, infinity or a value beyond {dtype}; weights and biases must be finite")
    return cast
