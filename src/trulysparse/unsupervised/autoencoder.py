"""SparseAutoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from trulysparse._core.arrays import Floats
from trulysparse._core.progress import Progress
from trulysparse.data import as_matrix
from trulysparse.errors import InputError
from trulysparse.evolution import Evolution
from trulysparse.nn.activations import Activation
from trulysparse.nn.losses import AnyLoss
from trulysparse.nn.mlp import SparseMLP
from trulysparse.optim import Optimizer
from trulysparse.unsupervised._autoencoder_training import AutoencoderTraining
from trulysparse.unsupervised._base import ScoresSamples
from trulysparse.unsupervised._halves import decoder, encoder, errors, reconstructed


@dataclass(eq=False, repr=False)
class SparseAutoencoder(ScoresSamples, AutoencoderTraining):
    """A truly sparse autoencoder: a network that learns to give back its samples, and thereby to encode them.

    `transform` gives the activations of the middle layer, `inverse_transform` and `reconstruct` samples in the unit of
    X, `score_samples` minus the error of each sample, which is low for outliers. Weights exist only where a connection
    exists. By default it is denoising: it is trained to give back samples from corrupted ones.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, each at least 1
        Layers from the input to the code; those behind it mirror them: (500, 100) makes n-500-100-500-n.
    epsilon : float above 0
        Erdos-Renyi sparsity: a layer n_in x n_out gets epsilon * (n_in + n_out) connections.
    density : float in (0, 1], a sequence of them, one per layer, or None
        In the place of epsilon: share of the dense network's connections, or of each layer's.
    tied : bool
        Whether the last layer has the connections and weights of the first one, transposed.
    activation : 'relu', 'sigmoid', 'tanh', 'all_relu', 'leaky_relu', 'identity', 'gelu', 'silu', or an object
        Of the hidden layers, the code's included; or one of your own, see trulysparse.ActivationFunction.
    alpha : float in [0, 1] or None
        Left slope of all_relu (None: 0.6) and leaky_relu (None: 0.01).
    output : 'identity' or 'sigmoid'
        Output activation: 'sigmoid' for features that are 0 and 1, or between them.
    loss : None, 'mean_squared_error', 'binary_cross_entropy', or a loss
        Of the scaled features. None: the cross-entropy of output='sigmoid', the squared error of 'identity'. A loss may
        be an object, such as trulysparse.Huber() or one of your own.
    reduction : 'sum' or 'mean'
        Whether a named loss is the sum or the mean over features. Adam's steps hardly depend on it; those of SGD do.
    corruption : 'gaussian', 'masking', 'swap' or None
        What is done to the samples that the network reads in training: normal noise added, values set to 0 (the mean,
        of standardised features), or values replaced by those of other samples, which suits tables. None: nothing.
    noise : float, at least 0
        Standard deviation of the normal noise, in units of the scaled features; or the share of values set to 0 or
        replaced.
    redraw : bool
        Whether a sample is corrupted in another way each time it is trained on; False: in the same (not of 'swap').
    evolution : name of a method ('set', 'rigl', ...), an Evolution, 'none' or None
        How the topology changes during training; named methods evolve all layers, both ends included.
    zeta : float in [0, 1]
        Fraction of each layer's connections replaced by 'set', 'chts' and 'ctre' after each epoch but the last.
    optimizer : 'adam', 'sgd', or an optimizer such as Adam(), which has its own rate, momentum and decay
    learning_rate : float above 0, or None
        None: 0.005.
    momentum : float in [0, 1)
        Of 'sgd'.
    weight_decay : float, at least 0
        See trulysparse.Adam and trulysparse.SGD.
    dropout : float in [0, 1)
        Share of hidden activations dropped in training.
    batch_size : int, at least 1
        Samples per update.
    epochs : int, at least 1, or None
        Passes over the samples. None: as many as make about 2,000 updates, 10 to 100.
    scale : 'auto', 'standard', 'moderated', 'minmax' or 'none'
        Scaling of the features with the figures of the samples, kept in the network; what it gives is in the unit of X
        all the same. 'auto': 'minmax' with output='sigmoid'; else 'moderated' where no value is negative and three
        quarters are 0, as in counts of words, else 'standard'.
    init, fan : see trulysparse.WeightInit
    dtype : 'auto', 'float32' or 'float64'
        Of weights and activations. 'auto': float64 where X is float64.
    warm_start : bool
        Whether fit goes on with the network of the call before, its topology, scaling and optimizer's state included.
    n_jobs : int or None
        Threads; None or -1 for all, -2 for all but one and so on. Results do not depend on it.
    random_state : int, RandomState or None
        Seed of everything random; None: another one at each fit.
    verbose : bool
        Whether progress is shown on a terminal.
    progress : function of (what, done, total), or None
        Told how far work is.

    Attributes
    ----------
    network_ : SparseMLP
        The trained network, from samples to their reconstruction.
    encoder_, decoder_ : SparseMLP
        Its halves, which share its arrays.
    n_features_in_, feature_names_in_ : as of every transformer
    preprocessor_ : TablePreprocessor of a table's columns; None where they are plain numbers
    history_ : History, one record per epoch
    loss_, loss_curve_ : mean loss of the last and of each epoch, of corrupted samples, in training
    n_iter_ : epochs so far

    Notes
    -----
    The columns of a table that hold texts, categories or gaps are encoded by a TablePreprocessor; `inverse_transform`
    and `reconstruct` give its outputs then, (n_samples, n_features_out_).

    References
    ----------
    Vincent et al., "Extracting and composing robust features with denoising autoencoders" (2008): corruption. Atashgahi
    et al., "Quick and robust feature selection: the strength of energy-efficient sparse training for autoencoders"
    (2022): n-1000-n, epsilon 13, SET on both layers.

    Examples
    --------
    >>> import numpy as np
    >>> from trulysparse import SparseAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 20))
    >>> model = SparseAutoencoder((32, 2), activation="identity", random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape
    ((300, 2), (300, 20))
    >>> far = rng.normal(size=(300, 20)) * X.std(axis=0)  # correlated otherwise
    >>> model.score(X) > model.score(far)
    True
    """

    _fitted_by: ClassVar[str] = "network_"

    hidden_layer_sizes: int | Sequence[int] = (1000,)
    _: KW_ONLY
    epsilon: float | None = 13
    density: float | Sequence[float] | None = None
    tied: bool = False
    activation: str | Activation = "relu"
    alpha: float | None = None
    output: str = "identity"
    loss: str | AnyLoss | None = None
    reduction: str = "sum"
    corruption: str | None = "gaussian"
    noise: float = 0.2
    redraw: bool = True
    evolution: str | Evolution | None = "set"
    zeta: float = 0.2
    optimizer: str | Optimizer = "adam"
    learning_rate: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    dropout: float = 0.0
    batch_size: int = 100
    epochs: int | None = None
    scale: str = "auto"
    init: str = "he_uniform"
    fan: str = "sparse"
    dtype: str = "auto"
    warm_start: bool = False
    n_jobs: int | None = None
    random_state: int | np.random.RandomState | None = None
    verbose: bool | int = False
    progress: Progress | None = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Trains a fresh network or, with warm_start, goes on with that of the call before.

        Parameters
        ----------
        X : array-like, sparse matrix, table or trulysparse.data.Matrix of shape (n_samples, n_features)
            None is copied as a whole, nor made dense. The columns of a table (of pandas, polars or pyarrow) may hold
            texts, categories, booleans and gaps; see trulysparse.TablePreprocessor.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        InputError
            Where a parameter is out of range or the samples cannot be trained on.
        """
        return self._fit(X)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Makes one pass over the given samples, without topology evolution, with the settings of this call; those that
        the network is made of must stay.

        The figures of the scaling are those of all samples so far; how the columns of a table are encoded follows from
        the first call's samples. What was learned is carried over to the new figures, but at outputs of
        output='sigmoid' and of tied ends, which learn them.

        Parameters
        ----------
        X : as for fit
        y : ignored

        Returns
        -------
        self
        """
        return self._partial_fit(X)

    def transform(self, X: Any) -> Floats:
        """The code of each sample: the activations of the middle layer.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples, hidden_layer_sizes[-1])
        """
        return self.encoder_.predict(self._samples(X, reset=False))

    def inverse_transform(self, X: Any) -> Floats:
        """Samples from codes, in the unit of the X of fit.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, hidden_layer_sizes[-1])

        Returns
        -------
        array of shape (n_samples, n_features)
        """
        half = self.decoder_
        codes = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], estimator=self)
        if codes.shape[1] != half.layer_sizes[0]:
            raise InputError(f"X must have {half.layer_sizes[0]} columns, as transform gives, not {codes.shape[1]}")
        return reconstructed(half, as_matrix(codes))

    def reconstruct(self, X: Any) -> Floats:
        """What the network gives back for samples: inverse_transform(transform(X)), a block of samples at a time.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples, n_features), in the unit of X
        """
        samples = self._samples(X, reset=False)
        return reconstructed(self.network_, samples)

    def score_samples(self, X: Any) -> NDArray[np.float64]:
        """Minus the error of each sample, a block of samples at a time: low for outliers.

        Parameters
        ----------
        X : as for fit

        Returns
        -------
        array of shape (n_samples,)
            Minus the mean over features of the squared difference between a sample and its reconstruction, both scaled;
            of output='sigmoid', of the binary cross-entropy. Neither depends on `loss`.
        """
        samples = self._samples(X, reset=False)
        return -errors(self.network_, samples)

    @property
    def encoder_(self) -> SparseMLP:
        """The layers from the input to the code, as a network whose `predict` gives codes."""
        check_is_fitted(self)
        return encoder(self.network_, len(self.network_.chain) // 2)

    @property
    def decoder_(self) -> SparseMLP:
        """The layers behind the code, as a network."""
        check_is_fitted(self)
        return decoder(self.network_, len(self.network_.chain) // 2)

    @property
    def loss_curve_(self) -> list[float]:
        """The mean loss of each epoch."""
        check_is_fitted(self)
        return self.history_["loss"]
