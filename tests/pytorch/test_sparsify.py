from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest

import trulysparse as ts
from trulysparse.errors import InputError

torch = pytest.importorskip("torch", reason="torch comes with the extra trulysparse[torch]")
nn = torch.nn


def mlp(*sizes: int, activation=nn.GELU):
    modules = []
    for n_in, n_out in itertools.pairwise(sizes):
        modules += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*modules[:-1])


class Block(nn.Module):
    """Attention of separate projections, and an MLP: what GPTs are made of."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(16, 16) for _ in range(4))
        self.norm = nn.LayerNorm(16)
        self.mlp = mlp(16, 64, 16)

    def forward(self, x):
        q, k, v = self.q(x), self.k(x), self.v(x)
        x = x + self.o(nn.functional.scaled_dot_product_attention(q, k, v))
        return x + self.mlp(self.norm(x))


class Model(nn.Module):
    """Two blocks between an embedding and a head that share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 16)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.lm_head = nn.Linear(16, 11, bias=False)
        self.lm_head.weight = self.embedding.weight

    def forward(self, tokens):
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x)
        return self.lm_head(x)


def names(report) -> list[str]:
    return [row.name for row in report.layers]


def test_a_chain_loses_its_smallest_weights_and_keeps_its_head():
    torch.manual_seed(0)
    model = mlp(20, 50, 40, 4)
    before = copy.deepcopy(model)
    report = ts.torch.sparsify(model, 0.2, measure=False)
    assert names(report) == ["0", "2"]
    assert [(left.name, left.reason) for left in report.left] == [("4", "the last linear module, taken for a head")]
    assert model[4] is not None
    assert type(model[4]) is nn.Linear
    assert sum(row.connections for row in report.layers) == round(0.2 * (20 * 50 + 50 * 40))
    for number in (0, 2):
        matrix, full = model[number].to_csr().toarray(), before[number].weight.detach().numpy()
        kept = matrix != 0
        np.testing.assert_array_equal(matrix[kept], full[kept])
        assert np.abs(full[kept]).min() >= np.abs(full[~kept]).max()
        assert torch.equal(model[number].bias, before[number].bias)


def test_distributions():
    """ERK: densities in proportion to (n_in + n_out) / (n_in * n_out); together the same number."""
    model = mlp(30, 60, 20, 5)
    erk = ts.torch.sparsify(copy.deepcopy(model), 0.1, measure=False).layers
    ratio = [row.density * 30 * 60 / 90 if row.name == "0" else row.density * 60 * 20 / 80 for row in erk]
    assert abs(ratio[0] / ratio[1] - 1) < 0.02
    uniform = ts.torch.sparsify(model, 0.1, distribution="uniform", measure=False).layers
    assert [row.connections for row in uniform] == [180, 120]
    assert abs(sum(row.connections for row in erk) - 300) <= 1


def test_globs_of_a_mapping_and_rules():
    model = Model()
    report = ts.torch.sparsify(
        model,
        {"*.mlp.0": 0.05, "*.mlp.*": ts.torch.Rule(0.2, "random"), "blocks.0.[qk]": 0.5},
        exclude="blocks.1.mlp.2",
        measure=False,
    )
    assert [(row.name, row.connections) for row in report.layers] == [
        ("blocks.0.q", 128),
        ("blocks.0.k", 128),
        ("blocks.0.mlp.0", 51),
        ("blocks.0.mlp.2", 205),
        ("blocks.1.mlp.0", 51),
    ]
    assert {left.reason for left in report.left} == {"excluded", "not included"}
    model(torch.zeros(2, 5, dtype=torch.int64)).sum().backward()


def test_include_and_exclude():
    assert names(ts.torch.sparsify(Model(), 0.1, include="*.mlp.*", measure=False)) == [
        f"blocks.{block}.mlp.{layer}" for block in (0, 1) for layer in (0, 2)
    ]
    without = ts.torch.sparsify(Model(), 0.1, exclude=["*.mlp.*", "*.o"], measure=False)
    assert names(without) == [f"blocks.{block}.{part}" for block in (0, 1) for part in "qkv"]


def test_heads_are_left_unless_they_are_named():
    model = Model()
    report = ts.torch.sparsify(model, 0.1, measure=False)
    assert "lm_head" not in names(report)
    assert [left.reason for left in report.left] == ["a head"]
    assert names(ts.torch.sparsify(mlp(20, 30, 4), {"2": 0.5}, measure=False)) == ["2"]
    row_of_blocks = nn.ModuleList([nn.ModuleDict({"up": nn.Linear(4, 8), "down": nn.Linear(8, 4)}) for _ in range(2)])
    assert names(ts.torch.sparsify(row_of_blocks, 0.5, measure=False)) == ["0.up", "0.down", "1.up", "1.down"]


def test_a_module_in_two_places_stays_one():
    shared = nn.Linear(20, 20)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(20, 2))
    report = ts.torch.sparsify(model, 0.3, measure=False)
    assert names(report) == ["0, 2"]
    assert model[0] is model[2]
    ts.torch.densify(model)
    assert model[0] is model[2]
    assert type(model[0]) is nn.Linear


def test_densify_is_the_way_back():
    torch.manual_seed(0)
    model = Model()
    tokens = torch.randint(11, (3, 7))
    ts.torch.sparsify(model, 0.3, measure=False)
    model.blocks[0].q.weight.requires_grad_(False)
    expected = model(tokens)
    assert ts.torch.densify(model) == 12
    assert not any(isinstance(module, ts.torch.SparseLinear) for module in model.modules())
    torch.testing.assert_close(model(tokens), expected, rtol=1e-4, atol=1e-5)
    assert not model.blocks[0].q.weight.requires_grad
    assert ts.torch.densify(model) == 0


def test_chains_hand_on_their_layout():
    model = Model()
    ts.torch.sparsify(model, 0.3, measure=False)
    assert model.blocks[0].mlp[0].layout == "features"
    assert model.blocks[0].mlp[2].layout == "auto"
    x = torch.randn(3, 7, 16)
    assert not model.blocks[0].mlp[0](x).is_contiguous()
    assert model.blocks[0].mlp(x).is_contiguous()


def test_random_choice_follows_the_seed():
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(0)
        model = mlp(20, 30, 30, 4)
        ts.torch.sparsify(model, 0.2, keep="random", seed=seed, measure=False)
        drawn.append(model[2].to_csr().toarray())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_a_transformer_encoder_trains_and_infers():
    """In inference PyTorch fuses dense encoder layers, and reads their weights itself."""
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)
    report = ts.torch.sparsify(model, 0.2, measure=False)
    assert names(report) == [f"layers.{block}.linear{part}" for block in (0, 1) for part in (1, 2)]
    assert sum("reads its weights itself" in left.reason for left in report.left) == 4
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    x = torch.randn(4, 6, 16)
    losses = []
    for _ in range(10):
        loss = (model(x) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    model.eval()
    expected = model(x)
    padding = torch.zeros(4, 6, dtype=torch.bool)
    padding[1, 4:] = True
    masked = model(x, src_key_padding_mask=padding)
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected)
        torch.testing.assert_close(model(x, src_key_padding_mask=padding)[~padding], masked[~padding])
    assert ts.torch.densify(model) == 4
    assert [layer.activation_relu_or_gelu for layer in model.layers] == [1, 1]  # fused again
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


def tied():
    model = nn.Sequential(nn.Embedding(20, 16), nn.Linear(16, 20), nn.ReLU(), nn.Linear(20, 2))
    model[1].weight = model[0].weight
    return model


def partly_sparse():
    return nn.Sequential(ts.torch.SparseLinear(20, 30, density=0.1), nn.Linear(30, 30), nn.Linear(30, 2))


def one_bias():
    model = mlp(20, 30, 30, 2)
    model[2].bias = model[0].bias
    return model


def hooked():
    model = mlp(20, 30, 2)
    model[0].register_forward_hook(lambda *_: None)
    return model


def parametrised():
    model = mlp(20, 30, 2)
    nn.utils.parametrizations.weight_norm(model[0])
    return model


def infinite():
    model = mlp(20, 30, 2)
    with torch.no_grad():
        model[0].weight[0, 0] = torch.inf
    return model


@pytest.mark.parametrize(
    "make, arguments, message",
    [
        (lambda: mlp(20, 30, 2), {"density": 0.0}, "density"),
        (lambda: mlp(20, 30, 2), {"density": 1.5}, "density"),
        (lambda: mlp(20, 30, 2), {"density": {"0": 2.0}}, "density"),
        (lambda: mlp(20, 30, 2), {"density": {"0": "much"}}, "density"),
        (
            lambda: mlp(20, 30, 2),
            {"density": {"block.*": 0.1}},
            "'block.*' matches no linear module",
        ),
        (lambda: mlp(20, 30, 2), {"density": {"0": 0.1, "9": 0.1}}, "'9' matches no"),
        (lambda: mlp(20, 30, 2), {"density": {}}, "density"),
        (lambda: mlp(20, 30, 2), {"density": 0.1, "include": "*.mlp"}, "include: '.*mlp' matches no"),
        (lambda: mlp(20, 30, 2), {"density": 0.1, "exclude": ["7"]}, "exclude: '7' matches no"),
        (lambda: mlp(20, 30, 2), {"density": 0.1, "exclude": "*"}, "no linear module to make sparse"),
        (lambda: mlp(20, 30, 2), {"density": 0.1, "include": 3}, "include"),
        (lambda: mlp(20, 30, 2), {"density": {"0": 0.1}, "include": "0"}, "mapping of globs says itself"),
        (lambda: mlp(20, 30, 2), {"density": 0.1, "distribution": "even"}, "distribution"),
        (lambda: mlp(20, 30, 2), {"density": 0.1, "keep": "largest"}, "keep"),
        (lambda: mlp(20, 30, 2), {"density": 0.1, "seed": -1}, "seed"),
        (lambda: mlp(20, 30, 2).bfloat16(), {"density": 0.1}, "0 must have float32 or float64 weights"),
        (lambda: mlp(20, 30, 2).to("meta"), {"density": 0.1}, "on meta"),
        (lambda: nn.Linear(3, 4), {"density": 0.1}, "linear module itself"),
        (lambda: nn.LSTM(3, 4), {"density": 0.1}, "LSTM, whose weights are fused"),
        (lambda: nn.Sequential(nn.GRU(3, 4)), {"density": 0.1}, "the weights of GRU are fused"),
        (lambda: nn.MultiheadAttention(16, 4), {"density": 0.1}, "MultiheadAttention"),
        (lambda: nn.TransformerEncoderLayer(16, 4), {"density": {"*.out_proj": 0.1}}, "reads its weights itself"),
        (lambda: torch.compile(mlp(20, 30, 2)), {"density": 0.1}, "wrapped in OptimizedModule"),
        (tied, {"density": 0.1}, "1 shares its weight or bias with 0"),
        (one_bias, {"density": 0.1}, "0 shares its weight or bias with 2"),
        (hooked, {"density": 0.1}, "0 has hooks"),
        (
            lambda: nn.ModuleDict({"rnn": nn.LSTM(3, 4), "up": nn.Linear(4, 4)}),
            {"density": {"rnn*": 0.1}},
            "LSTM are fused",
        ),
        (partly_sparse, {"density": 0.1}, "0 is sparse already"),
        (parametrised, {"density": 0.1}, "0 is no plain torch.nn.Linear"),
        (infinite, {"density": 0.1}, "not finite"),
        (nn.ReLU, {"density": 0.1}, "no linear module"),
        (lambda: "model", {"density": 0.1}, "torch.nn.Module, not str"),
    ],
)
def test_bad_input_changes_nothing(make, arguments, message):
    model = make()
    before = list(model.modules()) if isinstance(model, nn.Module) else []
    with pytest.raises(InputError, match=message):
        ts.torch.sparsify(model, **arguments, measure=False)
    if before:
        assert all(a is b for a, b in zip(model.modules(), before, strict=True))


def test_a_sparse_layer_by_itself_cannot_become_dense_in_place():
    with pytest.raises(InputError, match="model must hold"):
        ts.torch.densify(ts.torch.SparseLinear(4, 3, density=0.5))
