"""Free energies and pseudo-likelihoods of samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trulysparse import _kernels
from trulysparse.data import Matrix
from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine


def free_energy(machine: BoltzmannMachine, X: Matrix, threads: int) -> NDArray[np.float64]:
    """F(v) = -ln sum_h exp(-E(v, h)): minus the log-likelihood of each sample, less ln Z.

    Args:
        machine: see BoltzmannMachine for E.
        X: (n_samples, n_visible).
        threads: at least 1.

    Returns:
        (n_samples,) float64.

    Raises:
        InputError: at a value that cannot be used.

    Example:
        >>> import numpy as np
        >>> from trulysparse.data import as_matrix
        >>> from trulysparse.unsupervised.boltzmann.energies import free_energy
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> machine = BoltzmannMachine.draw(3, 2, density=1.0, threads=1)
        >>> machine.layer.values[:] = 0
        >>> free_energy(machine, as_matrix(np.zeros((1, 3))), 1).round(6).tolist()  # -2 ln 2
        [-1.386294]
    """
    energy = np.empty(X.n_samples)
    bias = machine.visible_bias.astype(np.float64)
    for samples, v, h in machine.tiles(X, threads):
        machine.layer.forward(v, h, 0, threads)
        n = samples.stop - samples.start
        seen, sums = v.values[:, :n].astype(np.float64), h.values[:, :n].astype(np.float64)
        bernoulli = machine.visible == "bernoulli"
        own = -(bias @ seen) if bernoulli else np.square(seen - bias[:, None]).sum(axis=0) / 2
        energy[samples] = own - np.logaddexp(0, sums).sum(axis=0)
    return energy


def pseudo_likelihood(machine: BoltzmannMachine, X: Matrix, threads: int) -> NDArray[np.float64]:
    """The log-pseudo-likelihood of Bernoulli visible units, sum_i ln p(v_i | all other v).

    Exact: where unit i flips, only the hidden units that it is connected to change, so that all units together take
    about as long as two softplus per connection and sample.

    Args:
        machine: of Bernoulli visible units.
        X: (n_samples, n_visible); a value between 0 and 1 is compared with 1 minus it.
        threads: at least 1; the same bits for any number.

    Returns:
        (n_samples,) float64, at most 0.

    Raises:
        InputError: at a value that cannot be used.

    Source:
        Besag, "Statistical analysis of non-lattice data" (1975). scikit-learn's BernoulliRBM.score_samples estimates
        it from one unit drawn at random.

    Example:
        >>> import numpy as np
        >>> from trulysparse.data import as_matrix
        >>> from trulysparse.unsupervised.boltzmann.energies import pseudo_likelihood
        >>> from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine
        >>> machine = BoltzmannMachine.draw(3, 2, density=1.0, threads=1)
        >>> machine.layer.values[:] = 0
        >>> pseudo_likelihood(machine, as_matrix(np.zeros((1, 3))), 1).round(6).tolist()  # -3 ln 2
        [-2.079442]
    """
    likelihood = np.empty(X.n_samples)
    layer, gains = machine.layer, None
    rows = layer.connectivity.by_input
    for samples, v, h in machine.tiles(X, threads):
        layer.forward(v, h, 0, threads)
        if gains is None:
            gains = np.empty_like(v.values)
        _kernels.flip_gains(
            rows.ptr, rows.index, layer.values, machine.visible_bias, v.values, h.values, gains, threads
        )
        gain = gains[:, : samples.stop - samples.start].astype(np.float64)
        likelihood[samples] = -np.logaddexp(0, -gain).sum(axis=0)
    return likelihood
