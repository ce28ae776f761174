"""Policy: a frozen network that answers observations with actions, in microseconds."""

from __future__ import annotations

from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trulysparse import _kernels
from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.errors import InputError
from trulysparse.io.kept_models import Parts
from trulysparse.nn.activations import Activation
from trulysparse.nn.frozen import FrozenMLP, parameters_of
from trulysparse.nn.mlp import SparseMLP
from trulysparse.nn.network import Network
from trulysparse.nn.unfreeze import unfreeze
from trulysparse.rl.observations import finite_row, observation_array, refusal, require_shape
from trulysparse.rl.policy_file import PolicyFile

Head: TypeAlias = Literal["tanh", "argmax", "identity"]
Scale: TypeAlias = tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]
"""Offset and factor of observations."""
HEADS = {"tanh": _kernels.Head.TANH, "argmax": _kernels.Head.ARGMAX, "identity": _kernels.Head.IDENTITY}

# What the kernels say of observations that they do not answer; what is not negative is the place of a value.
_DONE, _OTHER_TYPE = -1, -3


class Policy(PolicyFile):
    """A frozen network with all that makes actions of observations: normalisation, head and the actions' bounds.

    It knows no environment and needs no Gymnasium. Threads may ask at the same time, and while one refreshes: each
    answer is that of one state of weights and normalisation.

    Args:
        net: maps observations to what the head takes; stored with storage='indexed', with built-in activations, without
            labels, preprocessor and target_scaling.
        head: 'tanh': actions are low + (tanh(z) + 1) / 2 * (high - low) of the first n_actions outputs z; 'argmax': the
            number of the largest of the first n_actions outputs, of equal ones the first; 'identity': the first
            n_actions outputs themselves.
        n_actions: components of an action, or choices; 1 to the number of outputs.
        low: (n_actions,), least actions, for 'tanh' alone; None: -1.
        high: (n_actions,), largest actions, likewise; None: 1.
        offset: (n_observations,); the network gets (observation - offset) * factor. None, with factor: the observation
            itself or, where net has a scaling, that one's result.
        factor: (n_observations,), or None.

    Attributes:
        n_observations: numbers of an observation.
        n_actions: as given.
        head: as given.
        low, high: as given, or None.

    Raises:
        InputError: where an argument is out of range or does not fit the network.
        NotIndexedError: of a network with storage='compact'; give net.indexed().

    Source:
        Fujimoto et al., "Addressing function approximation error in actor-critic methods", ICML 2018: tanh; Haarnoja et
        al., "Soft actor-critic algorithms and applications" (2018), section 6: the mean action, through tanh; Mnih et
        al., "Human-level control through deep reinforcement learning" (2015): the largest value.

    Example:
        >>> import numpy as np, trulysparse as ts
        >>> from trulysparse.rl.policy import Policy
        >>> net = ts.SparseMLP.from_matrices([[[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]], output="identity")
        >>> policy = Policy(net, head="tanh", n_actions=2, low=[-2, 0], high=[2, 1])
        >>> policy([0.0, 3.0, 4.0]).round(3).tolist()
        [0.0, 1.0]
        >>> Policy(net, head="argmax", n_actions=2).predict(np.eye(3, dtype=np.float32))
        (array([0, 1, 1]), None)
    """

    described = "a policy"

    def __init__(
        self,
        net: SparseMLP,
        *,
        head: Head,
        n_actions: int,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        factor: ArrayLike | None = None,
    ) -> None:
        checks.choice("head", head, tuple(HEADS))
        _check_net(net)
        self.head: Head = head
        self.n_observations, n_outputs = net.layer_sizes[0], net.layer_sizes[-1]
        self.n_actions = checks.integer("n_actions", n_actions, low=1, high=n_outputs)
        if head != "tanh" and (low is not None or high is not None):
            raise InputError(f"low and high are for head='tanh', not {head!r}")
        self.low: Floats | None = None
        self.high: Floats | None = None
        if head == "tanh":
            self.low, self.high = self._bounds(low, high, net.dtype)
        self._scale = self._checked_scale(net, offset, factor)
        self._frozen = FrozenMLP(net)
        self._shape: tuple[int, ...] = () if head == "argmax" else (self.n_actions,)
        self._dtype = np.dtype(np.int64) if head == "argmax" else net.dtype
        self._kernels = self._new_kernels(self._frozen, self._scale)

    def __call__(self, observation: ArrayLike) -> Any:
        """The action for one observation.

        Args:
            observation: (n_observations,), of any type of numbers, finite.

        Returns:
            (n_actions,) of the network's type, within low and high; or, of head 'argmax', a number as np.int64.

        Raises:
            InputError: where the observation has another shape, or a value that is not finite.
        """
        action = np.empty(self._shape, self._dtype)
        self._run(observation, action, 1)
        return action if self._shape else action[()]

    def predict(
        self,
        observation: ArrayLike,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[Any, None]:
        """Actions for one observation or several, as Stable-Baselines3's policies give them.

        Args:
            observation: (n_observations,) or (n, n_observations), of any type of numbers, finite.
            state: of recurrent policies, which there are none of; ignored.
            episode_start: likewise.
            deterministic: a policy has no noise, so True and False are the same.

        Returns:
            The action as __call__ gives it, or an array of n of them; and None.

        Raises:
            InputError: where observations have another shape, or a value that is not finite.
        """
        observations = observation if type(observation) is np.ndarray else observation_array(observation)
        if observations.ndim == 1:
            return self(observations), None
        require_shape(observations, self.n_observations)
        actions = np.empty((len(observations), *self._shape), self._dtype)
        self._run(observations, actions, 2)
        return actions, None

    def outputs(self, observations: ArrayLike) -> Floats:
        """The network's outputs, before the head: agents that explore make other actions of them.

        Args:
            observations: (n, n_observations), of any type of numbers, finite.

        Returns:
            (n, n_outputs), of the network's type.

        Raises:
            InputError: where observations have another shape, or a value that is not finite.
        """
        if type(observations) is not np.ndarray or observations.ndim != 2:
            observations = observation_array(observations)
            require_shape(observations, self.n_observations, (2,))
        out = np.empty((len(observations), self._frozen.layer_sizes[-1]), self._frozen.dtype)
        self._run(observations, out, 2, raw=True)
        return out

    def check(self, observation: ArrayLike) -> None:
        """Refuses observations that the policy could not answer.

        Args:
            observation: (n_observations,) or (n, n_observations).

        Raises:
            InputError: where they have another shape, or a value that is not finite.
        """
        self.predict(observation)

    def refresh(self, net: SparseMLP, offset: ArrayLike | None = None, factor: ArrayLike | None = None) -> None:
        """Takes the weights that a network has now, and a normalisation.

        While the network's topology stands this takes a few microseconds.

        Args:
            net: of the same layer sizes and type, such as the one that this was made from.
            offset: see the class.
            factor: likewise.

        Raises:
            InputError: where they do not fit. Nothing has changed then.
        """
        frozen = self._frozen
        _check_net(net)
        frozen.check_alike(net)
        scale = self._checked_scale(net, offset, factor)
        if frozen.stands(net):
            self._kernels.refresh(*parameters_of(net), *scale)
            self._scale = scale
        else:
            frozen = FrozenMLP(net)
            kernels = self._new_kernels(frozen, scale)
            self._frozen, self._scale, self._kernels = frozen, scale, kernels

    # ---- files ----

    def to_parts(self) -> Parts:
        """What a file keeps of it; see io.kept_models."""
        net = unfreeze(self._frozen)
        net.scaling = None  # it is in offset and factor
        arrays = {"low": self.low, "high": self.high, "offset": self._scale[0], "factor": self._scale[1]}
        kept = {name: array for name, array in arrays.items() if array is not None}
        return Parts({"network": net}, kept, {"head": self.head, "n_actions": self.n_actions})

    @classmethod
    def from_parts(cls, parts: Parts, threads: int | None = None, activation: Activation | None = None) -> Self:
        """The policy that gave these parts; InputError where they do not hold together.

        Args:
            parts: what the file holds.
            threads: one answers an observation.
            activation: none but built-in ones are frozen.
        """
        if list(parts.networks) != ["network"]:
            raise InputError(f"a policy has one network, not {list(parts.networks)!r:.80}")
        return cls(
            parts.networks["network"],
            head=parts.config["head"],
            n_actions=parts.config["n_actions"],
            low=parts.arrays.get("low"),
            high=parts.arrays.get("high"),
            offset=parts.arrays.get("offset"),
            factor=parts.arrays.get("factor"),
        )

    def __reduce__(self) -> tuple[Any, tuple[Parts]]:
        """Pickles and copies are made of what a file keeps."""
        return type(self).from_parts, (self.to_parts(),)

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self._frozen.layer_sizes))
        return f"Policy({sizes}, {self.n_connections} connections, head={self.head!r}, n_actions={self.n_actions})"

    @property
    def n_connections(self) -> int:
        """Stored weights."""
        return self._frozen.n_connections

    # ---- pieces ----

    def _run(self, observations: Any, out: NDArray[Any], ndim: int, raw: bool = False) -> None:
        """Fills `out`; InputError where observations cannot be answered."""
        try:
            said = self._kernels.run(observations, out, ndim, raw)
        except TypeError:  # no array
            said = _OTHER_TYPE
        if said == _DONE:
            return
        array = observation_array(observations)
        require_shape(array, self.n_observations, (ndim,))
        said = self._kernels.run(array, out, ndim, raw)
        if said != _DONE:
            raise refusal(array, said)

    def _bounds(self, low: Any, high: Any, dtype: np.dtype[Any]) -> tuple[Floats, Floats]:
        """Least and largest actions, or InputError."""
        n = self.n_actions
        low = np.full(n, -1.0) if low is None else finite_row("low", low, n)
        high = np.full(n, 1.0) if high is None else finite_row("high", high, n)
        if (low > high).any():
            at = int(np.argmax(low > high))
            raise InputError(f"low[{at}] must be at most high[{at}], {high[at]:g}, not {low[at]:g}")
        return low.astype(dtype), high.astype(dtype)

    def _checked_scale(self, net: Network, offset: Any, factor: Any) -> Scale:
        """Offset and factor, or InputError."""
        if (offset is None) != (factor is None):
            raise InputError("offset and factor must be given together")
        if offset is None:
            return (None, None) if net.scaling is None else net.scaling.arrays()
        if net.scaling is not None:
            raise InputError("offset and factor cannot be combined with a network that has a scaling")
        return finite_row("offset", offset, self.n_observations), finite_row("factor", factor, self.n_observations)

    def _new_kernels(self, frozen: FrozenMLP, scale: Scale) -> _kernels.FrozenPolicy32:
        kind = _kernels.FrozenPolicy32 if frozen.dtype == np.float32 else _kernels.FrozenPolicy64
        return kind(frozen.kernels, HEADS[self.head], self.n_actions, self.low, self.high, *scale)


def _check_net(net: Any) -> None:
    """InputError where a network cannot be a policy's."""
    if not isinstance(net, Network):
        raise InputError(f"net must be a network, not {type(net).__name__}")
    for name in ("labels", "preprocessor", "target_scaling"):
        if getattr(net, name) is not None:
            raise InputError(f"net must have no {name}: a policy takes numbers and gives actions")
    net.check_layers()
