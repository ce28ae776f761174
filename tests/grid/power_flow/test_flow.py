"""Power flow: against pandapower's figures, against equations solved by SciPy, and where there is no solution."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import trulysparse
from trulysparse.errors import InputError, NotEnoughMemoryError
from trulysparse.grid.feeder import Cable, Feeder, Line, Transformer
from trulysparse.grid.power_flow.flow import Feeders

HERE = Path(__file__).parent
NETWORKS = Path(trulysparse.__file__).parent / "grid" / "networks"
PANDAPOWER = json.loads((HERE / "pandapower_flows.json").read_text())  # what pandapower 3.5.6 gave
CABLE = Cable("NAYY 4x150", 0.2067, 0.08042478, 830, 275)


def meets(name: str, expected: dict, precision: str = "single") -> None:
    """Voltages within 1e-6 of the rated one, currents and losses as near as their sizes allow."""
    feeder = Feeder.named(name)
    flow = Feeders(feeder, precision=precision).flow(expected["p"], expected["q"])
    assert flow.converged.all()
    voltages = expected["bus_voltages"]
    np.testing.assert_allclose(flow.bus_voltages[0], [voltages[bus] for bus in feeder.buses], rtol=0, atol=1e-6)
    at_homes = [voltages[feeder.buses[bus]] for bus in feeder.home_bus]
    np.testing.assert_allclose(flow.voltage, at_homes, rtol=0, atol=1e-6)
    file = json.loads((NETWORKS / f"{name}.json").read_text())
    ends = [tuple(line[:2]) for line in file["lines"]]
    ours = {(line.start, line.end): loading for line, loading in zip(feeder.lines, flow.line_loadings[0], strict=True)}
    np.testing.assert_allclose([ours[end] for end in ends], expected["line_loadings"], rtol=0, atol=1e-5)
    assert flow.line_loading[0] == pytest.approx(max(expected["line_loadings"]), abs=1e-5)
    assert flow.transformer_loading[0] == pytest.approx(expected["transformer_loading"], abs=1e-5)
    assert flow.losses_kw[0] == pytest.approx(expected["losses_kw"], abs=0.02 if precision == "single" else 1e-3)


@pytest.mark.parametrize("case", PANDAPOWER)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_flow_meets_figures_of_pandapower(case: str, precision: str) -> None:
    meets(case.partition(" ")[0], PANDAPOWER[case], precision)


@pytest.fixture(scope="module")
def pandapower(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that has pandapower: the one named by TRULYSPARSE_PANDAPOWER, or a new environment's."""
    if named := os.environ.get("TRULYSPARSE_PANDAPOWER"):
        return named
    folder = tmp_path_factory.mktemp("pandapower")
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "pandapower==3.5.6"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode:
            pytest.skip(f"pandapower 3.5.6 cannot be installed here: {done.stderr.strip().splitlines()[-1:]}")
    return str(python)


@pytest.mark.slow
def test_flow_meets_pandapower_as_it_runs(pandapower: str) -> None:
    rng = np.random.default_rng(0)
    cases = []
    for name, most in (("vorstadt", 4.0), ("dorf", 6.0), ("landnetz", 8.0)):
        file = json.loads((NETWORKS / f"{name}.json").read_text())
        homes = len(file["homes"])
        for p in (np.full(homes, most), np.full(homes, -most), rng.uniform(-1.5 * most, 2 * most, homes)):
            cases.append([name, file, p.tolist(), (0.25 * np.maximum(p, 0)).tolist()])
    done = subprocess.run(
        [pandapower, str(HERE / "pandapower_reference.py")],
        input=json.dumps([case[1:] for case in cases]),
        capture_output=True,
        text=True,
        check=True,
    )
    for (name, _, p, q), found in zip(cases, json.loads(done.stdout), strict=True):
        meets(name, {"p": p, "q": q} | found)


def newton(feeder: Feeder, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Voltages of all buses, from the nodal equations and SciPy's solver of nonlinear equations: no fixed point, no
    branches, one matrix of all buses and the source."""
    from scipy.optimize import root

    n = feeder.n_buses
    ohm = feeder.voltage_v**2 / 1000
    y = np.zeros((n + 1, n + 1), complex)  # the source comes last

    def add(i: int, j: int, series: complex, shunt: complex) -> None:
        y[i, i] += series + shunt
        y[j, j] += series + shunt
        y[i, j] -= series
        y[j, i] -= series

    for k, line in enumerate(feeder.lines):
        km = line.length_m / 1000
        shunt = 0.5j * 2 * np.pi * 50 * line.cable.c_nf_per_km * 1e-9 * km * ohm
        add(
            int(feeder.parent[k + 1]),
            k + 1,
            ohm / (complex(line.cable.r_ohm_per_km, line.cable.x_ohm_per_km) * km),
            shunt,
        )
    t = feeder.transformer
    z = complex(t.vkr_percent, (t.vk_percent**2 - t.vkr_percent**2) ** 0.5) / 100 / t.kva
    # The T circuit with its middle as a bus of its own, then eliminated.
    middle = np.array([[2 / z, 0, -2 / z], [0, 2 / z, -2 / z], [-2 / z, -2 / z, 4 / z]])
    magnetising = t.no_load_current_percent / 100 * t.kva
    middle[2, 2] += complex(t.iron_loss_kw, -((magnetising**2 - t.iron_loss_kw**2) ** 0.5))
    two = middle[:2, :2] - np.outer(middle[:2, 2], middle[2, :2]) / middle[2, 2]
    y[np.ix_([0, n], [0, n])] += two
    power = np.zeros(n, complex)
    np.add.at(power, feeder.home_bus, p + 1j * q)

    def mismatch(x: np.ndarray) -> np.ndarray:
        v = np.append(x[:n] + 1j * x[n:], feeder.source_pu)
        s = v * np.conj(y @ v)
        return np.concatenate([(s[:n] + power).real, (s[:n] + power).imag])

    found = root(mismatch, np.concatenate([np.ones(n), np.zeros(n)]), tol=1e-12)
    assert found.success
    return np.abs(found.x[:n] + 1j * found.x[n:])


def test_flow_meets_nodal_equations_of_a_tree_with_homes_anywhere() -> None:
    lines = [
        Line("b", "a", 40, CABLE),  # against the direction of the flow
        Line("busbar", "a", 80, CABLE),
        Line("b", "c", 120, CABLE),
        Line("a", "d", 10, CABLE),
        Line("busbar", "e", 200, CABLE),
        Line("busbar", "unused", 30, CABLE),
    ]
    homes = ["c", "busbar", "d", "c", "e", "a", "busbar"]  # at the busbar, two at a bus, at a bus with lines
    feeder = Feeder(Transformer(100, 4, 1.5, 0.4, 0.9), lines, homes, source_pu=1.02)
    p, q = np.array([9.0, 4, -7, 12, -20, 3, 1]), np.array([2.0, 1, 0, -3, 0, 0, 0.5])
    flow = Feeders(feeder, precision="double", tolerance=1e-11).flow(p, q)
    expected = newton(feeder, p, q)
    np.testing.assert_allclose(flow.bus_voltages[0], expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(flow.voltage, expected[feeder.home_bus], rtol=0, atol=1e-9)


def test_feeders_side_by_side_are_solved_as_if_alone() -> None:
    feeder = Feeder.named("dorf")
    rng = np.random.default_rng(1)
    p = rng.uniform(-6, 6, (4, 3 * 57))
    together = Feeders(feeder, 3, precision="double", tolerance=1e-11).flow(p)
    alone = Feeders(feeder, precision="double", tolerance=1e-11)
    assert together.voltage.shape == (4, 171)
    assert together.transformer_loading.shape == together.converged.shape == (4, 3)
    assert together.line_loadings.shape == (4, 3, 114)
    for hour in range(4):
        for copy in range(3):
            one = alone.flow(p[hour, copy * 57 : copy * 57 + 57])
            np.testing.assert_allclose(together.voltage[hour, copy * 57 : copy * 57 + 57], one.voltage, atol=1e-9)
            np.testing.assert_allclose(together.transformer_kw[hour, copy], one.transformer_kw[0], atol=1e-4)
            np.testing.assert_allclose(together.line_loadings[hour, copy], one.line_loadings[0], atol=1e-8)


def test_more_columns_than_are_solved_together_make_no_difference() -> None:
    feeders = Feeders(Feeder.named("landnetz"))
    p = np.random.default_rng(2).uniform(-5, 8, (300, 17))
    whole = feeders.flow(p)
    np.testing.assert_allclose(whole.voltage[299], feeders.flow(p[299]).voltage, atol=5e-7)
    np.testing.assert_allclose(whole.voltage[0], feeders.flow(p[0]).voltage, atol=5e-7)


def test_without_reactive_power_homes_that_draw_have_tan_phi() -> None:
    feeders = Feeders(Feeder.named("landnetz"), tan_phi=0.4)
    p = np.linspace(-4, 6, 17)
    given = feeders.flow(p, 0.4 * np.maximum(p, 0))
    np.testing.assert_array_equal(feeders.flow(p).voltage, given.voltage)
    assert not np.array_equal(feeders.flow(p).voltage, feeders.flow(p, np.zeros(17)).voltage)


def test_a_flow_goes_on_from_another_in_fewer_steps_with_the_same_bits_from_its_phasors() -> None:
    feeders = Feeders(Feeder.named("vorstadt"), 2)
    rng = np.random.default_rng(3)
    p = rng.uniform(1, 5, 292)
    cold = feeders.flow(p)
    near = p + rng.normal(0, 0.05, 292)
    warm = feeders.flow(near, start=cold)
    assert warm.iterations < feeders.flow(near).iterations
    np.testing.assert_array_equal(warm.voltage, feeders.flow(near, start=cold.phasors).voltage)
    np.testing.assert_allclose(warm.voltage, feeders.flow(near).voltage, atol=5e-7)


def test_power_is_balanced() -> None:
    feeders = Feeders(Feeder.named("vorstadt"), 2, precision="double")
    p = np.random.default_rng(4).uniform(-3, 4, 292)
    flow = feeders.flow(p)
    drawn = p.reshape(2, -1).sum(axis=1)
    iron = feeders.feeder.transformer.iron_loss_kw
    assert (flow.losses_kw > iron * 0.99).all()
    copper_of_lines = flow.transformer_kw - drawn
    assert ((copper_of_lines > 0) & (copper_of_lines < flow.losses_kw)).all()


def test_a_feeder_that_carries_too_much_is_marked_and_others_are_not() -> None:
    feeder = Feeder.named("landnetz")
    feeders = Feeders(feeder, 3)
    p = np.full(51, 3.0)
    p[17:34] = 60.0
    flow = feeders.flow(p)
    assert flow.converged.tolist() == [True, False, True]
    assert np.isnan(flow.voltage[17:34]).all()
    assert np.isnan([flow.transformer_loading[1], flow.losses_kw[1], flow.line_loading[1]]).all()
    np.testing.assert_allclose(flow.voltage[:17], Feeders(feeder).flow(p[:17]).voltage, atol=5e-7)
    assert "hour 5" in flow.divergence(5)
    assert "feeder 1" in flow.divergence(5)
    assert "'home 1-12'" in flow.divergence(5)
    again = feeders.flow(np.full(51, 3.0), start=flow)  # what had no solution begins anew
    assert again.converged.all()
    assert again.divergence(6) is None
    np.testing.assert_allclose(again.voltage[17:34], again.voltage[:17], atol=5e-7)


def test_a_heavy_load_that_has_a_solution_is_found() -> None:
    """Near the most that the feeder can carry, the fixed point needs many more steps than in daily use."""
    feeder = Feeder.named("landnetz")
    p = np.full(17, 28.0)
    flow = Feeders(feeder).flow(p, np.zeros(17))
    assert flow.converged.all()
    assert flow.iterations > 15
    expected = newton(feeder, p, np.zeros(17))
    np.testing.assert_allclose(flow.voltage, expected[feeder.home_bus], atol=1e-6)


def test_inverters_with_droop_hold_the_voltage() -> None:
    feeder = Feeder.named("landnetz")
    p = np.full(17, -9.0)
    plain = Feeders(feeder, precision="double").flow(p)
    held = Feeders(feeder, droop_kvar=np.full(17, 4.0), precision="double", tolerance=1e-11).flow(p)
    assert held.voltage.max() < plain.voltage.max() - 0.002
    taken = 4.0 * np.clip((held.voltage - 1) / 0.05, -1, 1)
    np.testing.assert_allclose(held.voltage, newton(feeder, p, taken)[feeder.home_bus], atol=1e-8)
    given = Feeders(feeder, precision="double").flow(p, taken)
    np.testing.assert_allclose(held.line_loadings, given.line_loadings, atol=1e-6)
    steep = Feeders(feeder, droop_kvar=np.full(17, 20.0)).flow(p)  # the undamped fixed point swings
    assert steep.converged.all()
    taken = 20.0 * np.clip((steep.voltage - 1) / 0.05, -1, 1)
    np.testing.assert_allclose(steep.voltage, newton(feeder, p, taken)[feeder.home_bus], atol=2e-6)


def test_some_feeders_keep_their_inverters() -> None:
    droop = np.repeat([0.0, 5.0, 9.0], 17)
    feeders = Feeders(Feeder.named("landnetz"), 3, droop_kvar=droop)
    p = np.full(51, -8.0)
    whole = feeders.flow(p)
    np.testing.assert_allclose(feeders.some([2, 0]).flow(p[:34]).voltage, whole.voltage[np.r_[34:51, 0:17]], atol=5e-7)


def test_lines_within_agrees_with_loadings() -> None:
    feeders = Feeders(Feeder.named("vorstadt"))
    for kw in (1.0, 3.0, 4.5, 5.5, 6.5):
        flow = feeders.flow(np.full(146, kw), np.zeros(146))
        assert flow.lines_within == (flow.line_loading.max() <= 1)


@pytest.mark.parametrize(
    "options, given, message",
    [
        ({}, np.zeros(16), r"import_kwh must have shape \(17,\) or \(n, 17\), not \(16,\)"),
        ({}, np.zeros((2, 2, 17)), "import_kwh must have shape"),
        ({}, [*[0.0] * 16, np.nan], "import_kwh must be finite, not nan of home 16"),
        ({}, ["x"] * 17, "import_kwh must be numbers"),
        ({"reactive_kvarh": np.zeros((1, 17))}, np.zeros(17), "reactive_kvarh must have the shape of import_kwh"),
        ({"start": np.ones(3)}, np.zeros(17), "start must hold voltages of shape"),
    ],
)
def test_refused(options: dict, given: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Feeders(Feeder.named("landnetz")).flow(given, **options)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_copies": 0}, "n_copies must be at least 1"),
        ({"precision": "half"}, "precision must be one of single, double"),
        ({"droop_kvar": np.ones(3)}, "droop_kvar must be 17 numbers of at least 0"),
        ({"droop_kvar": -np.ones(17)}, "droop_kvar must be 17 numbers of at least 0"),
        ({"tan_phi": -1}, "tan_phi must lie in"),
    ],
)
def test_feeders_refused(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Feeders(Feeder.named("landnetz"), **options)
    with pytest.raises(InputError, match="feeder must be a Feeder"):
        Feeders("landnetz")


def test_results_that_are_asked_for_later_are_of_the_powers_given() -> None:
    for precision, dtype in (("single", np.float32), ("double", np.float64)):
        feeders = Feeders(Feeder.named("landnetz"), precision=precision)
        p = np.full(17, 4, dtype)
        flow, same = feeders.flow(p), feeders.flow(p.copy())
        p[:] = 0
        np.testing.assert_array_equal(flow.losses_kw, same.losses_kw)
        np.testing.assert_array_equal(flow.line_loadings, same.line_loadings)


def test_a_feeder_whose_matrices_do_not_fit_is_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trulysparse._core.memory.free_bytes", lambda: 100 << 20)
    lines = [Line("busbar" if i == 0 else f"b{i - 1}", f"b{i}", 5, CABLE) for i in range(2000)]
    feeder = Feeder(Transformer(100, 4, 1.5), lines, ["b1999"] * 2)
    with pytest.raises(NotEnoughMemoryError, match="a feeder of 2 homes and 2000 lines needs about 24"):
        Feeders(feeder)
    with pytest.raises(NotEnoughMemoryError, match="the power flow of 400000 feeders needs"):
        Feeders(Feeder.named("landnetz")).flow(np.broadcast_to(np.zeros(17, np.float32), (400_000, 17)))
