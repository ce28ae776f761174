"""Augmentation of images: against SciPy's affine_transform, and that the same seed gives the same bits everywhere."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import scipy.ndimage as ndi
import scipy.sparse as sp
from sklearn.base import clone

import trulysparse as ts
from trulysparse import _kernels
from trulysparse._core.random import stream_key
from trulysparse.data import Scaling, as_matrix, fit_scaling
from trulysparse.errors import InputError

SHAPES = [(3, 12, 10), (12, 10, 3), (28, 28), (7, 5), (1, 9), (9, 1), (1, 1), (2, 70, 3)]


def planes(x, augmentation):
    """(n, channels, height, width) of samples."""
    shape = augmentation.shape
    images = np.asarray(x, np.float64).reshape(len(x), *shape)
    if len(shape) == 2:
        return images[:, None]
    return images.transpose(0, 3, 1, 2) if augmentation.channels_last else images


def samples(images, augmentation):
    """The way back from `planes`."""
    if augmentation.channels_last:
        images = images.transpose(0, 2, 3, 1)
    return images.reshape(len(images), -1)


def reference(x, augmentation, transforms):
    """As Keras' ImageDataGenerator, which calls the same function of SciPy."""
    made = [
        [
            ndi.affine_transform(plane, t.reshape(2, 3)[:, :2], t.reshape(2, 3)[:, 2], order=1, mode="nearest")
            for plane in image
        ]
        for image, t in zip(planes(x, augmentation), transforms, strict=True)
    ]
    return samples(np.array(made), augmentation)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [1, 3, 21])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_images_are_those_of_scipy(rng, shape, n, dtype):
    augmentation = ts.ImageAugmentation(shape, rotation=25, shift=0.3, flip=True)
    x = rng.random((n, augmentation.n_features))
    expected = reference(x, augmentation, augmentation.transforms(np.arange(n), stream_key(4, "apply")))
    got = augmentation.apply(x, seed=4, dtype=dtype, threads=2)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, atol=1e-5 if dtype == "float32" else 1e-12)


def test_transforms_are_those_of_keras(rng):
    """Shift, then rotation about the middle of the image, then the mirror, as matrices."""
    augmentation = ts.ImageAugmentation((20, 30), rotation=15, shift=0.2, flip=True)
    found = augmentation.transforms(np.arange(200), 1)
    for t in found:
        matrix = np.vstack([t.reshape(2, 3), [0, 0, 1]])
        side = np.linalg.det(matrix[:2, :2])
        mirror = np.array([[1, 0, 0], [0, side, 29 * (side < 0)], [0, 0, 1.0]])
        rigid = matrix @ mirror  # the mirror is its own inverse
        angle = np.arctan2(rigid[1, 0], rigid[0, 0])
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
        middle = np.array([[1, 0, 9.5], [0, 1, 14.5], [0, 0, 1.0]])
        shift = np.linalg.inv(middle @ turn) @ rigid @ middle
        np.testing.assert_allclose(shift[:2, :2], np.eye(2), atol=1e-12)
        assert abs(np.degrees(angle)) <= 15
        assert abs(shift[0, 2]) <= 0.2 * 20
        assert abs(shift[1, 2]) <= 0.2 * 30


def test_amounts_are_uniform():
    found = ts.ImageAugmentation((11, 11), rotation=30, shift=0.5, flip=True).transforms(np.arange(20000), 7)
    mirrored = found[:, 0] * found[:, 4] - found[:, 1] * found[:, 3] < 0
    assert abs(mirrored.mean() - 0.5) < 0.02
    angle = np.degrees(np.arctan2(found[:, 3], found[:, 0]))
    assert abs(angle.mean()) < 0.5
    assert abs(angle.std() - 60 / np.sqrt(12)) < 0.3
    assert np.abs(angle).max() < 30


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_asked_for_changes_nothing(rng, shape):
    augmentation = ts.ImageAugmentation(shape)
    x = rng.integers(0, 256, (19, augmentation.n_features), dtype=np.uint8)
    np.testing.assert_array_equal(augmentation.apply(x), x)


def test_a_mirror_alone_reverses_rows(rng):
    augmentation = ts.ImageAugmentation((4, 6), flip=True)
    x = rng.random((40, 24)).astype(np.float32)
    got = augmentation.apply(x, seed=1).reshape(40, 4, 6)
    images = x.reshape(40, 4, 6)
    mirrored = (got == images[:, :, ::-1]).all(axis=(1, 2))
    assert 5 < mirrored.sum() < 35
    np.testing.assert_array_equal(got[~mirrored], images[~mirrored])


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, np.asfortranarray, lambda x: x.astype(np.uint8)])
@pytest.mark.parametrize("shape", [(3, 6, 5), (6, 5, 3)])
def test_scaling_comes_after_and_columns_beyond_are_zero(rng, make, shape):
    augmentation = ts.ImageAugmentation(shape, rotation=10, shift=0.1, flip=True)
    x = np.floor(rng.random((30, 90)) * 200) * (rng.random((30, 90)) < 0.5)
    rows, scaling = rng.permutation(30)[:21], Scaling("standard", rng.random(90), rng.random(90) + 0.5)
    out = np.full((90, 32), np.nan, np.float32)
    augmentation.load(as_matrix(make(x)), rows, out, scaling, 11, 2)
    expected = reference(x[rows], augmentation, augmentation.transforms(rows, 11))
    np.testing.assert_allclose(out[:, :21].T, (expected - scaling.offset) * scaling.factor, atol=1e-3)
    assert not out[:, 21:].any()


def test_a_sample_does_not_depend_on_its_batch_or_on_threads(rng):
    augmentation = ts.ImageAugmentation((3, 16, 16), rotation=10, shift=0.1, flip=True)
    matrix = as_matrix(rng.random((200, 768)).astype(np.float32))
    rows = rng.permutation(200)
    whole = np.empty((768, _kernels.padded_batch(200)), np.float32)
    augmentation.load(matrix, rows, whole, None, 5, 1)
    for start, stop, threads in ((0, 200, 4), (50, 51, 1), (100, 117, 2)):
        part = np.empty((768, _kernels.padded_batch(stop - start)), np.float32)
        augmentation.load(matrix, rows[start:stop], part, None, 5, threads)
        np.testing.assert_array_equal(part[:, : stop - start], whole[:, start:stop])


def test_values_that_are_not_finite_are_refused():
    augmentation = ts.ImageAugmentation((2, 2), flip=True)
    with pytest.raises(InputError, match=r"X\[0, 3\] is nan"):
        augmentation.apply([[1.0, 2.0, 3.0, np.nan]])


def test_text():
    made = ts.ImageAugmentation.from_text(" rotation=10, shift=0.1 ,flip,channels=last", (4, 4, 4))
    assert made == ts.ImageAugmentation((4, 4, 4), rotation=10, shift=0.1, flip=True, channels="last")
    assert made.channels_last


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (3,)}, r"shape must have two or three numbers"),
        ({"shape": 28}, r"shape must be a sequence of integers"),
        ({"shape": (28, 0)}, r"shape must be at least 1"),
        ({"shape": (3, 4, 3)}, r"shape \(3, 4, 3\) does not tell where channels are"),
        ({"shape": (4, 4), "rotation": 200}, r"rotation must lie in \[0, 180\]"),
        ({"shape": (4, 4), "shift": 1.5}, r"shift must lie in \[0, 1\]"),
        ({"shape": (4, 4), "flip": "yes"}, r"flip must be True or False"),
        ({"shape": (4, 4, 4), "channels": "middle"}, r"channels must be one of first, last"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        ts.ImageAugmentation(**arguments)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ("spin", (4, 4), r"must name rotation=DEGREES, shift=SHARE, flip or channels=first, .*not 'spin'"),
        ("flip=1", (4, 4), r"not 'flip=1'"),
        ("rotation=ten", (4, 4), r"rotation must be a number, not 'ten'"),
        ("flip", (), r"--augmentation needs the shape of an image"),
    ],
)
def test_bad_text(text, shape, message):
    with pytest.raises(InputError, match=message):
        ts.ImageAugmentation.from_text(text, shape, "--augmentation")


def test_it_can_be_copied_and_pickled():
    augmentation = ts.ImageAugmentation([8, 8], rotation=10)
    assert copy.deepcopy(augmentation) == pickle.loads(pickle.dumps(augmentation)) == augmentation


@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_scaling_is_of_samples_as_they_are_augmented(rng, make, kind):
    """Pixels at the border that are constant in the images themselves are not in those that are shifted."""
    x = np.zeros((200, 8, 8))
    x[:, 2:6, 2:6] = rng.integers(0, 255, (200, 4, 4))
    x = x.reshape(200, 64)
    augmentation = ts.ImageAugmentation((8, 8), rotation=20, shift=0.4)
    clean = fit_scaling(kind, as_matrix(make(x)))
    assert (clean.factor == 0).sum() == 64 - 16
    scaling = fit_scaling(kind, as_matrix(make(x)), augmentation=augmentation)
    made = augmentation.apply(x, seed=0, dtype="float64")
    expected = (made.mean(axis=0), made.std(axis=0)) if kind == "standard" else (made.min(axis=0), np.ptp(made, axis=0))
    np.testing.assert_allclose(scaling.offset, expected[0], atol=1e-9)
    np.testing.assert_allclose(1 / scaling.factor, expected[1])


def test_estimators_augment_and_scale(rng):
    X = np.zeros((120, 6, 6))
    X[:, 2:4, 2:4] = rng.integers(0, 255, (120, 2, 2))
    X, y = X.reshape(120, 36), np.arange(120) % 2
    augmentation = ts.ImageAugmentation((6, 6), shift=0.4, flip=True)
    options = dict(hidden_layer_sizes=(20,), epochs=3, random_state=0)
    model = ts.SparseMLPClassifier(**options, augmentation=augmentation).fit(X, y)
    assert (model.network_.scaling.factor > 0).all()
    assert np.isfinite(model.loss_)
    plain = ts.SparseMLPClassifier(**options).fit(X, y)
    assert not np.array_equal(model.predict_proba(X), plain.predict_proba(X))
    twin = clone(model).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), twin.predict_proba(X))
    with pytest.raises(InputError, match="an image of 5 x 6 has 30 values"):
        ts.SparseMLPClassifier(augmentation=ts.ImageAugmentation((5, 6), flip=True)).fit(X, y)
