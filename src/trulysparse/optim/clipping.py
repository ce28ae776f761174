"""Placeholder until merged."""

from __future__ import annotations

import numpy as np


def global_norm(gradients, threads):
    return float(np.sqrt(sum(float(np.square(a, dtype=np.float64).sum()) for g in gradients for a in g)))


def clip_factor(norm, max_norm):
    return min(1.0, max_norm / norm) if norm else 1.0
