"""The server: workers that leave, are restarted or answer twice; resuming from a saved state."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext

import numpy as np
import pytest

import trulysparse as ts
from parallel_helpers import (
    coordinates,
    gradient_for,
    make_server,
)
from trulysparse.io import checkpoints
from trulysparse.parallel.server.locks import writing


def test_batches_of_a_worker_that_left_are_done_once_by_others():
    server, records = make_server(ts.WASAP(3), [3, 2, 2])
    for worker in range(3):
        server.join(worker)
    given = {worker: server.pull(worker) for worker in range(3)}
    server.leave(1)
    assert not server.push(1, gradient_for(given[1]))  # its batch is others' now
    done = [given[0][0], given[2][0]]
    server.push(0, gradient_for(given[0]))
    server.push(2, gradient_for(given[2]))
    while (pulled := server.pull(0)) is not None:
        done.append(pulled[0])
        assert server.push(0, gradient_for(pulled))
        assert not server.push(0, gradient_for(pulled))  # the same batch again
    assert server.pull(2) is None
    assert server.n_updates == len(done) == len(set(done)) == 14
    assert [record["samples"] for record in records] == [28, 28]
    for shard in range(3):
        own = [(batch_id.epoch, batch_id.batch) for batch_id in done if batch_id.shard == shard]
        assert own == [(epoch, batch) for epoch in (0, 1) for batch in range((3, 2, 2)[shard])]


def test_last_batch_of_a_dead_worker_is_done_by_one_that_waits():
    server, records = make_server(ts.WASAP(2), [1, 1], epochs=1)
    server.join(0)
    server.join(1)
    first, lost = server.pull(0), server.pull(1)
    server.push(0, gradient_for(first))
    results = []

    def wait():
        results.append(server.pull(0))

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()  # nothing to do, but not over
    server.leave(1)
    thread.join(5)
    assert results[0][0] == lost[0]
    server.push(0, gradient_for(results[0]))
    assert server.pull(0) is None
    assert len(records) == 1


@pytest.mark.parametrize("config", [ts.WASAP(2), ts.WASSP(2)])
def test_restarted_worker_gets_its_batch_again(config):
    server, _ = make_server(config, [2, 2])
    server.join(0)
    server.join(1)
    first = server.pull(0, incarnation=1)
    again = server.pull(0, incarnation=2)
    assert first[0] == again[0]
    assert server.push(0, gradient_for(again))


def test_call_of_an_earlier_incarnation_returns_none():
    server, _ = make_server(ts.WASSP(2), [2, 2])
    server.join(0)
    server.join(1)
    server.push(0, gradient_for(server.pull(0, incarnation=1)))
    earlier_results = []
    earlier = threading.Thread(target=lambda: earlier_results.append(server.pull(0, incarnation=1)))
    earlier.start()
    earlier.join(0.05)
    results = []
    restarted = threading.Thread(target=lambda: results.append(server.pull(0, incarnation=2)))
    restarted.start()
    earlier.join(5)
    assert earlier_results == [None]
    server.push(1, gradient_for(server.pull(1)))
    restarted.join(5)
    assert results[0][0].batch == 1


def test_late_call_of_an_earlier_incarnation_does_not_end_the_new_one():
    """A worker's process dies while its last push is at work; the call goes on to ask for a batch after the restart."""
    server, _ = make_server(ts.WASSP(2), [2, 2])
    server.join(0)
    server.join(1)
    server.push(0, gradient_for(server.pull(0, incarnation=1)))
    results = []
    restarted = threading.Thread(target=lambda: results.append(server.pull(0, incarnation=2)))
    restarted.start()
    restarted.join(0.05)
    assert server.pull(0, incarnation=1, wait=False) is None
    restarted.join(0.05)
    assert restarted.is_alive()  # waiting for the other shard
    server.push(1, gradient_for(server.pull(1)))
    restarted.join(5)
    assert results[0][0].batch == 1
    assert server.pull(0, incarnation=1) is None
    assert server.push(0, gradient_for(results[0]))


def test_pushes_of_two_processes_of_one_worker_are_both_finished():
    """A worker's process dies while its push is at work, and the restarted one pushes at the same time."""
    server, _ = make_server(ts.WASAP(1, shards=2), [2, 2])
    server.join(0)
    first = server.pull(0, incarnation=1)
    count, pushed = server._count, []

    def count_after_another_push(gradients):
        server._count = count
        pushed.append(server.push(0, gradient_for(server.pull(0, incarnation=2))))
        return count(gradients)

    server._count = count_after_another_push
    assert server.push(0, gradient_for(first))
    assert pushed == [True]
    assert server.n_updates == 2
    assert server._topology.try_acquire()  # nothing is left unfinished, so the topology can evolve


@pytest.mark.parametrize("config", [ts.WASAP(2, shards=3), ts.WASSP(2, shards=3)])
def test_server_resumed_from_any_epoch_gives_the_same_weights(config, tmp_path):
    """Resuming after any epoch gives the same weights at the end as training without interruption."""
    states = []

    def save(state):
        path = tmp_path / f"{len(states)}"
        checkpoints.write(path, unbroken.trainer, state)
        states.append(path)

    def run(server, worker=0):
        while (given := server.pull(worker)) is not None:
            server.push(worker, gradient_for(given, 0.01 * (1 + given[0].shard + given[0].batch)))

    unbroken, records = make_server(config, [3, 2, 2], 4, save, ts.SET(0.3))
    unbroken.join(0)
    run(unbroken)
    assert len(states) == len(records) == 4
    for path in states[:-1]:
        net = ts.SparseMLP((6, 10, 8, 3), epsilon=2, seed=5, dtype="float64")
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.1, 0.9), evolution=ts.SET(0.3))
        trainer.epochs = 4
        state = checkpoints.read(path, trainer)
        server, _ = make_server(config, [3, 2, 2], 4, trainer=trainer)
        server.resume(state)
        server.join(0)
        run(server)
        for a, b in zip(trainer.net.layers, unbroken.trainer.net.layers, strict=True):
            np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)
            np.testing.assert_array_equal(a.values, b.values)


def test_resumed_server_counts_updates_made_before_the_state_was_saved():
    """The state is saved after others may have made updates of the next epoch: these are part of its record."""
    server, _ = make_server(ts.WASAP(1), [3, 2], 1)
    server.join(0)
    for _ in range(2):
        server.push(0, gradient_for(server.pull(0)))
    state = json.loads(json.dumps(server.state()))
    other, records = make_server(ts.WASAP(1), [3, 2], 1, trainer=server.trainer)
    other.resume(state)
    other.join(0)
    while (given := other.pull(0)) is not None:
        other.push(0, gradient_for(given))
    (record,) = records
    assert record["samples"] == 5 * 4
    assert record["loss"] == 1.0
    assert record["staleness"] == 0
    assert record["seconds"] >= state["statistics"]["seconds"] > 0


def test_push_of_an_unknown_version_is_refused():
    server, _ = make_server(ts.WASAP(1), [2])
    server.join(0)
    given = server.pull(0)
    gradient = gradient_for(given)
    for version in (-1, 7):
        gradient.version = version
        assert not server.push(0, gradient)
    assert server.push(0, gradient_for(server.pull(0)))


@pytest.mark.parametrize("config", [ts.WASAP(2), ts.WASSP(2)])
def test_topology_is_kept_while_a_gradient_of_it_is_applied(config):
    """Between a gradient's acceptance and its update, its worker leaves and the topology evolves twice: the update
    changes the connections that the gradient was computed on and that still exist, and no others."""
    server, _ = make_server(config, [4, 4], evolution=ts.SET(0.3), epochs=4)
    trainer = server.trainer
    trainer.optimizer = ts.SGD(0.1, 0)
    server._updater._scaled_optimizer = trainer.optimizer
    server.join(0)
    server.join(1)
    if config.synchronous:
        server.push(0, gradient_for(server.pull(0)))
    given = server.pull(1)
    old = [{*zip(*layer.weight.nonzero(), strict=True)} for layer in trainer.net.layers]
    apply, before = server._apply, []

    def interrupted(worker, gradients):
        server.leave(1)
        server.leave(0)
        for _ in range(2):
            with writing(server._topology):
                trainer.evolve()
                server._publish()
        before.extend(layer.weight.tocoo() for layer in trainer.net.layers)
        return apply(worker, gradients)

    server._apply = interrupted
    assert server.push(1, gradient_for(given))
    for number, (layer, weight) in enumerate(zip(trainer.net.layers, before, strict=True)):
        after = layer.weight.toarray()
        changed = {(i, j) for i, j, v in zip(*weight.coords, weight.data, strict=True) if after[i, j] != v}
        assert changed == old[number] & {*zip(*weight.coords, strict=True)}
    with writing(server._topology):
        trainer.evolve()
        server._publish()
    assert len(server._history) == 1  # the older ones are not needed any more


def test_gradient_is_dropped_if_removed_neurons_are_unknown():
    """A callback prunes without calling trainer.resize: nothing of the gradient is applied."""
    server, _ = make_server(ts.WASAP(1), [4])
    trainer = server.trainer
    server.join(0)
    given = server.pull(0)
    with writing(server._topology):
        ts.prune_neurons(trainer.net, 30)
        server._publish()
    before = [layer.values.copy() for layer in trainer.net.layers]
    assert server.push(0, gradient_for(given))
    for layer, values in zip(trainer.net.layers, before, strict=True):
        np.testing.assert_array_equal(layer.values, values)


@pytest.mark.parametrize("fails", [False, True])
def test_pull_at_the_end_waits_for_the_end_of_the_last_epoch(fails):
    """When a worker is told that the phase is over, the last record has been made, or has failed."""
    begun, go_on = threading.Event(), threading.Event()
    server, records = make_server(ts.WASAP(2), [1, 1], epochs=1)
    record_epoch = server._end_epoch

    def end_epoch(record):
        begun.set()
        go_on.wait(5)
        if fails:
            raise RuntimeError("a callback's own error")
        record_epoch(record)

    server._end_epoch = end_epoch
    server.join(0)
    server.join(1)
    first, second = server.pull(0), server.pull(1)
    server.push(0, gradient_for(first))

    def push():
        with pytest.raises(RuntimeError) if fails else nullcontext():
            server.push(1, gradient_for(second))

    results = []
    pushing = threading.Thread(target=push)
    pulling = threading.Thread(target=lambda: results.append(server.pull(0)))
    pushing.start()
    assert begun.wait(5)
    pulling.start()
    pulling.join(0.05)
    assert pulling.is_alive()
    go_on.set()
    pulling.join(5)
    pushing.join(5)
    assert results == [None]
    assert len(records) == (not fails)
    assert server.stopped == fails


@pytest.mark.parametrize("fresh_state", ["zero", "typical"])
def test_evolution_of_the_server_gives_new_connections_adams_state(fresh_state):
    net = ts.SparseMLP((6, 20, 16, 3), epsilon=3, seed=0, dtype="float64")
    trainer = ts.Trainer(net, optimizer=ts.Adam(0.01, fresh_state=fresh_state), evolution=ts.SET(0.4))
    trainer.epochs = 2
    server, _ = make_server(ts.WASAP(1), [3], trainer=trainer)
    server.join(0)
    rng = np.random.default_rng(0)

    def push():
        given = server.pull(0)
        gradient = gradient_for(given)
        gradient.weights = [rng.normal(size=len(part)) for part in gradient.weights]
        server.push(0, gradient)

    push()
    push()
    before = [layer.connectivity for layer in net.layers[:2]]
    push()  # the end of the epoch
    for layer, state, con in zip(net.layers, trainer.optimizer_state, before, strict=False):
        old = set(coordinates(con))
        is_new = np.array([place not in old for place in coordinates(layer.connectivity)])
        assert is_new.sum() > 5
        m, v = state.weight
        assert not m[is_new].any()
        assert set(v[is_new]) == {np.median(v[~is_new]) if fresh_state == "typical" else 0.0}


def test_measured_staleness_goes_on_after_a_resume():
    saved = []
    server, _ = make_server(ts.WASAP(3), [4, 4, 4], epochs=2, save=saved.append)
    server._updater.staleness.value = 0.5
    for worker in range(3):
        server.join(worker)
    given = {worker: server.pull(worker) for worker in range(3)}
    while any(given.values()) and not saved:
        for worker in range(3):
            if given[worker] is not None:
                server.push(worker, gradient_for(given[worker], 1e-3))
                given[worker] = server.pull(worker, wait=False)
    state = json.loads(json.dumps(saved[0]))
    other, _ = make_server(ts.WASAP(3), [4, 4, 4], epochs=2)
    other.resume(state)
    other.trainer.step_count = server.trainer.step_count  # the trainer's own checkpoint holds it
    assert 0.5 < other._updater.staleness.value == state["mean_staleness"] < 1
    server._updater.staleness.value = state["mean_staleness"]
    a, b = (each._updater.next_rules(1.0)[0] for each in (server, other))
    for name in ("learning_rate", "momentum"):
        assert getattr(a.rule, name) == pytest.approx(getattr(b.rule, name), rel=1e-12)
    del state["mean_staleness"], state["velocity_rate"]  # of an earlier release
    other.resume(state)


@pytest.mark.parametrize("evolution", [None, ts.SET(0.3)])
def test_delay_compensation_adds_the_squared_gradient_times_the_way_since_the_fetch(evolution):
    server, _ = make_server(
        ts.WASAP(2, delay_compensation=0.5, staleness="ignore"), [2, 2], epochs=3, evolution=evolution
    )
    trainer = server.trainer
    trainer.optimizer = ts.SGD(0.1, 0.0)
    server._updater._scaled_optimizer = trainer.optimizer
    for worker in range(2):
        server.join(worker)
    old = server.pull(1)
    server.snapshot(1, *old)
    then = [layer.weight.toarray() for layer in trainer.net.layers]
    for _ in range(3 if evolution is None else 1):
        server.push(0, gradient_for(server.pull(0), 2.0))
    if evolution is not None:
        with writing(server._topology):
            trainer.evolve()
            server._publish()
    before = [layer.weight.toarray() for layer in trainer.net.layers]
    assert server.push(1, gradient_for(old, 3.0))
    for layer, was, now in zip(trainer.net.layers, then, before, strict=True):
        kept = (was != 0) & (now != 0)
        gradient = 3.0 + 0.5 * 9.0 * (now - was)
        np.testing.assert_allclose(layer.weight.toarray()[kept], (now - 0.1 * gradient)[kept], rtol=1e-12)
