"""Trains on two ranks of gloo and prints whether they end with the same bits. Run as a script."""

import os
import sys
import tempfile
from pathlib import Path

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import trulysparse as ts
from trulysparse.errors import InputError

METHODS = {
    "SET": ts.SET(0.3, every_updates=10),
    "RigL": ts.RigL(0.3, every_updates=10, until=200),
    "MEST": ts.MEST(0.3, every_updates=10, until=200),
    "inner": ts.RigL(0.3, every_updates=10, until=200),  # given the model without its wrapper
    "apart": ts.SET(0.3, every_updates=10),
    "GraNet": ts.GraNet(every_updates=10, until=200),
    "DSR": ts.DSR(every_updates=2, until=200, threshold=0.1),
}


def train(rank: int, name: str, method) -> str:
    seed = rank if name == "apart" else 1
    layers = [ts.torch.SparseLinear(20, 40, density=0.1, seed=seed), ts.torch.SparseLinear(40, 5, density=0.3, seed=2)]
    inner = torch.nn.Sequential(layers[0], torch.nn.GELU(), layers[1])
    model = DistributedDataParallel(inner)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    before = layers[0].connectivity.by_input.index.copy()
    torch.manual_seed(rank)  # each rank has its own part of the batch
    try:
        evolver = ts.torch.Evolver(inner if name == "inner" else model, optimizer, method)
        for _ in range(200):
            optimizer.zero_grad()
            x = torch.randn(16, 20)
            (model(x) - x[:, :5].sin()).square().mean().backward()
            optimizer.step()
    except InputError as error:
        known = ("fixed sizes", "connections of layer 0 of those that evolve must be the same on all ranks")
        return "refused" if any(words in str(error) for words in known) else str(error)
    assert evolver.count == 200
    assert evolver.replaced > 100
    assert (layers[0].connectivity.by_input.index != before).any()
    mine = [value.detach().double().flatten() for value in inner.state_dict().values()]
    for layer in layers:
        mine += [optimizer.state[layer.weight][name].double() for name in ("exp_avg", "exp_avg_sq")]
    flat = torch.cat(mine)
    both = [torch.empty_like(flat) for _ in range(2)]
    distributed.all_gather(both, flat)
    return "equal" if torch.equal(*both) else "different"


def rank_main(rank: int, store: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    results = [(name, train(rank, name, method)) for name, method in METHODS.items()]
    if rank == 0:
        for name, result in results:
            print(name, result)
    distributed.barrier()
    sys.stdout.flush()
    os._exit(0)  # gloo's threads now and then abort a process that ends in the usual way


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(rank_main, (str(Path(folder) / "store"),), nprocs=2)
    sys.exit(0)
