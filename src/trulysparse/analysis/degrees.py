"""Degree distributions of a layer, and whether they look like a power law."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError, MissingExtraError


def in_degrees(con: Connectivity) -> NDArray[np.int64]:
    """How many inputs each output neuron has, (n_out,)."""
    return np.diff(con.by_output.ptr)


def out_degrees(con: Connectivity) -> NDArray[np.int64]:
    """How many outputs each input neuron has, (n_in,). On the first layer of a network: how much each feature is
    used."""
    return np.diff(con.by_input.ptr)


@dataclass(frozen=True)
class DegreeFit:
    """exponent: of the power law fitted to degrees from `smallest` on. ratio: normalised log-likelihood ratio of
    power law against exponential; positive favours the power law. p: its significance (Vuong's test): beyond 0.1 the
    data do not tell."""

    exponent: float
    smallest: int
    ratio: float
    p: float

    @property
    def favours(self) -> str:
        """'power law', 'exponential' or 'neither'."""
        if self.p > 0.1:
            return "neither"
        return "power law" if self.ratio > 0 else "exponential"


def fit_degrees(degrees: NDArray[np.int64]) -> DegreeFit:
    """Fits a discrete power law by maximum likelihood and compares it with an exponential on the same tail (Clauset,
    Shalizi and Newman 2009), by the package powerlaw. Neurons without connections are left out. Needs the extra
    'analysis'."""
    try:
        import powerlaw
    except ImportError:
        raise MissingExtraError("fitting degrees", "powerlaw", "analysis") from None
    positive = degrees[degrees > 0]
    if len(np.unique(positive)) < 3:
        raise InputError("degrees must take at least three different values above 0 to be fitted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = powerlaw.Fit(positive, discrete=True, verbose=False)
        ratio, p = fit.distribution_compare("power_law", "exponential", normalized_ratio=True)
    return DegreeFit(float(fit.power_law.alpha), int(fit.power_law.xmin), float(ratio), float(p))
