"""CartPole in C moves as Gymnasium's, and is learned on the emulated board."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export.c_host import library
from export.emulation import BOARDS, missing

BENCHMARKS = Path(__file__).parents[2] / "benchmarks" / "export"
CALL = """
#include "cartpole.h"
int move(float* state, uint32_t action);
int move(float* state, uint32_t action) {
    const cartpole c = {0.5f, 10.0f};
    return cartpole_step(&c, state, action);
}
void start(float* state, uint32_t key, uint32_t episode);
void start(float* state, uint32_t key, uint32_t episode) { cartpole_reset(state, key, episode); }
"""

# The functions of the benchmark, which keeps no results then; in a process of its own, as it adds to the path.
LEARN = """
import json, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, ".")
import cartpole_on_device as c
board, folder = c.BOARDS["M4F"], Path(sys.argv[1])
scratch, policy = (replace(each, episodes=30) for each in (c.SCRATCH, c.POLICY))
print(json.dumps([
    c.learned(scratch, board, folder / "scratch"),
    c.learned(policy, board, folder / "policy", c.exported_policy(0, 4000)),
]))
"""


def test_moves_as_gymnasium_does(tmp_path):
    gymnasium = pytest.importorskip("gymnasium", reason="gymnasium comes with the extra trulysparse[rl]")
    loaded = library(tmp_path, {"call.c": CALL}, ["-O1", f"-I{BENCHMARKS / 'cartpole_device'}"])
    env = gymnasium.make("CartPole-v1").unwrapped
    rng = np.random.default_rng(0)
    state, ends = np.zeros(4, np.float32), 0
    pointer = ctypes.c_void_p(state.ctypes.data)
    for episode in range(20):
        env.reset(seed=episode)
        loaded.start(pointer, ctypes.c_uint32(7), ctypes.c_uint32(episode))
        assert np.abs(state).max() <= 0.05
        ended, steps = False, 0
        while not ended and steps < 200:
            # Each step from the same state; keeps the pole up for a while, so that the cart gets fast too.
            env.state, env.steps_beyond_terminated = state.astype(np.float64), None
            action = int(rng.integers(2)) if rng.random() < 0.3 else int(state[2] + state[3] > 0)
            expected, _, ended, _, _ = env.step(action)
            assert loaded.move(pointer, ctypes.c_uint32(action)) == ended
            np.testing.assert_allclose(state, expected, rtol=1e-6, atol=1e-6)
            steps += 1
        ends += ended
    assert ends > 5


@pytest.mark.slow
def test_is_learned_on_the_board(tmp_path):
    pytest.importorskip("gymnasium", reason="gymnasium comes with the extra trulysparse[rl]")
    if lacking := missing(BOARDS["M4F"]):
        pytest.skip(lacking)
    done = subprocess.run(
        [sys.executable, "-c", LEARN, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        cwd=BENCHMARKS,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for result in json.loads(done.stdout.strip().splitlines()[-1]):
        assert result["after"] > max(100, result["before"] + 50)
        assert result["replaced"] > 100
        assert result["ram"] < 48 << 10
