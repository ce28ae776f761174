"""What ts_evolve.h does, written with dense matrices and no regard to time or memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MASK = 0xFFFFFFFF
FOR_EVOLUTION, FOR_DRAWING, FOR_WEIGHTS = 3, 4, 5  # of ts_random.h
SET, MAGNITUDE, FRESH_INIT, OUTPUT_LAYER = 0, 1, 2, 4  # of ts_evolve.h


def mix(x: int) -> int:
    """ts_mix."""
    x ^= x >> 16
    x = x * 0x7FEB352D & MASK
    x ^= x >> 15
    x = x * 0x846CA68B & MASK
    return x ^ x >> 16


def key(seed: int, purpose: int, step: int, layer: int) -> int:
    """ts_key."""
    made = mix(seed + 0x9E3779B9 * purpose & MASK)
    made = mix(made + 0x9E3779B9 * (step + 1) & MASK)
    return mix(made + 0x9E3779B9 * (layer + 1) & MASK)


def number(stream: int, position: int) -> int:
    """ts_hash."""
    x = position * 0x9E3779B9 + stream & MASK
    x ^= x >> 16
    x = x * 0x7FEB352D & MASK
    x ^= x >> 15 ^ stream
    x = x * 0x846CA68B & MASK
    return x ^ x >> 16


def uniform(stream: int, position: int) -> np.float32:
    """ts_uniform."""
    return np.float32((number(stream, position) >> 9) + 0.5) / np.float32(2**23)


class Numbers:
    """A stream that is read from its beginning, numbers below a bound without bias."""

    def __init__(self, stream: int) -> None:
        self.stream, self.position = stream, 0

    def below(self, bound: int) -> int:
        """The stream's next number that is not rejected."""
        while True:
            product = number(self.stream, self.position) * bound
            self.position += 1
            if (product & MASK) >= (2**32 - bound) % bound:
                return product >> 32


def draw_places(n: int, bound: int, stream: int) -> list[int]:
    """n different numbers below bound."""
    numbers = Numbers(stream)
    if bound // 6 < n:
        found: list[int] = []
        for value in range(bound):
            if len(found) < n and numbers.below(bound - value) < n - len(found):
                found.append(value)
        return found
    chosen: set[int] = set()
    while len(chosen) < n:
        chosen.add(numbers.below(bound))
    return sorted(chosen)


def he_limit(n_in: int) -> np.float32:
    """ts_root(6 / n_in): Newton's steps in float32."""
    x = np.float32(6) / np.float32(n_in)
    root = ((x.view(np.uint32) >> np.uint32(1)) + np.uint32(0x1FBD1DF5)).view(np.float32)
    for _ in range(4):
        root = np.float32(0.5) * (root + x / root)
    return root


@dataclass
class Layer:
    """Dense (n_in, n_out) arrays: where connections are, their weights, momentum and weights of the target network."""

    there: np.ndarray
    weight: np.ndarray
    velocity: np.ndarray
    target: np.ndarray

    def grow(self, n: int, limit: np.float32, place_key: int, weight_key: int) -> None:
        """Adds n connections anywhere."""
        empty = np.flatnonzero(~self.there)
        for j, place in enumerate(empty[draw_places(n, len(empty), place_key)]):
            at = np.unravel_index(place, self.there.shape)
            fresh = np.float32(0)
            if limit > 0:
                fresh = limit * (np.float32(2) * uniform(weight_key, j) - np.float32(1))
            self.there[at], self.weight[at], self.velocity[at], self.target[at] = True, fresh, 0, fresh

    def evolve(self, zeta: float, how: int, place_key: int, weight_key: int) -> int:
        """ts_layer_evolve."""
        flat = np.flatnonzero(self.there)
        weights = self.weight.ravel()[flat]
        classes = [np.arange(len(flat))]
        if not how & MAGNITUDE:
            negative = np.signbit(weights)
            classes = [np.flatnonzero(~negative), np.flatnonzero(negative)]
        removed: list[int] = []
        for each in classes:
            n = min(len(each), int(np.float32(zeta) * np.float32(len(each))))
            removed += each[np.argsort(np.abs(weights[each]), kind="stable")[:n]].tolist()
        limit = he_limit(len(self.there)) if how & FRESH_INIT else np.float32(0)
        if not removed or (not limit and self.there.all()):
            return 0
        self.there.ravel()[flat[removed]] = False
        for array in (self.weight, self.velocity, self.target):
            array[~self.there] = 0
        self.grow(len(removed), limit, place_key, weight_key)
        return len(removed)
