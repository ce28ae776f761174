"""trulysparse device-budget."""

from __future__ import annotations

import pytest

import trulysparse as ts
from command import last_json, refused, run
from trulysparse.cli.device_budget import byte_count


@pytest.fixture
def digits(tmp_path):
    """The file of a network for the digits."""
    ts.save(ts.SparseMLP((64, 100, 100, 10), epsilon=10, seed=0, threads=1), tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


@pytest.mark.parametrize(
    "text, count",
    [
        ("64k", 65536),
        ("256K", 262144),
        ("1M", 1 << 20),
        ("512", 512),
        ("1.5kB", 1536),
        ("2 MiB", 2 << 20),
        ("20KB", 20480),
    ],
)
def test_sizes_are_as_data_sheets_mean_them(text, count):
    assert byte_count("--ram", text) == count


@pytest.mark.parametrize("text", ["", "k", "0", "-1k", "64g", "1e3", "0.0001k", "64 k b", "nan"])
def test_what_is_no_size_is_refused(digits, text):
    error = refused("device-budget", digits, f"--flash={text}")
    assert "--flash must be a size such as 64k, 1M or 65536" in error


def test_the_table_says_what_fits_and_what_would(digits):
    output = run("device-budget", digits, "--ram", "64k", "--flash", "20k", "--json")
    figures = last_json(output)
    assert figures["ram"] == 65536
    for each in figures["forms"]:
        fits = each["bytes"]["flash"] <= 20480 and each["bytes"]["ram"] <= 65536
        assert each["fits"] is fits
        assert f"{each['bytes']['flash']:,}" in output
        if fits:
            assert each["sparser"] is each["pruned"] is None
        elif each["sparser"] is not None:
            assert f"--epsilon {each['sparser']['epsilon']:g}: {each['sparser']['connections']:,}" in output
    assert figures["forms"][0]["sparser"] is not None
    assert 0 < sum(each["fits"] for each in figures["forms"]) < len(figures["forms"])


def test_where_nothing_fits_the_exit_code_says_so(digits):
    run("device-budget", digits, "--ram", "100", code=2)
    assert "fewer inputs" in run_anyway("device-budget", digits, "--ram", "100")


def run_anyway(*arguments: object) -> str:
    from typer.testing import CliRunner

    from trulysparse.cli import app

    return CliRunner().invoke(app, [str(a) for a in arguments]).stdout


def test_without_limits_all_forms_fit(digits):
    figures = last_json(run("device-budget", digits, "--json"))
    assert all(each["fits"] for each in figures["forms"])


def test_a_run_of_train_and_larger_batches(trained):
    one, eight = (
        last_json(run("device-budget", trained / "r", "--batch", batch, "--json"))["forms"][-1]["bytes"]["ram"]
        for batch in (1, 8)
    )
    assert eight > one
    assert "--batch must be at least 1, not 0" in refused("device-budget", trained / "r", "--batch", 0)
