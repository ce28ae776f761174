"""Dense peers of the reinforcement learners: TD3, SAC and DQN on torch networks, with the same settings and batches."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from trulysparse.bench.peers import _need

LINEAR = ("mkl", "onednn")  # torch's own products of dense layers, or oneDNN's


def linear(kind: str) -> Callable[[Any, Any, Any], Any]:
    """The dense layer x, weight, bias -> x weight.T + bias, its three products by "mkl" (as installed) or "onednn".

    MKL's float32 products take a slower path on AMD processors than oneDNN's do; layers and batches narrower than 16
    stay with MKL, which is the faster one there.
    """
    torch = _need("torch")
    if kind == "mkl":
        return torch.nn.functional.linear  # type: ignore[no-any-return]
    if kind != "onednn":
        raise ValueError(f"linear is one of {', '.join(LINEAR)}, not {kind!r}")

    def product(x: Any, w: Any, b: Any = None) -> Any:
        return torch.ops.mkldnn._linear_pointwise(x, w, b, "none", [], "")

    class OneDNN(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any, b: Any) -> Any:
            ctx.save_for_backward(x, w)
            return product(x, w, b)

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, w = ctx.saved_tensors
            needed = ctx.needs_input_grad
            return (
                product(g, w.t()) if needed[0] else None,
                product(g.t(), x.t()) if needed[1] else None,
                g.sum(0) if needed[2] else None,
            )

    def layer(x: Any, w: Any, b: Any) -> Any:
        wide = x.ndim == 2 and min(*w.shape, len(x)) >= 16
        return OneDNN.apply(x, w, b) if wide else torch.nn.functional.linear(x, w, b)

    return layer


class Network:
    """A dense perceptron with ReLU, started as torch starts linear layers (+-1/sqrt(fan_in))."""

    def __init__(self, sizes: tuple[int, ...], kind: str) -> None:
        torch = _need("torch")
        layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
        self.parameters: list[Any] = [p for layer in layers for p in (layer.weight, layer.bias)]
        self._relu, self._linear = torch.relu, linear(kind)

    def __call__(self, x: Any) -> Any:
        p = self.parameters
        for k in range(0, len(p) - 2, 2):
            x = self._relu(self._linear(x, p[k], p[k + 1]))
        return self._linear(x, p[-2], p[-1])

    def copy(self) -> Network:
        """The same values in parameters of its own."""
        other = copy.copy(self)
        other.parameters = [p.detach().clone() for p in self.parameters]
        return other


class Dense(ABC):
    """What the three share: random numbers, optimizers, soft updates. They explore, act and update from a batch."""

    policy_delay = 1
    discrete = False

    def __init__(
        self,
        n_observations: int,
        n_actions: int,
        *,
        seed: int = 0,
        linear: str = "onednn",
        hidden: tuple[int, ...] = (256, 256),
        learning_rate: float = 3e-4,
        weight_decay: float = 0.0,
        gamma: float = 0.99,
        tau: float = 0.005,
    ) -> None:
        self.torch = _need("torch")
        self.torch.set_num_threads(1)
        self.torch.manual_seed(seed)
        self.n_observations, self.n_actions, self.n_updates = n_observations, n_actions, 0
        self.hidden, self.kind = hidden, linear
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.gamma, self.tau = gamma, tau
        self._start()

    @abstractmethod
    def _start(self) -> None:
        """Makes the networks and their optimizers."""

    def _network(self, n_in: int, n_out: int) -> Network:
        return Network((n_in, *self.hidden, n_out), self.kind)

    def _adam(self, *networks: Network) -> Any:
        weights, biases = ([p for n in networks for p in n.parameters[start::2]] for start in (0, 1))
        groups = [{"params": weights, "weight_decay": self.weight_decay}, {"params": biases}]
        return self.torch.optim.Adam(groups, lr=self.learning_rate, fused=True)

    def _step(self, optimizer: Any, loss: Any) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def _follow(self, targets: list[Network], online: list[Network], tau: float) -> None:
        with self.torch.no_grad():
            self.torch._foreach_lerp_(
                [p for n in targets for p in n.parameters], [p for n in online for p in n.parameters], tau
            )


class TD3(Dense):
    """Twin delayed deep deterministic policy gradient (Fujimoto, van Hoof and Meger 2018)."""

    policy_delay, exploration_noise, target_noise, noise_clip = 2, 0.1, 0.2, 0.5

    def _start(self) -> None:
        n, a = self.n_observations, self.n_actions
        self.actor = self._network(n, a)
        self.critics = [self._network(n + a, 1), self._network(n + a, 1)]
        self.actor_target, self.critic_targets = self.actor.copy(), [c.copy() for c in self.critics]
        self.actor_adam, self.critic_adam = self._adam(self.actor), self._adam(*self.critics)

    def act(self, observation: Any) -> Any:
        """The action without noise, in [-1, 1]."""
        with self.torch.no_grad():
            return self.torch.tanh(self.actor(self.torch.as_tensor(observation))).numpy()

    def explore(self, observation: Any, rng: np.random.Generator) -> Any:
        """The action with exploration noise, in [-1, 1]."""
        action = self.act(observation)
        noise = self.exploration_noise * rng.standard_normal(action.shape, dtype=np.float32)
        return np.clip(action + noise, -1, 1)

    def update(self, s: Any, a: Any, r: Any, s2: Any, live: Any) -> float:
        """One gradient step from a batch; the critics' loss before it."""
        torch, mse = self.torch, self.torch.nn.functional.mse_loss
        with torch.no_grad():
            noise = (torch.randn(a.shape) * self.target_noise).clamp(-self.noise_clip, self.noise_clip)
            x2 = torch.cat([s2, (torch.tanh(self.actor_target(s2)) + noise).clamp(-1, 1)], 1)
            y = r + self.gamma * live * torch.minimum(*(c(x2) for c in self.critic_targets))
        x = torch.cat([s, a], 1)
        loss = sum(mse(c(x), y) for c in self.critics)
        self._step(self.critic_adam, loss)
        self.n_updates += 1
        if self.n_updates % self.policy_delay == 0:
            for p in self.critics[0].parameters:
                p.requires_grad_(False)  # dQ/da asks for no gradient of the critic
            self._step(self.actor_adam, -self.critics[0](torch.cat([s, torch.tanh(self.actor(s))], 1)).mean())
            for p in self.critics[0].parameters:
                p.requires_grad_(True)
            targets, online = [self.actor_target, *self.critic_targets], [self.actor, *self.critics]
            self._follow(targets, online, self.tau)
        return float(loss.detach())


class SAC(Dense):
    """Soft actor-critic with a learned temperature (Haarnoja et al. 2018)."""

    def _start(self) -> None:
        n, a = self.n_observations, self.n_actions
        self.actor = self._network(n, 2 * a)
        self.critics = [self._network(n + a, 1), self._network(n + a, 1)]
        self.critic_targets = [c.copy() for c in self.critics]
        self.log_temperature = self.torch.zeros(1, requires_grad=True)
        self.actor_adam, self.critic_adam = self._adam(self.actor), self._adam(*self.critics)
        self.temperature_adam = self.torch.optim.Adam([self.log_temperature], lr=self.learning_rate)

    def _sample(self, s: Any) -> tuple[Any, Any]:
        torch, softplus = self.torch, self.torch.nn.functional.softplus
        mean, log_std = self.actor(s).chunk(2, -1)
        log_std = log_std.clamp(-20, 2)
        e = torch.randn(mean.shape)
        u = mean + log_std.exp() * e
        density = -0.5 * e * e - log_std - 0.5 * float(np.log(2 * np.pi))
        return torch.tanh(u), (density - 2 * (float(np.log(2)) - u - softplus(-2 * u))).sum(-1, keepdim=True)

    def act(self, observation: Any) -> Any:
        """The action of the mean, in [-1, 1]."""
        with self.torch.no_grad():
            mean = self.actor(self.torch.as_tensor(observation))[..., : self.n_actions]
            return self.torch.tanh(mean).numpy()

    def explore(self, observation: Any, rng: np.random.Generator) -> Any:
        """A sampled action, in [-1, 1]."""
        with self.torch.no_grad():
            return self._sample(self.torch.as_tensor(observation))[0].numpy()

    def update(self, s: Any, a: Any, r: Any, s2: Any, live: Any) -> float:
        """One gradient step from a batch; the critics' loss before it."""
        torch, mse = self.torch, self.torch.nn.functional.mse_loss
        action, log_probability = self._sample(s)
        temperature = self.log_temperature.detach().exp()
        self._step(self.temperature_adam, -(self.log_temperature * (log_probability.detach() - self.n_actions)).mean())
        with torch.no_grad():
            a2, log_probability2 = self._sample(s2)
            x2 = torch.cat([s2, a2], 1)
            value = torch.minimum(*(c(x2) for c in self.critic_targets)) - temperature * log_probability2
            y = r + self.gamma * live * value
        x = torch.cat([s, a], 1)
        loss = 0.5 * sum(mse(c(x), y) for c in self.critics)
        self._step(self.critic_adam, loss)
        online = [p for c in self.critics for p in c.parameters]
        for p in online:
            p.requires_grad_(False)
        x = torch.cat([s, action], 1)
        q = torch.minimum(*(c(x) for c in self.critics))
        self._step(self.actor_adam, (temperature * log_probability - q).mean())
        for p in online:
            p.requires_grad_(True)
        self.n_updates += 1
        self._follow(self.critic_targets, self.critics, self.tau)
        return float(loss.detach())


class DQN(Dense):
    """Double deep Q-learning (van Hasselt, Guez and Silver 2016), squared error, hard copies by `target_interval`."""

    discrete, target_interval, exploration = True, 10, 1.0

    def _start(self) -> None:
        self.q = self._network(self.n_observations, self.n_actions)
        self.q_target, self.adam = self.q.copy(), self._adam(self.q)

    def act(self, observation: Any) -> Any:
        """The action of the largest value."""
        with self.torch.no_grad():
            return int(self.q(self.torch.as_tensor(observation)).argmax())

    def explore(self, observation: Any, rng: np.random.Generator) -> Any:
        """A random action with probability `exploration`, which the loop lowers; the best one otherwise."""
        return int(rng.integers(self.n_actions)) if rng.random() < self.exploration else self.act(observation)

    def update(self, s: Any, a: Any, r: Any, s2: Any, live: Any) -> float:
        """One gradient step from a batch; the loss before it."""
        torch = self.torch
        with torch.no_grad():
            best = self.q(s2).argmax(1, keepdim=True)
            y = r + self.gamma * live * self.q_target(s2).gather(1, best)
        loss = torch.nn.functional.mse_loss(self.q(s).gather(1, a.long()), y)
        self._step(self.adam, loss)
        self.n_updates += 1
        if self.n_updates % self.target_interval == 0:
            self._follow([self.q_target], [self.q], 1.0)
        return float(loss.detach())
