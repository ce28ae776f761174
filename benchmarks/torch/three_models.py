"""sparsify on models that PyTorch ships, or that are written here: the report, and ten steps of training.

    python benchmarks/torch/three_models.py

A torch.nn.TransformerEncoder, an MLP-Mixer, and an LSTM, which is refused in words.
"""

from __future__ import annotations

import torch
from torch import nn

import trulysparse as ts
from trulysparse.errors import InputError


class MixerBlock(nn.Module):
    """Tolstikhin et al., "MLP-Mixer" (2021): an MLP over patches, then one over channels."""

    def __init__(self, patches: int, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.patches = nn.Sequential(nn.Linear(patches, 2 * patches), nn.GELU(), nn.Linear(2 * patches, patches))
        self.channels = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.patches(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    """Blocks between an embedding of patches and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(48, 128)
        self.blocks = nn.Sequential(*(MixerBlock(64, 128) for _ in range(4)))
        self.head = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(self.embedding(x)).mean(1))


def train(model: nn.Module, x: torch.Tensor) -> list[float]:
    """Losses of ten steps towards outputs of 1, with an evolution after each second one."""
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    ts.torch.Evolver(model, optimizer, ts.SET(0.3, every_updates=2))
    losses = []
    for _ in range(10):
        loss = (model(x) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def main() -> None:
    """Prints reports and losses."""
    torch.manual_seed(0)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True), 2)
    for name, model, x in (
        ("torch.nn.TransformerEncoder", encoder, torch.randn(8, 64, 256)),
        ("MLP-Mixer", Mixer(), torch.randn(32, 64, 48)),
    ):
        print(f"== {name}", ts.torch.sparsify(model, 0.1), sep="\n")
        losses = train(model, x)
        print(f"loss of ten steps: {losses[0]:.4f} to {losses[-1]:.4f}\n")
        assert losses[-1] < losses[0]
    try:
        ts.torch.sparsify(nn.LSTM(64, 128), 0.1)
    except InputError as error:
        print(f"== torch.nn.LSTM\n{error}")


if __name__ == "__main__":
    main()
