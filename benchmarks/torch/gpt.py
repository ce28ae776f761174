"""A small GPT, character by character, with sparse projections: against the same training by masks, and against dense.

    python benchmarks/torch/gpt.py [--threads 2] [--steps 300] [--seeds 1]

4 layers, 256 wide, 4 heads, context 128, 16 texts a step; the text is Python's own documentation of its statements
(pydoc_data.topics), the last tenth of it held out. Projections of attention and of the MLP are at density 0.1, the rest
is dense; AdamW, rate 1e-3. "masked" is a dense layer times a mask, with the same connections and weights at the start
and the same schedule of evolution: every 25 steps, 0.3 of the connections at first (RigL's share falls to 0).

Training by masks chooses SET's new connections by other random numbers; RigL's are those of the dense gradient.
Contenders are trained one step each in turns, so their times are of the same minutes. Memory is the peak of three steps
in a process of its own, beyond what it takes with everything imported.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np
import torch
from _contenders import peak, peak_alone, print_peak
from _run import keep, options
from torch import nn

import trulysparse as ts
from trulysparse.bench.report import table

LAYERS, WIDTH, HEADS, CONTEXT, BATCH, DENSITY, EVERY = 4, 256, 4, 128, 16, 0.1, 25
NAMES = ("dense", "masked SET", "trulysparse SET", "masked RigL", "trulysparse RigL")


class Block(nn.Module):
    """Attention and an MLP, normalised before."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm1(x)
        q, k, v = (each(y).unflatten(2, (HEADS, -1)).transpose(1, 2) for each in (self.q, self.k, self.v))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Characters to scores of the next one."""

    def __init__(self, characters: int) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(characters, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm, self.lm_head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, characters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.token(x) + self.place.weight[: x.shape[1]]
        return self.lm_head(self.norm(self.blocks(x)))


class Masked(nn.Linear):
    """A dense layer times a mask, with the dense gradient at hand."""

    mask: torch.Tensor
    product: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.product = self.weight * self.mask
        if self.product.requires_grad:
            self.product.retain_grad()
        return nn.functional.linear(x, self.product, self.bias)


def method_of(name: str, steps: int) -> Any:
    """The evolution of a contender, or None."""
    if name.endswith("SET"):
        return ts.SET(0.3, every_updates=EVERY, until=steps - EVERY)
    return ts.RigL(0.3, every_updates=EVERY, until=steps - EVERY) if name.endswith("RigL") else None


@torch.no_grad()
def evolve_masks(model: nn.Module, optimizer: torch.optim.Optimizer, method: Any, step: int) -> None:
    """What the method does, on masks."""
    fraction = method.schedule.fraction_at(step / method.schedule.until, method.schedule.until)
    for layer in (each for each in model.modules() if isinstance(each, Masked)):
        mask, weight = layer.mask.clone(), layer.weight
        groups = [mask & (weight >= 0), mask & (weight < 0)] if isinstance(method, ts.SET) else [mask]
        removed = 0
        for group in groups:
            count = int(fraction * group.sum())
            size = torch.where(group, weight.abs(), torch.inf).flatten()
            mask.view(-1)[size.topk(count, largest=False).indices] = False
            removed += count
        score = torch.rand_like(weight) if isinstance(method, ts.SET) else layer.product.grad.abs()
        score = torch.where(mask, -1.0, score).flatten()
        mask.view(-1)[score.topk(removed).indices] = True
        new = mask & ~layer.mask
        layer.mask.copy_(mask)
        weight.mul_(mask & ~new)
        for value in optimizer.state[weight].values():
            if value.shape == weight.shape:
                value.mul_(mask & ~new)


class Training:
    """A contender and its steps."""

    def __init__(self, name: str, text: torch.Tensor, characters: int, seed: int, steps: int) -> None:
        torch.manual_seed(seed)
        self.name, self.text, self.model = name, text, GPT(characters)
        self.generator = torch.Generator().manual_seed(seed)
        self.method, self.steps, self.seconds = method_of(name, steps), 0, 0.0
        if name != "dense":
            rules = {
                "blocks.*.[qkvo]": ts.torch.Rule(DENSITY, "random"),
                "blocks.*.mlp.*": ts.torch.Rule(DENSITY, "random"),
            }
            ts.torch.sparsify(self.model, rules, seed=seed, measure=False)
        for name_of_layer, layer in list(self.model.named_modules()):
            if name.startswith("masked") and isinstance(layer, ts.torch.SparseLinear):
                parent, _, own = name_of_layer.rpartition(".")
                setattr(self.model.get_submodule(parent), own, masked(layer))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), 1e-3, weight_decay=0.0)
        if name.startswith("trulysparse"):
            self.evolver = ts.torch.Evolver(self.model, self.optimizer, self.method, seed=seed)

    def step(self) -> float:
        """One step; the loss before it."""
        starts = torch.randint(len(self.text) - CONTEXT - 1, (BATCH,), generator=self.generator)
        window = torch.stack([self.text[start : start + CONTEXT + 1] for start in starts])
        began = time.perf_counter()
        loss = nn.functional.cross_entropy(self.model(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        if self.name.startswith("masked") and self.method.due(self.steps, None, None):
            evolve_masks(self.model, self.optimizer, self.method, self.steps)
        self.seconds += time.perf_counter() - began
        return float(loss.detach())

    @torch.no_grad()
    def held_out(self, text: torch.Tensor) -> float:
        """The mean loss on the held-out text."""
        windows = text[: len(text) // (CONTEXT + 1) * (CONTEXT + 1)].view(-1, CONTEXT + 1)[:256]
        return float(nn.functional.cross_entropy(self.model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten()))


def masked(sparse: ts.torch.SparseLinear) -> Masked:
    """The same layer by a mask."""
    layer = Masked(sparse.in_features, sparse.out_features)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(sparse.to_csr().toarray()))
        layer.bias.copy_(sparse.bias)
    layer.register_buffer("mask", torch.from_numpy(sparse.connectivity.pattern().toarray() != 0))
    return layer


def texts() -> tuple[torch.Tensor, torch.Tensor, int]:
    """Training and held-out text as numbers, and how many characters there are."""
    topics = importlib.import_module("pydoc_data.topics").topics
    whole = "\n".join(topics[name] for name in sorted(topics))
    known = sorted(set(whole))
    number = {character: index for index, character in enumerate(known)}
    data = torch.tensor([number[character] for character in whole])
    return data[: len(data) * 9 // 10], data[len(data) * 9 // 10 :], len(known)


def alone(name: str, threads: int) -> None:
    """Prints the memory that three steps take."""
    torch.set_num_threads(threads)
    text, _, characters = texts()
    before = peak()
    training = Training(name, text, characters, 0, 300)
    for _ in range(3):
        training.step()
    print_peak(before)


def main() -> None:
    """Trains all contenders in turns."""
    if "--alone" in sys.argv:
        *name, threads = sys.argv[sys.argv.index("--alone") + 1 :]
        return alone(" ".join(name), int(threads))
    given = options(__doc__, steps=300, seeds=1)
    torch.set_num_threads(given.threads)
    text, unseen, characters = texts()
    found: dict[str, list[list[float]]] = {name: [] for name in NAMES}
    for seed in range(given.seeds):
        trainings = [Training(name, text, characters, seed, given.steps) for name in NAMES]
        losses: dict[str, list[float]] = {name: [] for name in NAMES}
        for step in range(given.steps):
            for training in trainings:
                losses[training.name].append(training.step())
            if step % 50 == 49:
                print(seed, step + 1, {name: round(values[-1], 3) for name, values in losses.items()}, flush=True)
        for each in trainings:
            ms = each.seconds / given.steps * 1e3
            found[each.name].append([float(np.mean(losses[each.name][-20:])), each.held_out(unseen), ms])
    rows = []
    for name, values in found.items():
        loss, held_out, ms = np.mean(values, axis=0)
        spread = float(np.std([each[1] for each in values]))
        rows.append(
            [name, round(loss, 4), round(held_out, 4), round(spread, 4), round(ms, 1), peak_alone(name, given.threads)]
        )
    title = f"GPT of {LAYERS} layers, {WIDTH} wide, {given.steps} steps, {given.seeds} seeds, {given.threads} threads"
    table(title, ["", "loss of the last 20 steps", "held out", "deviation", "ms a step", "peak memory"], rows)
    columns = ["name", "loss", "held_out", "deviation", "ms", "peak"]
    results = {"steps": given.steps, "seeds": given.seeds, "columns": columns, "rows": rows, "each": found}
    keep("torch_gpt", given.threads, results)


if __name__ == "__main__":
    main()
