"""What the algorithms can be set to; the defaults are those of preset 'default'."""

from __future__ import annotations

from dataclasses import dataclass

from trulysparse.evolution import SET, Evolution

EVERY = 1000
"""Updates between evolutions where nothing else is said."""

DEFAULT_EVOLUTION = SET(0.05, every_updates=EVERY, until=0.8)

Density = float | tuple[float, ...]
"""Of a whole network, divided among its layers, or one per layer."""


@dataclass(frozen=True)
class Settings:
    """What all algorithms have in common; the names are those of Stable-Baselines3 where it has them.

    Attributes:
        hidden_sizes: neurons of the hidden layers.
        densities: how one density is divided among layers, 'erk' or 'uniform'.
        evolving: numbers of the layers that evolve; None: all but the output layer.
        learning_rate: Adam's.
        weight_decay: L2 within Adam, on connections.
        buffer_size: transitions that the replay buffer holds.
        learning_starts: steps with random actions before the first update.
        batch_size: transitions per update.
        tau: share of the online networks that the targets take in, 1: all of it.
        gamma: discount.
        train_freq: steps between updates.
        gradient_steps: updates each time.
        n_steps: rewards that a target adds up.
        normalize_observations: whether networks see observations of mean 0 and variance 1.
    """

    hidden_sizes: tuple[int, ...] = (256, 256)
    densities: str = "erk"
    evolving: tuple[int, ...] | None = None
    learning_rate: float = 3e-4
    weight_decay: float = 0.0
    buffer_size: int = 1_000_000
    learning_starts: int = 5_000
    batch_size: int = 256
    tau: float = 0.005
    gamma: float = 0.99
    train_freq: int = 1
    gradient_steps: int = 1
    n_steps: int = 1
    normalize_observations: bool = False


@dataclass(frozen=True)
class ActorCriticSettings(Settings):
    """Of an actor and two critics. The critic gets more connections: Graesser et al. (2022) find that 10 % of them in
    the actor rarely hurt, and 10 % in the critic cost much.

    Attributes:
        actor_density: in (0, 1], or one per layer; None where actor_epsilon is given.
        critic_density: likewise.
        actor_epsilon: Erdős-Rényi sparsity, or one per layer; None where actor_density is given.
        critic_epsilon: likewise.
        actor_evolution: by updates of the actor; None: its topology stays.
        critic_evolution: by updates of the critics.
    """

    actor_density: Density | None = 0.1
    critic_density: Density | None = 0.2
    actor_epsilon: Density | None = None
    critic_epsilon: Density | None = None
    actor_evolution: Evolution | None = DEFAULT_EVOLUTION
    critic_evolution: Evolution | None = DEFAULT_EVOLUTION


@dataclass(frozen=True)
class TD3Settings(ActorCriticSettings):
    """Of TD3.

    Attributes:
        policy_delay: updates of the critics per update of the actor and the targets.
        target_policy_noise: standard deviation of the noise on the target's actions, in units of half their range.
        target_noise_clip: its bound.
        exploration_noise: standard deviation of the noise on actions while training, in the same units.
    """

    policy_delay: int = 2
    target_policy_noise: float = 0.2
    target_noise_clip: float = 0.5
    exploration_noise: float = 0.1


@dataclass(frozen=True)
class SACSettings(ActorCriticSettings):
    """Of SAC.

    Attributes:
        ent_coef: the temperature; 'auto': learned.
        target_entropy: that a learned temperature aims at; 'auto': minus the number of actions.
        target_update_interval: updates between those of the targets.
    """

    ent_coef: float | str = "auto"
    target_entropy: float | str = "auto"
    target_update_interval: int = 1


@dataclass(frozen=True)
class DQNSettings(Settings):
    """Of DQN.

    Attributes:
        density: in (0, 1], or one per layer; None where epsilon is given.
        epsilon: Erdős-Rényi sparsity, or one per layer; None where density is given.
        evolution: by updates; None: the topology stays.
        target_update_interval: steps between updates of the target network.
        exploration_fraction: share of training in which the share of random actions falls.
        exploration_initial_eps: that share at the start.
        exploration_final_eps: and at the end.
    """

    hidden_sizes: tuple[int, ...] = (120, 84)
    density: Density | None = 0.2
    epsilon: Density | None = None
    evolution: Evolution | None = DEFAULT_EVOLUTION
    learning_rate: float = 2.5e-4
    buffer_size: int = 10_000
    learning_starts: int = 10_000
    batch_size: int = 128
    tau: float = 1.0
    train_freq: int = 10
    target_update_interval: int = 500
    exploration_fraction: float = 0.5
    exploration_initial_eps: float = 1.0
    exploration_final_eps: float = 0.05
