"""trulysparse plan."""

from __future__ import annotations

import pytest

from command import last_json, refused, run

TINY = ["--hidden", "8", "--epochs", "2", "--threads", "1"]


@pytest.mark.parametrize(
    "text", ["10,5x0,5", "10,5x-1,5", "10,5x,5", "10,x5", "10,,5", "10,5x2x2", "", "1e3,5", "5x999999999,2"]
)
def test_plan_refuses_odd_layers(text):
    assert "--layers" in refused("plan", "--layers", text)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--storage", "indexed", "--precision", "bfloat16"], "needs storage='compact'"),
        (["--precision", "bfloat16"], "needs storage='compact'"),
        (["--on-disk"], "--on-disk needs --storage compact"),
        (["--momentum-precision", "bfloat16"], "--momentum-precision bfloat16 needs --storage compact"),
        (["--momentum-precision", "float32", "--momentum", "0"], "--momentum-precision needs a --momentum above 0"),
        (["--samples", "0"], "--samples must be at least 1"),
    ],
)
def test_plan_refuses_what_train_does(tmp_path, options, message):
    assert message in refused("plan", "--layers", "64,30,10", *options)
    if "--samples" not in options:
        refused("train", "digits", "--out", tmp_path / "r", *TINY, *options)


def test_plan_has_the_defaults_of_train():
    chosen = ["--storage", "indexed", "--precision", "float32", "--batch-size", "128", "--momentum", "0.9"]
    found = [last_json(run("plan", "--layers", "64,30,10", "--json", *options)) for options in ([], chosen)]
    assert found[0]["bytes"] == found[1]["bytes"]
    assert last_json(run("plan", "--layers", "64,30,10", "--json", "--momentum", "0"))["bytes"] != found[0]["bytes"]
