"""The parts of the estimators' documentation that are the same."""

PARAMETERS = """Parameters
    ----------
    Those that may be None or 'auto' and are so by default are chosen by the number of samples; see Notes. What was
    chosen is in `recipe_`.

    hidden_layer_sizes : int or sequence of int, each at least 1, or None
    epsilon : float above 0 or None
        Erdos-Renyi sparsity: a layer n_in x n_out gets epsilon * (n_in + n_out) connections.
    density : float in (0, 1], a sequence of them, one per layer, or None
        In place of epsilon: share of the dense network's connections, or of each layer's.
    densities : 'erk' or 'uniform'
        How one density is divided among layers; see trulysparse.connectivity.layer_counts.
    output_density : float in (0, 1] or None
        The output layer's own density, 1 makes it dense; density or epsilon is then that of the other layers.
    connectivity : str, or a function or object that draws connections
        Where connections go at the start; see trulysparse.SparseMLP. 'f_score': those of the first layer are drawn in
        proportion to the F statistics of their features, see trulysparse.data.f_scores.
    activation : 'all_relu', 'relu', 'leaky_relu', 'tanh', 'sigmoid', 'identity', 'gelu', 'silu', or an object
        Such as AllReLU(), or one of your own: see trulysparse.ActivationFunction.
    alpha : float in [0, 1] or None
        Left slope of all_relu (None: 0.6) and leaky_relu (None: 0.01).
    evolution : name of a method ('set', 'rigl', ...), an Evolution, 'none' or None
        How the topology changes during training.
    zeta : float in [0, 1]
        Fraction of each layer's connections replaced by 'set', 'chts' and 'ctre' after each epoch but the last.
    n_estimators : int, at least 1, or None
        Networks of other seeds, trained side by side on a thread each and merged into one, network_, whose output
        before the activation is the mean of theirs; see trulysparse.merge_networks.
    optimizer : 'adam', 'sgd', 'auto', or an optimizer such as Adam(), which has its own rate, momentum and decay
    learning_rate, momentum, weight_decay : float, or None of the first and the last
        See trulysparse.SGD and trulysparse.Adam.
    dropout : float in [0, 1) or None
        Share of hidden activations dropped in training.
    input_noise : float, at least 0
        Standard deviation of normal noise added to the inputs in training, in units of the scaled features.
    input_dropout : float in [0, 1) or None
        Share of the inputs set to 0 in training; the others are scaled up.
    input_masking : float in [0, 1)
        The same without scaling the others up; one of both may be above 0.
    input_swap : float in [0, 1]
        Share of the inputs that become the same feature's value of another sample of the batch in training.
    augmentation : ImageAugmentation or None
        How images are turned, shifted and mirrored at random each time they are trained on.
    batch_size : int, at least 1, or 'auto'
        Samples per update.
    epochs : int, at least 1, or None
        Passes over the samples.
    scale : 'standard', 'moderated', 'minmax', 'none' or 'auto'
        Scaling of the features with the training set's figures, kept in the network. In an array or sparse matrix,
        'standard' makes 1 of a one-hot column that few samples have a large number, as all its columns have the same
        deviation then; 'moderated' divides features of less than the median deviation by that. 'auto' means 'moderated'
        where no value is negative and three quarters are 0, as in counts of words, else 'standard'. One-hot columns
        that are made of a table stay 0 and 1.
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
    verbose : 0 (silent), 1 (progress bar on a terminal) or 2 (a line per epoch)
    pretrained : SparseMLP or None
        A network whose layers, all of them, are where the hidden layers begin, and whose scaling and preprocessing are
        taken over; it is not changed. hidden_layer_sizes: None, or its sizes and those of fresh layers after them;
        epsilon and density are those of the fresh layers. See from_autoencoder."""

ATTRIBUTES = """network_ : the trained SparseMLP
    recipe_ : the Recipe that it was made and trained by, with the values chosen for this data
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
    batch_size          None                  'auto'        the same by scikit-learn's name
    patience            None (never stops)    10            has an effect with early_stopping=True only, and is about
                                                            the validation score, not the training loss
    ==================  ====================  ============  ========================================================

    Of up to 5,000 samples, five networks are trained, each with one hidden layer of 1,000 rectifiers (epsilon 10, first
    connections by 'f_score', weights by their number) beside a linear path from the inputs to the outputs (skip), by
    Adam at 0.001 with weight decay 0.003 ('direct') and dropout 0.3, in batches of an eighth of the samples (16 to 128)
    for about 600 updates (20 to 100 epochs), without evolution. Of more, one network of 1000, 1000, 1000 neurons
    (epsilon 20, All-ReLU, SET) is trained by SGD at 0.01, targets of a regression by Adam at 0.001. partial_fit, which
    sees a part of the samples, makes one network; hidden_layer_sizes that are given make one of just these layers. The
    rule is trulysparse.recipe.defaults."""
