"""Other implementations that train the same network. Each peer is made from a Problem and takes one step of
momentum SGD per call, returning the loss before it. Sparse peers start from the problem's weights, so that
their losses can be checked against ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from trulysparse.bench.problems import LEARNING_RATE, MOMENTUM, Problem
from trulysparse.optim import SGD
from trulysparse.training import Trainer


class Unavailable(Exception):
    """A peer cannot run here; the message says why."""


Step = Callable[[], float]


def ours(problem: Problem, threads: int) -> Step:
    """trulysparse."""
    rule = SGD(LEARNING_RATE, MOMENTUM, weight_decay=problem.weight_decay)
    trainer = Trainer(problem.copy_of_net(threads), optimizer=rule, dropout=problem.dropout)
    return lambda: trainer.step(problem.X, problem.y)


def _need(module: str) -> Any:
    try:
        return __import__(module)
    except ImportError:
        raise Unavailable(f"{module} is not installed: pip install 'trulysparse[bench]'") from None


def _refuse_dense(problem: Problem) -> None:
    if problem.dense_connections > 300_000_000:
        raise Unavailable(f"a dense network of {problem.dense_connections:.2g} weights is out of reach")


def _autograd_step(problem: Problem, layer: Callable[[int, Any], Any], optimizer: Any) -> Step:
    """A step of torch's autograd and optimizer; layer(i, a) is the product and bias of layer i on samples x neurons."""
    functional = _need("torch").nn.functional
    X, y = (_need("torch").tensor(values) for values in (problem.X, problem.y))
    slopes = [each.activation[1] for each in problem.net.layers[:-1]]

    def step() -> float:
        optimizer.zero_grad()
        a = X
        for i in range(len(problem.net.layers)):
            a = layer(i, a)
            if i < len(slopes):
                a = functional.dropout(functional.leaky_relu(a, slopes[i]), problem.dropout)
        loss = functional.cross_entropy(a, y)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def _torch_network(problem: Problem, threads: int, masked: bool) -> Step:
    torch = _need("torch")
    _refuse_dense(problem)
    torch.set_num_threads(threads)
    layers = problem.net.layers
    weights = [torch.tensor(layer.weight.toarray(), requires_grad=True) for layer in layers]
    masks = [(w != 0).float() for w in weights] if masked else None
    biases = [torch.tensor(layer.bias, requires_grad=True) for layer in layers]
    groups = [{"params": weights, "weight_decay": problem.weight_decay}, {"params": biases}]
    optimizer = torch.optim.SGD(groups, lr=LEARNING_RATE, momentum=MOMENTUM)

    def layer(i: int, a: Any) -> Any:
        return torch.nn.functional.linear(a, weights[i] if masks is None else weights[i] * masks[i], biases[i])

    return _autograd_step(problem, layer, optimizer)


def torch_dense(problem: Problem, threads: int) -> Step:
    """A dense network of the same sizes."""
    return _torch_network(problem, threads, masked=False)


def torch_masked(problem: Problem, threads: int) -> Step:
    """Dense weights times a mask at each step, as most of the field simulates sparsity."""
    return _torch_network(problem, threads, masked=True)


def torch_sparse_linear(problem: Problem, threads: int) -> Step:
    """SparseLinear layers and PyTorch's own optimizer."""
    torch = _need("torch")
    from trulysparse.torch import from_mlp

    torch.set_num_threads(threads)
    layers = [module for module in from_mlp(problem.copy_of_net(threads)) if hasattr(module, "connectivity")]
    groups = [
        {"params": [layer.weight for layer in layers], "weight_decay": problem.weight_decay},
        {"params": [layer.bias for layer in layers]},
    ]
    optimizer = torch.optim.SGD(groups, lr=LEARNING_RATE, momentum=MOMENTUM)
    return _autograd_step(problem, lambda i, a: layers[i](a), optimizer)


def torch_csr(problem: Problem, threads: int) -> Step:
    """torch.sparse.mm on CSR weights with autograd, then the update of the stored values."""
    import warnings

    torch = _need("torch")
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")
    pointers, values, biases = [], [], []
    for layer in problem.net.layers:
        con = layer.connectivity
        pointers.append(
            (torch.tensor(con.indptr), torch.tensor(con.indices.astype(np.int64)), (layer.n_out, layer.n_in))
        )
        values.append(torch.tensor(layer.weight.data))
        biases.append(torch.tensor(layer.bias[:, None], requires_grad=True))
    slopes = [layer.activation[1] for layer in problem.net.layers[:-1]]
    speed = [torch.zeros_like(v) for v in (*values, *biases)]
    X, y = torch.tensor(np.ascontiguousarray(problem.X.T)), torch.tensor(problem.y)

    def step() -> float:
        weights = [
            torch.sparse_csr_tensor(ptr, index, v, size=size).requires_grad_()
            for (ptr, index, size), v in zip(pointers, values, strict=True)
        ]
        a = X
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            a = torch.sparse.mm(w, a) + b
            if i < len(slopes):
                a = torch.nn.functional.dropout(torch.nn.functional.leaky_relu(a, slopes[i]), problem.dropout)
        loss = torch.nn.functional.cross_entropy(a.T, y)
        gradients = torch.autograd.grad(loss, [*weights, *biases])
        with torch.no_grad():
            for p, v, g in zip([*values, *biases], speed, gradients, strict=True):
                sparse = g.layout == torch.sparse_csr
                total = g.values().add(p, alpha=problem.weight_decay) if sparse else g
                v.mul_(MOMENTUM).sub_(total, alpha=LEARNING_RATE)
                p.add_(v)
        return float(loss.detach())

    return step


def scipy_numba(problem: Problem, threads: int) -> Step:
    """The way of the method's original authors, written afresh: SciPy products, a Numba loop over connections
    for the weight gradient, a SciPy update; activations lie samples x neurons."""
    numba = _need("numba")
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))

    @numba.njit(parallel=True, fastmath=True)  # type: ignore[untyped-decorator]
    def weight_gradient(a: Any, delta: Any, rows: Any, columns: Any, out: Any) -> None:
        for k in numba.prange(len(out)):
            total = np.float32(0)
            for b in range(a.shape[0]):
                total += a[b, rows[k]] * delta[b, columns[k]]
            out[k] = total / a.shape[0]

    weights = [layer.weight.T.tocsr() for layer in problem.net.layers]
    biases = [layer.bias.copy() for layer in problem.net.layers]
    slopes = [np.float32(layer.activation[1]) for layer in problem.net.layers[:-1]]
    speed = [w * np.float32(0) for w in weights]
    bias_speed = [np.zeros_like(b) for b in biases]
    n = len(problem.y)
    rate, momentum, decay = np.float32(LEARNING_RATE), np.float32(MOMENTUM), np.float32(problem.weight_decay)
    masks: dict[int, Any] = {}
    rng = np.random.default_rng(0)

    def step() -> float:
        activations, pre = [problem.X], []
        for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
            pre.append(activations[-1] @ w + b)
            if i == len(slopes):
                break
            a = np.where(pre[-1] > 0, pre[-1], slopes[i] * pre[-1])
            if problem.dropout:
                masks[i] = (rng.random(a.shape, dtype=np.float32) >= problem.dropout) / np.float32(1 - problem.dropout)
                a = a * masks[i]
            activations.append(a)
        z = pre[-1] - pre[-1].max(axis=1, keepdims=True)
        delta = np.exp(z)
        total = delta.sum(axis=1, keepdims=True)
        loss = float((np.log(total[:, 0]) - z[np.arange(n), problem.y]).mean())
        delta /= total
        delta[np.arange(n), problem.y] -= 1
        for i in reversed(range(len(weights))):
            gradient = weights[i].tocoo(copy=True)
            weight_gradient(activations[i], delta, gradient.row, gradient.col, gradient.data)
            bias_gradient = delta.mean(axis=0)
            if i:
                delta = (delta @ weights[i].T) * np.where(pre[i - 1] > 0, np.float32(1), slopes[i - 1])
                if problem.dropout:
                    delta = delta * masks[i - 1]
            speed[i] = momentum * speed[i] - rate * (gradient.tocsr() + decay * weights[i])
            bias_speed[i] = momentum * bias_speed[i] - rate * bias_gradient
            weights[i] = weights[i] + speed[i]
            biases[i] = biases[i] + bias_speed[i]
        return loss

    return step


def sklearn_dense(problem: Problem, threads: int) -> Step:
    """scikit-learn's dense MLPClassifier of the same sizes (ReLU, no dropout; its own starting weights)."""
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    _refuse_dense(problem)
    model = MLPClassifier(
        problem.net.layer_sizes[1:-1],
        solver="sgd",
        alpha=0.0,
        batch_size=len(problem.y),
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        random_state=0,
    )
    classes = np.arange(problem.net.layer_sizes[-1])

    def step() -> float:
        with threadpool_limits(threads):
            model.partial_fit(problem.X, problem.y, classes=classes)
        return float(model.loss_)

    return step


def sparseprop(problem: Problem, threads: int) -> Step:
    """SparseProp's CPU kernels (Nikdan et al. 2023), where the package happens to be importable."""
    torch = _need("torch")
    try:
        from sparseprop.modules import SparseLinear
    except ImportError:
        raise Unavailable("sparseprop is not importable here") from None
    _refuse_dense(problem)
    torch.set_num_threads(threads)
    layers = [
        SparseLinear(torch.tensor(layer.weight.toarray()), torch.tensor(layer.bias)) for layer in problem.net.layers
    ]
    parameters = [p for layer in layers for p in layer.parameters()]
    optimizer = torch.optim.SGD(parameters, LEARNING_RATE, MOMENTUM, weight_decay=problem.weight_decay)
    return _autograd_step(problem, lambda i, a: layers[i](a), optimizer)


PEERS: dict[str, Callable[[Problem, int], Step]] = {
    "trulysparse": ours,
    "scipy+numba": scipy_numba,
    "trulysparse.torch": torch_sparse_linear,
    "torch csr": torch_csr,
    "torch dense": torch_dense,
    "torch masked": torch_masked,
    "sklearn dense": sklearn_dense,
    "sparseprop": sparseprop,
}
