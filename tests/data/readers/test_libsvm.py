""".libsvm files, whole and streamed: numbering of features, and what is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from sample_files import read_as, refused, write
from trulysparse.task.dataset import make_dataset
from trulysparse.task.options import TaskOptions


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request):
    return request.param


def dense(path: str, **options: object) -> np.ndarray:
    X = read_as(path, **options).X
    return (X.chunk(0, X.n_samples) if hasattr(X, "chunk") else X).toarray()


def test_numbering_is_the_runs_and_not_the_files(tmp_path, stream):
    path = write(tmp_path / "x.libsvm", "1 1:3\n0 1:2\n")
    options = {"stream": stream, "n_features": 2}
    np.testing.assert_array_equal(dense(path, zero_based=True, **options), [[0, 3], [0, 2]])
    np.testing.assert_array_equal(dense(path, zero_based=False, **options), [[3, 0], [2, 0]])


@pytest.mark.parametrize(("text", "found"), [("0 0:1 1:2\n1 1:1\n", True), ("0 1:1 2:2\n1 2:1\n", False)])
def test_training_takes_zero_where_there_is_a_feature_0(tmp_path, stream, text, found):
    table = read_as(write(tmp_path / "x.libsvm", text), stream=stream)
    assert (table.zero_based, table.X.shape) == (found, (2, 2))


def test_a_numbering_that_nothing_shows_is_asked_for(tmp_path, stream):
    path = write(tmp_path / "x.libsvm", "1 1:3\n0 2:2\n")
    refused(path, "--zero-based or --one-based", n_features=3, stream=stream)
    np.testing.assert_array_equal(dense(path, n_features=2, stream=stream), [[3, 0], [0, 2]])


@pytest.mark.parametrize(
    ("text", "options", "match"),
    [
        ("1 1:3 9:1\n", {"n_features": 3, "zero_based": False}, "has a feature 9, the network has 3 inputs"),
        ("1 1:3 3:1\n", {"n_features": 3, "zero_based": True}, "has a feature 3, the network has 3 inputs"),
        (
            "1 0:3 3:1\n",
            {"n_features": 3, "zero_based": False},
            "has a feature 0, but features are numbered from 1",
        ),
        ("1 0:3 3:1\n", {"zero_based": False}, "has a feature 0"),
        ("1 -1:3 3:1\n", {}, "not a libsvm file|feature -1"),
        ("1 1:3\n0 99999999999:3\n", {}, "feature 99999999999|not a libsvm file"),
        ("1 what\n", {}, "not a libsvm file"),
        ("# nothing\n\n", {}, "has no samples"),
    ],
)
def test_numbers_that_do_not_fit_are_named(tmp_path, stream, text, options, match):
    refused(write(tmp_path / "x.libsvm", text), match, stream=stream, **options)


@pytest.mark.parametrize("text", ["1 3:1 2:1\n0 1:1\n", "1 2:1 2:1\n0 1:1\n"])
def test_numbers_that_do_not_rise_are_refused(tmp_path, stream, text):
    with pytest.raises(ts.InputError, match="sorted and unique"):
        dense(write(tmp_path / "x.libsvm", text), stream=stream)


def test_a_file_without_any_feature_is_refused(tmp_path, stream):
    table = read_as(write(tmp_path / "x.libsvm", "0\n1\n" * 9), stream=stream)
    with pytest.raises(ts.InputError, match=r"X is empty: shape \(18, 0\)"):
        make_dataset(table, TaskOptions())


def test_comments_and_query_ids_are_passed_over(tmp_path, stream):
    path = write(tmp_path / "x.libsvm", "# a: 1\n1 qid:7 1:3 2:1 # 9:9\n\n0 qid:8 2:2\n0 qid:8\n")
    np.testing.assert_array_equal(dense(path, stream=stream), [[3, 1], [0, 2], [0, 0]])
    assert read_as(path, stream=stream).y.tolist() == [1, 0, 0]
