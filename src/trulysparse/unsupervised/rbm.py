"""SparseRBM: restricted Boltzmann machines as transformers of scikit-learn's kind."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted

from trulysparse._core import checks
from trulysparse._core.arrays import Floats
from trulysparse._core.progress import Progress
from trulysparse.data.matrix import Matrix
from trulysparse.data.scaling import Scaling
from trulysparse.data.scaling_figures import ScalingFigures
from trulysparse.errors import InputError
from trulysparse.evolution import SET, Evolution, make_evolution
from trulysparse.nn.mlp import SparseMLP
from trulysparse.unsupervised._base import UnsupervisedTransformer
from trulysparse.unsupervised.boltzmann import annealed, energies, learner_state, sampling
from trulysparse.unsupervised.boltzmann.divergence import ContrastiveDivergence, DivergenceSettings
from trulysparse.unsupervised.boltzmann.epochs import make_evolver, run_epoch
from trulysparse.unsupervised.boltzmann.machine import VISIBLE, BoltzmannMachine
from trulysparse.unsupervised.boltzmann.ranges import check_shares


class SparseRBM(UnsupervisedTransformer):
    """Restricted Boltzmann machine whose visible and hidden units are joined by sparse connections, learned by
    contrastive divergence while the topology evolves.

    Parameters
    ----------
    n_components : int
        Hidden units.
    epsilon : float
        Sparsity: round(epsilon * (n_features + n_components)) connections.
    density : float or None
        In place of epsilon, the share of the possible connections that exist, in (0, 1].
    learning_rate : float
        Above 0; of Gaussian visible units a tenth of the default is a good start.
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
    visible : {"bernoulli", "gaussian"}
        Visible units: 'bernoulli' for values in [0, 1]; 'gaussian' for any others, which are scaled to mean 0 and
        standard deviation 1 of the samples of fit (or of the first partial_fit) and have variance 1 in that unit.
    evolution : str, Evolution or None
        How the topology changes in fit: a method by name or an object such as ts.RigL(); methods that look at gradients
        get those of contrastive divergence. None: it stays.
    zeta : float
        Share of the connections of each sign that SET replaces after each epoch but the last, and what other methods
        that have such a share replace. 'set' draws new weights as at the start.
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
    training of artificial neural networks with adaptive sparse connectivity inspired by network science" (2018). Tieleman,
    "Training restricted Boltzmann machines using approximations to the likelihood gradient" (2008).

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

    _fitted_by = "network_"

    def __init__(
        self,
        n_components: int = 200,
        *,
        epsilon: float = 10,
        density: float | None = None,
        learning_rate: float = 0.1,
        momentum: float = 0.0,
        weight_decay: float = 2e-7,
        batch_size: int = 10,
        n_iter: int = 50,
        k: int = 1,
        persistent: bool = False,
        visible: str = "bernoulli",
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
        settings, method, epochs = self._settings(), self._evolution(), checks.integer("n_iter", self.n_iter, low=1)
        with self._reporting() as tell:
            matrix = self._checked(X, reset=True)
            machine, learner = self._fresh(matrix, settings)
            evolver = None
            if method is not None:
                evolver = make_evolver(method, learner, matrix.n_samples, epochs, learner.batch_size)
            self._take(machine, learner)
            for epoch in range(epochs):
                error = run_epoch(
                    learner,
                    matrix,
                    learner.batch_size,
                    evolver,
                    lambda done, at=epoch: tell("training", at + done, epochs),
                )
                self._note(error)
                tell("training", epoch + 1, epochs)
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
        settings = self._settings()
        first = not hasattr(self, "network_")
        with self._reporting() as tell:
            matrix = self._checked(X, reset=first)
            if first:
                self._take(*self._fresh(matrix, settings))
            else:
                self._require_same(settings)
            self._note(
                run_epoch(self._learner, matrix, self._learner.batch_size, None, lambda done: tell("training", done, 1))
            )
            tell("training", 1, 1)
        return self

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
        return sampling.hidden_means(self._machine, self._samples(X, reset=False), self._threads())

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
        return energies.free_energy(self._machine, self._samples(X, reset=False), self._threads())

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
        if self._machine.visible == "gaussian":
            return -energies.free_energy(self._machine, matrix, self._threads())
        return energies.pseudo_likelihood(self._machine, matrix, self._threads())

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of score_samples, by which searches compare models.

        Parameters
        ----------
        X : as for fit
        y : ignored

        Returns
        -------
        float
        """
        return float(self.score_samples(X).mean())

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

    def _settings(self) -> DivergenceSettings:
        """The parameters of learning, checked, and those of the machine too."""
        checks.integer("n_components", self.n_components, low=1)
        checks.choice("visible", self.visible, VISIBLE)
        checks.integer("batch_size", self.batch_size, low=1)
        if not isinstance(self.persistent, bool | np.bool_):
            raise InputError(f"persistent must be True or False, not {self.persistent!r:.80}")
        return DivergenceSettings(
            checks.real("learning_rate", self.learning_rate, low=0, low_open=True),
            checks.real("momentum", self.momentum, low=0, high=1, high_open=True),
            checks.real("weight_decay", self.weight_decay, low=0, high=1, high_open=True),
            checks.integer("k", self.k, low=1),
            bool(self.persistent),
        )

    def _evolution(self) -> Evolution | None:
        if self.evolution is None or isinstance(self.evolution, Evolution):
            return self.evolution
        method = make_evolution(self.evolution, zeta=self.zeta)
        return SET(self.zeta, fresh="init") if isinstance(method, SET) else method

    def _checked(self, X: Any, *, reset: bool) -> Matrix:
        matrix = self._samples(X, reset=reset)
        if self.visible == "bernoulli":
            check_shares(matrix)
        return matrix

    def _fresh(self, X: Matrix, settings: DivergenceSettings) -> tuple[BoltzmannMachine, ContrastiveDivergence]:
        """A machine at its start, for samples like X, and what it learns by."""
        seed, threads = self._seed(), self._threads()
        scaling = None
        if self.visible == "gaussian":
            scaling = self._scaling(ScalingFigures("standard", X.n_features), X)
        machine = BoltzmannMachine.draw(
            X.n_features,
            self.n_components,
            epsilon=None if self.density is not None else self.epsilon,
            density=self.density,
            visible=self.visible,
            seed=seed,
            threads=threads,
        )
        machine.net.scaling = scaling
        machine.net.preprocessor = self.preprocessor_
        learner = ContrastiveDivergence(machine, settings, batch_size=self.batch_size, seed=seed, threads=threads)
        return machine, learner

    def _take(self, machine: BoltzmannMachine, learner: ContrastiveDivergence) -> None:
        self._machine, self._learner = machine, learner
        self._n_features_out = machine.n_hidden
        self.reconstruction_errors_: list[float] = []
        self.n_iter_ = 0
        self.network_ = machine.net

    def _note(self, error: float) -> None:
        self.reconstruction_errors_.append(error)
        self.n_iter_ += 1

    def _require_same(self, settings: DivergenceSettings) -> None:
        """Goes on with this call's settings; InputError where they would need another machine."""
        learner, machine = self._learner, self._machine
        for name, now, was in (
            ("n_components", self.n_components, machine.n_hidden),
            ("visible", self.visible, machine.visible),
            ("batch_size", self.batch_size, learner.batch_size),
            ("persistent", settings.persistent, learner.settings.persistent),
            ("momentum", settings.momentum > 0, learner.settings.momentum > 0),
        ):
            if now != was:
                raise InputError(f"{name} cannot change between calls of partial_fit: call fit, or keep it as it was")
        if not machine.layer.values.flags.writeable:
            raise InputError(
                "this model is read-only, as joblib.load with mmap_mode='r' makes it: load it without mmap_mode to train "
                "it further"
            )
        learner.settings, learner.threads = settings, self._threads()

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
        return (values * width + scaling.offset).astype(values.dtype)

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
