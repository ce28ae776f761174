"""That a program which is wrong fails its test: reads beside an array, overflows, warnings."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from export.c_host import Exported, build, load_networks, run_networks

GOOD = """
void a_scores(const float *x, float *z);
int a_predict(const float *x);
void a_act(const float *x, float *action);
void a_scores(const float *x, float *z) { z[0] = x[0] + x[1]; z[1] = x[2]; }
int a_predict(const float *x) { return x[2] > x[0] + x[1]; }
void a_act(const float *x, float *action) { action[0] = 2.0f * x[0]; }
"""
X = np.array([[1, 2, 4], [1, 2, 2]], np.float32)


@pytest.mark.parametrize("host", ["program", "library"])
def test_answers_of_many_networks(tmp_path, host):
    nets = []
    for name, n_actions in (("a", 1), ("b", 0)):
        path = tmp_path / f"{name}.c"
        path.write_text(GOOD.replace("a_", f"{name}_"))
        nets.append(Exported(path, name, 3, 2, n_actions))
    samples = [X, X[:1] * 2]
    ask = load_networks(tmp_path, nets) if host == "library" else functools.partial(run_networks, tmp_path, nets)
    first, second = ask(samples)
    np.testing.assert_array_equal(first.scores, [[3, 4], [3, 2]])
    np.testing.assert_array_equal(first.predictions, [1, 0])
    np.testing.assert_array_equal(first.actions, [[2], [2]])
    np.testing.assert_array_equal(second.scores, [[6, 8]])
    assert second.actions.shape == (1, 0)


@pytest.mark.parametrize(
    "right, wrong, said",
    [
        ("z[1] = x[2]", "z[1] = x[3]", "heap-buffer-overflow"),
        ("z[1] = x[2]", "z[2] = x[2]", "heap-buffer-overflow"),
        ("z[1] = x[2]", "z[1] = (float)(int)(x[2] * 1e10f)", "outside the range of representable values"),
        ("z[1] = x[2]", "z[1] = x[2] * 1.0", "double"),
        ("z[1] = x[2]", "short s = (int)x[2]; z[1] = (float)s", "conversion"),
    ],
)
def test_wrong_programs_fail(tmp_path, right, wrong, said):
    path = tmp_path / "a.c"
    path.write_text(GOOD.replace(right, wrong))
    with pytest.raises(AssertionError, match=said):
        run_networks(tmp_path, [Exported(path, "a", 3, 2, 1)], [X])


OWN = """
#include <stdio.h>
#include "a.h"
int main(void) {
  float x;
  if (fread(&x, sizeof x, 1, stdin) == 1) printf("%d", (int)x + A);
  return A - 3;
}
"""


def test_a_program_of_ones_own(tmp_path):
    right = build(tmp_path, {"main.c": OWN, "a.h": "#define A 3"})
    assert right.run(np.array([4.0])) == b"7"
    wrong = build(tmp_path, {"main.c": OWN, "a.h": "#define A 4"}, sanitize=False)
    with pytest.raises(AssertionError, match="exit code 1"):
        wrong.run(np.array([4.0]))
