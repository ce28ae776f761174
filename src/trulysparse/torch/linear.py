"""SparseLinear: a linear layer whose weight is one number per connection."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

from trulysparse._core import checks
from trulysparse._core.arrays import empty
from trulysparse._core.random import stream_key
from trulysparse.connectivity import Connectivity
from trulysparse.connectivity.matrices import from_matrix, largest
from trulysparse.errors import InputError
from trulysparse.nn.activations import IDENTITY
from trulysparse.torch.functional import SparseLinearFunction
from trulysparse.torch.operators import sparse_linear
from trulysparse.torch.start import DTYPES, INIT, bias_of, check_fit, connections_of, seed_of
from trulysparse.torch.topology import Topology


class SparseLinear(nn.Module):
    """y = x W^T + b with a weight for each connection, and nothing for the others.

    Works as torch.nn.Linear does, but for `weight`, which has one dimension: the connections, in the order of
    `connectivity.by_input`. Any torch optimizer trains it; `Evolver` replaces connections.

    Args:
        in_features: 1 to 2^31 - 1.
        out_features: likewise.
        density: share of all connections that exist, in (0, 1]; or give epsilon.
        epsilon: epsilon * (in_features + out_features) connections exist, at most all; None, where density is too: 20.
        bias: whether there is one.
        connectivity: a pattern by name or function, as SparseMLP takes it for one layer; a Connectivity; or a SciPy
            matrix (out_features, in_features), of which each stored value is a connection.
        seed: of connections and weights, at least 0; None: drawn from torch's generator, so torch.manual_seed fixes it.
        dtype: torch.float32 or torch.float64; None: torch's default.
        layout: how outputs lie in memory: 'samples': as torch.nn.Linear's; 'features': feature by feature, which is
            kept by what works element by element and read by the next sparse layer without transposing; 'auto': the
            latter where inputs have two dimensions and there are at least as many outputs as inputs.

    Attributes:
        weight: Parameter (n_connections,).
        bias: Parameter (out_features,), or None.
        connectivity: the connections; immutable.

    Raises:
        InputError: where an argument is out of range.

    Source:
        Mocanu et al. (2018), eq. 3, for epsilon.

    Example:
        >>> import torch, trulysparse as ts
        >>> layer = ts.torch.SparseLinear(512, 2048, density=0.05, seed=0)
        >>> layer(torch.randn(8, 512)).shape, layer.weight.shape
        (torch.Size([8, 2048]), torch.Size([52429]))
    """

    weight: nn.Parameter
    bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        density: float | None = None,
        epsilon: float | None = None,
        bias: bool = True,
        connectivity: Any = "erdos_renyi",
        seed: int | None = None,
        dtype: torch.dtype | None = None,
        layout: str = "auto",
    ) -> None:
        super().__init__()
        self.in_features = checks.integer("in_features", in_features, low=1)
        self.out_features = checks.integer("out_features", out_features, low=1)
        self.layout = checks.choice("layout", layout, ("auto", "samples", "features"))
        dtype = torch.get_default_dtype() if dtype is None else dtype
        if dtype not in DTYPES:
            raise InputError(f"dtype must be torch.float32 or torch.float64, not {dtype!r}")
        key = seed_of(seed)
        con = connections_of(self.in_features, self.out_features, density, epsilon, connectivity, key)
        values = empty(con.n_connections, np.dtype("float32" if dtype == torch.float32 else "float64"))
        INIT.fill(values, con, INIT.scale(con, IDENTITY), stream_key(key, "weights", 0), torch.get_num_threads())
        self.weight = nn.Parameter(torch.from_numpy(values))
        self.register_parameter("bias", nn.Parameter(bias_of(con, dtype, key)) if bias else None)
        self._topology = Topology(con)
        self._token = self._topology.token()

    @classmethod
    def from_linear(
        cls,
        linear: nn.Linear,
        density: float,
        keep: str = "magnitude",
        *,
        seed: int | None = None,
        layout: str = "auto",
    ) -> Self:
        """A layer with some of the weights of a dense one.

        Args:
            linear: the dense layer, with float32 or float64 weights on the CPU; it stays as it is.
            density: share of its weights to keep, in (0, 1].
            keep: 'magnitude': the largest; 'random': any, each set equally likely.
            seed: of the choice at random; None: drawn from torch's generator.
            layout: see the class.

        Returns:
            The layer, with arrays of its own, trained or frozen (requires_grad) as the dense one.

        Raises:
            InputError: where it cannot be made.

        Example:
            >>> import torch, trulysparse as ts
            >>> dense = torch.nn.Linear(4, 2)
            >>> layer = ts.torch.SparseLinear.from_linear(dense, density=1.0)
            >>> x = torch.ones(3, 4)
            >>> torch.allclose(layer(x), dense(x), atol=1e-6)
            True
        """
        if not isinstance(linear, nn.Linear):
            raise InputError(f"linear must be a torch.nn.Linear, not {type(linear).__name__}")
        weight, bias = linear.weight, linear.bias
        if weight.dtype not in DTYPES or not weight.is_cpu:
            raise InputError(
                f"linear must have float32 or float64 weights on the CPU, not {weight.dtype} on {weight.device}"
            )
        checks.choice("keep", keep, ("magnitude", "random"))
        array = weight.detach().numpy()
        if keep == "magnitude":
            con, values = from_matrix(largest(array, density, name="linear.weight"), name="linear.weight")
        else:
            key = seed_of(seed)
            con = connections_of(linear.in_features, linear.out_features, density, None, "erdos_renyi", key)
            rows = np.repeat(np.arange(con.n_in), np.diff(con.by_input.ptr))
            values = array[con.by_input.index, rows]
        layer = cls(
            linear.in_features,
            linear.out_features,
            bias=bias is not None,
            connectivity=con,
            seed=0,
            dtype=weight.dtype,
            layout=layout,
        )
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(values))
            layer.weight.requires_grad_(weight.requires_grad)
            if bias is not None and layer.bias is not None:
                layer.bias.copy_(bias)
                layer.bias.requires_grad_(bias.requires_grad)
        return layer.train(linear.training)

    @property
    def connectivity(self) -> Connectivity:
        """The connections."""
        return self._topology.connectivity

    @property
    def density(self) -> float:
        """Connections as a share of all that could exist."""
        return self.connectivity.n_connections / (self.in_features * self.out_features)

    def set_topology(self, connectivity: Connectivity) -> None:
        """Replaces the connections. The caller has brought `weight`, and what lies along it, into their order.

        Args:
            connectivity: of as many inputs and outputs, with a connection for each value of weight.

        Raises:
            InputError: where it has others.
        """
        check_fit(connectivity, self.in_features, self.out_features)
        if self.weight.shape != (connectivity.n_connections,):
            raise InputError(f"connectivity has {connectivity.n_connections} connections, weight {len(self.weight)}")
        before, self._topology = self._topology, Topology(connectivity)
        self._topology.captured, self._topology.captured_of = before.captured, before.captured_of
        self._token = self._topology.token()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Computes W x + b.

        Args:
            x: (..., in_features), of the type of weight; under autocast also of another floating type.

        Returns:
            (..., out_features), of the type of weight or, under autocast, of autocast's.

        Raises:
            InputError: where x has another shape, type or device, or the layer was cast to a type that it cannot have.
        """
        weight = self.weight
        wanted = weight.dtype
        if torch.is_autocast_enabled("cpu") and wanted == torch.float32 and x.dtype != torch.float64:
            wanted = torch.get_autocast_dtype("cpu")
            x = x.to(torch.bfloat16 if wanted == torch.bfloat16 else torch.float32)
        elif x.dtype != wanted:
            raise InputError(f"x must be {wanted}, as the weight of the layer, not {x.dtype}; or use torch.autocast")
        if x.dim() == 0 or x.shape[-1] != self.in_features:
            raise InputError(f"x must have shape (..., {self.in_features}), not {tuple(x.shape)}")
        if weight.dtype not in DTYPES or not (x.is_cpu and weight.is_cpu):
            raise self._refusal(x)
        features = self.layout == "features"
        if self.layout == "auto":
            features = x.dim() == 2 and self.out_features >= self.in_features
        if torch.compiler.is_compiling():
            y = sparse_linear(x, weight, self.bias, self._token, self.out_features, features)
        else:
            y = SparseLinearFunction.apply(x, weight, self.bias, self._topology, features)
        return y if y.dtype == wanted else y.to(wanted)

    def _refusal(self, x: torch.Tensor) -> InputError:
        """What is wrong with a layer or a sample that the kernels cannot take."""
        if self.weight.dtype not in DTYPES:
            return InputError(
                f"the layer's weight must be float32 or float64, not {self.weight.dtype}; for bfloat16 leave the model "
                "in float32 and use torch.autocast('cpu')"
            )
        device = x.device if self.weight.is_cpu else self.weight.device
        return InputError(
            f"a SparseLinear computes on the CPU, but got a tensor on {device}; there are no GPU kernels yet"
        )

    # ---- files and copies ----

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        rows = self.connectivity.by_input
        destination[f"{prefix}indptr"] = torch.from_numpy(rows.ptr.copy())
        destination[f"{prefix}indices"] = torch.from_numpy(rows.index.copy())

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Takes the connections of the file, which may be others, and other in number."""
        names = [f"{prefix}{name}" for name in ("indptr", "indices")]
        missing_keys += [name for name in names if name not in state_dict and strict]
        if all(name in state_dict for name in names):
            try:
                indptr, indices = (state_dict.pop(name) for name in names)
                self._take_rows(indptr, indices, state_dict.get(f"{prefix}weight"))
            except InputError as error:
                error_msgs.append(f"{prefix.rstrip('.') or 'the layer'}: {error}")
                return
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def _take_rows(self, indptr: torch.Tensor, indices: torch.Tensor, weight: torch.Tensor | None) -> None:
        rows, own = (indptr.numpy(), indices.numpy()), self.connectivity.by_input
        if np.array_equal(rows[0], own.ptr) and np.array_equal(rows[1], own.index):
            return
        con = Connectivity.from_inputs(self.in_features, self.out_features, *rows, threads=torch.get_num_threads())
        if weight is None or weight.shape != (con.n_connections,):
            given = "none" if weight is None else tuple(weight.shape)
            raise InputError(f"weight must have one value for each of {con.n_connections} connections, not {given}")
        replace_data(self.weight, self.weight.new_zeros(con.n_connections))
        self.set_topology(con)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Pickles and copies: numbers of topologies belong to a process."""
        super().__setstate__(state)
        self._token = self._topology.token()

    # ---- other forms ----

    def to_csr(self) -> sp.csr_array:
        """The weight as a csr_array (out_features, in_features). A copy."""
        con = self.connectivity
        values = self.weight.detach().numpy()[con.position]
        return sp.csr_array((values, con.indices.copy(), con.indptr.copy()), shape=(con.n_out, con.n_in))

    def extra_repr(self) -> str:
        """What repr shows."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"connections={self.connectivity.n_connections}, density={self.density:.3g}, bias={self.bias is not None}"
        )


def replace_data(parameter: nn.Parameter, values: torch.Tensor) -> None:
    """Gives a parameter, which stays the same object, values of another length.

    Args:
        parameter: a leaf.
        values: of its type.
    """
    # A node of the graph that remembers the old length lives as long as any tensor computed from it: another type in
    # between makes PyTorch forget the node.
    parameter.data = torch.empty(0, dtype=torch.float32 if parameter.dtype == torch.float64 else torch.float64)
    parameter.data = values
    parameter.grad = None
