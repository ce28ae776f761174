"""The same training by masks: torch.nn.Linear layers whose missing weights, and their gradients, are set to zero, and
evolutions in plain NumPy on dense matrices. Imported by tests that have PyTorch."""

from __future__ import annotations

import math

import numpy as np
import torch


def mask_of(layer) -> torch.Tensor:
    """(n_out, n_in) of a SparseLinear, True where there is a connection."""
    return torch.from_numpy(layer.connectivity.pattern().toarray() != 0)


class MaskedNetwork:
    """Dense layers of the weights of a Sequential of SparseLinear layers, tanh between them.

    Args:
        sparse: the model.
        make_optimizer: of parameters.
        neutral: what optimizer state starts with, by name; others at 0.
    """

    def __init__(self, sparse, make_optimizer, neutral) -> None:
        self.sparse = [each for each in sparse if hasattr(each, "connectivity")]
        self.masks = [mask_of(layer) for layer in self.sparse]
        self.linears = [
            torch.nn.Linear(each.in_features, each.out_features, dtype=each.weight.dtype) for each in self.sparse
        ]
        with torch.no_grad():
            for layer, linear in zip(self.sparse, self.linears, strict=True):
                linear.weight.copy_(torch.from_numpy(layer.to_csr().toarray()))
                linear.bias.copy_(layer.bias)
        self.optimizer = make_optimizer([each for linear in self.linears for each in linear.parameters()])
        self.neutral = neutral

    def __call__(self, x):
        for linear in self.linears[:-1]:
            x = torch.tanh(linear(x))
        return self.linears[-1](x)

    @torch.no_grad()
    def step(self) -> list[np.ndarray]:
        """Masks gradients, steps, and masks weights. Returns the dense gradients."""
        dense = [linear.weight.grad.clone().numpy() for linear in self.linears]
        for linear, mask in zip(self.linears, self.masks, strict=True):
            linear.weight.grad *= mask
        self.optimizer.step()
        for linear, mask in zip(self.linears, self.masks, strict=True):
            linear.weight *= mask
        return dense

    @torch.no_grad()
    def change(self, number: int, mask: np.ndarray) -> None:
        """New connections start at 0 and with neutral optimizer state."""
        mask, linear = torch.from_numpy(mask), self.linears[number]
        new = mask & ~self.masks[number]
        self.masks[number] = mask
        linear.weight *= mask & ~new
        for name, value in self.optimizer.state[linear.weight].items():
            if torch.is_tensor(value) and value.shape == linear.weight.shape:
                value[new] = self.neutral.get(name, 0.0)

    def rigl(self, gradients, zeta: float, step: int, until: int) -> None:
        """Removes the smallest weights and grows where gradients are largest."""
        fraction = zeta * 0.5 * (1 + math.cos(math.pi * step / until))
        for number, gradient in enumerate(gradients):
            mask, weight = self.masks[number].numpy().copy(), self.linears[number].weight.detach().numpy()
            count = int(fraction * mask.sum())
            size = np.where(mask, np.abs(weight), np.inf).ravel()
            mask.ravel()[np.argsort(size)[:count]] = False
            score = np.where(mask, -1, np.abs(gradient)).ravel()
            mask.ravel()[np.argsort(-score)[:count]] = True
            self.change(number, mask)

    def set(self, zeta: float) -> None:
        """Removes the positive and the negative weights closest to zero, and follows the sparse model's random
        growth."""
        for number, layer in enumerate(self.sparse):
            mask = self.masks[number].numpy().T.copy()  # rows by input, as the connections: of equal weights the first
            weight = self.linears[number].weight.detach().numpy().T
            before = int(mask.sum())
            for these in (mask & (weight >= 0), mask & (weight < 0)):
                size = np.where(these, np.abs(weight), np.inf).ravel()
                mask.ravel()[np.argsort(size, kind="stable")[: int(zeta * these.sum())]] = False
            mask = mask.T
            grown = mask_of(layer).numpy()
            assert not (mask & ~grown).any()  # all that should remain does
            assert grown.sum() == before
            # What the library removed and grew in the same place keeps weight and state, as `fresh="zero"` says.
            self.change(number, grown)

    def along(self, number: int, matrix: torch.Tensor) -> torch.Tensor:
        """Values (n_out, n_in) along the connections."""
        return matrix.t()[self.masks[number].t()]

    def check(self, optimizer) -> None:
        """Weights, biases and optimizer state are equal."""
        for number, (layer, linear) in enumerate(zip(self.sparse, self.linears, strict=True)):
            assert torch.equal(mask_of(layer), self.masks[number])
            torch.testing.assert_close(layer.weight.detach(), self.along(number, linear.weight.detach()), **CLOSE)
            torch.testing.assert_close(layer.bias.detach(), linear.bias.detach(), **CLOSE)
            theirs = self.optimizer.state[linear.weight]
            for name, value in optimizer.state[layer.weight].items():
                if torch.is_tensor(value) and value.shape == layer.weight.shape:
                    torch.testing.assert_close(value, self.along(number, theirs[name]), **CLOSE)


CLOSE = {"rtol": 1e-9, "atol": 1e-12}
