"""SparseRBM: restricted Boltzmann machines as transformers of scikit-learn's kind."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from trulysparse._core import checks
from trulysparse._core.progress import Progress
from trulysparse.data.matrix import Matrix
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution, Evolver, make_evolution
from trulysparse.io.parameters import require_same
from trulysparse.unsupervised._fitted_machine import FittedMachine
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
from trulysparse.unsupervised.boltzmann.epochs import make_evolver, run_epoch
from trulysparse.unsupervised.boltzmann.machine import VISIBLE, BoltzmannMachine
from trulysparse.unsupervised.boltzmann.ranges import check_shares, problem_of

EPSILON = 10
RATES = {"bernoulli": 0.1, "gaussian": 0.01}  # by kind of visible units


class SparseRBM(FittedMachine):
    """Restricted Boltzmann machine whose visible and hidden units are joined by sparse connections, learned by
    contrastive divergence while the topology evolves.

    Parameters
    ----------
    n_components : int
        Hidden units.
    epsilon : float
        Sparsity: round(epsilon * (n_features + n_components)) connections; left as it is where density is given.
    density : float or None
        In place of epsilon, the share of the possible connections that exist, in (0, 1].
    learning_rate : float or None
        Above 0. None: 0.1, of Gaussian visible units 0.01.
    momentum : float
        In [0, 1).
    weight_decay : float
        Share of each weight and bias that an update takes away, whatever the learning rate, in [0, 1).
    batch_size : int
        Samples per update.
    n_iter : int
        Epochs of fit.
    k : int
        Gibbs steps per update.
    persistent : bool
        Whether the model's phase goes on from update to update (persistent contrastive divergence), in batch_size
        chains, in place of starting at the data.
    visible : {"auto", "bernoulli", "gaussian"}
        Visible units: 'bernoulli' for values in [0, 1]; 'gaussian' for any others, which are scaled to mean 0 and
        standard deviation 1 of the samples of fit (or of the first partial_fit) and have variance 1 in that unit.
        'auto': Bernoulli where all these samples lie in [0, 1], else Gaussian.
    evolution : str, Evolution or None
        How the topology changes in fit: a method by name or an object such as ts.RigL(); methods that look at gradients
        get those of contrastive divergence. None: it stays.
    zeta : float
        Share of the connections of each sign that SET replaces after each epoch but the last, and that other methods
        with such a share do. New weights are 0; evolution=ts.SET(0.3, fresh="init") draws them as at the start, as the
        published code does.
    n_jobs : int or None
        Threads; None or -1: all. The result is the same for any number.
    random_state : int, RandomState or None
        Of connections, weights, the order of samples, and all that is drawn.
    verbose : bool or int
        Whether fit shows a bar on a terminal.
    progress : callable or None
        Called with (what, done, total), in epochs; the model can be used in it.

    Attributes
    ----------
    visible_ : {"bernoulli", "gaussian"}
        The kind of the visible units.
    components_ : csr_array of shape (n_components, n_features)
        The weights.
    intercept_hidden_ : array of shape (n_components,)
        Biases of the hidden units.
    intercept_visible_ : array of shape (n_features,)
        Biases of the visible units.
    reconstruction_errors_ : list of float
        Mean squared difference between samples and what contrastive divergence made of them, by epoch, in the unit
        of the visible units; 0 where chains persist.
    n_iter_ : int
        Epochs so far.
    network_ : SparseMLP
        Of one layer, from visible to hidden units: the first layer of a network that goes on from here, see the
        example of `docs/unsupervised.md`.
    n_features_in_ : int
    feature_names_in_ : array of shape (n_features_in_,)

    Notes
    -----
    Weights start as N(0, 0.05^2), biases at 0.

    References
    ----------
    Hinton, "Training products of experts by minimizing contrastive divergence" (2002). Mocanu et al., "Scalable
    training of artificial neural networks with adaptive sparse connectivity inspired by network science" (2018).
    Tieleman, "Training restricted Boltzmann machines using approximations to the likelihood gradient" (2008).

    Examples
    --------
    >>> import numpy as np
    >>> import trulysparse as ts
    >>> X = np.repeat(np.eye(4), 25, axis=0).repeat(5, axis=1)  # four patterns of 20 values
    >>> rbm = ts.SparseRBM(10, epsilon=3, n_iter=200, random_state=0).fit(X)
    >>> rbm.components_.nnz, rbm.transform(X).shape
    (90, (100, 10))
    >>> bool(np.abs(rbm.inverse_transform(rbm.transform(X)) - X).mean() < 0.1)
    True
    """

    def __init__(
        self,
        n_components: int = 200,
        *,
        epsilon: float = EPSILON,
        density: float | None = None,
        learning_rate: float | None = None,
        momentum: float = 0.0,
        weight_decay: float = 2e-7,
        batch_size: int = 10,
        n_iter: int = 50,
        k: int = 1,
        persistent: bool = False,
        visible: str = "auto",
        evolution: str | Evolution | None = "set",
        zeta: float = 0.3,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = False,
        progress: Progress | None = None,
    ) -> None:
        self.n_components = n_components
        self.epsilon = epsilon
        self.density = density
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.k = k
        self.persistent = persistent
        self.visible = visible
        self.evolution = evolution
        self.zeta = zeta
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.progress = progress

    # ---- learning ----

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learns the distribution of the samples, from fresh connections and weights.

        Parameters
        ----------
        X : array, sparse matrix, table, memory map or Matrix of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self
        """
        self._check_parameters()
        method, epochs = self._evolution(), checks.integer("n_iter", self.n_iter, low=1)
        with self._unchanged_by_errors(), self._reporting() as tell:
            matrix = self._samples(X, reset=True)
            machine, learner = self._fresh(matrix)
            evolver = None
            if method is not None:
                evolver = make_evolver(method, learner, matrix.n_samples, epochs, learner.batch_size)
            self._take(machine, learner)
            for _ in range(epochs):
                self._epoch(matrix, evolver, tell, epochs)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Makes one pass over the given samples, in batches of batch_size, without topology evolution.

        Gaussian visible units keep the unit that the first call's samples had: these should be more than a few.

        Parameters
        ----------
        X : as for fit
        y : ignored

        Returns
        -------
        self
        """
        self._check_parameters()
        if hasattr(self, "network_"):
            return self._one_more_pass(X)
        with self._unchanged_by_errors(), self._reporting() as tell:
            matrix = self._samples(X, reset=True)
            self._take(*self._fresh(matrix))
            self._epoch(matrix, None, tell, 1)
        return self

    # ---- pieces ----

    def _check_parameters(self) -> None:
        """InputError where one is out of range."""
        checks.integer("n_components", self.n_components, low=1)
        checks.choice("visible", self.visible, ("auto", *VISIBLE))
        checks.integer("batch_size", self.batch_size, low=1)
        if self.epsilon is not None:
            checks.real("epsilon", self.epsilon, low=0, low_open=True)
        if self.density is not None and self.epsilon not in (None, EPSILON):
            raise InputError("epsilon must be left as it is where density is given, which takes its place")
        checks.flag("persistent", self.persistent)
        self._settings("bernoulli")

    def _settings(self, visible: str) -> DivergenceSettings:
        """How visible units of this kind learn."""
        rate = RATES[visible] if self.learning_rate is None else self.learning_rate
        return DivergenceSettings(
            checks.real("learning_rate", rate, low=0, low_open=True),
            checks.real("momentum", self.momentum, low=0, high=1, high_open=True),
            checks.real("weight_decay", self.weight_decay, low=0, high=1, high_open=True),
            checks.integer("k", self.k, low=1),
            bool(self.persistent),
        )

    def _evolution(self) -> Evolution | None:
        if self.evolution is None or isinstance(self.evolution, Evolution):
            return self.evolution
        return make_evolution(self.evolution, zeta=self.zeta)

    def _kind(self, X: Matrix) -> str:
        """Of the visible units, for fresh samples; InputError where they cannot take them."""
        if self.visible == "gaussian":
            return "gaussian"
        problem = problem_of(X)
        if problem is None:
            return "bernoulli"
        if self.visible == "bernoulli":
            raise InputError(problem)
        return "gaussian"

    def _fresh(self, X: Matrix) -> tuple[BoltzmannMachine, ContrastiveDivergence]:
        """A machine at its start, for samples like X, and what it learns by."""
        visible, seed, threads = self._kind(X), self._seed(), self._threads()
        scaling = None
        if visible == "gaussian":
            scaling = self._scaling(ScalingFigures("standard", X.n_features), X)
        machine = BoltzmannMachine.draw(
            X.n_features,
            self.n_components,
            epsilon=None if self.density is not None else self.epsilon,
            density=self.density,
            visible=visible,
            seed=seed,
            threads=threads,
        )
        machine.net.scaling = scaling
        machine.net.preprocessor = self.preprocessor_
        settings = self._settings(visible)
        learner = ContrastiveDivergence(machine, settings, batch_size=self.batch_size, seed=seed, threads=threads)
        return machine, learner

    def _epoch(self, X: Matrix, evolver: Evolver | None, tell: Progress, epochs: int) -> None:
        """One pass over the samples, as the next of so many epochs."""
        done, learner = self.n_iter_, self._learner
        error = run_epoch(learner, X, learner.batch_size, evolver, lambda share: tell("training", done + share, epochs))
        self.reconstruction_errors_ = [*self.reconstruction_errors_, error]
        self.n_iter_ = done + 1
        tell("training", self.n_iter_, epochs)

    def _one_more_pass(self, X: Any) -> Self:
        """A call of partial_fit after others."""
        matrix, learner = self._samples(X, reset=False), self._learner
        self._require_writable(self._machine.net)
        settings, n_updates = learner.settings, learner.n_updates
        with self._unchanged_by_errors(learner.arrays()), self._reporting() as tell:
            try:
                self._go_on(matrix)
                self._epoch(matrix, None, tell, self.n_iter_ + 1)
            except BaseException:
                learner.settings, learner.n_updates = settings, n_updates
                raise
        return self

    def _go_on(self, X: Matrix) -> None:
        """Goes on with this call's settings; InputError where they, or the samples, would need another machine."""
        learner, machine = self._learner, self._machine
        settings = self._settings(machine.visible)
        kind, had = machine.visible, learner.settings
        before = {"n_components": machine.n_hidden, "visible": kind, "batch_size": learner.batch_size}
        before |= {"persistent": had.persistent, "momentum": had.momentum > 0}
        now = {"n_components": self.n_components, "visible": kind if self.visible == "auto" else self.visible}
        now |= {"batch_size": self.batch_size, "persistent": settings.persistent, "momentum": settings.momentum > 0}
        require_same(before, now)
        if machine.visible == "bernoulli":
            check_shares(X)
        learner.settings, learner.threads = settings, self._threads()
