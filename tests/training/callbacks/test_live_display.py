"""How the figures of a training are laid out, by the width of the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from trulysparse.training.callbacks.live_display import Line, LiveDisplay, clock, packed


def drawn(display: LiveDisplay, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(display)
    return console.file.getvalue().rstrip("\n").split("\n")


def full() -> LiveDisplay:
    return LiveDisplay(
        epochs=5000,
        total=2_345_000,
        epoch=1234,
        done=123_456,
        loss=0.12345,
        score="val_accuracy 0.9123",
        samples_per_second=12_345.6,
        connections=1_234_567,
        neurons=3010,
        memory=512 << 20,
        seconds_left=4000,
        workers={0: Line("worker 0", 17, loss=0.5)},
        work={"evolving": Line("evolving", 3, 4)},
    )


@pytest.mark.parametrize("width", [40, 60, 80, 100, 160])
def test_lines_keep_to_the_width_and_lose_no_figure(width):
    lines = drawn(full(), width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    wanted = ["epoch 1234/5000", "123456/2345000", "loss 0.1235", "val_accuracy 0.9123", "12.3 k samples/s"]
    wanted += ["1.23 M connections", "3.01 k neurons", "512.0 MiB memory", "worker 0  17 batches  loss 0.5000", "75%"]
    for figure in wanted:
        assert figure in text
    assert ("1:06:40 left" in text) == (width > 40)
    assert ("╸" in lines[0] or "━" in lines[0]) == (width >= 60)


def test_a_wide_terminal_has_all_figures_in_one_line():
    assert len(drawn(full(), 160)) == 4
    assert len(drawn(full(), 60)) == 5


def test_what_is_not_known_is_left_out():
    assert drawn(LiveDisplay(2, 10), 30)[0].startswith("epoch 1/2  ")
    assert len(drawn(LiveDisplay(2, 10), 30)) == 1


@pytest.mark.parametrize("done, columns", [(0, 0), (5, 20), (10, 40), (12, 40)])
def test_bar_shows_the_share(done, columns):
    """Without colours the rest of the bar is not drawn."""
    assert drawn(LiveDisplay(2, 10, done=done), 70)[0].count("━") == columns


def test_packed_and_clock():
    assert packed(["aa", "bb", "cc"], 6) == ["aa  bb", "cc"]
    assert packed(["too long", "b"], 3) == ["too long", "b"]
    assert packed([], 3) == []
    assert [clock(s) for s in (0, 59.6, 3725, -3)] == ["0:00:00", "0:01:00", "1:02:05", "0:00:00"]
