"""WASAP on a Ray cluster of three nodes on this machine: it learns as threads do, and survives failures."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.data import fit_target_scaling

pytestmark = pytest.mark.slow
# Ray reads these when it is imported.
os.environ["RAY_AUTH_MODE"] = "token"
os.environ["RAY_AUTH_TOKEN"] = "0" * 32
ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")


def problem(n=3000, seed=0):
    rng = np.random.default_rng(seed)
    centres = 0.45 * np.random.default_rng(99).standard_normal((10, 64))
    y = rng.integers(0, 10, n)
    return (centres[y] + rng.standard_normal((n, 64))).astype(np.float32), y


def train(config, epochs=8, X=None, y=None, **options):
    if X is None:
        X, y = problem()
    net = ts.SparseMLP((64, 200, 200, 10), epsilon=10, seed=0)
    trainer = ts.Trainer(
        net, optimizer=ts.SGD(0.02, 0.9), evolution=ts.SET(0.3), batch_size=32, dropout=0.2, seed=0, parallel=config
    )
    history = trainer.fit(X, y, epochs=epochs, **options)
    return net, history


def accuracy(net):
    return ts.evaluate(net, *problem(5000, seed=1))["accuracy"]


@pytest.fixture(scope="module")
def threads_accuracy():
    """The accuracy of two workers as threads."""
    return accuracy(train(ts.WASAP(2))[0])


@pytest.fixture
def cluster():
    """A head without processors for workers, and two nodes of two processors."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.nodes = [made.add_node(num_cpus=2) for _ in range(2)]
    made.wait_for_nodes()
    ray.init(made.address, log_to_driver=False, logging_level="ERROR")
    yield made
    ray.shutdown()
    made.shutdown()


def processes(name):
    """Processes of an actor class."""
    listed = subprocess.run(["pgrep", "-f", f"ray::{name}"], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


class _At(ts.Callback):
    """Does something once, in the middle of an epoch."""

    def __init__(self, action, batches=150):
        self._action, self._pending = action, batches
        self.done = False

    def on_worker_step(self, trainer, worker, loss):
        self._pending -= 1
        if self._pending <= 0 and not self.done:
            self.done = True
            self._action()


def kill(name):
    def action():
        pids = processes(name)
        assert pids
        os.kill(pids[0], signal.SIGKILL)

    return action


def check(history, epochs):
    """The records of phase 1 count each sample once per epoch."""
    first = [record for record in history if record["phase"] == 1]
    assert [record["epoch"] for record in first] == list(range(1, len(first) + 1))
    assert history.records[-1]["epoch"] == epochs
    for record in first:
        assert abs(record["samples"] - 3000) <= 64  # whole batches; the last of a shard is smaller
        assert record["gradient_mb"] > 0
    assert sum(record["samples"] for record in first) == 3000 * len(first)


def test_cluster_learns_as_threads_do(cluster, threads_accuracy):
    X, y = problem()
    net, history = train(ts.WASAP(2, backend="ray"), validation_data=(X, y))
    check(history, 8)
    assert all("val_accuracy" in record for record in history)
    assert accuracy(net) == pytest.approx(threads_accuracy, abs=0.01)


def test_wassp_on_ray_gives_the_same_bits_as_on_threads(cluster):
    nets = [train(ts.WASSP(2, backend=backend, rounds=2), epochs=8)[0] for backend in ("threads", "ray")]
    for a, b in zip(nets[0].layers, nets[1].layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
        np.testing.assert_array_equal(a.bias, b.bias)


def test_tables_and_targets_in_another_unit_give_the_same_bits_as_on_threads(cluster, rng):
    """Sent by the driver, standardised already, and read by workers themselves."""
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    frame = pd.DataFrame({"c": rng.choice(list("abc"), 200), "x": rng.standard_normal(200)})
    frame.loc[::5, "x"] = np.nan
    y = frame["x"].fillna(0).to_numpy() * 1e5 + 1e6 * (frame["c"] == "a").to_numpy()
    nets = []
    for options in ({}, {"backend": "ray"}, {"backend": "ray", "data": functools.partial(tuple, (frame, y))}):
        preprocessor = ts.TablePreprocessor().fit(frame)
        net = ts.SparseMLP((preprocessor.n_features_out_, 20, 1), epsilon=10, output="identity", seed=0)
        net.preprocessor, net.target_scaling = preprocessor, fit_target_scaling(y)
        ts.Trainer(net, batch_size=32, seed=0, parallel=ts.WASSP(2, **options)).fit(frame, y, epochs=4)
        nets.append(net)
    for net in nets[1:]:
        np.testing.assert_array_equal(net.predict(frame), nets[0].predict(frame))


@pytest.mark.parametrize("victim", ["WorkerActor", "ServerActor"])
def test_killed_actor_is_restarted(cluster, threads_accuracy, victim):
    at = _At(kill(victim))
    net, history = train(ts.WASAP(2, backend="ray"), callbacks=[at])
    assert at.done
    check(history, 8)
    assert accuracy(net) >= threads_accuracy - 0.01


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_of_a_lost_node_are_replaced(cluster, threads_accuracy, workers):
    """With four workers all four processors are taken: the lost node's workers cannot be restarted."""

    def action():
        threading.Thread(target=cluster.remove_node, args=(cluster.nodes[0], False), daemon=True).start()

    at = _At(action)
    config = ts.WASAP(workers, backend="ray", worker_timeout=5)
    net, history = train(config, callbacks=[at])
    assert at.done
    check(history, 8)
    assert accuracy(net) >= threads_accuracy - (0.01 if workers == 2 else 0.02)


def test_importance_pruning_happens_on_the_server(cluster):
    seen = []

    class Watch(ts.Callback):
        def on_epoch_end(self, trainer, record):
            seen.append(trainer.net.layer_sizes)

    net, _ = train(ts.WASAP(2, backend="ray"), callbacks=[ts.ImportancePruning(20, start=2, every=2, stop=4), Watch()])
    assert net.layer_sizes[1] < 150
    assert seen[-1] == net.layer_sizes
    assert accuracy(net) > 0.7


def test_workers_join_during_training(cluster):
    names = set()

    class Watch(ts.Callback):
        def on_worker_step(self, trainer, worker, loss):
            names.add(worker)

    _, history = train(ts.WASAP(1, shards=3, backend="ray", phase2_epochs=0), epochs=40, callbacks=[Watch()])
    check(history, 40)
    assert len(names) > 1


def test_workers_read_their_own_samples(cluster, tmp_path, monkeypatch):
    """A memory map and a function: neither is sent by the driver."""
    X, y = problem()
    np.save(tmp_path / "X.npy", X)
    mapped, _ = train(ts.WASSP(2, backend="ray"), epochs=3, X=np.load(tmp_path / "X.npy", mmap_mode="r"), y=y)
    monkeypatch.setitem(sys.modules, "only_here", only_here := types.ModuleType("only_here"))
    exec("def load(): raise AssertionError", only_here.__dict__)
    with pytest.raises(ts.InputError, match=r"cannot read its samples: .*No module named 'only_here'"):
        train(ts.WASSP(2, backend="ray", data=only_here.load), epochs=3)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    called, _ = train(ts.WASSP(2, backend="ray", data=problem), epochs=3)
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    for a, b in zip(mapped.layers, called.layers, strict=True):
        np.testing.assert_array_equal(a.values, b.values)
    (tmp_path / "gone.npy").write_bytes((tmp_path / "X.npy").read_bytes())
    gone = np.load(tmp_path / "gone.npy", mmap_mode="r")
    (tmp_path / "gone.npy").unlink()
    with pytest.raises(ts.InputError, match=r"a worker on node .* cannot read its samples: .*gone.npy"):
        train(ts.WASAP(2, backend="ray"), X=gone, y=y)


def test_command_line_reads_parquet_on_every_worker(cluster, tmp_path):
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    from typer.testing import CliRunner

    from trulysparse.cli import app

    X, y = problem()
    pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    pd.DataFrame(X, columns=[f"f{i}" for i in range(64)]).assign(kind=y).to_parquet(tmp_path / "data.parquet")
    options = ["--hidden", "100", "--epochs", "4", "--batch-size", "32", "--workers", "2", "--backend", "ray", "--json"]
    command = ["train", str(tmp_path / "data.parquet"), "--target", "kind", "--out", str(tmp_path / "run"), *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures["epochs"] == 4
    assert figures["accuracy"] > 0.7


def test_connect_without_address_starts_a_local_cluster_with_tokens():
    code = (
        "import numpy as np, trulysparse as ts, ray, os\n"
        "X = np.random.default_rng(0).standard_normal((200, 8)); y = (X[:, 0] > 0).astype(int)\n"
        "net = ts.SparseMLP((8, 20, 2), epsilon=4)\n"
        "ts.Trainer(net, batch_size=20, parallel=ts.WASAP(2, backend='ray')).fit(X, y, epochs=3)\n"
        "from ray._private.authentication.authentication_utils import is_token_auth_enabled\n"
        "print('tokens', is_token_auth_enabled(), round(ts.evaluate(net, X, y)['accuracy'], 2))\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    said = [line.split() for line in done.stdout.splitlines() if line.startswith("tokens ")]  # Ray may print there too
    assert said[0][1] == "True"


def test_connect_to_a_silent_address_fails_soon():
    code = (
        "import trulysparse as ts, numpy as np\n"
        "net = ts.SparseMLP((4, 5, 2))\n"
        "config = ts.WASAP(2, backend='ray', address='127.0.0.1:1')\n"
        "try: ts.Trainer(net, parallel=config).fit(np.ones((9, 4)), np.ones(9, int), epochs=1)\n"
        "except ts.InputError as error: print(error)\n"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "no Ray cluster answers at '127.0.0.1:1'" in done.stdout, done.stderr
    assert time.monotonic() - began < 30
    for address in ("nowhere", "ray://here:1", "here:port"):
        with pytest.raises(ts.InputError, match="address must be HOST:PORT"):
            train(ts.WASAP(2, backend="ray", address=address))


class _Broken(Exception):
    pass


def _break():
    raise _Broken


@pytest.mark.parametrize("batches", [(150, 160), (520, 60)])  # in phase 1 twice; in phase 2, where workers train alone
def test_training_goes_on_after_the_driver_and_its_cluster_have_gone(tmp_path, batches):
    """The same bits as on threads, which nobody disturbed."""
    config = dict(workers=2, phase1_epochs=5, warmup_epochs=1)
    wanted, history = train(ts.WASSP(**config), callbacks=[ts.EarlyStopping("loss", patience=9)])
    resume = None
    for after in (*batches, 10**9):
        callbacks = [ts.EarlyStopping("loss", patience=9), ts.Checkpointer(tmp_path), _At(_break, after)]
        try:
            net, found = train(ts.WASSP(**config, backend="ray"), callbacks=callbacks, resume=resume)
        except _Broken:
            resume = tmp_path
            assert (tmp_path / "workers").exists() == (batches[0] > 500)
        finally:
            ray.shutdown()
    assert found["epoch"] == history["epoch"]
    np.testing.assert_array_equal(found["loss"], history["loss"])
    for a, b in zip(net.layers, wanted.layers, strict=True):
        np.testing.assert_array_equal(a.connectivity.by_input.index, b.connectivity.by_input.index)
        np.testing.assert_array_equal(a.values, b.values)


def test_a_skip_layer_and_noise_give_the_bits_that_threads_give():
    X, y = problem(600)
    found = []
    for backend in ("threads", "ray"):
        net = ts.SparseMLP((64, 50, 10), epsilon=5, skip=True, skip_density=0.5, seed=0)
        plan = ts.WASSP(2, 2, backend=backend)
        method = ts.SET(0.3)
        method.output_layer = True
        trainer = ts.Trainer(net, optimizer=ts.SGD(0.02, 0.9), evolution=method, input_noise=0.2, parallel=plan)
        try:
            history = trainer.fit(X, y, epochs=4)
        finally:
            ray.shutdown()
        found.append((history["loss"], [layer.values for layer in net.layers]))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    assert found[0][1][-1].any()
