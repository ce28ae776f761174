"""The actors on the driver's node, called directly."""

from __future__ import annotations

from trulysparse.parallel.ray.store import CheckpointStore, ProgressMailbox


def test_store_returns_the_last_state(tmp_path):
    store = CheckpointStore(str(tmp_path))
    assert store.load() is None
    store.save(b"first")
    store.save(b"second")
    assert store.load() == b"second"
    assert CheckpointStore(str(tmp_path)).load() == b"second"  # a restarted actor
    assert [path.name for path in tmp_path.iterdir()] == ["server.safetensors"]


def test_cleared_store_is_empty(tmp_path):
    store = CheckpointStore(str(tmp_path))
    store.clear()
    store.save(b"state")
    store.clear()
    assert store.load() is None


def test_store_keeps_the_states_of_workers_in_files_of_their_own(tmp_path):
    store, path = CheckpointStore(str(tmp_path)), str(tmp_path / "workers" / "worker-0000.safetensors")
    assert store.load_worker(path) is None
    store.save_worker(path, b"first")
    store.save_worker(path, b"second")
    assert store.load_worker(path) == b"second"
    store.clear()
    assert store.load_worker(path) == b"second"
    assert store.load() is None


def test_mailbox_collects_losses_once():
    mailbox = ProgressMailbox()
    mailbox.post(0, [1.0, 2.0])
    mailbox.post(1, [3.0])
    mailbox.post(0, [4.0])
    assert mailbox.collect() == {0: [1.0, 2.0, 4.0], 1: [3.0]}
    assert mailbox.collect() == {}
