"""The parts of the estimators' documentation that are the same."""

PARAMETERS = """Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, each at least 1
    epsilon : float above 0
        Erdos-Renyi sparsity: a layer n_in x n_out gets epsilon * (n_in + n_out) connections.
    density : float in (0, 1], a sequence of them, one per layer, or None
        In place of epsilon: share of the dense network's connections, or of each layer's.
    densities : 'erk' or 'uniform'
        How one density is divided among layers; see trulysparse.connectivity.layer_counts.
    output_density : float in (0, 1] or None
        The output layer's own density, 1 makes it dense; density or epsilon is then that of the other layers.
    connectivity : str, or a function or object that draws connections
        Where connections go at the start; see trulysparse.SparseMLP.
    activation : 'all_relu', 'relu', 'leaky_relu', 'tanh', 'sigmoid', 'identity', 'gelu', 'silu', or an object
        Such as AllReLU(), or one of your own: see trulysparse.ActivationFunction.
    alpha : float in [0, 1] or None
        Left slope of all_relu (None: 0.6) and leaky_relu (None: 0.01).
    evolution : name of a method ('set', 'rigl', ...), an Evolution, 'none' or None
        How the topology changes during training.
    zeta : float in [0, 1]
        Fraction of each layer's connections replaced by 'set', 'chts' and 'ctre' after each epoch but the last.
    optimizer : 'adam', 'sgd', or an optimizer such as Adam() (then learning_rate, momentum, weight_decay are its own)
    learning_rate, momentum, weight_decay : float
        See trulysparse.SGD and trulysparse.Adam.
    dropout : float in [0, 1)
        Share of hidden activations dropped in training.
    input_noise : float, at least 0
        Standard deviation of normal noise added to the inputs in training, in units of the scaled features.
    input_dropout : float in [0, 1)
        Share of the inputs set to 0 in training.
    augmentation : ImageAugmentation or None
        How images are turned, shifted and mirrored at random each time they are trained on.
    batch_size : int, at least 1, or 'auto'
        Samples per update. 'auto': an eighth of the samples that the first call gives, at least 32 and at most 128.
    epochs : int, at least 1
        Passes over the samples.
    scale : 'standard', 'minmax' or 'none'
        Scaling of the features with the training set's figures, kept in the network. In an array or sparse matrix,
        'standard' makes 1 of a one-hot column that few samples have a large number, as all its columns have the same
        deviation then: use 'none' or a MaxAbsScaler before it. One-hot columns that are made of a table stay 0 and 1.
    early_stopping : bool
        Hold out a part of the samples and stop when their score (accuracy or R^2) has not risen for `patience` epochs;
        the best epoch's network is kept.
    validation_fraction : float between 0 and 1
        The part that early stopping holds out.
    patience : int, at least 1
        Epochs without a better score after which early stopping ends training.
    warm_start : bool
        Whether fit goes on with the network of the call before, its topology, scaling and optimizer's state included,
        for `epochs` more; schedules begin anew. X and y must be as they were, and so must all parameters that say what
        the network is.
    dtype : 'auto', 'float32' or 'float64'
        Of weights and activations. 'auto': float64 where X is float64, as scikit-learn's own networks do;
        'float32' needs half the memory and time.
    init, fan : see trulysparse.WeightInit
    skip : bool
        Whether a sparse layer goes from the inputs straight to the outputs, beside the hidden layers.
    skip_density : float in (0, 1] or None
        Share of the skip layer's possible connections; None: by epsilon.
    layer_rates : None, 'supar' or a trulysparse.SuPar
        By what the learning rates of layers differ: not, or by the number of inputs of their neurons.
    n_jobs : int or None
        Threads; None or -1 for all, -2 for all but one and so on. Results do not depend on it, unless `parallel` makes
        workers of them.
    parallel : None, 'wasap', 'wassp' or a trulysparse.WASAP
        None: one network is trained by multi-threaded kernels. 'wasap', 'wassp': by n_jobs workers on one thread each.
    random_state : int, RandomState or None
        Seed of everything random; None: another one at each fit.
    verbose : 0 (silent), 1 (progress bar on a terminal) or 2 (a line per epoch)"""

ATTRIBUTES = """network_ : the trained SparseMLP
    preprocessor_ : the TablePreprocessor of a table's columns; None where they are plain numbers
    feature_importances_ : (n_features_in_,), how much the network uses each column of X, adding up to 1
    coefs_, intercepts_ : lists of sparse (n_in, n_out) and of (n_out,) arrays, one per layer
    skip_coef_ : sparse (n_inputs, n_outputs), the weights of the skip layer, or None
    history_ : History, one record per epoch
    loss_, best_loss_, loss_curve_ : mean loss of the last, the best and each epoch
    validation_scores_, best_validation_score_ : with early_stopping, else None
    n_iter_, n_layers_, n_outputs_, out_activation_, n_features_in_, feature_names_in_"""

NOTES = """Notes
    -----
    Parameters have the defaults of `trulysparse train` (see trulysparse.recipe.Recipe), except:

    ==================  ====================  ============  ========================================================
    parameter           `trulysparse train`   here          why
    ==================  ====================  ============  ========================================================
    hidden_layer_sizes  1000, 1000, 1000      100, 100      estimators are fitted many times over, to smaller data
    optimizer           sgd                   adam          SGD at 0.01 diverges on some regression tasks
    learning_rate       0.01                  0.001         the usual rate of Adam
    batch_size          128                   'auto'        tables of 100 samples get four updates per epoch, not one
    epochs              50                    100           small data gives few updates per epoch
    patience            None (never stops)    10            has an effect with early_stopping=True only, and is about
                                                            the validation score, not the training loss
    ==================  ====================  ============  ========================================================"""
