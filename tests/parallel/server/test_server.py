"""The server and what happens to it: workers that leave, come back or answer twice; going on from a kept state."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.io import checkpoints as checkpoint
from trulysparse.parallel.gradient import Gradient
from trulysparse.parallel.server.locks import writing
from trulysparse.parallel.server.scheduler import BatchScheduler
from trulysparse.parallel.server.server import Server


def server_for(plan, batches, epochs=2, keep=None, evolution=None, trainer=None):
    if trainer is None:
        net = ts.SparseMLP((6, 10, 8, 3), epsilon=2, seed=0, dtype="float64")
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, 0.9), evolution=evolution)
        trainer.epochs = epochs
    records = []
    server = Server(trainer, plan, batches, (0, epochs), epochs, records.append, lambda grown: None, keep)
    return server, records


def answer(given, value=1.0):
    """The gradient of a batch_id: all values the same."""
    batch_id, model = given
    weights = [np.full(layer.n_connections, value) for layer in model.layers]
    return Gradient(
        batch_id, model.version, model.n_updates, weights, [np.zeros(x.n_out) for x in model.layers], 1.0, 4, 4.0
    )


def test_who_leaves_is_made_up_for_and_comes_too_late():
    server, records = server_for(ts.WASAP(3), [3, 2, 2])
    for worker in range(3):
        server.join(worker)
    hands = {worker: server.pull(worker) for worker in range(3)}
    server.leave(1)
    assert not server.push(1, answer(hands[1]))  # it is no longer counted on
    done = [hands[0][0], hands[2][0]]
    server.push(0, answer(hands[0]))
    server.push(2, answer(hands[2]))
    while (given := server.pull(0)) is not None:
        done.append(given[0])
        assert server.push(0, answer(given))
        assert not server.push(0, answer(given))  # the same batch again
    assert server.pull(2) is None
    assert server.n_updates == len(done) == len(set(done)) == 14
    assert [record["samples"] for record in records] == [28, 28]
    for shard in range(3):
        own = [(batch_id.epoch, batch_id.batch) for batch_id in done if batch_id.shard == shard]
        assert own == [(epoch, batch) for epoch in (0, 1) for batch in range((3, 2, 2)[shard])]


def test_the_last_batch_of_one_who_dies_is_done_by_one_who_waits():
    server, records = server_for(ts.WASAP(2), [1, 1], epochs=1)
    server.join(0)
    server.join(1)
    first, lost = server.pull(0), server.pull(1)
    server.push(0, answer(first))
    found = []

    def wait():
        found.append(server.pull(0))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()  # nothing to do, but not over
    server.leave(1)
    thread.join(5)
    assert found[0][0] == lost[0]
    server.push(0, answer(found[0]))
    assert server.pull(0) is None
    assert len(records) == 1


@pytest.mark.parametrize("plan", [ts.WASAP(2), ts.WASSP(2)])
def test_one_who_is_started_anew_gets_its_batch_again(plan):
    server, _ = server_for(plan, [2, 2])
    server.join(0)
    server.join(1)
    first = server.pull(0, incarnation=1)
    again = server.pull(0, incarnation=2)
    assert first[0] == again[0]
    assert server.push(0, answer(again))


def test_what_a_former_self_waits_for_is_off():
    server, _ = server_for(ts.WASSP(2), [2, 2])
    server.join(0)
    server.join(1)
    server.push(0, answer(server.pull(0, incarnation=1)))
    ghosts = []
    ghost = threading.Thread(target=lambda: ghosts.append(server.pull(0, incarnation=1)))
    ghost.start()
    ghost.join(0.05)
    found = []
    alive = threading.Thread(target=lambda: found.append(server.pull(0, incarnation=2)))
    alive.start()
    ghost.join(5)
    assert ghosts == [None]
    server.push(1, answer(server.pull(1)))
    alive.join(5)
    assert found[0][0].batch == 1


@pytest.mark.parametrize("plan", [ts.WASAP(2, shards=3), ts.WASSP(2, shards=3)])
def test_going_on_from_a_kept_state(plan, tmp_path):
    """After each epoch: the same weights at the end as without the break."""
    states = []

    def save(state):
        path = tmp_path / f"{len(states)}"
        checkpoint.write(path, unbroken.trainer, state)
        states.append(path)

    def run(server, worker=0):
        while (given := server.pull(worker)) is not None:
            server.push(worker, answer(given, 0.01 * (1 + given[0].shard + given[0].batch)))

    unbroken, records = server_for(plan, [3, 2, 2], 4, save, ts.SET(0.3))
    unbroken.join(0)
    run(unbroken)
    assert len(states) == len(records) == 4
    for path in states[:-1]:
        net = ts.SparseMLP((6, 10, 8, 3), epsilon=2, seed=5, dtype="float64")
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, 0.9), evolution=ts.SET(0.3))
        trainer.epochs = 4
        state = checkpoint.read(path, trainer)
        server, _ = server_for(plan, [3, 2, 2], 4, trainer=trainer)
        server.resume(state)
        server.join(0)
        run(server)
        for a, b in zip(trainer.net.layers, unbroken.trainer.net.layers, strict=True):
            np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)
            np.testing.assert_array_equal(a.values, b.values)


def test_what_was_counted_before_the_state_was_kept_is_not_forgotten():
    """An epoch's end is kept when others have gone on: their updates are part of the next epoch's record."""
    server, _ = server_for(ts.WASAP(1), [3, 2], 1)
    server.join(0)
    for _ in range(2):
        server.push(0, answer(server.pull(0)))
    state = json.loads(json.dumps(server.state()))
    other, records = server_for(ts.WASAP(1), [3, 2], 1, trainer=server.trainer)
    other.resume(state)
    other.join(0)
    while (given := other.pull(0)) is not None:
        other.push(0, answer(given))
    (record,) = records
    assert record["samples"] == 5 * 4
    assert record["loss"] == 1.0
    assert record["staleness"] == 0
    assert record["seconds"] >= state["statistics"]["seconds"] > 0


def test_a_gradient_on_its_way_is_not_kept_as_done():
    scheduler = BatchScheduler([2, 2], 0, 1, synchronous=False)
    scheduler.join(0)
    scheduler.join(1)
    a, b = scheduler.next_batch(0, 0), scheduler.next_batch(1, 0)
    scheduler.accept(0, a)
    scheduler.accept(1, b)
    scheduler.applied(a)
    assert scheduler.positions == [1, 1]
    assert scheduler.applied_positions() == [1, 0]


def test_an_unknown_version_is_refused():
    server, _ = server_for(ts.WASAP(1), [2])
    server.join(0)
    given = server.pull(0)
    gradient = answer(given)
    for version in (-1, 7):
        gradient.version = version
        assert not server.push(0, gradient)
    assert server.push(0, answer(server.pull(0)))


@pytest.mark.parametrize("speeds", [(1, 1), (1, 5), (3, 1, 1), (1, 0, 2)])
def test_fast_workers_help_slow_ones(speeds):
    """All passes over all shards are made, in order, and no shard is two passes behind another."""
    scheduler = BatchScheduler([4, 5, 3], 0, 3, synchronous=False)
    for worker in range(len(speeds)):
        scheduler.join(worker)
    done = {shard: [] for shard in range(3)}
    while True:
        given = False
        for worker, speed in enumerate(speeds):
            for _ in range(speed):
                batch_id = scheduler.next_batch(worker, 0)
                if batch_id is not None:
                    given = True
                    done[batch_id.shard].append((batch_id.epoch, batch_id.batch))
                    scheduler.accept(worker, batch_id)
                    scheduler.applied(batch_id)
                    passes = [len(done[shard]) // n for shard, n in enumerate((4, 5, 3))]
                    assert max(passes) - min(passes) <= 2
        if not given:
            break
    for shard, n in enumerate((4, 5, 3)):
        assert done[shard] == [(epoch, batch) for epoch in range(3) for batch in range(n)]


@pytest.mark.parametrize("plan", [ts.WASAP(2), ts.WASSP(2)])
def test_topology_that_evolves_while_its_gradient_is_applied_is_kept(plan):
    """Between a gradient's acceptance and its update, its worker leaves and the topology evolves twice: the update
    changes the connections that the gradient was computed on and that still exist, and no others."""
    server, _ = server_for(plan, [4, 4], evolution=ts.SET(0.3), epochs=4)
    trainer = server.trainer
    trainer.optimizer = ts.SGD(0.1, 0)
    server._updater._scaled_optimizer = trainer.optimizer
    server.join(0)
    server.join(1)
    if plan.synchronous:
        server.push(0, answer(server.pull(0)))
    given = server.pull(1)
    old = [{*zip(*layer.weight.nonzero(), strict=True)} for layer in trainer.net.layers]
    apply, before = server._apply, []

    def interrupted(gradients):
        server.leave(1)
        server.leave(0)
        for _ in range(2):
            with writing(server._topology):
                trainer.evolve()
                server._publish()
        before.extend(layer.weight.tocoo() for layer in trainer.net.layers)
        return apply(gradients)

    server._apply = interrupted
    assert server.push(1, answer(given))
    for number, (layer, weight) in enumerate(zip(trainer.net.layers, before, strict=True)):
        after = layer.weight.toarray()
        changed = {(i, j) for i, j, v in zip(*weight.coords, weight.data, strict=True) if after[i, j] != v}
        assert changed == old[number] & {*zip(*weight.coords, strict=True)}
    with writing(server._topology):
        trainer.evolve()
        server._publish()
    assert len(server._history) == 1  # nobody needs the old ones any more


def test_gradient_of_unknown_neurons_is_dropped():
    """A callback that prunes without a word: nobody knows which neurons went, so nothing of the gradient is applied."""
    server, _ = server_for(ts.WASAP(1), [4])
    trainer = server.trainer
    server.join(0)
    given = server.pull(0)
    with writing(server._topology):
        ts.prune_neurons(trainer.net, 30)
        server._publish()
    before = [layer.values.copy() for layer in trainer.net.layers]
    assert server.push(0, answer(given))
    for layer, values in zip(trainer.net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


def test_second_fit_goes_on_with_adams_clock():
    """Bias correction is of the state's age, which a second call of fit does not make young again."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 6)), rng.integers(0, 3, 40)
    nets = []
    for parallel in (None, ts.WASAP(1, phase2_epochs=0)):
        net = ts.SparseMLP((6, 10, 3), epsilon=3, seed=0, dtype="float64")
        trainer = ts.Trainer(net, optimizer=ts.Adam(0.01), batch_size=40, parallel=parallel)
        for _ in range(3):
            trainer.fit(X, y, epochs=4)
        nets.append(net)
    for a, b in zip(*(net.layers for net in nets), strict=True):
        np.testing.assert_allclose(a.values, b.values, rtol=1e-9, atol=1e-12)
