"""Time of a training step against density, beside torch: 3072-1024-512-10, hidden layers of equal density."""

from __future__ import annotations

from _run import RESULTS, keep, options

from trulysparse.bench import Problem, network_of_density
from trulysparse.bench.report import plot, table
from trulysparse.bench.steps import compare

SIZES = (3072, 1024, 512, 10)
DENSITIES = (0.5, 0.3, 0.2, 0.1, 0.05, 0.01, 0.001)
CONTENDERS = ("trulysparse", "torch dense", "torch masked", "torch csr")

given = options(__doc__)
results = []
for density in DENSITIES:
    problem = Problem.make(f"density {density}", network_of_density(SIZES, density), 128)
    result = compare(problem, CONTENDERS, given.threads, given.seconds)
    results.append({**result, "hidden_density": density})
for name, why in results[0]["missing"].items():
    print(f"{name}: {why}")
rows, lines = [], {}
for result in results:
    times = {row["name"]: row["ms"] for row in result["rows"]}
    ratios = {row["name"]: f"{row['ratio']:.2f}" for row in result["rows"]}
    rows.append([result["hidden_density"], *times.values(), ratios.get("torch dense", "")])
    for name, ms in times.items():
        xs, ys = lines.setdefault(name, ([], []))
        xs.append(result["hidden_density"])
        ys.append(ms)
table("A training step at batch 128, ms", ["hidden density", *lines, "dense / ours"], rows)
keep("density_sweep", given.threads, results)
plot(
    RESULTS / "density_sweep.png",
    x="density of hidden layers",
    y="ms per step",
    lines=lines,
    title="-".join(map(str, SIZES)),
)
