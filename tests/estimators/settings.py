"""Arguments that the tests of partial_fit share."""

from __future__ import annotations

SETTINGS = dict(epsilon=10, learning_rate=0.01, batch_size=16, random_state=0, n_jobs=1)
