"""The dense peers must take the steps that the papers say, and what oneDNN multiplies must be what MKL does."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from trulysparse.bench import rl_peers  # noqa: E402


def batch(agent, size, seed=0):
    """A batch of random numbers as the replay gives it."""
    rng = np.random.default_rng(seed)
    n, a = agent.n_observations, agent.n_actions
    action = rng.integers(a, size=(size, 1)) if agent.discrete else rng.uniform(-1, 1, (size, a))
    live = (rng.random((size, 1)) < 0.8).astype(float)
    arrays = (
        rng.standard_normal((size, n)),
        action,
        rng.standard_normal((size, 1)),
        rng.standard_normal((size, n)),
        live,
    )
    return [torch.from_numpy(values.astype(np.float32)) for values in arrays]


def values(network, x):
    """The network's outputs, in float64 by NumPy."""
    p = [each.detach().numpy().astype(np.float64) for each in network.parameters]
    for k in range(0, len(p) - 2, 2):
        x = np.maximum(x @ p[k].T + p[k + 1], 0)
    return x @ p[-2].T + p[-1]


@pytest.mark.parametrize("name", ["TD3", "SAC", "DQN"])
def test_the_two_products_learn_the_same(name):
    losses = []
    for kind in rl_peers.LINEAR:
        agent = getattr(rl_peers, name)(17, 6, seed=3, linear=kind, hidden=(64, 48))
        losses.append([agent.update(*batch(agent, 32, seed)) for seed in range(12)])
    assert losses[0] == pytest.approx(losses[1], rel=2e-4)
    assert len(set(losses[0])) == 12


def test_gradients_of_onednns_products():
    layer = rl_peers.linear("onednn")
    rng = torch.Generator().manual_seed(0)
    x, w, b = (torch.randn(shape, generator=rng, requires_grad=True) for shape in ((20, 24), (32, 24), (32,)))
    weights = torch.randn((20, 32), generator=rng)
    found = torch.autograd.grad((layer(x, w, b) * weights).sum(), (x, w, b))
    exact = [t.detach().double().requires_grad_() for t in (x, w, b)]
    wanted = torch.autograd.grad((torch.nn.functional.linear(*exact) * weights.double()).sum(), exact)
    for a, e in zip(found, wanted, strict=True):
        torch.testing.assert_close(a.double(), e, rtol=1e-4, atol=1e-5)


def test_td3_takes_the_losses_and_steps_of_its_paper():
    agent = rl_peers.TD3(5, 2, seed=1, hidden=(32, 32), learning_rate=1e-3)
    agent.target_noise = 0.0  # so that the target can be written without the noise that was drawn
    s, a, r, s2, live = (t.numpy().astype(np.float64) for t in batch(agent, 16))
    x, x2 = np.hstack([s, a]), np.hstack([s2, np.tanh(values(agent.actor_target, s2))])
    y = r + 0.99 * live * np.minimum(*(values(c, x2) for c in agent.critic_targets))
    wanted = sum(np.square(values(c, x) - y).mean() for c in agent.critics)
    actor = [p.detach().clone() for p in agent.actor.parameters]
    assert agent.update(*batch(agent, 16)) == pytest.approx(wanted, rel=1e-5)
    assert all(torch.equal(p, q) for p, q in zip(agent.actor.parameters, actor, strict=True))  # the actor is delayed
    old = [p.clone() for p in agent.critic_targets[1].parameters]
    agent.update(*batch(agent, 16, seed=1))
    assert not any(torch.equal(p, q) for p, q in zip(agent.actor.parameters, actor, strict=True))
    for target, before, online in zip(
        agent.critic_targets[1].parameters, old, agent.critics[1].parameters, strict=True
    ):
        torch.testing.assert_close(target, before + 0.005 * (online.detach() - before))


def test_weight_decay_is_added_to_the_gradients_of_weights():
    agent = rl_peers.DQN(4, 3, seed=0, hidden=(8,), weight_decay=0.5)
    weight, bias = agent.q.parameters[:2]
    old = weight.detach().clone(), bias.detach().clone()
    zero = [torch.zeros_like(t) for t in batch(agent, 16)]
    zero[2] = agent.q_target(zero[0])[:, :1].detach()  # no error, so no gradient but that of the decay
    agent.update(*zero)
    torch.testing.assert_close(weight.detach(), old[0] - 3e-4 * old[0].sign())  # Adam's first step
    assert torch.equal(bias.detach(), old[1])


def test_sac_knows_the_density_of_its_actions():
    agent = rl_peers.SAC(3, 1, seed=0, hidden=(16, 16))
    s = torch.zeros(1, 3)
    mean, log_std = values(agent.actor, np.zeros((1, 3)))[0]
    torch.manual_seed(5)
    action, log_probability = (float(t.detach()) for t in agent._sample(s))
    u = np.arctanh(action)
    normal = -0.5 * ((u - mean) / np.exp(log_std)) ** 2 - log_std - 0.5 * np.log(2 * np.pi)
    assert log_probability == pytest.approx(normal - np.log(1 - action**2), abs=1e-4)


def test_dqn_takes_the_value_that_its_target_gives_the_best_action():
    agent = rl_peers.DQN(4, 3, seed=2, hidden=(24, 24))
    torch._foreach_mul_(agent.q_target.parameters, 1.3)
    s, a, r, s2, live = (t.numpy().astype(np.float64) for t in batch(agent, 16))
    rows = np.arange(16)
    y = r[:, 0] + 0.99 * live[:, 0] * values(agent.q_target, s2)[rows, values(agent.q, s2).argmax(1)]
    wanted = np.square(values(agent.q, s)[rows, a[:, 0].astype(int)] - y).mean()
    assert agent.update(*batch(agent, 16)) == pytest.approx(wanted, rel=1e-5)


def test_importing_the_peers_does_not_import_gymnasium_or_torch():
    code = """
import sys, trulysparse.bench.rl_loop, trulysparse.bench.rl_peers
sys.exit('gymnasium' in sys.modules or 'torch' in sys.modules)"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
