"""Degree distributions of a layer, and whether they look like a power law."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trulysparse.connectivity import Connectivity
from trulysparse.errors import InputError, MissingExtraError


def in_degrees(con: Connectivity) -> NDArray[np.int64]:
    """The number of inputs of each output neuron of a layer.

    Args:
        con: the layer's connectivity.

    Returns:
        int64 (n_out,).

    Example:
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP.from_matrices([sp.csr_array([[1.0, 2.0, 0.0], [0.0, 3.0, 0.0]])])
        >>> analysis.in_degrees(net.layers[0].connectivity).tolist()
        [2, 1]
    """
    return np.diff(con.by_output.ptr)


def out_degrees(con: Connectivity) -> NDArray[np.int64]:
    """The number of outputs of each input neuron of a layer. On the first layer of a network: how much each feature is
    used.

    Args:
        con: the layer's connectivity.

    Returns:
        int64 (n_in,).

    Example:
        >>> import scipy.sparse as sp
        >>> import trulysparse as ts
        >>> from trulysparse import analysis
        >>> net = ts.SparseMLP.from_matrices([sp.csr_array([[1.0, 2.0, 0.0], [0.0, 3.0, 0.0]])])
        >>> analysis.out_degrees(net.layers[0].connectivity).tolist()
        [1, 2, 0]
    """
    return np.diff(con.by_input.ptr)


@dataclass(frozen=True)
class DegreeFit:
    """A power law fitted to degrees, compared with an exponential.

    Args:
        exponent: of the power law.
        smallest: the degree from which on it was fitted.
        ratio: normalised log-likelihood ratio of power law against exponential; positive favours the power law.
        p: significance of the ratio (Vuong's test); above 0.1 the data favour neither.

    Example:
        >>> from trulysparse import analysis
        >>> analysis.DegreeFit(exponent=2.3, smallest=4, ratio=5.1, p=0.001).favours
        'power law'
    """

    exponent: float
    smallest: int
    ratio: float
    p: float

    @property
    def favours(self) -> str:
        """The better distribution: 'power law', 'exponential' or 'neither'."""
        if self.p > 0.1:
            return "neither"
        return "power law" if self.ratio > 0 else "exponential"


def fit_degrees(degrees: NDArray[np.int64]) -> DegreeFit:
    """Fits a discrete power law by maximum likelihood and compares it with an exponential on the same tail, by the
    package powerlaw (extra 'analysis').

    Args:
        degrees: one per neuron, as in_degrees and out_degrees give them; zeros are left out.

    Returns:
        The fit.

    Raises:
        InputError: where there are fewer than three different degrees above 0.
        MissingExtraError: where powerlaw is not installed.

    Source:
        Clauset, Shalizi and Newman, "Power-law distributions in empirical data", SIAM Review 51 (2009).

    Example:
        >>> from trulysparse import analysis
        >>> from trulysparse.connectivity import scale_free
        >>> con = scale_free(2000, 2000, 10_000, exponent=2.3, seed=1)
        >>> analysis.fit_degrees(analysis.in_degrees(con)).favours
        'power law'
    """
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
