from __future__ import annotations

import copy
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")

from masked_reference import MaskedNetwork, mask_of  # noqa: E402

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.01),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
    "fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True, amsgrad=True),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05, initial_accumulator_value=0.1),
    "adadelta": lambda p: torch.optim.Adadelta(p, lr=1.0),
    "adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "asgd": lambda p: torch.optim.ASGD(p, lr=0.05, t0=10),
    "rprop": lambda p: torch.optim.Rprop(p, lr=0.01),
}
NEUTRAL = {"rprop": {"step_size": 0.01}, "adagrad": {"sum": 0.1}}


def network(dtype=torch.float64, widths=(12, 20, 6), density=0.25):
    """SparseLinear layers with tanh between them."""
    parts = []
    for number in range(len(widths) - 1):
        parts += [
            ts.torch.SparseLinear(*widths[number : number + 2], density=density, seed=number, dtype=dtype),
            torch.nn.Tanh(),
        ]
    return torch.nn.Sequential(*parts[:-1])


def batches(count: int, model, samples: int = 16, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    dtype, n_in, n_out = model[0].weight.dtype, model[0].in_features, model[-1].out_features
    for _ in range(count):
        yield tuple(torch.randn(samples, n, dtype=dtype, generator=generator) for n in (n_in, n_out))


def train(model, optimizer, given, loss=torch.nn.functional.mse_loss) -> None:
    for x, target in given:
        optimizer.zero_grad()
        loss(model(x), target).backward()
        optimizer.step()


def topologies(model):
    return [mask_of(layer) for layer in model if hasattr(layer, "connectivity")]


def assert_same(one, other) -> None:
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


# ---- against masks ----


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("method", ["set", "rigl"])
def test_training_is_that_of_masked_dense_layers(name, method):
    """50 steps, an evolution every five, gradients summed over two batches."""
    model = network()
    optimizer = OPTIMIZERS[name](model.parameters())
    masked = MaskedNetwork(model, OPTIMIZERS[name], NEUTRAL.get(name, {}))
    if method == "set":
        evolver = ts.torch.Evolver(model, optimizer, ts.SET(0.3, every_updates=5, fresh="zero"))
    else:
        evolver = ts.torch.Evolver(model, optimizer, ts.RigL(0.4, every_updates=5, until=50))
    given = list(batches(100, model))
    started = topologies(model)
    for step in range(1, 51):
        for net, opt in ((model, optimizer), (masked, masked.optimizer)):
            opt.zero_grad()
            for x, target in given[2 * step - 2 : 2 * step]:
                torch.nn.functional.mse_loss(net(x), target).backward()
        optimizer.step()
        gradients = masked.step()
        if step % 5 == 0:
            if method == "set":
                masked.set(0.3)
            else:
                masked.rigl(gradients, 0.4, step, 50)
            masked.check(optimizer)
    masked.check(optimizer)
    assert evolver.count == 50
    assert evolver.replaced > 50
    assert not all(torch.equal(*pair) for pair in zip(started, topologies(model), strict=True))


def test_adafactor_moves_its_variances():
    """Its steps depend on how many parameters there are: the reference trains the live weights alone."""
    model = network(widths=(12, 20))
    optimizer = torch.optim.Adafactor(model.parameters(), lr=0.05)
    layer = model[0]
    ts.torch.Evolver(model, optimizer, ts.RigL(0.4, every_updates=5, until=50))
    live, mask = torch.nn.Parameter(layer.weight.detach().clone()), mask_of(layer)
    bias = torch.nn.Parameter(layer.bias.detach().clone())
    reference = torch.optim.Adafactor([live, bias], lr=0.05)
    for step, (x, target) in enumerate(batches(50, model), start=1):
        train(model, optimizer, [(x, target)])
        reference.zero_grad()
        dense = torch.zeros(12, 20, dtype=torch.float64).masked_scatter(mask.t(), live)
        dense.retain_grad()
        torch.nn.functional.mse_loss(x @ dense + bias, target).backward()
        reference.step()
        if step % 5 == 0:
            count = int(0.4 * 0.5 * (1 + np.cos(np.pi * step / 50)) * len(live))
            weight = torch.zeros(12, 20, dtype=torch.float64).masked_scatter(mask.t(), live.detach())
            variance = torch.zeros_like(weight).masked_scatter(mask.t(), reference.state[live]["variance"])
            kept = mask.t().clone(memory_format=torch.contiguous_format)
            kept.view(-1)[torch.where(kept, weight.abs(), torch.inf).view(-1).argsort()[:count]] = False
            now = kept.clone()
            now.view(-1)[torch.where(kept, -1.0, dense.grad.abs()).view(-1).argsort(descending=True)[:count]] = True
            new = now & ~mask.t()
            mask = now.t()
            weight[new] = variance[new] = 0
            with torch.no_grad():
                live.copy_(weight[now])
                reference.state[live]["variance"].copy_(variance[now])
            assert torch.equal(mask, mask_of(layer))
    torch.testing.assert_close(layer.weight.detach(), live.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "method",
    [
        ts.SET(every_updates=3),
        ts.SET(every_updates=3, percolate=True),
        ts.DeepR(1e-2, 1e-2, every_updates=2),
        ts.RigL(every_updates=3, until=30),
        ts.SNFS(every_updates=3, until=30),
        ts.DSR(every_updates=3, until=30),
        ts.MEST(every_updates=3, until=30),
        ts.MEST(every_updates=3, until=24, soft=True),
        ts.GSE(every_updates=3, until=30),
        ts.GSE(every_updates=3, until=30, distribution="bound"),
        ts.GraNet(every_updates=3, until=24),
        ts.CHTs(every_updates=3, until=30),
        ts.CHTs(every_updates=3, until=30, density=ts.SigmoidDensity(0.4, until=20)),
        ts.CTRE(every_updates=3, until=30),
        ts.ReDo(0.5, every_updates=3, until=30),
        ts.ReDo(0.5, method=ts.SET(every_updates=3)),
        ts.Static(),
    ],
    ids=lambda method: method.name,
)
def test_every_method_goes_on_with_the_same_bits_after_a_save(method):
    def start(seed: int):
        model = network(torch.float32)
        torch.manual_seed(seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
        return model, optimizer, ts.torch.Evolver(model, optimizer, method, seed=5)

    whole = start(0)
    before = topologies(whole[0])
    given = list(batches(30, whole[0]))
    train(*whole[:2], given[:14])
    file = io.BytesIO()
    torch.save([part.state_dict() for part in whole], file)
    train(*whole[:2], given[14:])
    if method.name not in ("static", "redo"):
        assert whole[2].replaced > 0
    changed = any(not torch.equal(*pair) for pair in zip(before, topologies(whole[0]), strict=True))
    assert changed == (method.name != "static" and method.schedule.fraction > 0)

    resumed = start(1)
    train(*resumed[:2], given[:3])  # elsewhere, with a topology and counts of its own
    file.seek(0)
    for part, state in zip(resumed, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    train(*resumed[:2], given[14:])
    assert_same(whole[0], resumed[0])
    assert whole[2].state_dict().keys() == resumed[2].state_dict().keys()
    assert whole[2].count == resumed[2].count == 30
    assert whole[2].replaced == resumed[2].replaced


def test_density_falls_while_graphs_of_the_past_are_alive():
    model = network(torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    parameter = model[0].weight
    evolver = ts.torch.Evolver(model, optimizer, ts.GraNet(0.5, every_updates=2, until=16))
    counts, kept = [], []
    for x, target in batches(20, model):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), target)
        loss.backward()
        optimizer.step()
        kept.append(loss)  # holds the graph's nodes
        counts.append(sum(len(layer.weight) for layer in evolver.layers))
    assert counts[0] == 90
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 45
    assert model[0].weight is parameter
    for layer in evolver.layers:
        assert layer.weight.shape == layer.connectivity.by_input.index.shape == layer.weight.grad.shape
        assert all(optimizer.state[layer.weight][n].shape == layer.weight.shape for n in ("exp_avg", "exp_avg_sq"))


# ---- when ----


@pytest.mark.parametrize("fused", [False, True])
def test_steps_that_a_scaler_skips_do_not_count(fused):
    """Nor do their gradients: RigL chooses as if the batch had never been."""

    def run(bad_steps):
        model = network(torch.float32)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)
        evolver = ts.torch.Evolver(model, optimizer, ts.RigL(every_updates=3, until=30))
        scaler = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=10_000, backoff_factor=0.5)
        good = iter(list(batches(9, model)))
        for step in range(9 + len(bad_steps)):
            bad = step in bad_steps
            x, target = next(batches(1, model, seed=9)) if bad else next(good)
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), target)
            scaler.scale(loss * torch.inf if bad else loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return model, evolver

    model, evolver = run(())
    skipped, other = run((2, 6))  # once just before an evolution
    assert evolver.count == other.count == 9
    for one, two in zip(topologies(model), topologies(skipped), strict=True):
        assert torch.equal(one, two)


def test_batches_are_kept_on_the_step_before_an_evolution_only():
    model = network(torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    ts.torch.Evolver(model, optimizer, ts.RigL(every_updates=3, until=30))
    for step, (x, target) in enumerate(batches(7, model), start=1):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), target).backward()
        kept = [layer._topology.captured for layer in (model[0], model[2])]
        assert [None if each is None else len(each) for each in kept] == ([1, 1] if step % 3 == 0 else [None, None])
        optimizer.step()


def test_a_step_within_a_step_counts_once():
    class Halved(torch.optim.SGD):
        def step(self, closure=None):
            super().step(closure)
            with torch.no_grad():
                for parameter in self.param_groups[0]["params"]:
                    parameter.mul_(0.5)

    model = network(torch.float32)
    torch.optim.SGD(model.parameters(), lr=0.1)  # PyTorch adds hooks to classes of which there are objects
    optimizer = Halved(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    evolver = ts.torch.Evolver(model, optimizer, ts.SET(every_updates=100))
    train(model, optimizer, batches(3, model))
    scheduler.step()
    assert evolver.count == 3


def test_epochs_and_removal():
    model = network(torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    evolver = ts.torch.Evolver(model, optimizer, ts.SET(), updates_per_epoch=4, total_updates=12)
    seen = []
    for batch in batches(12, model):
        before = evolver.replaced
        train(model, optimizer, [batch])
        seen.append(evolver.replaced > before)
    assert [step for step, evolved in enumerate(seen, start=1) if evolved] == [4, 8]
    assert evolver.evolve() > 0
    evolver.remove()
    before = evolver.count
    train(model, optimizer, batches(2, model))
    assert evolver.count == before


# ---- which layers ----


def test_frozen_layers_stay_and_named_ones_evolve():
    model = network(torch.float32, (12, 20, 20, 6))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    evolver = ts.torch.Evolver(model, optimizer, ts.SET(every_updates=2), layers=["0", "4"])
    model[4].weight.requires_grad_(False)
    before = topologies(model)
    train(model, optimizer, batches(6, model))
    after = topologies(model)
    assert [torch.equal(*pair) for pair in zip(before, after, strict=True)] == [False, True, True]
    assert [layer.in_features for layer in evolver.layers] == [12, 20]


def test_layers_that_share_a_weight_keep_the_same_connections():
    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = ts.torch.SparseLinear(10, 10, density=0.3, seed=0)
            self.second = copy.deepcopy(self.first)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(torch.tanh(self.first(torch.tanh(self.first(x)))))

    model = Twice()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    evolver = ts.torch.Evolver(model, optimizer, ts.RigL(0.5, every_updates=2, until=20))
    x = torch.randn(7, 10)
    for step in range(1, 7):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        if step == 2:
            assert len(model.first._topology.captured) == 3
        optimizer.step()
    assert len(evolver.layers) == 1
    assert evolver.replaced > 0
    assert model.first.connectivity is model.second.connectivity


def test_copies_of_a_model_do_not_disturb():
    """A target network's backward passes are not those of the network, though both share a topology."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    target = copy.deepcopy(model)
    ts.torch.Evolver(model, optimizer, ts.RigL(every_updates=1, until=30))
    x = torch.randn(4, 12, dtype=torch.float64)
    target(x).sum().backward()
    assert len(model[0]._topology.captured) == 0
    model(x).sum().backward()
    assert len(model[0]._topology.captured) == 1


@pytest.mark.parametrize("method", [ts.SET(every_updates=2, fresh="init"), ts.GraNet(0.4, every_updates=2, until=16)])
def test_target_networks_and_averages_keep_the_model_s_connections(method):
    """The average of weights, kept by hand on dense matrices, in which new connections start at the model's weight."""
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    target, average = copy.deepcopy(model), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    average.update_parameters(model)
    evolver = ts.torch.Evolver(model, optimizer, method, copies=[target, average])
    layers = (0, 2)
    dense = [model[n].to_csr().toarray() for n in layers]
    for x, goal in batches(13, model):
        before = topologies(model)
        train(model, optimizer, [(x, goal)])
        average.update_parameters(model)
        with torch.no_grad():
            for theirs, ours in zip(target.parameters(), model.parameters(), strict=True):
                theirs.lerp_(ours, 0.1)
        for number, (old, now) in enumerate(zip(before, topologies(model), strict=True)):
            weight = model[layers[number]].to_csr().toarray()
            dense[number] = np.where(now.numpy() & ~old.numpy(), weight, dense[number]) * now.numpy()
            dense[number] = 0.9 * dense[number] + 0.1 * weight
    assert evolver.replaced > 0
    for number, wanted in zip(layers, dense, strict=True):
        for twin in (target[number], average.module[number]):
            assert torch.equal(mask_of(twin), mask_of(model[number]))
            # A few were removed and grown again in one evolution: those start anew.
            assert (np.abs(twin.to_csr().toarray() - wanted) < 1e-9).mean() > 0.98
    target(x)
    with pytest.raises(InputError, match=r"copies\[0\].* connections"):
        ts.torch.Evolver(model, optimizer, method, copies=network(widths=(12, 20, 6), density=0.3))
    with pytest.raises(InputError, match=r"copies\[0\] must have a SparseLinear '0' of its own"):
        ts.torch.Evolver(model, optimizer, method, copies=model)


def test_autocast_gives_float32_rules_their_batch():
    model = network(torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    evolver = ts.torch.Evolver(model, optimizer, ts.RigL(every_updates=2, until=20))
    for x, target in batches(6, model):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = torch.nn.functional.mse_loss(model(x).float(), target)
        loss.backward()
        optimizer.step()
    assert evolver.replaced > 0


def test_dormant_neurons_start_anew():
    model = torch.nn.Sequential(
        ts.torch.SparseLinear(12, 20, density=0.5, seed=0), torch.nn.ReLU(), ts.torch.SparseLinear(20, 6, density=0.5)
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    ts.torch.Evolver(model, optimizer, ts.ReDo(every_updates=1))
    with torch.no_grad():
        model[0].bias[:4] = -100
    before = model[0].weight.detach().clone()
    train(model, optimizer, batches(1, model))
    assert model[0].bias[:4].tolist() == [0, 0, 0, 0]
    into = torch.from_numpy(model[0].connectivity.by_input.index < 4)
    assert not torch.isclose(model[0].weight.detach()[into], before[into]).any()
    assert torch.allclose(model[0].weight.detach()[~into], before[~into], atol=0.02)
    assert optimizer.state[model[0].weight]["exp_avg"][into].abs().max() == 0
    rows = model[2].connectivity.by_input
    assert model[2].weight.detach()[: rows.ptr[4]].abs().max() == 0


# ---- compiled, and on several ranks ----


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_one_compiled_graph_across_evolutions(backend):
    """inductor gives the memory of what is kept to others: RigL would choose by their values."""
    from torch._dynamo.testing import CompileCounterWithBackend

    class Residual(torch.nn.Sequential):
        def forward(self, x):
            hidden = torch.tanh(self[0](x))
            return self[2](hidden + self[1](torch.tanh(hidden)))

    sizes = ((12, 20), (20, 20), (20, 6))
    model = Residual(*(ts.torch.SparseLinear(*each, density=0.3, seed=0) for each in sizes))
    twin = copy.deepcopy(model)
    counter = CompileCounterWithBackend(backend)
    compiled = torch.compile(model, backend=counter, fullgraph=True)
    for net, forward in ((model, compiled), (twin, twin)):
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
        evolver = ts.torch.Evolver(forward, optimizer, ts.RigL(every_updates=3, until=30), layers=["*"])
        for x, target in batches(13, net):
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(forward(x), target).backward()
            optimizer.step()
        assert evolver.replaced > 0
    assert counter.frame_count == 1
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, twin.state_dict()[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_two_ranks_keep_the_same_bits():
    """DistributedDataParallel on gloo, SET and RigL, 200 steps: another process for each rank."""
    script = Path(__file__).parents[1] / "two_ranks.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    equal, refused = ("SET", "RigL", "MEST", "inner"), ("apart", "GraNet", "DSR")
    assert done.stdout.splitlines() == [f"{name} equal" for name in equal] + [f"{name} refused" for name in refused]


# ---- bad input ----


class Curvature(torch.optim.SGD):
    """Keeps a matrix."""

    def step(self, closure=None):
        super().step()
        for parameter in (each for group in self.param_groups for each in group["params"]):
            self.state[parameter]["factor"] = torch.eye(3)


def test_refused_before_anything_changes():
    model = network(torch.float32)
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    method = ts.SET(every_updates=1)
    for arguments, options, words in [
        ((torch.nn.Linear(2, 2), sgd, method), {}, "SparseLinear"),
        ((3, sgd, method), {}, "torch.nn.Module"),
        ((model, torch.optim.LBFGS(model.parameters()), method), {}, "LBFGS"),
        ((model, 3, method), {}, "torch.optim.Optimizer"),
        ((model, sgd, "set"), {}, "method"),
        ((model, sgd, ts.SET()), {}, "updates_per_epoch"),
        ((model, sgd, ts.RigL()), {}, "total_updates"),
        ((model, sgd, method), {"layers": ["nothing*"]}, "matches no SparseLinear"),
        ((model, sgd, method), {"layers": [torch.nn.Linear(2, 2)]}, r"layers\[0\]"),
        ((model, sgd, method), {"layers": []}, "at least one"),
        ((model, sgd, method), {"fresh_state": "median"}, "fresh_state"),
        ((model, sgd, method), {"seed": -1}, "seed"),
        ((model, sgd, method), {"process_group": "world"}, "process_group"),
        ((model, sgd, method), {"init": "he"}, "init"),
        ((model, torch.optim.SGD(torch.nn.Linear(2, 2).parameters()), method), {}, "optimizer must train"),
        ((torch.nn.ModuleList(model), sgd, ts.CHTs(every_updates=1, until=9)), {}, "layers="),
    ]:
        with pytest.raises(InputError, match=words):
            ts.torch.Evolver(*arguments, **options)
        assert not sgd._optimizer_step_post_hooks
    other = torch.nn.Sequential(network(torch.float32)[0], network(torch.float32, (30, 5))[0])
    with pytest.raises(InputError, match="follow one another"):
        ts.torch.Evolver(other, torch.optim.SGD(other.parameters()), ts.ReDo(every_updates=2))
    ts.torch.Evolver(torch.nn.ModuleList(model), sgd, ts.CHTs(every_updates=1, until=9), layers=["0", "2"])


def test_optimizers_that_keep_more_are_found_at_their_first_step():
    model = network(torch.float32)
    optimizer = Curvature(model.parameters(), lr=0.1)
    evolver = ts.torch.Evolver(model, optimizer, ts.SET(every_updates=5))
    before = topologies(model)
    with pytest.raises(InputError, match=r"'factor' is of shape \(3, 3\)"):
        train(model, optimizer, batches(5, model))
    assert all(torch.equal(*pair) for pair in zip(before, topologies(model), strict=True))
    assert evolver.count == 1


def test_bad_states_and_gradients_out_of_season():
    model = network(torch.float32)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    evolver = ts.torch.Evolver(model, optimizer, ts.RigL(every_updates=5, until=50))
    with pytest.raises(InputError, match="gradients of a step"):
        evolver.evolve()
    for state in (None, {}, {"replaced": 3}, {"replaced": 0, "count": -1}, {"replaced": 0, "count": 1, "other": 2}):
        with pytest.raises(InputError):
            evolver.load_state_dict(state)
    assert evolver.count == 0
