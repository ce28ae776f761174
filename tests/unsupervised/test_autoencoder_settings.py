"""What parameters of an autoencoder stand for."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.evolution import NAMES
from trulysparse.evolution.methods.registry import STANDING
from trulysparse.unsupervised import _autoencoder_settings as settings


def test_epochs_follow_from_the_number_of_samples():
    assert [settings.default_epochs(n, 100) for n in (1, 5_000, 20_000, 10**7)] == [100, 40, 10, 10]


def test_scale():
    assert settings.scale_of("auto", "sigmoid") == "minmax"
    assert settings.scale_of("auto", "identity") == "auto"
    with pytest.raises(ts.InputError, match="scale must be 'auto', 'minmax' or 'none' with output='sigmoid'"):
        settings.scale_of("standard", "sigmoid")


def test_losses():
    assert settings.loss_of(None, "identity", "sum") == ts.MeanSquaredError(reduction="sum")
    assert settings.loss_of("binary_cross_entropy", "sigmoid", "mean") == ts.BinaryCrossEntropy()
    assert settings.loss_of(ts.Huber(0.5), "identity", "sum") == ts.Huber(0.5)
    with pytest.raises(ts.InputError, match="loss sum_squared_error belongs to output"):
        settings.loss_of("mean_squared_error", "sigmoid", "sum")
    with pytest.raises(ts.InputError, match="output must be one of identity, sigmoid"):
        settings.loss_of(None, "softmax", "sum")


def test_optimizers():
    assert settings.optimizer_of("adam", None, 0.9, 0.0) == ts.Adam(0.005)
    assert settings.optimizer_of("sgd", 0.1, 0.5, 0.01) == ts.SGD(0.1, 0.5, weight_decay=0.01)
    own = ts.Adam(0.1)
    assert settings.optimizer_of(own, None, 0.9, 0.0) is own
    with pytest.raises(ts.InputError, match="optimizer must be one of adam, sgd"):
        settings.optimizer_of("lion", None, 0.9, 0.0)


def test_evolution_includes_the_output_layer():
    method = settings.evolution_of("set", 0.4)
    assert method.zeta == 0.4
    assert method.output_layer
    assert settings.evolution_of("rigl", 0.2).output_layer
    own = ts.SET()
    assert settings.evolution_of(own, 0.2) is own
    assert settings.evolution_of("none", 0.2) is None
    assert settings.evolution_of(None, 0.2) is None


@pytest.mark.parametrize(
    "corruption, noise, options",
    [
        ("gaussian", 3, {"input_noise": 3, "redraw_input_noise": True}),
        ("masking", 0.5, {"input_masking": 0.5, "redraw_input_noise": True}),
        ("swap", 1, {"input_swap": 1, "redraw_input_noise": True}),
        (None, 0.2, {}),
    ],
)
def test_corruption(corruption, noise, options):
    assert settings.corruption_of(corruption, noise, True, 10) == options


@pytest.mark.parametrize("corruption", ["gaussian", None])
def test_redraw_is_true_or_false(corruption):
    with pytest.raises(ts.InputError, match="redraw must be True or False, not 'no'"):
        settings.corruption_of(corruption, 0.2, "no", 10)


def test_values_are_swapped_among_at_least_two_samples():
    with pytest.raises(ts.InputError, match="batch_size must be at least 2 with corruption='swap'"):
        settings.corruption_of("swap", 0.2, True, 1)
    assert settings.corruption_of("swap", 0.0, True, 1)["input_swap"] == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tied", [False, True])
def test_every_named_method_evolves_both_ends(rng, name, tied):
    model = ts.SparseAutoencoder((4,), epsilon=2, tied=tied, evolution=name, epochs=3, random_state=0, n_jobs=1)
    if tied and name == "redo":
        with pytest.raises(ts.InputError, match=r"'redo' cannot .* ends are tied"):
            model.fit(rng.normal(size=(60, 9)))
        return
    model.fit(rng.normal(size=(60, 9)))
    method = model._members.trainers[0].evolution
    assert name in STANDING or method.output_layer
    assert np.isfinite(model.network_.layers[1].values).all()


def test_swapped_values_are_always_drawn_anew():
    with pytest.raises(ts.InputError, match="redraw must be True with corruption='swap'"):
        settings.corruption_of("swap", 0.2, False, 10)


@pytest.mark.parametrize(
    "corruption, noise, message",
    [
        ("salt", 0.2, "corruption must be one of gaussian, masking, swap"),
        ("gaussian", -1, "noise must lie in"),
        ("masking", 1, r"noise must lie in \[0, 1\)"),
        ("swap", 1.5, r"noise must lie in \[0, 1\]"),
    ],
)
def test_corruption_out_of_range(corruption, noise, message):
    with pytest.raises(ts.InputError, match=message):
        settings.corruption_of(corruption, noise, True, 10)
