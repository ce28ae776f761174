"""The defaults that depend on the data, and the rule by which they do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from trulysparse.errors import InputError

# Up to so many training samples a network is cheap enough to be one of several, and needs what holds it back.
FEW_SAMPLES = 5_000
# Up to so many, each update sees all of them, and nothing is dropped: a sample of weight 2 is then the same as two.
WHOLE = 32
# The number of updates that few samples are trained for.
UPDATES = 600


@dataclass(frozen=True)
class DataSize:
    """What the defaults of a recipe depend on.

    Args:
        n_samples: in training.
        n_features: inputs of the network.
        kind: 'classification', 'multilabel' or 'regression'.
        whole: whether these are all samples; False: the first of more to come.

    Raises:
        InputError: where kind is none of these.

    Example:
        >>> DataSize(72, 7129).kind
        'classification'
    """

    n_samples: int
    n_features: int
    kind: str = "classification"
    whole: bool = True

    def __post_init__(self) -> None:
        if self.kind not in ("classification", "multilabel", "regression"):
            raise InputError(f"kind must be classification, multilabel or regression, not {self.kind!r}")


# Many samples: the authors' settings for SET-MLPs.
LARGE: Mapping[str, Any] = {
    "scale": "standard",
    "hidden": (1000, 1000, 1000),
    "epsilon": 20.0,
    "connectivity": "erdos_renyi",
    "activation": "all_relu",
    "fan": "dense",
    "evolution": "set",
    "evolve_until": 1.0,
    "n_estimators": 1,
    "epochs": 50,
    "batch_size": 128,
    "optimizer": "sgd",
    "weight_decay": 0.0,
    "weight_decay_mode": None,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "skip": False,
}

# Few samples: one wide sparse layer of a rectifier beside a linear path, several times over.
FEW: Mapping[str, Any] = {
    "scale": "auto",
    "hidden": (1000,),
    "epsilon": 10.0,
    "connectivity": "f_score",
    "activation": "relu",
    "fan": "sparse",
    "evolution": "none",
    "evolve_until": 1.0,
    "n_estimators": 5,
    "optimizer": "adam",
    "weight_decay": 0.003,
    "weight_decay_mode": "direct",
    "dropout": 0.3,
    "input_dropout": 0.0,
    "skip": True,
}
LEARNING_RATES = {"sgd": 0.01, "adam": 0.001}
# Of an option that depends on the data: that it was not given.
OPEN = (None, "auto")


def few_batch_size(n_samples: int) -> int:
    """Samples per update where there are few: an eighth of them, 16 to 128; all of up to WHOLE.

    Args:
        n_samples: in training.

    Example:
        >>> few_batch_size(60), few_batch_size(400), few_batch_size(4000)
        (16, 50, 128)
    """
    return WHOLE if n_samples <= WHOLE else min(128, max(16, n_samples // 8))


def few_epochs(n_samples: int, batch_size: int) -> int:
    """Passes over few samples that make about UPDATES updates, 20 to 100.

    Args:
        n_samples: in training.
        batch_size: samples per update.

    Example:
        >>> few_epochs(60, 16), few_epochs(1600, 128)
        (100, 48)
    """
    return min(100, max(20, round(UPDATES * batch_size / max(1, n_samples))))


def defaults(data: DataSize | None, values: Mapping[str, Any], given: Collection[str] = ()) -> dict[str, Any]:
    """Values for the options that depend on the data.

    Where there are more than FEW_SAMPLES samples, or nothing is known of the data, they are LARGE; else FEW, with
    batches and epochs by the number of samples. Some follow from others that were given: momentum means sgd, zeta means
    evolution by set, alpha an activation with a slope, sizes of hidden layers one network of just these layers; the
    learning rate is the usual one of the optimizer.

    Args:
        data: what is known of the data, or None.
        values: of all options of a recipe by name.
        given: names of the options that the user wrote.

    Returns:
        Values by name, of all options that may depend on the data.
    """
    few = data is not None and data.n_samples <= FEW_SAMPLES
    chosen = dict(FEW if few else LARGE)
    if data is not None and data.kind == "regression":
        chosen["optimizer"], chosen["evolve_until"] = "adam", 0.75
    if data is not None and few:
        batch = values["batch_size"] or max(few_batch_size(data.n_samples), values["micro_batch_size"] or 1)
        chosen["batch_size"], chosen["epochs"] = batch, few_epochs(data.n_samples, batch)
        if data.n_samples <= WHOLE:
            chosen["dropout"] = 0.0
    chosen |= _implied(chosen, values, given)
    if values["storage"] != "indexed" or not (data is None or data.whole):  # scores are of all samples
        chosen["connectivity"] = "erdos_renyi"
    shared = values["workers"] > 1 or values["parallel"] is not None
    if values["storage"] != "indexed" or shared or not (data is None or data.whole):  # networks that cannot be merged
        chosen["n_estimators"] = 1
    return chosen


def _implied(chosen: Mapping[str, Any], values: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """What follows from options that the user wrote."""
    implied: dict[str, Any] = {}
    if {"zeta", "evolve_until"} & set(given):
        implied["evolution"] = "set"
    if values["alpha"] is not None:
        implied["activation"] = "all_relu"
    if {"momentum", "nesterov"} & set(given):
        implied["optimizer"] = "sgd"
    rule = implied.get("optimizer", chosen["optimizer"])
    optimizer = rule if values["optimizer"] in OPEN else values["optimizer"]
    implied["learning_rate"] = LEARNING_RATES.get(optimizer, 0.01) if isinstance(optimizer, str) else 0.01
    if values["optimizer"] not in OPEN or optimizer == "sgd":  # whose decay is another one's
        implied["weight_decay"], implied["weight_decay_mode"] = 0.0, None
    if values["hidden"] is not None:  # a network of that form is asked for
        implied["n_estimators"], implied["skip"] = 1, False
    if values["skip_density"] is not None:
        implied["skip"] = True
    if values["on_disk"]:
        implied["skip"] = False
    return implied
