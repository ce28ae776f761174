"""What users of scikit-learn try with an estimator: a test for each."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context, set_config
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, make_multilabel_classification, make_regression
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.feature_selection import SelectFromModel
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate, train_test_split
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import check_random_state, shuffle

import trulysparse as ts
from estimators.tables import SETTINGS, mixed_table

FAST = {**SETTINGS, "hidden_layer_sizes": (8,), "epochs": 3}


@pytest.fixture
def routing():
    set_config(enable_metadata_routing=True)
    yield
    set_config(enable_metadata_routing=False)


def with_numbers(form):
    """A table of plain numbers in that form, and its classes."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    if form == "pandas":
        return X, y
    if form == "polars":
        polars = pytest.importorskip("polars")
        return polars.from_pandas(X), polars.from_pandas(y)
    pa = pytest.importorskip("pyarrow")
    return pa.Table.from_pandas(X), pa.array(y)


def in_form(frame, y, form):
    """A table of mixed columns in that form, and its classes."""
    if form == "pandas":
        return frame, y
    pa = pytest.importorskip("pyarrow")
    if form == "pyarrow":
        return pa.Table.from_pandas(frame), pa.array(y)
    polars = pytest.importorskip("polars")
    return polars.from_pandas(frame), polars.Series(y)


# ---- Pipeline, searches, cross-validation ----


def test_pipeline():
    X, y = load_iris(return_X_y=True)
    pipe = make_pipeline(StandardScaler(), ts.SparseMLPClassifier(**SETTINGS))
    assert pipe.fit(X, y).score(X, y) > 0.9
    assert pipe[:-1].transform(X).shape == (150, 4)
    pipe.set_params(sparsemlpclassifier__epochs=1)
    assert pipe.fit(X, y)[-1].n_iter_ == 1


@pytest.mark.slow
def test_grid_search_with_two_processes():
    """X is large enough for joblib to hand it on as a read-only memory map."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 60))
    assert X.nbytes > 1 << 20
    y = (X[:, 0] > 0).astype(int)
    model = ts.SparseMLPClassifier(**{**FAST, "batch_size": 128}, connectivity="erdos_renyi")
    search = GridSearchCV(model, {"epsilon": [0.1, 10]}, cv=2, n_jobs=2).fit(X, y)
    assert search.best_params_ == {"epsilon": 10}
    alone = GridSearchCV(model, {"epsilon": [0.1, 10]}, cv=2).fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_cross_val_score():
    X, y = load_iris(return_X_y=True)
    scores = cross_val_score(ts.SparseMLPClassifier(**SETTINGS), X, y, cv=3, scoring="roc_auc_ovr")
    assert scores.min() > 0.95
    X, y = make_regression(200, 5, random_state=0)
    found = cross_validate(ts.SparseMLPRegressor(**SETTINGS), X, y, cv=3, scoring=["r2", "neg_mean_absolute_error"])
    assert found["test_r2"].min() > 0.8


@pytest.mark.parametrize("form", ["pandas", "polars", "pyarrow"])
def test_cross_val_score_of_tables(form):
    X, y = in_form(*mixed_table(150), form)
    assert cross_val_score(ts.SparseMLPClassifier(**FAST), X, np.asarray(y), cv=2, error_score="raise").shape == (2,)


def test_in_ensembles():
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**SETTINGS)
    assert VotingClassifier([("a", model), ("b", model)], voting="soft").fit(X, y).score(X, y) > 0.9
    assert BaggingClassifier(model, n_estimators=2, random_state=0).fit(X, y).score(X, y) > 0.8


# ---- set_output, metadata routing ----


def test_set_output():
    """Transformers before an estimator may hand on DataFrames."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    pipe = make_pipeline(StandardScaler(), ts.SparseMLPClassifier(**SETTINGS)).set_output(transform="pandas")
    assert pipe.fit(X, y).score(X, y) > 0.9
    np.testing.assert_array_equal(pipe[-1].feature_names_in_, X.columns)
    frame, y = mixed_table(60)
    encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["city"]), ("passthrough", ["age"]))
    pipe = make_pipeline(encoder, ts.SparseMLPClassifier(**FAST)).set_output(transform="pandas").fit(frame, y)
    assert pipe[-1].feature_names_in_[-1] == "passthrough__age"


def test_metadata_routing(routing):
    """Weights of 0 for one half of the samples reach fit through Pipeline and GridSearchCV."""
    X, y = shuffle(*load_iris(return_X_y=True), random_state=0)
    wrong = np.where(np.arange(150) % 2, y, (y + 1) % 3)
    weight = (np.arange(150) % 2).astype(float)
    model = ts.SparseMLPClassifier(**SETTINGS).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
    assert pipe.fit(X, wrong, sample_weight=weight).score(X, y) > 0.9
    search = GridSearchCV(pipe, {"sparsemlpclassifier__alpha": [0.1, 0.6]}, cv=2)
    search.fit(X, wrong, sample_weight=weight)
    assert search.best_score_ > 0.85
    found = cross_validate(
        model, X, wrong, cv=GroupKFold(3), params={"sample_weight": weight, "groups": np.arange(150) % 5}
    )
    assert found["test_score"].min() > 0.8


# ---- tables ----


@pytest.mark.parametrize("form", ["pandas", "polars", "pyarrow"])
def test_tables_of_numbers_give_what_arrays_do(form):
    X, y = with_numbers(form)
    array, classes = load_iris(return_X_y=True)
    model, wanted = (ts.SparseMLPClassifier(**FAST).fit(*each) for each in ((X, y), (array, classes)))
    # Columns that lie one after another are added up in another order.
    np.testing.assert_allclose(model.predict_proba(X), wanted.predict_proba(array), rtol=1e-9)
    assert model.preprocessor_ is None
    assert model.score(X, y) == wanted.score(array, classes)


@pytest.mark.parametrize("form", ["pandas", "polars", "pyarrow"])
def test_tables_of_mixed_columns(form):
    X, y = in_form(*mixed_table(300), form)
    model = ts.SparseMLPClassifier(**SETTINGS).fit(X, y)
    assert model.score(X, y) > 0.9
    assert sorted(model.classes_) == ["no", "yes"]
    assert model.n_features_in_ == 5
    assert model.network_.layer_sizes[0] == model.preprocessor_.n_features_out_ > 5
    regressor = ts.SparseMLPRegressor(**SETTINGS).fit(X, np.asarray(mixed_table(300)[0]["age"], float))
    assert regressor.score(X, np.asarray(mixed_table(300)[0]["age"], float)) > 0.9


def test_all_forms_of_a_table_give_the_same_predictions():
    frame, y = mixed_table(100)
    model = ts.SparseMLPClassifier(**FAST).fit(frame, y)
    wanted = model.predict_proba(frame)
    for form in ("polars", "pyarrow"):
        np.testing.assert_array_equal(model.predict_proba(in_form(frame, y, form)[0]), wanted)
    np.testing.assert_array_equal(model.network_.predict_proba(frame), wanted)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "boolean", "string", "category", "object"])
def test_nullable_and_categorical_dtypes(dtype):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    on = rng.random(80) < 0.5
    values = pd.Series(np.where(on, "on", "off") if dtype in ("string", "category", "object") else on.astype(int))
    series = values.astype(dtype)
    X = pd.DataFrame({"a": series, "b": rng.normal(size=80)})
    model = ts.SparseMLPClassifier(**SETTINGS).fit(X, on)
    assert model.score(X, on) == 1
    X.loc[5, "a"] = None
    again = ts.SparseMLPClassifier(**SETTINGS).fit(X, on)
    assert again.score(X.drop(index=5), np.delete(on, 5)) == 1
    assert again.preprocessor_ is not None
    assert again.predict(X).shape == (80,)


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "string", "category", "str"])
def test_classes_of_pandas_dtypes(dtype):
    pd = pytest.importorskip("pandas")
    X = np.random.default_rng(0).normal(size=(80, 3))
    on = X[:, 0] > 0
    values = pd.Series(np.where(on, "on", "off") if dtype in ("string", "category", "str") else on.astype(int))
    y = values.astype(dtype)
    model = ts.SparseMLPClassifier(**SETTINGS).fit(X, y)
    assert model.score(X, y) > 0.9
    missing = y.copy()
    missing[3] = None
    with pytest.raises(ValueError, match=r"(?i)nan|missing|NAType"):
        ts.SparseMLPClassifier(**SETTINGS).fit(X, missing)


def test_unseen_categories_and_gaps_are_taken_at_predict():
    frame, y = mixed_table(200)
    model = ts.SparseMLPClassifier(**SETTINGS).fit(frame, y)
    new = frame.head(3).astype({"city": object})
    new.loc[0, "city"], new.loc[1, "city"], new.loc[2, "age"] = "Atlantis", None, None
    assert set(model.predict(new)) <= {"yes", "no"}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_arrays_in_place_of_the_table_are_taken_by_their_columns():
    frame, y = mixed_table(100)
    model = ts.SparseMLPClassifier(**FAST).fit(frame, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = model.predict_proba(frame.astype(object).to_numpy())
    np.testing.assert_array_equal(found, model.predict_proba(frame))
    with pytest.raises(ts.InputError, match="X must be a table with the columns of the fitted one"):
        model.predict(sp.csr_array((3, 5)))
    with pytest.raises(ValueError, match="X has 4 features, but SparseMLPClassifier is expecting 5 features"):
        model.predict(np.ones((3, 4)))
    with pytest.raises(ts.InputError, match=r"the columns of the fitted one, not of shape \(3,\)"):
        model.predict(np.ones(3))


def test_what_is_held_out_teaches_the_preprocessing_nothing():
    """Categories and medians are those of the other samples."""
    frame, y = mixed_table(100)
    model = ts.SparseMLPClassifier(**FAST, early_stopping=True)
    number = frame.assign(number=np.arange(100).astype(str))  # in pairs, so that it is not left out as an identifier
    number.loc[50:, "number"] = number["number"][:50].to_numpy()
    names = model.fit(number, y).preprocessor_.get_feature_names_out()
    seen = {int(name.removeprefix("number=")) for name in names if name.startswith("number=")}
    seed = check_random_state(0).randint(2**31 - 1)
    inner = train_test_split(np.arange(100), test_size=0.1, stratify=y, random_state=seed)[0]
    assert seen == {row % 50 for row in inner}
    median = np.nanmedian(frame["income"].to_numpy()[inner])
    gap = frame.iloc[[int(np.flatnonzero(frame["income"].isna())[0])]]
    made = model.fit(frame, y).preprocessor_
    assert made.transform(gap)[0, made.get_feature_names_out().tolist().index("income")] == pytest.approx(median)


def test_feature_names_in():
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert model.network_.feature_names == tuple(X.columns)
    with pytest.raises(ValueError, match="should match those that were passed during fit"):
        model.predict(X.rename(columns={X.columns[0]: "other"}))
    frame, y = mixed_table(60)
    model = ts.SparseMLPClassifier(**FAST).fit(frame, y)
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame[frame.columns[::-1]])
    assert not hasattr(ts.SparseMLPClassifier(**FAST).fit(np.eye(4), [0, 1, 0, 1]), "feature_names_in_")


# ---- targets ----


def test_multi_output():
    X, y = make_regression(200, 6, n_targets=3, random_state=0)
    model = ts.SparseMLPRegressor(**SETTINGS).fit(X, y)
    assert model.predict(X).shape == (200, 3)
    assert model.score(X, y) > 0.9
    assert model.n_outputs_ == 3
    classes = np.c_[X[:, 0] > 0, (X[:, 1] > 0) + 1].astype(int)
    with pytest.raises(ts.InputError, match=r"wrap this in sklearn\.multioutput\.MultiOutputClassifier"):
        ts.SparseMLPClassifier(**FAST).fit(X, classes + np.array([0, 1]))
    wrapped = MultiOutputClassifier(ts.SparseMLPClassifier(**SETTINGS)).fit(X, classes)
    assert wrapped.score(X, classes) > 0.8


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_multi_label(convert):
    X, y = make_multilabel_classification(300, 12, n_classes=4, random_state=0)
    model = ts.SparseMLPClassifier(**SETTINGS).fit(X, convert(y))
    found = model.predict(X)
    assert (found.shape, found.dtype.kind) == ((300, 4), "i")
    assert set(np.unique(found)) == {0, 1}
    proba = model.predict_proba(X)
    np.testing.assert_array_equal(proba > 0.5, found)
    assert model.score(X, convert(y)) == accuracy_score(y, found)
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.out_activation_ == "logistic"
    peer = MLPClassifier((32,), max_iter=60, batch_size=16, learning_rate_init=0.01, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.fit(X, y)
    assert model.score(X, y) > peer.score(X, y) - 0.1


def test_multi_label_with_early_stopping_weights_streams_and_saving(tmp_path):
    X, y = make_multilabel_classification(300, 12, n_classes=4, random_state=0)
    model = ts.SparseMLPClassifier(**SETTINGS, early_stopping=True).fit(X, sp.csr_array(y), np.ones(300))
    assert len(model.validation_scores_) == model.n_iter_
    stream = ts.SparseMLPClassifier(**SETTINGS)
    for _ in range(20):
        for rows in np.array_split(np.arange(300), 5):
            stream.partial_fit(X[rows], y[rows])
    assert stream.score(X, y) > 0.5
    with pytest.raises(ts.InputError, match="y has 3 columns of labels, but there are 4"):
        stream.partial_fit(X, y[:, :3])
    with pytest.raises(ts.InputError, match="y has one class per sample, but the first call"):
        stream.partial_fit(X, y[:, 0])
    ts.save(model.network_, tmp_path / "m")
    np.testing.assert_array_equal(ts.load(tmp_path / "m").predict(X), model.predict(X))


def test_wrong_label_columns_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ts.InputError, match="y may be sparse only where it has at least two columns"):
        ts.SparseMLPClassifier(**FAST).fit(X, sp.csr_array(np.arange(20)[:, None] % 2))
    with pytest.raises(ts.InputError, match="class_weight must be None where a sample may have several labels"):
        ts.SparseMLPClassifier(**FAST, class_weight="balanced").fit(X, np.eye(20, 2, dtype=int))
    with pytest.raises(ValueError, match="continuous"):
        ts.SparseMLPClassifier(**FAST).fit(X, X[:, :2])
    with pytest.raises(ts.InputError, match=r"y\[.*\] is 7"):
        ts.SparseMLPClassifier(**FAST).fit(X, np.eye(20, 2, dtype=int) * 7)


def test_class_weight():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(size=(180, 2)), rng.normal(size=(20, 2)) + 1.5]
    y = np.repeat(["often", "rare"], [180, 20])
    plain, balanced, given = (
        ts.SparseMLPClassifier(**SETTINGS, class_weight=weight).fit(X, y)
        for weight in (None, "balanced", {"often": 200 / 360, "rare": 200 / 40})
    )
    assert (balanced.predict(X) == "rare").sum() > (plain.predict(X) == "rare").sum()
    np.testing.assert_array_equal(balanced.predict_proba(X), given.predict_proba(X))
    for weight in (-1.0, "a", np.nan):
        with pytest.raises(ts.InputError, match=r"class_weight\['rare'\]"):
            ts.SparseMLPClassifier(**SETTINGS, class_weight={"rare": weight}).fit(X, y)


# ---- training goes on ----


def test_warm_start():
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST, warm_start=True)
    losses = []
    for call in range(1, 6):
        model.fit(X, y)
        losses.append(model.loss_)
        assert model.n_iter_ == len(model.loss_curve_) == 3 * call
    assert losses == sorted(losses, reverse=True)
    cold = ts.SparseMLPClassifier(**{**FAST, "epochs": 15}).fit(X, y)
    assert abs(losses[-1] - cold.loss_) < 0.1
    model.set_params(warm_start=False).fit(X, y)
    assert model.n_iter_ == 3


def test_partial_fit_with_streams():
    """Batches of any size, of one sample too."""
    X, y = load_iris(return_X_y=True)
    rng = np.random.default_rng(0)

    def stream():
        order, at = rng.permutation(150), 0
        while at < 150:
            size = int(rng.choice([1, 2, 7, 40]))
            yield X[order[at : at + size]], y[order[at : at + size]]
            at += size

    model, regressor = ts.SparseMLPClassifier(**SETTINGS), ts.SparseMLPRegressor(**SETTINGS)
    for _ in range(40):
        for batch, labels in stream():
            model.partial_fit(batch, labels, classes=[0, 1, 2])
            regressor.partial_fit(batch, batch[:, :2])
    assert model.score(X, y) > 0.9
    assert regressor.score(X, X[:, :2]) > 0.8


def test_partial_fit_with_tables():
    """Encoded as the first batch was; a city that it did not have counts as none."""
    frame, y = mixed_table(400)
    frame = frame.astype({"city": object})
    late = frame.iloc[200:].copy()
    late.loc[late.index[:3], "city"] = "Atlantis"
    model = ts.SparseMLPClassifier(**SETTINGS)
    for _ in range(30):
        for part, labels in ((frame.iloc[:200], y[:200]), (late, y[200:]), (late.iloc[[7]], y[[207]])):
            model.partial_fit(part, labels, classes=["no", "yes"])
    assert model.score(frame, y) > 0.9
    assert model.n_iter_ == 90


# ---- memory, pickles ----


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8"])
def test_read_only_memory_maps_are_not_copied(tmp_path, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 200, (20_000, 200)).astype(dtype)
    y = (X[:, 0] > 100).astype(int)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    settings = {**FAST, "epochs": 1, "batch_size": 128}
    wanted = ts.SparseMLPClassifier(**settings).fit(X[:100], y[:100])
    wanted.predict(X[:100])
    size = X.nbytes
    del X
    tracemalloc.start()
    model = ts.SparseMLPClassifier(**{**settings, "scale": "minmax"}).fit(mapped, y)
    model.predict(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < max(0.75 * size, 34 << 20 if dtype == "uint8" else 0)  # chunks of 32 MiB as float64 at most
    assert not mapped.flags.writeable


@pytest.mark.parametrize("how", ["pickle", "joblib", "deepcopy"])
@pytest.mark.parametrize("table", [False, True])
def test_pickling(tmp_path, how, table):
    X, y = mixed_table(100) if table else load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if how == "pickle":
            twin = pickle.loads(pickle.dumps(model))
        elif how == "joblib":
            joblib.dump(model, tmp_path / "m.joblib")
            twin = joblib.load(tmp_path / "m.joblib")
        else:
            twin = copy.deepcopy(model)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert twin.get_params() == model.get_params()
    for each in (model, twin):
        each.partial_fit(X, y)
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))


def test_pickles_mapped_by_joblib_predict(tmp_path):
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**FAST).fit(X, y)
    joblib.dump(model, tmp_path / "m.joblib")
    mapped = joblib.load(tmp_path / "m.joblib", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ts.InputError, match=r"is read-only, as joblib\.load with mmap_mode='r' makes it"):
        mapped.partial_fit(X, y)
    np.testing.assert_array_equal(mapped.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ts.InputError, match="this estimator is read-only"):
        mapped.set_params(warm_start=True).fit(X, y)
    mapped.set_params(warm_start=False).fit(X, y)  # makes a network of its own
    np.testing.assert_array_equal(mapped.predict_proba(X), model.predict_proba(X))
    regressor = ts.SparseMLPRegressor(**FAST).fit(X, y)
    joblib.dump(regressor, tmp_path / "r.joblib")
    mapped = joblib.load(tmp_path / "r.joblib", mmap_mode="r")
    with pytest.raises(ts.InputError, match="this estimator is read-only"):
        mapped.partial_fit(X, y * 2)
    np.testing.assert_array_equal(mapped.predict(X), regressor.predict(X))


# ---- scores, pictures, importances ----


def test_score_on_tiny_sets():
    X, y = load_iris(return_X_y=True)
    model = ts.SparseMLPClassifier(**SETTINGS).fit(X, y)
    assert model.score(X[:1], y[:1]) in (0, 1)
    assert model.predict(X[:1]).shape == (1,)
    regressor = ts.SparseMLPRegressor(**FAST).fit(X, y)
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        assert np.isnan(regressor.score(X[:1], y[:1]))
    assert isinstance(regressor.score(X[:2], y[:2]), float)
    two = ts.SparseMLPClassifier(**FAST).fit(X[[0, 149]], y[[0, 149]])
    assert two.score(X[[0, 149]], y[[0, 149]]) >= 0.5


def test_html_representation():
    model = ts.SparseMLPClassifier(**FAST)
    before = model._repr_html_()
    assert "SparseMLPClassifier" in before
    assert before.count("<svg") == 0
    model.fit(*load_iris(return_X_y=True))
    after = model._repr_html_()
    assert after.count("<svg") == 1
    assert "<circle" in after
    assert model._repr_mimebundle_()["text/html"].count("<svg") == 1
    assert "SparseMLPClassifier" in make_pipeline(StandardScaler(), model)._repr_html_()
    with config_context(display="text"):
        assert "text/html" not in model._repr_mimebundle_()
        assert not hasattr(model, "_repr_html_")


def test_feature_importances():
    X, y = load_iris(return_X_y=True)
    noise = np.random.default_rng(0).normal(size=(150, 6))
    X = np.c_[noise[:, :3], X[:, 2:], noise[:, 3:], np.ones(150)]
    settings = {**SETTINGS, "epochs": 100, "weight_decay": 0.03}
    model = ts.SparseMLPClassifier(**settings).fit(X, y)
    found = model.feature_importances_
    assert found.shape == (9,)
    assert found.sum() == pytest.approx(1)
    assert found[8] == 0  # constant
    assert set(np.argsort(found)[-2:]) == {3, 4}
    strength = np.abs(model.coefs_[0].toarray()).sum(axis=1)
    strength[8] = 0
    np.testing.assert_allclose(found, strength / strength.sum())
    chosen = SelectFromModel(model, prefit=True, max_features=2, threshold=-np.inf).transform(X)
    np.testing.assert_array_equal(chosen, X[:, 3:5])


def test_feature_importances_of_a_table_are_those_of_its_columns():
    frame, y = mixed_table(300)
    model = ts.SparseMLPClassifier(**SETTINGS, weight_decay=0.03).fit(frame, y)
    found = model.feature_importances_
    assert found.shape == (5,)
    assert found.sum() == pytest.approx(1)
    strength = np.abs(model.coefs_[0].toarray()).sum(axis=1)
    wanted = [strength[model.preprocessor_.sources_ == column].sum() for column in range(5)]
    np.testing.assert_allclose(found, wanted / np.sum(wanted))
