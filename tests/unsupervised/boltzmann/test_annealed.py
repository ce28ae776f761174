from __future__ import annotations

import numpy as np
import pytest

import boltzmann_reference as reference
from trulysparse.errors import InputError
from trulysparse.unsupervised.boltzmann.annealed import log_partition


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_estimate_agrees_with_the_sum_over_all_states(seed, dtype):
    machine = reference.small_machine(8, 6, scale=1.5, seed=seed, dtype=dtype)
    exact = reference.log_partition(machine)
    found = log_partition(machine, 400, 300, seed=seed)
    assert found.low < exact < found.high
    assert found.value == pytest.approx(exact, abs=0.1)
    assert found.high - found.low < 0.5
    base = sum(np.logaddexp(0, each).sum() for each in reference.dense(machine)[1:])
    assert abs(base - exact) > 0.2  # the machine without weights is another one


def test_same_for_any_number_of_threads():
    machine = reference.small_machine(300, 200, scale=0.2, dtype="float32", density=0.1)
    assert log_partition(machine, 300, 5, threads=1) == log_partition(machine, 300, 5, threads=3)
    assert log_partition(machine, 300, 5, seed=1) != log_partition(machine, 300, 5, seed=2)


def test_progress_reaches_its_end():
    told = []
    log_partition(reference.small_machine(), 10, 150, progress=lambda *each: told.append(each))
    assert told == [("annealing", 0, 150), ("annealing", 100, 150), ("annealing", 150, 150)]


def test_gaussian_units_are_refused():
    with pytest.raises(InputError, match="visible='bernoulli'"):
        log_partition(reference.small_machine(visible="gaussian"))
