""".feather files: as pandas wrote them."""

from __future__ import annotations

import pytest

from sample_files import fails, read_as, refused
from trulysparse.data.files import read

pd = pytest.importorskip("pandas", reason="pandas comes with the extra trulysparse[tables]")
pytest.importorskip("pyarrow", reason="pyarrow comes with the extra trulysparse[tables]")


@pytest.fixture
def path(tmp_path):
    frame = pd.DataFrame(
        {"a": [1, 2, 3], "kind": pd.Categorical(["u", "v", "u"]), "who": ["p", "q", "p"], "target": [0.5, 1.5, 2.5]}
    )
    frame.to_feather(tmp_path / "x.feather")
    return tmp_path / "x.feather"


def test_columns_keep_their_types_and_uses(path):
    table = read_as(path, group="who")
    assert (table.features, table.target, table.groups.tolist()) == (["a", "kind"], "target", ["p", "q", "p"])
    assert (str(table.X["kind"].dtype), table.y.tolist()) == ("category", [0.5, 1.5, 2.5])


def test_it_cannot_be_streamed(path):
    refused(path, r"--stream: '.*x\.feather' is read as a whole", stream=True)


def test_other_tables_are_refused(path):
    pd.DataFrame({"a": [1], "b": [[1, 2]], "target": [0]}).to_feather(path)
    refused(path, "column 'b' is of type list")
    pd.DataFrame({"a": [], "target": []}).to_feather(path)
    refused(path, "has no rows")


def test_damage_ends_in_one_sentence(path, rng):
    good, failed = path.read_bytes(), 0
    for number in range(60):
        bad = bytearray(good[: None if number % 3 else rng.integers(len(good))])
        for at in rng.integers(0, len(bad), 3) if bad else ():
            bad[at] = rng.integers(256)
        path.write_bytes(bytes(bad))
        failed += fails(path)
    assert failed > 15
    path.write_bytes(good)
    assert read(str(path)).y.tolist() == [0.5, 1.5, 2.5]
