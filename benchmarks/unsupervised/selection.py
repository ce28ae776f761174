"""Feature selection: every method of SparseFeatureSelector beside the selection methods of other libraries.

Each method chooses 50 features (of Madelon 20) from the training rows, in a process of its own. Then ExtraTrees and an
SVM learn from the chosen features of the training rows and are scored on the test rows; k-means is scored on the
training rows. Methods that do not depend on a seed choose once and are judged with every seed. Settings are the
methods' published ones or the libraries' defaults: none was chosen by these scores.

    python benchmarks/unsupervised/selection.py --data FOLDER [--sets coil20 madelon] [--methods MCFS wast]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from _data import IMAGES, SETS, TEXT, Split, load
from _judges import Judges
from _measure import DidNotFinish, Made, measured
from _peers import PEERS
from _results import keep, read
from numpy.typing import NDArray

import trulysparse as ts
from trulysparse.bench.report import table
from trulysparse.unsupervised.selection import WAST

OURS: dict[str, dict[str, Any]] = {
    "quickselection": {},
    "quickselection, accumulated": {"method": "quickselection", "noise": 1.0, "accumulate": True},
    "wast": {},
    "gradient": {},
    "attribution": {},
    "neurofs": {},
}
UNCHOSEN = {name for name, peer in PEERS.items() if not peer.works}  # whose features are not kept
KEY = ("data", "method", "seed")
LABELS = 5  # peers from here on look at labels, and ours after three
ORDER = (*list(PEERS)[:LABELS], *list(OURS)[:3], *list(PEERS)[LABELS:], *list(OURS)[3:])
JUDGES = ("extra_trees", "svc", "k_means", "hits")


def select_with_peer(split: Split, name: str, rows: int, seed: int) -> NDArray[np.intp]:
    chosen = np.random.default_rng(seed).permutation(len(split.y_train))[:rows]
    whole = rows == len(split.y_train)
    X, y = (split.X_train, split.y_train) if whole else (split.X_train[chosen], split.y_train[chosen])
    return PEERS[name].function(X, y, split.n_keep, seed)


def settings(method: str, data: str, epochs: int | None) -> dict[str, Any]:
    """Of SparseFeatureSelector, by the methods' papers: features scaled as in _data.py, WAST's share of errors."""
    chosen = {"method": method, "scale": "minmax" if data in TEXT else "standard"} | OURS[method]
    if method == "wast" and data in IMAGES:
        chosen["method"] = WAST(error_weight=0.4)
    return chosen if epochs is None else chosen | {"epochs": epochs}


def select_with_ours(split: Split, method: str, epochs: int | None, seed: int) -> NDArray[np.intp]:
    chosen = settings(method, split.name, epochs)
    selector = ts.SparseFeatureSelector(split.n_keep, n_jobs=1, random_state=seed, **chosen)
    return selector.fit(split.X_train, split.y_train).get_support(indices=True)


def choices(split: Split, method: str, setting: int | None, seeds: list[int]) -> list[tuple[list[int], float]]:
    """Chosen features and seconds for each seed; setting: rows of a peer, epochs of ours."""
    found = []
    for seed in seeds:
        began = time.process_time()
        features = (select_with_peer if method in PEERS else select_with_ours)(split, method, setting, seed)
        found.append(([int(each) for each in features], time.process_time() - began))
    return found


def run(folder: Path, split: Split, method: str, seeds: list[int], given: argparse.Namespace) -> list[dict[str, Any]]:
    """A row per seed, or one with `ended` if it did not finish; the peak of memory is that of all seeds."""
    row: dict[str, Any] = {"data": split.name, "method": method, "n_keep": split.n_keep}
    peer = PEERS.get(method)
    limit = given.limit * len(seeds)
    if peer is None:
        row |= {"rows": len(split.y_train), "epochs": given.epochs}
        made, imports, setting = Made(load, folder, split.name), ("trulysparse.unsupervised.selector",), given.epochs
    else:
        made, imports = Made(load, folder, split.name, peer.scale), peer.imports
        row["rows"] = setting = peer.rows(*split.X_train.shape)
        if not peer.works:
            found = choices(split, method, setting, seeds)
            return [row | {"seed": seed, "features": each[0]} for seed, each in zip(seeds, found, strict=True)]
    try:
        whole = measured(choices, made, method, setting, seeds, limit_seconds=limit, imports=imports)
    except DidNotFinish as ended:
        return [row | {"seed": seeds[0], "ended": str(ended)}]
    return [
        row | {"seed": seed, "seconds": seconds, "peak_mb": whole.peak_mb, "features": features}
        for seed, (features, seconds) in zip(seeds, whole.result, strict=True)
    ]


def has(data: str, method: str, seed: int) -> bool:
    """Whether the result file has this choice."""
    return any((row["data"], row["method"], row["seed"]) == (data, method, seed) for row in read("selection"))


def cell(rows: list[dict[str, Any]], data: str, method: str, judges: tuple[str, ...]) -> str:
    """Means and deviations over the seeds, seconds and MB of a choice."""
    found = [row for row in rows if (row["data"], row["method"]) == (data, method)]
    ended = [row for row in found if "ended" in row]
    if ended or not found:
        return f"({ended[0]['ended']})" if ended else ""
    scores = []
    for name in judges:
        values = np.array([row[name] for row in found if name in row])
        if len(values):
            scale = 1.0 if name == "hits" else 100.0
            scores.append(f"{scale * values.mean():.1f} ± {scale * values.std():.1f}")
    return "; ".join(scores)


def cost(rows: list[dict[str, Any]], data: str, method: str) -> str:
    found = [row for row in rows if (row["data"], row["method"]) == (data, method) and "seconds" in row]
    if not found:
        return ""
    seconds, mb = np.mean([row["seconds"] for row in found]), np.max([row["peak_mb"] for row in found])
    return f"{seconds:.2g} s; {mb:.0f} MB"


def print_tables(rows: list[dict[str, Any]], sets: list[str]) -> None:
    for data in sets:
        methods = [name for name in ORDER if any((r["data"], r["method"]) == (data, name) for r in rows)]
        lines = []
        for name in methods:
            found = next(row for row in rows if (row["data"], row["method"]) == (data, name))
            each = [cell(rows, data, name, (judge_name,)) for judge_name in JUDGES]
            lines.append([name, *each, cost(rows, data, name), str(found["rows"])])
        title = f"{data}: accuracy in %; seconds of the processor, one thread; peak memory beyond imports and data"
        table(title, ["method", "ExtraTrees", "SVC", "k-means", "of the 20", "choice", "rows"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with NAME.npz; without it the kept results are printed")
    parser.add_argument("--sets", nargs="+", default=list(SETS))
    parser.add_argument("--methods", nargs="+", choices=ORDER, default=list(ORDER))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, help="of our methods; without it those of each method's paper")
    parser.add_argument("--limit", type=float, default=300, help="seconds of the processor for one choice")
    parser.add_argument("--again", action="store_true", help="also what the result file already has")
    given = parser.parse_args()
    for data in given.sets if given.data else ():
        split = load(given.data, data)
        judges = Judges(split)
        for method in given.methods:
            once = method in PEERS and not PEERS[method].seeded
            missing = [seed for seed in range(given.seeds) if given.again or not has(data, method, seed)]
            if not missing:
                continue
            rows = run(given.data, split, method, missing[:1] if once else missing, given)
            if once and "ended" not in rows[0]:
                rows = [rows[0] | {"seed": seed} for seed in missing]
            for row in rows:
                scores = judges(np.array(row["features"]), row["seed"]) if "features" in row else {}
                hidden = {"features"} if (row["seed"] != missing[0] and once) or method in UNCHOSEN else set()
                whole = {key: value for key, value in row.items() if key not in hidden} | {"chosen_once": once} | scores
                keep("selection", whole, KEY)
                print({key: value for key, value in whole.items() if key not in {"features", "n_keep"}}, flush=True)
    print_tables(read("selection"), given.sets)


if __name__ == "__main__":
    main()
