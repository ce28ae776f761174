""".txt and .data files: tables or libsvm, by their content."""

from __future__ import annotations

import numpy as np
import pytest

from sample_files import read_as, refused, write
from trulysparse.data.readers.opened import Content
from trulysparse.data.readers.text_file import looks_like_libsvm


@pytest.mark.parametrize(
    ("line", "is_libsvm"),
    [
        ("1 1:2 3:4", True),
        ("+1 1:2.5e-3 3:-4 # note", True),
        ("# note\n\n-1 qid:3 1:0.5", True),
        ("1,3 2:0.5", True),
        (" 2:0.5 3:1", True),
        ("1 2 3", False),
        ("a,b,c", False),
        ("10:30 11:45", False),
        ("when 10:30", False),
        ("", False),
        ("1", False),
    ],
)
def test_numbered_features_are_told_from_tables(tmp_path, line, is_libsvm):
    assert looks_like_libsvm(Content(tmp_path / "x.txt", (line + "\n").encode())) is is_libsvm


@pytest.mark.parametrize("suffix", [".txt", ".data", ".TXT"])
def test_each_kind_is_read_as_such_and_said(tmp_path, suffix):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    table = read_as(write(tmp_path / f"x{suffix}", "1 1:2 3:4\n0 2:1\n"), zero_based=False)
    np.testing.assert_array_equal(table.X.toarray(), [[2, 0, 4], [0, 1, 0]])
    assert "format: libsvm (by the content)" in table.notes
    table = read_as(write(tmp_path / f"x{suffix}", "5.1 3.5 a\n4.9 3.0 b\n"), header=False)
    assert (table.X.to_numpy().tolist(), table.y.tolist()) == ([[5.1, 3.5], [4.9, 3.0]], ["a", "b"])


def test_options_of_the_other_kind_are_refused(tmp_path):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    refused(write(tmp_path / "x.txt", "1 1:2 3:4\n"), "--separator and --encoding are for .csv files", separator=" ")
    refused(write(tmp_path / "x.txt", "a b\n1 2\n"), "--one-based are for .libsvm files", zero_based=True)
    refused(tmp_path / "x.txt", r"--stream: '.*x\.txt' is read as a whole", stream=True)
