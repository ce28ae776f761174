"""The overlap of removed and regrown connections against sets of coordinates."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from analysis.networks import network
from trulysparse import analysis
from trulysparse.evolution import grow, prune


def samples():
    random = np.random.default_rng(0)
    return random.standard_normal((64, 8)), random.integers(0, 3, 64)


def places(rows):
    ptr, index = rows
    return set(zip(np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)).tolist(), index.tolist(), strict=True))


class Noting:
    """A growth rule that notes the coordinates that are removed and chosen."""

    def __init__(self):
        self.counts = []

    def __call__(self, view):
        chosen = grow.uniform(view)
        rows = view.layer.connectivity.by_input
        kept = places((rows.ptr, rows.index))
        removed = {place for place, keep in zip(sorted(kept), view.keep_mask, strict=True) if not keep}
        self.counts.append((len(removed), len(removed & places(chosen))))
        return chosen


@pytest.mark.parametrize("fresh", ["init", "zero"])
def test_overlap_equals_sets_of_coordinates(fresh):
    rule = Noting()
    method = ts.Evolution(prune.magnitude, rule, ts.Schedule(0.5, every_updates=3), fresh=fresh)
    trainer = ts.Trainer(network(3.0), evolution=method, batch_size=8)  # 8 updates an epoch
    history = trainer.fit(*samples(), epochs=6, callbacks=[analysis.Overlap()])
    totals = [record["overlap"] for record in history.records]
    assert len(rule.counts) % 2 == 0
    removed, regrown = map(sum, zip(*rule.counts, strict=True))
    assert 0 < regrown < removed
    per_evolution = [tuple(map(sum, zip(*rule.counts[i : i + 2], strict=True))) for i in range(0, len(rule.counts), 2)]
    evolutions = iter(per_evolution)
    for epoch, total in enumerate(totals):
        n = sum(1 for update in range(8 * epoch, 8 * epoch + 8) if update and update % 3 == 0)
        found = [next(evolutions) for _ in range(n)]
        assert total == pytest.approx(sum(b for _, b in found) / sum(a for a, _ in found))


def test_overlap_is_none_where_nothing_evolves():
    for evolution in (None, ts.Static()):
        trainer = ts.Trainer(network(3.0), evolution=evolution, batch_size=16)
        assert trainer.fit(*samples(), epochs=2, callbacks=[analysis.Overlap()])["overlap"] == [None, None]


def test_overlap_goes_on_after_a_break(tmp_path):
    options = {"evolution": ts.SET(0.5, every_updates=3), "batch_size": 8}
    whole = ts.Trainer(network(3.0), **options).fit(*samples(), epochs=4, callbacks=[analysis.Overlap()])

    class Break(ts.Callback):
        def on_step_end(self, trainer, loss):
            if trainer.step_count == 21:
                raise KeyboardInterrupt

    keeper = ts.Checkpointer(tmp_path, every=1)
    with pytest.raises(KeyboardInterrupt):
        ts.Trainer(network(3.0), **options).fit(*samples(), epochs=4, callbacks=[analysis.Overlap(), keeper, Break()])
    later = ts.Trainer(network(3.0), **options).fit(
        *samples(), epochs=4, callbacks=[analysis.Overlap()], resume=tmp_path
    )
    assert later.records[-1]["overlap"] == whole.records[-1]["overlap"]
    assert later.records[-2]["overlap"] == whole.records[-2]["overlap"]


def test_overlap_needs_the_index():
    trainer = ts.Trainer(network(3.0, storage="compact"), evolution=ts.SET(), batch_size=16)
    with pytest.raises(ts.InputError, match="Overlap needs a network with storage='indexed'"):
        trainer.fit(*samples(), epochs=1, callbacks=[analysis.Overlap()])
