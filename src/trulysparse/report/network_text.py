"""A network as lines of text, for a terminal."""

from __future__ import annotations

from trulysparse.nn.mlp import SparseMLP
from trulysparse.report.numbers import percent, short, shortened

_MOST_LAYERS = 40
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def network_text(net: SparseMLP, *, width: int = 80, plain: bool = False) -> str:
    """Draws a network in text: a line per layer, with a bar as long as it has neurons, its connections and density.

    Args:
        net: the network, of any storage.
        width: characters per line, at least 60.
        plain: only ASCII characters, for terminals that know no others.

    Returns:
        The lines.

    Example:
        >>> import trulysparse as ts
        >>> from trulysparse.report import network_text
        >>> print(network_text(ts.SparseMLP((4, 8, 2), epsilon=2, seed=0), width=60, plain=True))
        layer           neurons              connections   density
        input                 4 #####
        1 AllReLU             8 ##########            24      75 %
        2 softmax             2 ##                    16     100 %
    """
    sizes = net.layer_sizes
    largest = max(sizes)
    room = max(8, width - 24 - 1 - 24)
    lines = [f"{'layer':<14}{'neurons':>9} {'':<{room}}{'connections':>13}{'density':>10}"]
    for number, n in enumerate(sizes):
        if len(sizes) > _MOST_LAYERS and _MOST_LAYERS // 2 <= number < len(sizes) - _MOST_LAYERS // 2:
            if number == _MOST_LAYERS // 2:
                lines.append(f"... {len(sizes) - _MOST_LAYERS} more layers")
            continue
        lines.append(_line(net, number, n / largest, room, plain))
    if net.skip:
        con = net.skip_layer.connectivity
        text = f"{'skip':<14}{'':>9} {'inputs to outputs':<{room}}"
        lines.append(f"{text}{_count(con.n_connections):>13}{percent(con.density):>10}")
    return "\n".join(lines)


def _line(net: SparseMLP, number: int, share: float, room: int, plain: bool) -> str:
    last = number == len(net.layer_sizes) - 1
    activation = net.output if last else type(net.activation).__name__
    name = "input" if number == 0 else f"{number} {activation}"
    text = f"{shortened(name, 14) if not plain else name[:14]:<14}{_count(net.layer_sizes[number]):>9} "
    text += f"{_bar(share, room, plain):<{room}}"
    if number == 0:
        return text.rstrip()
    con = net.layers[number - 1].connectivity
    return f"{text}{_count(con.n_connections):>13}{percent(con.density):>10}"


def _count(n: int) -> str:
    return f"{n:,}" if n < 1_000_000 else short(n)


def _bar(share: float, room: int, plain: bool) -> str:
    if plain:
        return "#" * max(1, round(share * (room - 1)))
    eighths = max(1, round(share * (room - 1) * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
