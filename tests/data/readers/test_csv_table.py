""".csv files: what is read, and what is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pytest

import trulysparse as ts
from sample_files import read_as, refused, write
from trulysparse.data.files import read
from trulysparse.task.dataset import make_dataset
from trulysparse.task.options import TaskOptions


@pytest.fixture(autouse=True)
def pandas():
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
        ("a,,target\n1,2,0\n", "no name for column 2"),
        ("a,b,target,\n1,2,0,\n1,2,0,5\n", "no name for column 4 in its header, which holds '5.0' in row 1"),
        ("a,b,target\n1,2,0,\n1,2,0,5\n", "line 3 has 4 fields, but the header has 3"),
        ("a,b,target\n1,2,0,\n1,2,0\n", "line 3 has 3 fields, but the header has 3|line 2 has 4 fields"),
        ("a,a,target\n1,2,0\n", "two columns called 'a'"),
        ("y,x,y\n1,2,0\n", "two columns called 'y'"),
        ('a,target\n"1,0\n2,1\n', "line 2 has 1 field, but the header has 2"),
        ("5.1,3.5,0.2,setosa\n4.9,3.0,0.2,setosa\n", "seems to have no header.*--no-header"),
        ("1,85,66\n2,80,60\n", "seems to have no header"),
        ("1,5,?,?,2\n2,3,1,5,4\n", "seems to have no header|two columns called"),
        ("1,85,,0\n2,80,1,1\n", "no name for column 3|seems to have no header"),
        ("0,1,1\n1,1,0\n", "no header|two columns called '1'"),
        ("a,target\n", "has no rows"),
        ("\n\n", "is empty"),
    ],
)
def test_a_file_whose_form_is_wrong_is_refused(tmp_path, text, match):
    refused(write(tmp_path / "x.csv", text), match)


def test_text_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"a,target\n1,\xff\xfe\n")
    refused(tmp_path / "x.csv", "--encoding: '.*' is not text in utf-8", encoding="utf-8")


def test_quoted_fields_may_hold_commas_and_line_breaks(tmp_path):
    table = read(write(tmp_path / "x.csv", 'a,"the ""name""",target\r\n1,2,"x, y\r\nz"\r\n3,4,w\r\n'))
    assert table.features == ["a", 'the "name"']
    assert table.y.tolist() == ["x, y\r\nz", "w"]
    np.testing.assert_array_equal(table.X.to_numpy(), [[1, 2], [3, 4]])


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path):
    assert read(write(tmp_path / "x.csv", "\ufeffa,target\n1,0\n2,1\n")).features == ["a"]


def test_row_names_under_an_empty_first_name_are_left_out(tmp_path, pandas):
    pandas.DataFrame({"a": [5, 6], "target": [0, 1]}).to_csv(tmp_path / "x.csv")
    assert read(str(tmp_path / "x.csv")).features == ["a"]


@pytest.mark.parametrize("header", ["0,1,2,target", "a,2019,2020,target", "q0.1,q0.5,target", "0,target", "1,2,y"])
def test_names_that_count_are_a_header(tmp_path, header):
    row = ",".join("7" for _ in header.split(","))
    assert len(read(write(tmp_path / "x.csv", f"{header}\n{row}\n")).X) == 1


def test_without_a_header_every_line_is_a_sample(tmp_path):
    path = write(tmp_path / "x.csv", "5.1,3.5,b\n5.1,1.0,a\n")
    table = read_as(path, header=False)
    assert (table.features, table.target, table.y.tolist()) == (["0", "1"], "2", ["b", "a"])
    np.testing.assert_array_equal(table.X.to_numpy(), [[5.1, 3.5], [5.1, 1.0]])
    assert read_as(path, header=True).features == ["5.1", "3.5"]


def test_header_numbers_are_names_where_the_run_knows_them(tmp_path):
    path = write(tmp_path / "x.csv", "5,7,9\n1,2,0\n")
    assert read_as(path, features=["5", "7"], target="9").features == ["5", "7"]


def test_a_later_file_without_a_header_is_told_what_its_columns_must_be(tmp_path):
    path = write(tmp_path / "x.csv", "5.1,7.2,0\n1,2,0\n")
    refused(path, "no header.*those that the run was trained on", features=["a", "b"])


@pytest.mark.parametrize("text", ["7,5.1,x,0\n7,1.0,w,1\n", "7,5.1,x\n7,1.0,w\n", "5.1,x\n1.0,w\n"])
def test_a_later_file_without_a_header_may_lack_the_target_and_what_was_left_out(tmp_path, text):
    path = write(tmp_path / "x.csv", text)
    known = dict(features=["a", "b"], columns=["same", "a", "b", "kind"], target="kind", header=False)
    table = read_as(path, **known, need_target=False)
    assert table.X.to_dict("list") == {"a": [5.1, 1.0], "b": ["x", "w"]}
    refused(
        write(tmp_path / "y.csv", "1\n2\n"),
        "has 1 columns without names, but the table that was trained on has 4",
        **known,
    )


def test_spaces_around_names_are_no_part_of_them(tmp_path):
    path = write(tmp_path / "x.csv", ' age , job , kind\n30,"ad, x",a\n31,b,b\n')
    assert read_as(path, target="kind").X.to_dict("list") == {"age": [30, 31], "job": ["ad, x", "b"]}
    assert read_as(path, features=["job", "age"], target="kind").features == ["job", "age"]
    assert read_as(path, features=["age "], target="kind").features == ["age "]  # a run that knows it so
    refused(write(tmp_path / "y.csv", "a,a ,kind\n1,2,0\n"), "two columns called 'a'")


def test_one_feature_whose_name_holds_a_space_is_not_a_separator(tmp_path):
    table = read_as(write(tmp_path / "x.csv", "petal width\n1\n2\n"), features=["petal width"], need_target=False)
    assert table.X.shape == (2, 1)


def test_classes_called_none_and_na_are_classes(tmp_path):
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
def test_an_empty_label_and_na_among_numbers_are_missing(tmp_path, labels, match):
    table = read(write(tmp_path / "x.csv", "a,target\n" + "".join(f"1,{label}\n" for label in labels * 9)))
    with pytest.raises(ts.InputError, match=match):
        make_dataset(table, TaskOptions())


@pytest.mark.parametrize(
    ("labels", "kind"), [(["0", "1"], "i"), (["True", "False"], "b"), (["1.0", "2.0"], "f"), (["a", "b"], "O")]
)
def test_label_types_are_those_of_the_text(tmp_path, labels, kind):
    assert read(write(tmp_path / "x.csv", f"a,target\n1,{labels[0]}\n2,{labels[1]}\n")).y.dtype.kind == kind


@pytest.mark.parametrize("values", [["True", ""], ["", ""], ["123456789012345678901234567890", ""]])
def test_a_gap_among_features_is_nan_whatever_the_column_holds(tmp_path, values):
    table = read(write(tmp_path / "x.csv", f"a,target\n{values[0]},0\n{values[1]},1\n"))
    assert np.isnan(table.X["a"].to_numpy(dtype=float)[1])


def test_file_called_like_an_address_is_read_as_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:x.csv").write_text("a,target\n1,0\n2,1\n")
    assert read("http:x.csv").y.tolist() == [0, 1]


def test_whole_number_beyond_float64_is_refused(tmp_path):
    (tmp_path / "big.csv").write_text(f"a,target\n{'9' * 400},1\n2,0\n")
    with pytest.raises(ts.InputError, match="column 'a' holds a number beyond the range"):
        read(str(tmp_path / "big.csv"))


def test_text_stays_text_and_a_column_of_mostly_numbers_is_noted(tmp_path):
    table = read(write(tmp_path / "x.csv", "a,b,target\n1,n/k,0\n2,4,1\n3,5,0\n"))
    assert table.X["b"].tolist() == ["n/k", "4", "5"]
    assert any("column 'b' is taken as text, as row 0 holds 'n/k'" in note for note in table.notes)


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_those_that_pandas_reads(tmp_path, pandas, seed):
    rng = np.random.default_rng(seed)
    frame = pandas.DataFrame(rng.normal(size=(200, 5)), columns=list("abcde")).assign(n=rng.integers(-5, 5, 200))
    frame = frame.mask(rng.random(frame.shape) < 0.05).assign(target=rng.integers(0, 3, 200))
    frame.to_csv(tmp_path / "x.csv", index=False)
    table = read(str(tmp_path / "x.csv"))
    wanted = pandas.read_csv(tmp_path / "x.csv")
    pandas.testing.assert_frame_equal(table.X, wanted[table.features])
    np.testing.assert_array_equal(table.y, wanted["target"])


def test_several_targets_a_group_and_a_time_are_taken_out(tmp_path):
    text = "a,p,q,who,day\n1,0.5,x,u,2024-01-02\n2,1.5,y,v,2024-01-01\n"
    table = read_as(write(tmp_path / "x.csv", text), target="p,q", group="who", time="day")
    assert (table.features, table.target, table.groups.tolist()) == (["a"], "p,q", ["u", "v"])
    assert table.y["q"].tolist() == ["x", "y"]
    assert np.argsort(table.order).tolist() == [1, 0]
    assert table.columns == ["a", "p", "q", "who", "day"]


def test_notes_and_layout_say_what_was_detected(tmp_path):
    (tmp_path / "x.csv").write_bytes("größe;art\n1,5;a\n2,5;b\n".encode("cp1252"))
    table = read(str(tmp_path / "x.csv"))
    assert table.layout == {"separator": ";", "encoding": "cp1252", "decimal": ","}
    assert table.notes[:3] == [
        "encoding: cp1252 (detected)",
        "separator: ';' (detected)",
        "decimal sign: ',' (detected)",
    ]
    np.testing.assert_array_equal(table.X["größe"], [1.5, 2.5])


def test_options_come_before_what_is_detected(tmp_path):
    path = write(tmp_path / "x.csv", "a;b,c\n1;2,0\n3;4,1\n")
    assert read_as(path, separator=",").features == ["a;b"]
    assert read_as(path, separator=";").features == ["a"]
    refused(path, r"has a single column, 'a;b,c', where it is split at '\|'", separator="|")


def test_a_later_file_of_other_form_is_read_by_its_own(tmp_path):
    first = read(write(tmp_path / "x.csv", "a;b;target\n1,5;2;0\n"))
    later = read_as(
        write(tmp_path / "y.csv", "b,a\n2,1.5\n"), features=first.features, need_target=False, layout=first.layout
    )
    assert later.X.to_numpy().tolist() == [[1.5, 2.0]]
