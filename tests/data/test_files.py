"""Every file format: what is read, and what is refused in one sentence."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import trulysparse as ts
from trulysparse.data.dataset import make_dataset
from trulysparse.data.files import read


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def refused(source: object, match: str, **options: object) -> None:
    with pytest.raises(ts.InputError, match=match) as found:
        read(str(source), **options)
    message = str(found.value)
    assert len(message.splitlines()) == 1
    assert Path(str(source)).name in message or "column '" in message
    assert not re.search(r"np\.\w+\(|Timestamp\(", message)


def fails(path: Path, stream: bool = False) -> bool:
    """Whether a damaged file is refused; anything but a sentence is raised."""
    try:
        X = read(str(path), stream=stream).X
        if stream:
            X.chunk(0, X.n_samples)
    except ts.InputError as error:
        message = str(error)
    else:
        return False
    assert len(message.splitlines()) == 1
    return True


class TestCsv:
    @pytest.fixture(autouse=True)
    def pandas(self):
        return pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("a,target\n5,1.5,0\n6,2.5,1\n", "line 2 has 3 fields, but the header has 2"),
            ("a,target\n1,0\n2,1,\n", "line 3 has 3 fields, but the header has 2; a comma at the end"),
            ("a,b,target\n1,2,0\n1,0\n", "line 3 has 2 fields, but the header has 3"),
            ("a,b,target\n1,2,0\n1\n", "line 3 has 1 field, but the header has 3"),
            ("\na,target\n\n1,0\n1,0,9\n", "line 5 has 3 fields"),
            ('a,target\n1,"x\ny, z"\n2,"w",3\n', "line 4 has 3 fields"),
            ("a,b,target,\n1,2,0,\n", "no name for column 4"),
            ("a,,target\n1,2,0\n", "no name for column 2"),
            ("a,a,target\n1,2,0\n", "two columns called 'a'"),
            ("y,x,y\n1,2,0\n", "two columns called 'y'"),
            ("a;b;target\n1;2;0\n", "separated by ';'; the separator"),
            ("sep=;\na;target\n1;0\n", "separated by ';'"),
            ("a\tb\ttarget\n1\t2\t0\n", "separated by tabs"),
            ("a b target\n1 2 0\n", "separated by spaces"),
            ("# made today\na,target\n1,0\n", "line 2 has 2 fields, but the header has 1"),
            ('a,target\n"1,0\n2,1\n', "line 2 has 1 field, but the header has 2"),
            ("5.1,3.5,0.2,setosa\n4.9,3.0,0.2,setosa\n", "seems to have no header.*--no-header"),
            ("1,85,66\n2,80,60\n", "seems to have no header"),
            ("1,5,?,?,2\n2,3,1,5,4\n", "seems to have no header|two columns called"),
            ("1,85,,0\n2,80,1,1\n", "no name for column 3|seems to have no header"),
            ("0,1,1\n1,1,0\n", "no header|two columns called '1'"),
            ("a,b,target\n1,x,0\n", "column 'b' must hold numbers only, but row 0 holds 'x'"),
            ("a,target\n", "has no rows"),
            ("\n\n", "is empty"),
        ],
    )
    def test_a_file_whose_form_is_wrong_is_refused(self, tmp_path, text, match):
        refused(write(tmp_path / "x.csv", text), match)

    def test_text_that_is_not_utf8_is_refused(self, tmp_path):
        (tmp_path / "x.csv").write_bytes(b"a,target\n1,\xff\xfe\n")
        refused(tmp_path / "x.csv", "not a whole .csv file")

    def test_quoted_fields_may_hold_commas_and_line_breaks(self, tmp_path):
        table = read(write(tmp_path / "x.csv", 'a,"the ""name""",target\r\n1,2,"x, y\r\nz"\r\n3,4,w\r\n'))
        assert table.features == ["a", 'the "name"']
        assert table.y.tolist() == ["x, y\r\nz", "w"]
        np.testing.assert_array_equal(table.X.to_numpy(), [[1, 2], [3, 4]])

    def test_a_byte_order_mark_is_not_part_of_the_first_name(self, tmp_path):
        assert read(write(tmp_path / "x.csv", "\ufeffa,target\n1,0\n2,1\n")).features == ["a"]

    def test_row_names_under_an_empty_first_name_are_left_out(self, tmp_path, pandas):
        pandas.DataFrame({"a": [5, 6], "target": [0, 1]}).to_csv(tmp_path / "x.csv")
        assert read(str(tmp_path / "x.csv")).features == ["a"]

    @pytest.mark.parametrize("header", ["0,1,2,target", "a,2019,2020,target", "q0.1,q0.5,target", "0,target", "1,2,y"])
    def test_names_that_count_are_a_header(self, tmp_path, header):
        row = ",".join("7" for _ in header.split(","))
        assert len(read(write(tmp_path / "x.csv", f"{header}\n{row}\n")).X) == 1

    def test_without_a_header_every_line_is_a_sample(self, tmp_path):
        path = write(tmp_path / "x.csv", "5.1,3.5,b\n5.1,1.0,a\n")
        table = read(path, header=False)
        assert (table.features, table.target, table.y.tolist()) == (["0", "1"], "2", ["b", "a"])
        np.testing.assert_array_equal(table.X.to_numpy(), [[5.1, 3.5], [5.1, 1.0]])
        assert read(path, header=True).features == ["5.1", "3.5"]

    def test_header_numbers_are_names_where_the_run_knows_them(self, tmp_path):
        path = write(tmp_path / "x.csv", "5,7,9\n1,2,0\n")
        assert read(path, features=["5", "7"], target="9").features == ["5", "7"]

    def test_a_later_file_without_a_header_is_told_what_its_columns_must_be(self, tmp_path):
        path = write(tmp_path / "x.csv", "5.1,7.2,0\n1,2,0\n")
        refused(path, "no header.*those that the run was trained on", features=["a", "b"])

    def test_one_feature_whose_name_holds_a_space_is_not_a_separator(self, tmp_path):
        table = read(write(tmp_path / "x.csv", "petal width\n1\n2\n"), features=["petal width"], need_target=False)
        assert table.X.shape == (2, 1)

    def test_classes_called_none_and_na_are_classes(self, tmp_path):
        names = ["None", "NA", "null", "nan", "NaN", "N/A", "x"]
        table = read(write(tmp_path / "x.csv", "a,target\n" + "".join(f"{i},{n}\n" for i, n in enumerate(names))))
        assert table.y.tolist() == names

    @pytest.mark.parametrize(
        ("labels", "match"),
        [
            (["x", "", "y"], r"y\[1\] is missing"),
            (["0", "1", "NA"], r"y\[2\] is missing"),
            (["0", "", "1"], "1.*missing"),
        ],
    )
    def test_an_empty_label_and_na_among_numbers_are_missing(self, tmp_path, labels, match):
        table = read(write(tmp_path / "x.csv", "a,target\n" + "".join(f"1,{label}\n" for label in labels * 9)))
        with pytest.raises(ts.InputError, match=match):
            make_dataset(table, test_size=0.2, seed=0)

    @pytest.mark.parametrize(
        ("labels", "kind"), [(["0", "1"], "i"), (["True", "False"], "b"), (["1.0", "2.0"], "f"), (["a", "b"], "O")]
    )
    def test_label_types_are_those_of_the_text(self, tmp_path, labels, kind):
        assert read(write(tmp_path / "x.csv", f"a,target\n1,{labels[0]}\n2,{labels[1]}\n")).y.dtype.kind == kind

    @pytest.mark.parametrize("values", [["True", ""], ["", ""], ["123456789012345678901234567890", ""]])
    def test_a_gap_among_features_is_nan_whatever_the_column_holds(self, tmp_path, values):
        table = read(write(tmp_path / "x.csv", f"a,target\n{values[0]},0\n{values[1]},1\n"))
        assert np.isnan(table.X["a"].to_numpy(dtype=float)[1])


def parquet(folder: Path, **columns: object) -> Path:
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    pa = pytest.importorskip("pyarrow", reason="pyarrow comes with the extra trulysparse[tables]")
    from pyarrow.parquet import write_table

    write_table(pa.table(columns), folder / "x.parquet")
    return folder / "x.parquet"


class TestParquet:
    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([np.datetime64("2024-01-01", "ns")] * 2, None),
            ([np.timedelta64(5, "s")] * 2, None),
            (["1", "2"], None),
            ([b"1", b"2"], None),
            ([[1.0], [2.0]], None),
            ([{"a": 1}, {"a": 2}], None),
            ([None, None], None),
            (["a", "b"], "dictionary"),
        ],
    )
    def test_columns_that_hold_no_numbers_are_refused_streamed_or_not(self, tmp_path, values, kind, stream):
        pa = pytest.importorskip("pyarrow")
        array = pa.array(values)
        path = parquet(tmp_path, odd=array.dictionary_encode() if kind else array, target=[0, 1])
        refused(path, "column 'odd' must hold numbers only, but it is of type", stream=stream)

    def test_numbers_of_every_type_are_the_same_streamed_or_not(self, tmp_path):
        pa = pytest.importorskip("pyarrow")
        path = parquet(
            tmp_path,
            small=pa.array([1, 2, None], pa.int8()),
            yes=pa.array([True, False, None]),
            price=pa.array([1, 2, None], pa.decimal128(6, 2)),
            half=pa.array(np.array([1, 2, 3], np.float16)),
            large=pa.array([1, 2, 3], pa.uint64()),
            target=["a", "b", "a"],
        )
        wanted = [[1, 1, 1, 1, 1], [2, 0, 2, 2, 2], [np.nan, np.nan, np.nan, 3, 3]]
        whole, streamed = read(str(path)), read(str(path), stream=True)
        assert whole.features == streamed.features == ["small", "yes", "price", "half", "large"]
        np.testing.assert_array_equal(whole.X.to_numpy(dtype=float), wanted)
        np.testing.assert_array_equal(streamed.X.chunk(0, 3), wanted)
        assert whole.y.tolist() == streamed.y.tolist() == ["a", "b", "a"]

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("name", ["sample", None])
    def test_an_index_is_not_a_feature(self, tmp_path, name, stream):
        pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
        frame = pd.DataFrame({"a": [1.0, 2.0], "target": [0, 1]}, index=pd.Index(["r", "s"], name=name))
        frame.to_parquet(tmp_path / "x.parquet")
        table = read(str(tmp_path / "x.parquet"), stream=stream)
        assert (table.features, table.target) == (["a"], "target")

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize("kind", ["string", "Int64", "boolean", "category", "datetime64[ns]", "object"])
    def test_a_missing_label_of_any_type_is_named(self, tmp_path, kind, stream):
        pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
        values = {"Int64": [0, 1], "boolean": [True, False], "datetime64[ns]": ["2024-01-01", "2024-01-02"]}
        labels = pd.Series([*(values.get(kind, ["a", "b"]) * 4), None], dtype=kind)
        pd.DataFrame({"x": np.arange(9.0), "target": labels}).to_parquet(tmp_path / "x.parquet")
        with pytest.raises(ts.InputError, match=r"y\[8\] is missing; every sample needs a label"):
            make_dataset(read(str(tmp_path / "x.parquet"), stream=stream), test_size=0.3, seed=0)

    @pytest.mark.parametrize("stream", [False, True])
    def test_two_columns_of_one_name_are_refused(self, tmp_path, stream):
        pa = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        write_table(
            pa.table([pa.array([1]), pa.array([2]), pa.array([0])], names=["a", "a", "y"]), tmp_path / "x.parquet"
        )
        refused(tmp_path / "x.parquet", "two columns called 'a'", stream=stream)

    @pytest.mark.parametrize("stream", [False, True])
    def test_damage_ends_in_one_sentence(self, tmp_path, rng, stream):
        path = parquet(tmp_path, a=np.arange(200.0), b=rng.normal(size=200), target=np.arange(200) % 2)
        good, failed = path.read_bytes(), 0
        for _ in range(60):
            bad = bytearray(good)
            for at in rng.integers(0, len(bad), 3):
                bad[at] = rng.integers(256)
            path.write_bytes(bytes(bad))
            failed += fails(path, stream=stream)
        assert failed > 5

    @pytest.mark.parametrize("metadata", [b"{", b"[]", b"null", b'{"index_columns": 3}'])
    def test_metadata_that_is_not_pandas_own_does_no_harm(self, tmp_path, metadata):
        pa = pytest.importorskip("pyarrow")
        path = parquet(tmp_path, a=[1.0, 2.0], target=[0, 1])
        from pyarrow.parquet import read_table, write_table

        write_table(read_table(path).replace_schema_metadata({b"pandas": metadata}), path)
        answers = []
        for stream in (False, True):
            try:
                answers.append(read(str(path), stream=stream).features)
            except ts.InputError as error:
                answers.append(str(error))
        assert answers[0] == answers[1]
        assert pa


class TestLibsvm:
    @pytest.fixture(params=[False, True], ids=["whole", "streamed"])
    def stream(self, request):
        return request.param

    def dense(self, path: str, **options: object) -> np.ndarray:
        X = read(path, **options).X
        return (X.chunk(0, X.n_samples) if hasattr(X, "chunk") else X).toarray()

    def test_numbering_is_the_runs_and_not_the_files(self, tmp_path, stream):
        path = write(tmp_path / "x.libsvm", "1 1:3\n0 1:2\n")
        options = {"stream": stream, "n_features": 2}
        np.testing.assert_array_equal(self.dense(path, zero_based=True, **options), [[0, 3], [0, 2]])
        np.testing.assert_array_equal(self.dense(path, zero_based=False, **options), [[3, 0], [2, 0]])

    @pytest.mark.parametrize(("text", "found"), [("0 0:1 1:2\n1 1:1\n", True), ("0 1:1 2:2\n1 2:1\n", False)])
    def test_training_takes_zero_where_there_is_a_feature_0(self, tmp_path, stream, text, found):
        table = read(write(tmp_path / "x.libsvm", text), stream=stream)
        assert (table.zero_based, table.X.shape) == (found, (2, 2))

    def test_a_numbering_that_nothing_shows_is_asked_for(self, tmp_path, stream):
        path = write(tmp_path / "x.libsvm", "1 1:3\n0 2:2\n")
        refused(path, "--zero-based or --one-based", n_features=3, stream=stream)
        np.testing.assert_array_equal(self.dense(path, n_features=2, stream=stream), [[3, 0], [0, 2]])

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
    def test_numbers_that_do_not_fit_are_named(self, tmp_path, stream, text, options, match):
        refused(write(tmp_path / "x.libsvm", text), match, stream=stream, **options)

    @pytest.mark.parametrize("text", ["1 3:1 2:1\n0 1:1\n", "1 2:1 2:1\n0 1:1\n"])
    def test_numbers_that_do_not_rise_are_refused(self, tmp_path, stream, text):
        with pytest.raises(ts.InputError, match="sorted and unique"):
            self.dense(write(tmp_path / "x.libsvm", text), stream=stream)

    def test_a_file_without_any_feature_is_refused(self, tmp_path, stream):
        table = read(write(tmp_path / "x.libsvm", "0\n1\n" * 9), stream=stream)
        with pytest.raises(ts.InputError, match=r"X is empty: shape \(18, 0\)"):
            make_dataset(table, test_size=0.2, seed=0)

    def test_comments_and_query_ids_are_passed_over(self, tmp_path, stream):
        path = write(tmp_path / "x.libsvm", "# a: 1\n1 qid:7 1:3 2:1 # 9:9\n\n0 qid:8 2:2\n0 qid:8\n")
        np.testing.assert_array_equal(self.dense(path, stream=stream), [[3, 1], [0, 2], [0, 0]])
        assert read(path, stream=stream).y.tolist() == [1, 0, 0]


class TestNpz:
    def test_images_become_rows(self, tmp_path, rng):
        X = rng.integers(0, 255, (6, 4, 4), np.uint8)
        np.savez(tmp_path / "x.npz", X_train=X, y_train=[0, 1] * 3, X_test=X[:2], y_test=[0, 1])
        table = read(str(tmp_path / "x.npz"))
        np.testing.assert_array_equal(table.X, X.reshape(6, 16))
        assert (table.X_test.shape, table.y.tolist(), table.y_test.tolist()) == ((2, 16), [0, 1] * 3, [0, 1])

    @pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
    def test_matrices_of_save_npz_are_read(self, tmp_path, rng, form):
        X = sp.random_array((9, 5), density=0.4, rng=rng)
        sp.save_npz(tmp_path / "x.npz", X.asformat(form))
        refused(tmp_path / "x.npz", "has no array 'y'")
        np.testing.assert_array_equal(read(str(tmp_path / "x.npz"), need_target=False).X.toarray(), X.toarray())
        with np.load(tmp_path / "x.npz") as archive:
            np.savez(tmp_path / "y.npz", y=np.arange(9) % 2, **archive)
        table = read(str(tmp_path / "y.npz"))
        assert (table.X.shape, table.y.tolist()) == ((9, 5), [0, 1] * 4 + [0])

    @pytest.mark.parametrize("form", ["csr", "csc", "coo"])
    def test_a_matrix_whose_indices_do_not_fit_is_refused(self, tmp_path, rng, form):
        X = sp.random_array((9, 5), density=0.4, rng=rng).asformat(form)
        sp.save_npz(tmp_path / "x.npz", X)
        with np.load(tmp_path / "x.npz") as archive:
            arrays = dict(archive)
        arrays["row" if form == "coo" else "indices"][3] = 10**6
        np.savez(tmp_path / "x.npz", y=np.arange(9) % 2, **arrays)
        refused(tmp_path / "x.npz", "not a whole .npz file")

    def test_names_that_are_missing_are_told_without_a_word_of_pickle(self, tmp_path):
        np.savez(tmp_path / "x.npz", Z=[1])
        refused(tmp_path / "x.npz", r"^DATA: '[^']*' has no array 'X'; .* \(it has Z\)$")

    def test_python_objects_are_never_unpickled(self, tmp_path):
        np.savez(tmp_path / "x.npz", X=np.ones((2, 1)), y=np.array(["a", "b"], object))
        refused(tmp_path / "x.npz", "Python objects in 'y', which cannot be read without pickle")

    def declared(self, shape: str) -> bytes:
        """A .npy file whose header declares a shape that its values do not fill."""
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(80)

    @pytest.mark.parametrize(
        "shape", ["(3000000000000,)", "(10, 2)", "(-3, 2)", "(99999999999999999999, 2)", "'x'", "(("]
    )
    def test_a_shape_that_is_not_there_is_refused(self, tmp_path, shape):
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("X.npy", self.declared(shape))
            archive.writestr("y.npy", self.declared("(10,)"))
        refused(tmp_path / "x.npz", "not a whole .npz file|does not fit in memory")
        for name in ("X", "y"):
            (tmp_path / f"{name}.npy").write_bytes(self.declared(shape if name == "X" else "(10,)"))
        refused(tmp_path, "not a whole .npy file|does not fit in memory|in 2 dimensions")

    def test_what_only_looks_like_an_archive_is_refused(self, tmp_path):
        with (tmp_path / "x.npz").open("wb") as file:
            np.save(file, np.ones(3))
        refused(tmp_path / "x.npz", "a single array")
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("X", b"no array")
            archive.writestr("y", b"no array")
        refused(tmp_path / "x.npz", "something else than an array")
        (tmp_path / "x.npz").write_bytes(b"nothing of the kind")
        refused(tmp_path / "x.npz", "not a whole .npz file")

    def test_damage_ends_in_one_sentence(self, tmp_path, rng):
        np.savez_compressed(tmp_path / "x.npz", X=rng.normal(size=(50, 3)), y=np.arange(50) % 2)
        good, failed = (tmp_path / "x.npz").read_bytes(), 0
        directory = good.index(b"PK\x01\x02")
        for number in range(300):
            bad = bytearray(good[: None if number % 4 else rng.integers(len(good))])
            first = directory if number % 2 and len(bad) == len(good) else 0
            for at in rng.integers(first, len(bad), 3) if bad else ():
                bad[at] = rng.integers(256)
            (tmp_path / "x.npz").write_bytes(bytes(bad))
            failed += fails(tmp_path / "x.npz")
        assert failed > 100


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path, rng):
        np.save(tmp_path / "X.npy", rng.normal(size=(40, 3)))
        np.save(tmp_path / "y.npy", np.arange(40) % 2)
        return tmp_path

    def test_labels_that_are_objects_or_cut_off_are_refused(self, folder):
        whole = (folder / "y.npy").read_bytes()
        for damaged in (whole[:-8], whole[:20], b""):
            (folder / "y.npy").write_bytes(damaged)
            refused(folder, r"y\.npy' is not a whole \.npy file")
        np.save(folder / "y.npy", np.array(["a", "b"] * 20, object))
        refused(folder, r"y\.npy' holds Python objects, which cannot be read without pickle")

    def test_objects_among_the_test_labels_are_refused(self, folder):
        for name in ("X", "y"):
            (folder / f"{name}.npy").rename(folder / f"{name}_train.npy")
        np.save(folder / "X_test.npy", np.ones((4, 3)))
        np.save(folder / "y_test.npy", np.array([0, None, 1, 0]))
        refused(folder, r"y_test\.npy' holds Python objects")

    def test_an_archive_called_npy_is_refused(self, folder):
        with (folder / "X.npy").open("wb") as file:
            np.savez(file, X=np.ones((40, 3)))
        refused(folder, "archive of arrays")

    def test_row_pointers_of_floats_are_refused(self, tmp_path):
        matrix = sp.csr_array(np.eye(4))
        for part in ("indptr", "indices", "data"):
            np.save(tmp_path / f"X_{part}.npy", getattr(matrix, part).astype(float))
        np.save(tmp_path / "y.npy", np.arange(4) % 2)
        refused(tmp_path, r"X_indptr\.npy' must hold whole numbers")


def test_options_of_another_format_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", X=np.ones((2, 1)), y=[0, 1])
    refused(tmp_path / "x.npz", "--no-header is for .csv files", header=False)
    refused(tmp_path / "x.npz", "--one-based is for .libsvm files", zero_based=False)
    refused("digits", "--zero-based is for .libsvm files", zero_based=True)


def test_errors_of_streamed_samples_name_the_files_row_and_column(tmp_path, rng):
    X = rng.normal(size=(60, 3))
    X[41, 1] = np.nan
    labels = np.arange(60) % 2
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", labels)
    sources = [(read(str(tmp_path)), r"X\[41, 1\] is nan")]
    try:
        path = parquet(tmp_path, left=X[:, 0], middle=X[:, 1], right=X[:, 2], target=labels)
        sources.append((read(str(path), stream=True), r"X\[41, 'middle'\] is nan"))
    except pytest.skip.Exception:
        pass
    for table, match in sources:
        data = make_dataset(table, test_size=0.2, seed=0)
        part = data.X_train if 41 in data.X_train.sample_numbers else data.X_test
        net = ts.SparseMLP((3, 4, 2), seed=0)
        with pytest.raises(ts.InputError, match=match):
            ts.Trainer(net, batch_size=7).fit(part, np.arange(part.n_samples) % 2, epochs=1)
        with pytest.raises(ts.InputError, match=match):
            net.predict_proba(part)
        with pytest.raises(ts.InputError, match=match):
            ts.data.check_finite(part)
