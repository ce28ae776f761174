"""Compressed files as their content."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest

import trulysparse as ts
from sample_files import refused
from trulysparse.data.files import read
from trulysparse.data.readers.opened import Content, suffixes

TEXT = b"a,b,target\n1,x,0\n2,y,1\n" * 1
LIBSVM = b"1 1:2 3:4\n0 2:1\n"


def zipped(path: Path, *members: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, TEXT)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a.CSV.GZ", (".csv", ".gz")), ("a.csv", (".csv", "")), ("a.b.npz", (".npz", "")), ("a.gz", ("", ".gz"))],
)
def test_suffixes_are_those_of_content_and_compression(name, parts):
    assert suffixes(Path(name)) == parts


@pytest.mark.parametrize(("suffix", "packed"), [("gz", gzip.compress), ("bz2", bz2.compress), ("XZ", lzma.compress)])
def test_compressed_text_is_read_as_it_was(tmp_path, suffix, packed):
    pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
    (tmp_path / f"x.csv.{suffix}").write_bytes(packed(TEXT))
    table = read(str(tmp_path / f"x.csv.{suffix}"))
    assert (table.features, table.X["b"].tolist(), table.y.tolist()) == (["a", "b"], ["x", "y"], [0, 1])
    (tmp_path / f"x.libsvm.{suffix}").write_bytes(packed(LIBSVM))
    np.testing.assert_array_equal(read(str(tmp_path / f"x.libsvm.{suffix}")).X.toarray(), [[2, 0, 4], [0, 1, 0]])


def test_zstandard_text_is_read_as_it_was(tmp_path):
    pa = pytest.importorskip("pyarrow")
    with pa.CompressedOutputStream(pa.OSFile(str(tmp_path / "x.csv.zst"), "wb"), "zstd") as file:
        file.write(TEXT)
    assert read(str(tmp_path / "x.csv.zst")).y.tolist() == [0, 1]


def test_an_archive_must_hold_one_file(tmp_path):
    zipped(tmp_path / "x.csv.zip", "inner.csv", "__MACOSX/._inner.csv")
    assert Content(tmp_path / "x.csv.zip").head(100) == TEXT
    zipped(tmp_path / "x.csv.zip", "a.csv", "b.csv")
    refused(tmp_path / "x.csv.zip", r"holds 2 files \(a.csv, b.csv\); a .zip file must hold one")


@pytest.mark.parametrize(("suffix", "packed"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_what_is_cut_off_or_empty_is_refused(tmp_path, suffix, packed):
    path = tmp_path / f"x.csv.{suffix}"
    path.write_bytes(packed(TEXT * 50)[:-12])
    refused(path, f"not a whole .{suffix} file")
    path.write_bytes(packed(b""))
    refused(path, "is empty")
    path.write_bytes(b"no such thing")
    refused(path, f"not a whole .{suffix} file")


def test_a_format_that_is_packed_itself_may_not_be_compressed(tmp_path):
    (tmp_path / "x.npz.gz").write_bytes(gzip.compress(TEXT))
    refused(tmp_path / "x.npz.gz", "DATA must be one of|x.npz.gz")


def test_content_is_opened_at_any_byte(tmp_path):
    (tmp_path / "x.csv").write_bytes(TEXT)
    for content in (Content(tmp_path / "x.csv"), Content(tmp_path / "x.csv", TEXT)):
        with content.open(11) as file:
            assert file.read() == TEXT[11:]
    with pytest.raises(ts.InputError, match="is empty"):
        Content(tmp_path / "x.csv", b"")
