"""A table as users have them, for tests of estimators."""

from __future__ import annotations

import numpy as np
import pytest


def mixed_table(n: int, seed: int = 0):
    """(DataFrame with numbers, gaps, texts, categories and booleans, class as text): the class follows from age and
    city."""
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n)
    city = rng.choice(["Paris", "Rome", "Oslo"], n)
    y = np.where((age > 50) ^ (city == "Rome"), "yes", "no")
    frame = pd.DataFrame(
        {
            "age": pd.array(age, dtype="Int64"),
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.normal(3000, 500, n)),
            "member": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "city": pd.Categorical(city),
            "note": rng.choice(["a", "b"], n),
        }
    )
    frame.loc[3, "member"] = pd.NA
    return frame, y


SETTINGS = dict(hidden_layer_sizes=(32,), epochs=60, batch_size=16, learning_rate=0.01, random_state=0, n_jobs=1)
