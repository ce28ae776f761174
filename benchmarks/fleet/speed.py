"""An update of every agent of a fleet, beside a Python loop over trainers and beside batched dense networks in torch.

Networks (24, 32, 32, 2) at density 0.33, 612 connections each; 64 samples per agent and update, Adam, squared error.
Contenders take turns; the figures are microseconds per agent.

  fleet     ts.FleetTrainer.step: all agents in one call
  layers    the same fleet layer by layer, block-diagonal: nn.FleetPasses' parts without the kernels over networks
  loop      for each agent: Trainer.step
  torch     dense networks of the same sizes, torch.bmm over all agents, autograd, torch.optim.Adam(fused=True)
  vmap      the same by torch.func.vmap over torch.func.grad, same optimizer

`floor` is what the arithmetic alone takes at the multiply-adds per second that this machine reaches in registers
(probes/probes.cpp), and what the bytes take at its copying rate. Peak memory is that of a process of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from _ceilings import Ceilings
from _run import keep, options

import trulysparse as ts
from trulysparse import _kernels
from trulysparse._core.memory import human, resident_bytes
from trulysparse.bench.report import machine, table
from trulysparse.bench.timing import interleave
from trulysparse.nn.sinks import Update
from trulysparse.training.fleet_loss import checked_loss

SIZES, DENSITY, BATCH = (24, 32, 32, 2), 0.33, 64
Step = Callable[[], object]


def samples(agents: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    X = random.standard_normal((agents, BATCH, SIZES[0]), dtype=np.float32)
    return X, random.standard_normal((agents, BATCH, SIZES[-1]), dtype=np.float32)


def new_fleet(agents: int, threads: int) -> ts.Fleet:
    return ts.Fleet(agents, SIZES, density=DENSITY, activation="relu", output="identity", seed=0, threads=threads)


def fleet_step(agents: int, threads: int) -> Step:
    trainer, (X, y) = ts.FleetTrainer(new_fleet(agents, threads), optimizer=ts.Adam(1e-3)), samples(agents)
    return lambda: trainer.step(X, y)


def layers_step(agents: int, threads: int) -> Step:
    """Every layer of all agents before the next layer."""
    fleet, (X, y), optimizer = new_fleet(agents, threads), samples(agents), ts.Adam(1e-3)
    passes, state = fleet.passes(BATCH), [layer.new_state(optimizer) for layer in fleet.layers]
    (tile,), loss, count = passes.tiles, checked_loss(ts.MeanSquaredError()), 0
    rows = np.arange(agents * BATCH).reshape(agents, BATCH)
    targets = np.empty((agents, SIZES[-1], BATCH), np.float32)

    def step() -> None:
        nonlocal count
        _kernels.load_fleet(X.reshape(-1, SIZES[0]), rows, None, None, passes.x, threads)
        _kernels.load_fleet(y.reshape(-1, SIZES[-1]), rows, None, None, targets, threads)
        _kernels.run_forward([tile.forward_calls()], [[0] * len(fleet.layers)], threads)
        z, share = tile.signals[-1].values, np.full(BATCH, 1 / BATCH, np.float32)
        _kernels.loss_and_gradient(loss.kind, z, BATCH, None, targets.reshape(-1, BATCH), share * agents, threads)
        links = tile.backward_calls(z, Update(state, optimizer.rule(count, 0.0, None)), None)
        _kernels.run_backward([links], threads)
        count += 1

    return step


def loop_step(agents: int, threads: int) -> Step:
    fleet, (X, y) = new_fleet(agents, 1), samples(agents)
    trainers = [ts.Trainer(net, optimizer=ts.Adam(1e-3), threads=threads) for net in fleet]

    def step() -> None:
        for trainer, *pair in zip(trainers, X, y, strict=True):
            trainer.step(*pair)

    return step


def _parameters(agents: int) -> list:
    import torch

    random = torch.Generator().manual_seed(0)
    made = []
    for n_in, n_out in pairwise(SIZES):
        made.append(torch.randn(agents, n_in, n_out, generator=random).mul_(n_in**-0.5).requires_grad_())
        made.append(torch.zeros(agents, 1, n_out).requires_grad_())
    return made


def torch_step(agents: int, threads: int) -> Step:
    import torch

    torch.set_num_threads(threads)
    parameters, (X, y) = _parameters(agents), map(torch.from_numpy, samples(agents))
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def step() -> None:
        hidden = X
        for number in range(0, len(parameters), 2):
            hidden = torch.baddbmm(parameters[number + 1], hidden, parameters[number])
            if number < len(parameters) - 2:
                hidden = torch.relu(hidden)
        optimizer.zero_grad()
        ((hidden - y) ** 2).mean(dim=(1, 2)).sum().backward()
        optimizer.step()

    return step


def vmap_step(agents: int, threads: int) -> Step:
    import torch

    torch.set_num_threads(threads)
    parameters, (X, y) = _parameters(agents), map(torch.from_numpy, samples(agents))
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def loss(own: list, x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        for number in range(0, len(own), 2):
            x = torch.addmm(own[number + 1], x, own[number])
            if number < len(own) - 2:
                x = torch.relu(x)
        return ((x - target) ** 2).mean()

    gradients = torch.func.vmap(torch.func.grad(loss))

    def step() -> None:
        found = gradients([p.detach() for p in parameters], X, y)
        for parameter, gradient in zip(parameters, found, strict=True):
            parameter.grad = gradient
        optimizer.step()

    return step


CONTENDERS: dict[str, Callable[[int, int], Step]] = {
    "fleet": fleet_step,
    "layers": layers_step,
    "loop": loop_step,
    "torch": torch_step,
    "vmap": vmap_step,
}


def floor(agents: int, threads: int) -> tuple[float, float]:
    """Microseconds per agent for the multiply-adds and for the bytes of an update."""
    fleet, ceilings = new_fleet(1, 1), Ceilings(threads)
    hidden = fleet.n_connections - fleet.layers[0].n_connections  # with an input gradient
    multiply_adds = BATCH * (2 * fleet.n_connections + hidden)
    parameters = fleet.n_connections + sum(SIZES[1:])
    # Samples and targets; weight and two slots read and written; 16-bit indices, two each, in both orders.
    bytes_ = 4 * BATCH * (SIZES[0] + SIZES[-1]) + 24 * parameters + 8 * fleet.n_connections
    return 2 * multiply_adds / ceilings.fma_gflops() / 1e3, bytes_ / ceilings.copy_gbs() / 1e3


def peak(name: str, agents: int, threads: int) -> str:
    """The most memory that a process holds with a contender alone, above what it holds before."""
    command = [sys.executable, __file__, "--alone", name, "--agents", str(agents), "--threads", str(threads)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return human(int(out.split()[-1]))


def alone(name: str, agents: int, threads: int) -> None:
    if name in ("torch", "vmap"):
        import torch  # noqa: F401
    before = resident_bytes() or 0
    step = CONTENDERS[name](agents, threads)
    for _ in range(3):
        step()
    # Not getrusage, whose figure is that of the parent where it had more.
    (most,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(int(most.split()[1]) * 1024 - before)


def main() -> None:
    given = options(__doc__, agents=1000, contenders="fleet,layers,loop,torch,vmap", alone="")
    agents, threads = given.agents, given.threads
    if given.alone:
        alone(given.alone, agents, threads)
        return
    names = given.contenders.split(",")
    steps = {name: CONTENDERS[name](agents, threads) for name in names}
    timings = interleave(steps, seconds=given.seconds)
    ours = next(each for each in timings if each.name == "fleet")
    rows: list[list[object]] = []
    for each in timings:
        per_agent = [1e6 * seconds / agents for seconds in (each.median, each.low, each.high)]
        rows.append([each.name, *per_agent, each.over(ours), peak(each.name, agents, threads)])
    arithmetic, traffic = floor(agents, threads)
    rows.append(["floor: multiply-adds", arithmetic, "", "", arithmetic * agents / 1e6 / ours.median, ""])
    rows.append(["floor: bytes", traffic, "", "", traffic * agents / 1e6 / ours.median, ""])
    title = f"{agents} agents, {threads} thread{'s' * (threads > 1)}, {machine(threads)['processor']}"
    table(title, ["", "us per agent", "quartile", "quartile", "times the fleet", "peak memory"], rows)
    keep(f"fleet_speed_{agents}_{threads}", threads, {"columns": ["us", "low", "high", "ratio", "peak"], "rows": rows})


if __name__ == "__main__":
    main()
