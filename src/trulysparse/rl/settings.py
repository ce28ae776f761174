"""What the algorithms can be set to; the defaults are those of preset 'default'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trulysparse._core import checks
from trulysparse.errors import InputError
from trulysparse.evolution import SET, Evolution, RigL, Static, make_evolution
from trulysparse.nn.activations import NAMES, BuiltIn, make_activation
from trulysparse.optim import LearningRate

EVERY = 1000
"""Updates between evolutions where nothing else is said."""

DEFAULT_EVOLUTION = SET(0.05, every_updates=EVERY, until=0.8)

Sparsity = float | tuple[float, ...]
"""Of a whole network, divided among its layers, or one per layer."""


@dataclass(frozen=True)
class Settings:
    """What all algorithms have in common; the names are those of Stable-Baselines3 where it has them.

    Attributes:
        hidden_layer_sizes: neurons of the hidden layers; an integer stands for one layer.
        activation: of the hidden layers, a built-in one or its name: policies compute no other.
        densities: how one density is divided among layers, 'erk' or 'uniform'.
        evolving: numbers of the layers that evolve, from 0; None: as the evolution says.
        learning_rate: Adam's, above 0, or a schedule.
        weight_decay: L2 within Adam, on connections, in [0, 1).
        buffer_size: transitions that the replay buffer holds, at least 1.
        learning_starts: steps with random actions before the first update, at least 0; None: a quarter of the steps of
            `learn`, at most 25,000.
        batch_size: transitions per update, at least 1.
        tau: share of the online networks that the targets take in, in (0, 1]; 1: all of it.
        gamma: discount, in [0, 1].
        train_freq: steps between rounds of updates, at least 1.
        gradient_steps: updates in a round, at least 1; -1: as many as there were steps.
        n_steps: rewards that a target adds up, at least 1.
        normalize_observations: whether networks see observations of mean 0 and variance 1.

    Raises:
        InputError: where a value is out of range.

    Example:
        >>> from trulysparse.rl.settings import Settings
        >>> Settings(hidden_layer_sizes=64).hidden_layer_sizes
        (64,)
    """

    hidden_layer_sizes: tuple[int, ...] = (256, 256)
    activation: str | BuiltIn = "relu"
    densities: str = "erk"
    evolving: tuple[int, ...] | None = None
    learning_rate: float | LearningRate = 3e-4
    weight_decay: float = 0.0
    buffer_size: int = 1_000_000
    learning_starts: int | None = None
    batch_size: int = 256
    tau: float = 0.005
    gamma: float = 0.99
    train_freq: int = 1
    gradient_steps: int = 1
    n_steps: int = 1
    normalize_observations: bool = False

    def __post_init__(self) -> None:
        sizes: Any = self.hidden_layer_sizes
        sizes = [sizes] if not hasattr(sizes, "__len__") else checks.listed("hidden_layer_sizes", sizes, "integers")
        named = [checks.integer("hidden_layer_sizes", size, low=1) for size in sizes]
        self._set("hidden_layer_sizes", tuple(named))
        if self.evolving is not None:
            layers = checks.listed("evolving", self.evolving, "numbers of layers")
            last = len(named)
            self._set("evolving", tuple(checks.integer("evolving", each, low=0, high=last) for each in layers))
        if not isinstance(make_activation(self.activation), BuiltIn):
            raise InputError(
                f"activation must be one of {', '.join(NAMES)}, not one of your own: policies compute no other"
            )
        checks.choice("densities", self.densities, ("erk", "uniform"))
        self._reals(tau=(0.0, 1.0), gamma=(0.0, 1.0), weight_decay=(0.0, 1.0))
        checks.real("tau", self.tau, low=0, high=1, low_open=True)
        self._integers(buffer_size=1, batch_size=1, train_freq=1, gradient_steps=-1, n_steps=1)
        if self.learning_starts is not None:
            self._integers(learning_starts=0)
        if self.gradient_steps == 0:
            raise InputError("gradient_steps must be at least 1, or -1 for as many as there were steps, not 0")
        self._set("normalize_observations", checks.flag("normalize_observations", self.normalize_observations))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _reals(self, **bounds: tuple[float, float]) -> None:
        """Checks real numbers, by the bounds that belong to their ranges."""
        for name, (low, high) in bounds.items():
            self._set(name, checks.real(name, getattr(self, name), low=low, high=high))

    def _integers(self, **least: int) -> None:
        for name, low in least.items():
            self._set(name, checks.integer(name, getattr(self, name), low=low))

    def _network(self, prefix: str) -> None:
        """Checks a network's sparsity and evolution, whose names have this prefix."""
        density, epsilon = getattr(self, f"{prefix}density"), getattr(self, f"{prefix}epsilon")
        if (density is None) == (epsilon is None):
            raise InputError(
                f"either {prefix}density or {prefix}epsilon must be given, not {'both' if density else 'none'}"
            )
        kind, value = ("density", density) if epsilon is None else ("epsilon", epsilon)
        name, high = f"{prefix}{kind}", 1.0 if kind == "density" else float("inf")
        if not hasattr(value, "__len__"):
            self._set(name, checks.real(name, value, low=0, high=high, low_open=True))
        else:
            each = checks.listed(name, value, "numbers")
            if len(each) != len(self.hidden_layer_sizes) + 1:
                wanted = len(self.hidden_layer_sizes) + 1
                raise InputError(f"{name} must be one number or have one per layer, {wanted}, not {len(each)}")
            self._set(name, tuple(checks.real(name, one, low=0, high=high, low_open=True) for one in each))
        name = f"{prefix}evolution"
        self._set(name, checked_evolution(name, getattr(self, name)))


@dataclass(frozen=True)
class ActorCriticSettings(Settings):
    """Of an actor and two critics. The critic gets more connections: Graesser et al. (2022) find that 10 % of them in
    the actor rarely hurt, and 10 % in the critic cost much.

    Attributes:
        actor_density: in (0, 1], or one per layer; None where actor_epsilon is given.
        critic_density: likewise.
        actor_epsilon: Erdős-Rényi sparsity, or one per layer; None where actor_density is given.
        critic_epsilon: likewise.
        actor_evolution: by updates of the actor, an object or a name; None: its topology stays.
        critic_evolution: by updates of the critics.
        dynamic_capacity: whether the replay buffer drops its oldest transitions where they come from policies that are
            far from the present one.
    """

    actor_density: Sparsity | None = 0.1
    critic_density: Sparsity | None = 0.2
    actor_epsilon: Sparsity | None = None
    critic_epsilon: Sparsity | None = None
    actor_evolution: Evolution | None = DEFAULT_EVOLUTION
    critic_evolution: Evolution | None = DEFAULT_EVOLUTION
    dynamic_capacity: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._network("actor_")
        self._network("critic_")
        self._set("dynamic_capacity", checks.flag("dynamic_capacity", self.dynamic_capacity))


@dataclass(frozen=True)
class TD3Settings(ActorCriticSettings):
    """Of TD3.

    Attributes:
        policy_delay: updates of the critics per update of the actor and the targets, at least 1.
        target_policy_noise: standard deviation of the noise on the target's actions, in units of half their range, at
            least 0.
        target_noise_clip: its bound, at least 0.
        exploration_noise: standard deviation of the noise on actions while training, in the same units, at least 0.
    """

    learning_rate: float | LearningRate = 1e-3
    policy_delay: int = 2
    target_policy_noise: float = 0.2
    target_noise_clip: float = 0.5
    exploration_noise: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._integers(policy_delay=1)
        any_size = (0.0, float("inf"))
        self._reals(target_policy_noise=any_size, target_noise_clip=any_size, exploration_noise=any_size)


@dataclass(frozen=True)
class SACSettings(ActorCriticSettings):
    """Of SAC.

    Attributes:
        ent_coef: the temperature, see Temperature; 'auto': learned.
        target_entropy: that a learned temperature aims at; 'auto': minus the number of actions.
        target_update_interval: updates between those of the targets, at least 1.
    """

    ent_coef: float | str = "auto"
    target_entropy: float | str = "auto"
    target_update_interval: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self._integers(target_update_interval=1)


@dataclass(frozen=True)
class DQNSettings(Settings):
    """Of DQN; the defaults are near those that Stable-Baselines3's zoo has for Acrobot and LunarLander.

    Attributes:
        density: in (0, 1], or one per layer; None where epsilon is given.
        epsilon: Erdős-Rényi sparsity, or one per layer; None where density is given.
        evolution: by updates, an object or a name; None: the topology stays.
        target_update_interval: steps between updates of the target network, at least 1.
        exploration_fraction: share of training in which the share of random actions falls, in [0, 1].
        exploration_initial_eps: that share at the start, in [0, 1].
        exploration_final_eps: and at the end, in [0, 1].
        double: whether the online network chooses the action whose value the target network gives.
        loss: 'squared' or 'huber', of the error of the values.
        max_grad_norm: gradients are scaled down to this norm, above 0; None: never.
    """

    learning_rate: float | LearningRate = 6.3e-4
    buffer_size: int = 50_000
    learning_starts: int | None = 1_000
    batch_size: int = 128
    tau: float = 1.0
    train_freq: int = 4
    gradient_steps: int = -1
    density: Sparsity | None = 0.2
    epsilon: Sparsity | None = None
    evolution: Evolution | None = DEFAULT_EVOLUTION
    target_update_interval: int = 250
    exploration_fraction: float = 0.12
    exploration_initial_eps: float = 1.0
    exploration_final_eps: float = 0.1
    double: bool = True
    loss: str = "squared"
    max_grad_norm: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._network("")
        self._integers(target_update_interval=1)
        share = (0.0, 1.0)
        self._reals(exploration_fraction=share, exploration_initial_eps=share, exploration_final_eps=share)
        self._set("double", checks.flag("double", self.double))
        checks.choice("loss", self.loss, ("squared", "huber"))
        if self.max_grad_norm is not None:
            self._set("max_grad_norm", checks.real("max_grad_norm", self.max_grad_norm, low=0, low_open=True))


def checked_evolution(name: str, value: Evolution | str | None) -> Evolution | None:
    """An evolution, given as such or by name; by name it counts updates, 1000 from one evolution to the next.

    Args:
        name: of the argument, for messages.
        value: an object, a name such as 'set', or None.

    Returns:
        The method; None where the topology stays.

    Raises:
        InputError: where it is neither, or counts epochs.

    Example:
        >>> checked_evolution("evolution", "set").schedule.every_updates
        1000
        >>> checked_evolution("evolution", "static") is None
        True
    """
    if isinstance(value, str):
        method = make_evolution(value, argument=name)
        if isinstance(method, SET):
            method = DEFAULT_EVOLUTION
        elif isinstance(method, RigL):  # of Graesser et al. (2022)
            method = RigL(0.5, every_updates=EVERY, until=0.8)
        elif method is not None and method.schedule.every_epochs is not None:
            method = type(method)(every_updates=EVERY)  # type: ignore[call-arg]
        value = method
    if value is not None and not isinstance(value, Evolution):
        raise InputError(f"{name} must be a method of evolution such as SET(), its name or None, not {value!r:.80}")
    if value is not None and value.schedule.every_epochs is not None:
        raise InputError(f"{name} must count updates, not epochs: give it every_updates=1000")
    return None if isinstance(value, Static) else value
