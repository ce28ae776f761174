from collections.abc import Sequence
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating]
Bits: TypeAlias = NDArray[np.uint8] | None
Pointers: TypeAlias = NDArray[np.int64]
Indices: TypeAlias = NDArray[np.int32]
Stored: TypeAlias = NDArray[Any]
Packed: TypeAlias = NDArray[np.uint32]

KernelActivation: TypeAlias = tuple[Activation, float]

class Activation(IntEnum):
    IDENTITY = ...
    LEAKY = ...
    TANH = ...
    SIGMOID = ...
    GELU = ...
    SILU = ...

class Update(IntEnum):
    NONE = ...
    GRADIENT = ...
    SGD = ...
    NESTEROV = ...
    ADAM = ...

class Loss(IntEnum):
    SOFTMAX_CROSS_ENTROPY = ...
    BINARY_CROSS_ENTROPY = ...
    MEAN_SQUARED_ERROR = ...
    HUBER = ...

class Draw(IntEnum):
    UNIFORM = ...
    NORMAL = ...

class WeightScale:
    def __init__(self, scale: float, by_fan_in: bool = ..., added: float = ..., most: float = ...) -> None: ...
    @property
    def scale(self) -> float: ...
    @property
    def by_fan_in(self) -> bool: ...
    def of(self, fan_in: int) -> float: ...

MAX_TILE_SHIFT: int
ORDERED_BYTES: int
FEW_BLOCKS: int

class UpdateRule:
    def __init__(
        self,
        kind: Update = ...,
        *,
        learning_rate: float = ...,
        momentum: float = ...,
        l2: float = ...,
        decay: float = ...,
        beta1: float = ...,
        beta2: float = ...,
        epsilon: float = ...,
        correction1: float = ...,
        correction2: float = ...,
    ) -> None: ...
    kind: Update
    @property
    def updates(self) -> bool: ...
    learning_rate: float
    momentum: float
    l2: float
    decay: float
    beta1: float
    beta2: float
    epsilon: float
    correction1: float
    correction2: float
    add: bool
    key: int

class ForwardCall:
    def __call__(self, key: int, threads: int) -> None: ...

class BackwardCall:
    def __call__(self, rule: UpdateRule, threads: int) -> None: ...

class FleetCall:
    def add_layer(
        self,
        *,
        ptr: Pointers,
        index: Indices,
        out_ptr: Pointers,
        out_index: Indices,
        position: NDArray[np.uint32],
        weight: Floats,
        state: Sequence[Floats],
        gradient: Floats | None,
        bias: Floats,
        bias_state: Sequence[Floats],
        bias_gradient: Floats | None,
        activation: KernelActivation,
        threads: int,
    ) -> None: ...
    def step(
        self,
        x: NDArray[Any],
        *,
        labels: NDArray[np.int32] | None,
        targets: NDArray[Any] | None,
        first: int,
        count: int,
        kind: Loss,
        delta: float,
        summed: bool,
        sample_weight: Floats,
        rules: Sequence[UpdateRule],
        losses: NDArray[np.float64],
        threads: int,
    ) -> None: ...
    def outputs(
        self, x: NDArray[Any], *, first: int, count: int, stride: int, out: Floats, activation: str, threads: int
    ) -> None: ...

class ForwardCall32(ForwardCall): ...
class ForwardCall64(ForwardCall): ...
class BackwardCall32(BackwardCall): ...
class BackwardCall64(BackwardCall): ...

def run_forward(chains: Sequence[Sequence[ForwardCall]], keys: Sequence[Sequence[int]], threads: int) -> None: ...
def run_backward(chains: Sequence[Sequence[tuple[Sequence[BackwardCall], UpdateRule]]], threads: int) -> None: ...
def run_fleet_forward(chains: Sequence[Sequence[ForwardCall]], agents: int, threads: int) -> None: ...
def run_fleet_backward(
    chains: Sequence[Sequence[tuple[Sequence[BackwardCall], UpdateRule]]], agents: int, threads: int
) -> None: ...
def all_finite(values: Floats, threads: int) -> bool: ...
def fleet_call(agents: int, wide: bool) -> FleetCall: ...
def load_fleet(
    x: NDArray[Any],
    rows: NDArray[np.int64],
    offset: NDArray[np.float64] | None,
    factor: NDArray[np.float64] | None,
    out: Floats,
    threads: int,
) -> int: ...
def is_block_diagonal(ptr: Pointers, index: Indices, columns: int, agents: int) -> bool: ...
def draw_blocks(
    rows: int, columns: int, count: int, keys: NDArray[np.uint64], threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]: ...
def draw_block_weights(
    out: Floats,
    blocks: Pointers,
    kind: Draw,
    scale: WeightScale,
    scales: NDArray[np.float64],
    keys: NDArray[np.uint64],
    threads: int,
    output: Indices | None = None,
    fan_in: NDArray[np.int64] | None = None,
) -> None: ...
def forward(
    *,
    ptr: Pointers,
    index: Indices,
    position: NDArray[np.uint32] | None,
    weight: Floats,
    bias: Floats,
    x: Floats,
    y: Floats,
    long_rows: Pointers,
    activation: KernelActivation,
    positive: Bits,
    kept: Bits,
    keep_probability: float,
    pre_activation: Floats | None = None,
    add: bool = False,
) -> ForwardCall32 | ForwardCall64: ...
def backward(
    *,
    ptr: Pointers,
    index: Indices,
    weight: Floats,
    state: Sequence[Floats],
    gradient: Floats | None,
    bias: Floats,
    bias_state: Sequence[Floats],
    bias_gradient: Floats | None,
    dy: Floats,
    x: Floats,
    dx: Floats | None,
    long_rows: Pointers,
    activation: KernelActivation,
    positive: Bits,
    kept: Bits,
    keep_probability: float,
    pre_activation: Floats | None = None,
    add: bool = False,
    by_output: tuple[Pointers, Indices, NDArray[np.uint32]] | None = None,
) -> BackwardCall32 | BackwardCall64: ...
def gradients(
    *,
    ptr: Pointers,
    index: Indices,
    weight: Floats,
    state: Sequence[Floats],
    gradient: Floats | None,
    bias: Floats,
    bias_state: Sequence[Floats],
    bias_gradient: Floats | None,
    dy: Floats,
    x: Floats,
    dx: Floats | None,
    long_rows: Pointers,
    activation: KernelActivation,
    positive: Bits,
    kept: Bits,
    keep_probability: float,
    pre_activation: Floats | None = None,
    add: bool = False,
    by_output: tuple[Pointers, Indices, NDArray[np.uint32]] | None = None,
) -> BackwardCall32 | BackwardCall64: ...
def gradient_at(ptr: Pointers, index: Indices, x: Floats, dy: Floats, out: Floats, threads: int) -> None: ...
def update(
    value: Floats,
    slot0: Floats | None,
    slot1: Floats | None,
    gradients: Sequence[tuple[Floats, float]],
    rule: UpdateRule,
    bias: bool,
    threads: int,
) -> None: ...
def sum_of_squares(values: Floats, threads: int) -> float: ...
def draw_units(
    values: Floats, bias: Floats | None, batch: int, logistic: bool, sampled: bool, key: int, threads: int
) -> None: ...
def join_phases(
    first: Floats,
    second: Floats,
    joined: Floats,
    sign: float,
    difference: Floats | None,
    error: Floats | None,
    threads: int,
) -> None: ...
def flip_gains(
    ptr: Pointers,
    index: Indices,
    weight: Floats,
    bias: Floats,
    visible: Floats,
    hidden: Floats,
    gain: Floats,
    threads: int,
) -> None: ...

class SharedLock:
    def acquire_shared(self) -> None: ...
    def release_shared(self) -> None: ...
    def acquire(self) -> None: ...
    def try_acquire(self) -> bool: ...
    def release(self) -> None: ...

def loss_and_gradient_each(
    kind: Loss,
    z: Floats,
    batch: int,
    labels: NDArray[np.int32] | None,
    targets: Floats | None,
    sample_weight: Floats,
    losses: NDArray[np.float64],
    threads: int,
    delta: float = 1.0,
    summed: bool = False,
) -> None: ...
def loss_and_gradient(
    kind: Loss,
    z: Floats,
    batch: int,
    label: Indices | None,
    target: Floats | None,
    sample_weight: Floats,
    threads: int,
    delta: float = 1.0,
    summed: bool = False,
) -> float: ...
def softmax(z: Floats, threads: int) -> None: ...
def sigmoid(z: Floats, threads: int) -> None: ...
def draw_weights(
    out: Stored,
    kind: Draw,
    scale: WeightScale | float,
    key: int,
    threads: int,
    output: Indices | None = ...,
    fan_in: NDArray[np.int64] | None = ...,
) -> None: ...
def keep_by_sign_magnitude(value: Stored, zeta: float, keep: NDArray[np.uint8], threads: int) -> int: ...
def keep_by_magnitude(
    values: Sequence[Stored], remove: int, keeps: Sequence[NDArray[np.uint8]], threads: int
) -> None: ...
def kept_median(value: Stored, keep: NDArray[np.uint8], threads: int) -> float: ...
def soft_keep(value: Stored, power: float, remove: int, key: int, keep: NDArray[np.uint8], threads: int) -> None: ...
def soft_keep_relative(
    ptr: Pointers,
    index: Indices,
    value: Floats,
    row_sum: NDArray[np.float64],
    column_sum: NDArray[np.float64],
    power: float,
    remove: int,
    key: int,
    keep: NDArray[np.uint8],
    threads: int,
) -> None: ...
def percolate(
    layers: Sequence[tuple[Pointers, Indices, int]], keeps: Sequence[NDArray[np.uint8] | None], threads: int
) -> list[int]: ...
def count_paths(ptr: Pointers, index: Indices, columns: int) -> float: ...
def grow_by_paths(
    ptr: Pointers,
    index: Indices,
    columns: int,
    keep: Bits,
    count: int,
    largest: bool,
    max_paths: float,
    key: int,
    threads: int,
) -> tuple[Pointers, Indices]: ...
def grow_by_gradient(
    ptr: Pointers, index: Indices, keep: Bits, x: Floats, dy: Floats, count: int, threads: int
) -> tuple[Pointers, Indices]: ...
def strength(
    ptr: Pointers,
    index: Indices,
    position: NDArray[np.uint32] | None,
    weight: Floats,
    out: NDArray[np.float64],
    threads: int,
) -> None: ...
def fold_constants(
    ptr: Pointers, index: Indices, weight: Floats, constant: NDArray[np.float64], bias: Floats
) -> None: ...
def count_marked(
    ptr: Pointers, index: Indices, mark_column: NDArray[np.uint8], count: NDArray[np.int64], threads: int
) -> None: ...
def mark_between(
    ptr: Pointers,
    index: Indices,
    keep_row: NDArray[np.uint8],
    keep_column: NDArray[np.uint8],
    keep: NDArray[np.uint8],
    threads: int,
) -> None: ...
def renumber(index: Indices, number: Indices, threads: int) -> None: ...
def mark_empty(
    ptr: Pointers,
    index: Indices,
    keep: Bits,
    candidate_ptr: Pointers,
    candidate_index: Indices,
    mark: NDArray[np.uint8],
    threads: int,
) -> None: ...
def rewire(
    ptr: Pointers,
    index: Indices,
    keep: NDArray[np.uint8],
    grown_ptr: Pointers,
    grown_index: Indices,
    values: Sequence[Floats],
    fresh: Floats | None,
    threads: int,
    fill: Sequence[float] = ...,
) -> tuple[Pointers, Indices, list[Floats]]: ...

FleetBlocks: TypeAlias = tuple[
    Pointers,
    Indices,
    tuple[Pointers, Indices, NDArray[np.uint32]],
    list[Floats],
    NDArray[np.int64],
    int,
    bool,
]

def fleet_average(
    ptr: Pointers,
    index: Indices,
    agents: int,
    n_out: int,
    arrays: Sequence[Floats],
    bias: Floats | None,
    group_ptr: Pointers | None,
    group: Indices | None,
    weight: NDArray[np.float64],
    sent: int,
    own_topology: bool,
    threads: int,
) -> tuple[FleetBlocks, Floats]: ...
def fleet_evolve(
    ptr: Pointers,
    index: Indices,
    agents: int,
    n_out: int,
    arrays: Sequence[Floats],
    median: Sequence[bool],
    signs: bool,
    fraction: float,
    grow_keys: NDArray[np.uint64] | None,
    x: Floats | None,
    dy: Floats | None,
    fresh_keys: NDArray[np.uint64] | None,
    draw: Draw,
    scale: WeightScale,
    added: NDArray[np.float64] | None,
    threads: int,
) -> FleetBlocks: ...
def carry(
    from_ptr: Pointers,
    from_index: Indices,
    value: Floats,
    to_ptr: Pointers,
    to_index: Indices,
    out: Floats,
    threads: int,
) -> int: ...
def add(
    a_ptr: Pointers,
    a_index: Indices,
    a_value: Floats,
    b_ptr: Pointers,
    b_index: Indices,
    b_value: Floats,
    threads: int,
) -> tuple[Pointers, Indices, Floats]: ...
def sample_empty(
    ptr: Pointers, index: Indices, columns: int, keep: NDArray[np.uint8] | None, count: int, key: int, threads: int
) -> tuple[Pointers, Indices]: ...
def transpose(
    ptr: Pointers, index: Indices, columns: int, threads: int
) -> tuple[Pointers, Indices, NDArray[np.uint32]]: ...
def first_invalid(ptr: Pointers, index: Indices, columns: int) -> int: ...
def long_rows(ptr: Pointers) -> Pointers: ...

class Difference:
    def __init__(
        self,
        first_ptr: Pointers,
        first_index: Indices | Packed,
        second_ptr: Pointers,
        second_index: Indices | Packed,
        threads: int,
    ) -> None: ...
    @property
    def first_only(self) -> int: ...
    @property
    def second_only(self) -> int: ...

class Choice:
    @property
    def removed(self) -> int: ...
    @property
    def added(self) -> int: ...
    @property
    def changes(self) -> bool: ...
    @property
    def threshold(self) -> float: ...
    @property
    def difference(self) -> Difference | None: ...

def mix_layers(networks: Sequence[tuple[list[Any], list[Any]]], tau: float, threads: int) -> bool: ...
def mix(t: Sequence[Stored], s: Sequence[Stored], tau: float, keys: Sequence[int], threads: int) -> None: ...
def choose_largest(
    difference: Difference,
    t_ptr: Pointers,
    s_ptr: Pointers,
    t: Stored,
    s: Stored,
    tau: float,
    expected: float,
    threads: int,
) -> Choice: ...
def mix_where_kept(
    difference: Difference,
    t_ptr: Pointers,
    s_ptr: Pointers,
    t: Stored,
    s: Stored,
    tau: float,
    key: int,
    threads: int,
) -> None: ...
def merge_chosen_values(
    difference: Difference,
    choice: Choice,
    t_ptr: Pointers,
    s_ptr: Pointers,
    t: Stored,
    s: Stored,
    tau: float,
    key: int,
    threads: int,
) -> Stored: ...
def merge_chosen(
    difference: Difference,
    choice: Choice,
    t_ptr: Pointers,
    t_index: Stored,
    s_ptr: Pointers,
    s_index: Stored,
    t: Stored,
    s: Stored,
    tau: float,
    key: int,
    threads: int,
) -> tuple[Pointers, Stored, Stored]: ...
def reindex(
    choice: Choice,
    t_ptr: Pointers,
    t_index: Indices,
    s_ptr: Pointers,
    s_index: Indices,
    ptr: Pointers,
    index: Indices,
    out_ptr: Pointers,
    out_index: Indices,
    position: NDArray[np.uint32],
    threads: int,
) -> tuple[Pointers, Indices, NDArray[np.uint32]]: ...
def load_dense(
    x: NDArray[Any],
    rows: Pointers,
    offset: NDArray[np.float64] | None,
    factor: NDArray[np.float64] | None,
    out: Floats,
    threads: int,
) -> int: ...
def load_sparse(
    ptr: Pointers,
    index: Indices,
    value: Floats,
    offset: NDArray[np.float64] | None,
    factor: NDArray[np.float64] | None,
    out: Floats,
    threads: int,
) -> int: ...
def corrupt(
    x: Floats,
    *,
    batch: int,
    noise: float,
    keep_probability: float,
    rescale: bool = True,
    swap_probability: float = 0.0,
    key: int,
    number: Pointers | None = None,
    threads: int,
) -> None: ...
def draw_transforms(
    key: int,
    rows: Pointers,
    shape: tuple[int, int, int],
    ranges: tuple[float, float, float],
    flip: bool,
    out: NDArray[np.float64],
) -> None: ...
def transform_images(
    x: Floats,
    transforms: NDArray[np.float64],
    shape: tuple[int, int, int],
    channels_last: bool,
    offset: NDArray[np.float64] | None,
    factor: NDArray[np.float64] | None,
    threads: int,
) -> None: ...
def store_dense(from_: Floats, factor: NDArray[np.float64] | None, out: Floats, threads: int) -> None: ...

class Tiles:
    def __init__(self, n_in: int, n_out: int, shift: int, ptr: Pointers, packed: Packed) -> None: ...

def tile_forward(
    tiles: Tiles,
    weight: Stored,
    bias: Stored,
    x: Stored,
    y: Stored,
    *,
    activation: KernelActivation,
    positive: Bits,
    kept: Bits,
    keep_probability: float,
    key: int,
    threads: int,
    pre_activation: Stored | None = None,
    add: bool = False,
) -> None: ...
def tile_backward(
    tiles: Tiles,
    weight: Stored,
    bias: Stored,
    x: Stored,
    dy: Stored,
    dx: Stored | None,
    *,
    state: Sequence[Stored],
    gradient: Floats | None,
    into: Sequence[Stored],
    bias_state: Sequence[Stored],
    bias_gradient: Floats | None,
    bias_into: Sequence[Stored],
    activation: KernelActivation,
    positive: Bits,
    kept: Bits,
    keep_probability: float,
    rule: UpdateRule,
    threads: int,
    pre_activation: Stored | None = None,
    add: bool = False,
) -> None: ...
def tile_update(
    value: Stored,
    state: Sequence[Stored],
    gradient: Floats,
    into: Sequence[Stored],
    rule: UpdateRule,
    bias: bool,
    threads: int,
) -> None: ...
def round_to(from_: Stored, to: Stored, threads: int) -> None: ...
def draw_tiles(n_in: int, n_out: int, shift: int, count: int, key: int, threads: int) -> tuple[Pointers, Packed]: ...
def evolve_tiles(
    *,
    tiles: Tiles,
    keep: NDArray[np.uint8],
    count: int,
    kind: Draw,
    scale: WeightScale | float,
    fresh_key: int,
    key: int,
    new_ptr: Pointers,
    new_place: Packed,
    moved: Sequence[tuple[Stored, Stored]],
    threads: int,
    fill: Sequence[float] = ...,
) -> None: ...
def draw_tile_weights(tiles: Tiles, out: Stored, kind: Draw, scale: WeightScale, key: int, threads: int) -> None: ...
def connected_outputs(tiles: Tiles, threads: int) -> int: ...
def first_invalid_tile(tiles: Tiles) -> int: ...
def empty_bytes(size: int) -> NDArray[np.uint8]: ...
def padded_batch(batch: int) -> int: ...
def bit_stride(stride: int) -> int: ...
def available_isas() -> Sequence[str]: ...
def current_isa() -> str: ...
def use_isa(name: str) -> None: ...

class FrozenNetwork32:
    def __init__(self, inputs: int) -> None: ...
    def append(
        self,
        ptr: Pointers,
        index: Indices,
        position: NDArray[np.uint32],
        weight: Floats,
        bias: Floats,
        activation: KernelActivation,
        side: bool = False,
    ) -> None: ...
    def prepare_refresh(self, number: int, ptr: Pointers, index: Indices, position: NDArray[np.uint32]) -> None: ...
    def refresh(self, weights: list[Floats], biases: list[Floats]) -> None: ...
    def layer(self, number: int) -> tuple[Pointers, Indices, Floats, Floats]: ...
    def run(
        self,
        x: NDArray[Any],
        offset: NDArray[np.float64] | None,
        factor: NDArray[np.float64] | None,
        out: Floats,
        softmaxed: bool,
        threads: int,
    ) -> int: ...

class FrozenNetwork64(FrozenNetwork32): ...

class Head(IntEnum):
    IDENTITY = ...
    TANH = ...
    ARGMAX = ...

class FrozenPolicy32:
    def __init__(
        self,
        network: FrozenNetwork32,
        head: Head,
        actions: int,
        low: Floats | None,
        high: Floats | None,
        offset: NDArray[np.float64] | None,
        factor: NDArray[np.float64] | None,
    ) -> None: ...
    def refresh(
        self,
        weights: list[Floats],
        biases: list[Floats],
        offset: NDArray[np.float64] | None,
        factor: NDArray[np.float64] | None,
    ) -> None: ...
    def run(self, x: Any, out: NDArray[Any], ndim: int, raw: bool = False) -> int: ...

class FrozenPolicy64(FrozenPolicy32): ...

class Held(IntEnum):
    FLOAT32 = ...
    BFLOAT16 = ...
    FLOAT64 = ...

Place: TypeAlias = tuple[int, int, int]
"""Address of a matrix of samples, and its strides of samples and features in elements; one of them is 1."""

class SampleLayer:
    def __init__(
        self,
        *,
        in_ptr: Pointers,
        in_index: Indices,
        out_ptr: Pointers,
        out_index: Indices,
        position: NDArray[np.uint32],
        long_inputs: NDArray[np.int64],
        long_outputs: NDArray[np.int64],
    ) -> None: ...
    def forward(self, held: Held, weight: int, bias: int, x: Place, y: Place, count: int, threads: int) -> None: ...
    def backward(
        self,
        held: Held,
        weight: int,
        x: Place,
        dy: Place,
        dx: Place,
        weight_gradient: int,
        bias_gradient: int,
        count: int,
        threads: int,
    ) -> None: ...

def borrow_threads(address: int) -> None: ...
