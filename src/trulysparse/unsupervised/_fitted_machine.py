"""FittedMachine: what a restricted Boltzmann machine computes once it has learned, in scikit-learn's form."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse.data.scaling import Scaling
from trulysparse.errors import InputError
from trulysparse.nn.mlp import SparseMLP
from trulysparse.unsupervised._base import ScoresSamples, UnsupervisedTransformer
from trulysparse.unsupervised.boltzmann import annealed, energies, learner_state, sampling
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence
from trulysparse.unsupervised.boltzmann.machine import BoltzmannMachine


class FittedMachine(ScoresSamples, UnsupervisedTransformer):
    """See SparseRBM, which adds parameters and learning."""

    _fitted_by = "network_"

    n_iter_: int
    visible_: str
    reconstruction_errors_: list[float]
    network_: SparseMLP
    _machine: BoltzmannMachine
    _learner: ContrastiveDivergence

    # ---- from visible to hidden and back ----

    def transform(self, X: Any) -> Floats:
        """Probabilities of the hidden units given the visible ones.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples, n_components), float32
        """
        matrix = self._samples(X, reset=False)
        return sampling.hidden_means(self._machine, matrix, self._threads())

    def inverse_transform(self, X: ArrayLike) -> Floats:
        """Means of the visible units given the hidden ones, in the unit of the samples.

        Parameters
        ----------
        X : array of shape (n_samples, n_components)
            Probabilities or states of the hidden units.

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        hidden = check_array(X, dtype=[np.float32, np.float64], accept_sparse=False, input_name="X")
        if hidden.shape[1] != self._n_features_out:
            raise InputError(f"X has {hidden.shape[1]} columns, but there are {self._n_features_out} hidden units")
        return self._in_unit(sampling.visible_means(self._machine, hidden, self._threads()))

    def gibbs(self, X: Any, n_steps: int = 1, *, random_state: int | None = None) -> Floats:
        """Visible states after steps of Gibbs sampling, each of which draws the hidden units, then the visible ones.

        Parameters
        ----------
        X : as for fit
            Where chains start.
        n_steps : int
        random_state : int or None
            Of what is drawn; None: that of the model. Equal ones give equal states.

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        steps = checks.integer("n_steps", n_steps, low=1)
        matrix = self._samples(X, reset=False)
        return self._in_unit(sampling.gibbs(self._machine, matrix, steps, self._drawn(random_state), self._threads()))

    def sample(self, n_samples: int = 1, n_steps: int = 1000, *, random_state: int | None = None) -> Floats:
        """Samples of the model: states of chains that start at the visible biases, after steps of Gibbs sampling.

        Parameters
        ----------
        n_samples : int
        n_steps : int
            The more, the closer to the model's distribution.
        random_state : int or None
            Of what is drawn; None: that of the model. Equal ones give equal samples.

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        n, steps = checks.integer("n_samples", n_samples, low=1), checks.integer("n_steps", n_steps, low=0)
        with self._reporting() as tell:
            seed = self._drawn(random_state)
            return self._in_unit(sampling.draw(self._machine, n, steps, seed, self._threads(), tell))

    # ---- likelihoods ----

    def free_energy(self, X: Any) -> NDArray[np.float64]:
        """F(v) of each sample: minus its log-likelihood, less the logarithm of the partition function.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples,)
            High for samples that the model does not expect.
        """
        matrix = self._samples(X, reset=False)
        return energies.free_energy(self._machine, matrix, self._threads())

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """The log-pseudo-likelihood of each sample, the sum over visible units of ln p(v_i | all others); of Gaussian
        visible units minus the free energy.

        It is exact and depends on the sample alone: scikit-learn's BernoulliRBM estimates it from one unit drawn at
        random.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples,)
            The higher, the more the model expects the sample.
        """
        matrix = self._samples(X, reset=False)
        if self.visible_ == "gaussian":
            return -energies.free_energy(self._machine, matrix, self._threads())
        return energies.pseudo_likelihood(self._machine, matrix, self._threads())

    def log_partition(
        self, n_chains: int = 100, n_temperatures: int = 1000, *, random_state: int | None = None
    ) -> annealed.LogPartition:
        """The logarithm of the partition function Z by annealed importance sampling; a sample's log-likelihood is
        -free_energy - ln Z.

        Parameters
        ----------
        n_chains : int
        n_temperatures : int
            Steps from the machine without weights to this one; the more, the better.
        random_state : int or None
            Of what is drawn; None: that of the model.

        Returns
        -------
        LogPartition
            `value`, and `low` and `high`, three standard errors of Z apart. Of Bernoulli visible units only.
        """
        check_is_fitted(self)
        chains = checks.integer("n_chains", n_chains, low=2)
        temperatures = checks.integer("n_temperatures", n_temperatures, low=1)
        seed = self._drawn(random_state)
        with self._reporting() as tell:
            return annealed.log_partition(
                self._machine, chains, temperatures, seed=seed, threads=self._threads(), progress=tell
            )

    # ---- what was found ----

    @property
    def components_(self) -> sp.csr_array:
        """The weights, (n_components, n_features)."""
        check_is_fitted(self)
        return self._machine.layer.weight

    @property
    def intercept_hidden_(self) -> Floats:
        """Biases of the hidden units, (n_components,)."""
        check_is_fitted(self)
        return self._machine.layer.bias

    @property
    def intercept_visible_(self) -> Floats:
        """Biases of the visible units, (n_features,)."""
        check_is_fitted(self)
        return self._machine.visible_bias

    # ---- pieces ----

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _take(self, machine: BoltzmannMachine, learner: ContrastiveDivergence) -> None:
        self._machine, self._learner = machine, learner
        self._n_features_out, self.visible_ = machine.n_hidden, machine.visible
        self.reconstruction_errors_ = []
        self.n_iter_ = 0
        self.network_ = machine.net

    def _drawn(self, random_state: int | None) -> int:
        """The seed of what a method draws."""
        if random_state is None:
            return self._learner.seed
        return int(check_random_state(random_state).randint(2**31 - 1))

    def _in_unit(self, values: Floats) -> Floats:
        """Visible values in the unit of the samples; constant features have their value."""
        scaling: Scaling | None = self._machine.net.scaling
        if scaling is None:
            return values
        with np.errstate(divide="ignore"):
            width = np.where(scaling.factor > 0, 1 / scaling.factor, 0.0)
        with np.errstate(over="ignore"):
            found: Floats = (values * width + scaling.offset).astype(values.dtype)
        if not np.isfinite(found).all():
            raise InputError(f"values in the unit of X are beyond the range of {values.dtype}; scale X before fit")
        return found

    # ---- files ----

    def _saved(self) -> tuple[dict[str, SparseMLP], dict[str, NDArray[Any]], dict[str, Any]]:
        arrays, config = learner_state.saved(self._learner)
        arrays["reconstruction_errors"] = np.array(self.reconstruction_errors_)
        return {"machine": self._machine.net}, arrays, {**config, "n_iter": self.n_iter_}

    def _restore(self, networks: dict[str, SparseMLP], arrays: dict[str, NDArray[Any]], config: dict[str, Any]) -> None:
        learner = learner_state.restored(networks["machine"], arrays, config, self._threads())
        self._take(learner.machine, learner)
        self.reconstruction_errors_ = arrays["reconstruction_errors"].tolist()
        self.n_iter_ = checks.integer("n_iter", config["n_iter"], low=0)
