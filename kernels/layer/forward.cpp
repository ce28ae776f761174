// y = f(W x + b), by gather: the batch columns of one output neuron stay in registers while its
// connections stream by. Compiled once per instruction set.
#include "layer/epilogue.hpp"
#include "layer/layer.hpp"

namespace ts::TS_ISA {
namespace {

// Weights that do not lie in this order are copied into it so many connections ahead of those that are summed: the
// reads, each of another cache line, then go on beside the multiply-adds. They are copied to a window that the first
// cache holds; rows that are longer are copied before they are summed.
constexpr int64_t kAhead = 32, kWindow = 2048;

// Columns [c, c + N * V) of one row: out = start (or, to add, what out holds) + sum over connections [k0, k1) of weight
// * x. Narrow tiles keep U partial sums, or each multiply-add would wait for the one before. Copies: for each
// connection, the weight of the one kAhead further on to `ahead`.
template <class T, int N, int V, bool Prefetch, bool Copies>
TS_INLINE void row_tile(const ForwardArgs<T>& a, const T* weight, T* ahead, int64_t k0, int64_t k1, int64_t c, T start,
                        bool add, T* out) {
    using Vec = Vector<T, N>;
    constexpr int U = V >= 4 ? 1 : 4 / V;
    const Connections& con = a.by_output;
    const int64_t last = con.ptr[con.rows] - 1;
    Vec acc[U][V];
    for (int u = 0; u < U; ++u)
        for (int v = 0; v < V; ++v) acc[u][v] = Vec{} + (u == 0 ? start : T(0));
    if (add)
        for (int v = 0; v < V; ++v) acc[0][v] = load<Vec>(out + v * N);

    const auto step = [&](int64_t k, int u) __attribute__((always_inline)) {
        if constexpr (Prefetch) {
            constexpr int64_t rows = fetch_ahead(N * V * int(sizeof(T)));
            const int64_t next = k + rows < last ? k + rows : last;
            prefetch<int(sizeof(T)) * N * V>(a.x + con.index[next] * a.stride + c);
        }
        if constexpr (Copies) {
            const uint32_t* position = con.position;
            if constexpr (Prefetch) prefetch<1>(a.weight + position[k + 2 * kAhead < last ? k + 2 * kAhead : last]);
            ahead[k - k0] = a.weight[position[k + kAhead < last ? k + kAhead : last]];
        }
        const T w = weight[k - k0];
        const T* x = a.x + con.index[k] * a.stride + c;
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) acc[u][v] += w * load<Vec>(x + v * N);
    };
    int64_t k = k0;
    for (; k + U <= k1; k += U)
#pragma GCC unroll 4
        for (int u = 0; u < U; ++u) step(k + u, u);
    for (; k < k1; ++k) step(k, 0);  // a running index here would push the sums out of the registers

    for (int v = 0; v < V; ++v) {
        Vec sum = acc[0][v];
        for (int u = 1; u < U; ++u) sum += acc[u][v];
        store(out + v * N, sum);
    }
}

// Walks all columns of a row in the widest tiles that fit, the first of which copies weights, unless `ahead` is null.
template <class T, bool Prefetch>
TS_INLINE void row_columns(const ForwardArgs<T>& a, const T* weight, T* ahead, int64_t k0, int64_t k1, T start,
                           bool add, T* out) {
    constexpr int N = kLanes<T>;
    int64_t c = 0;
    const int64_t c1 = a.stride;
    const auto tile = [&]<int Lanes, int V>(std::integral_constant<int, Lanes>, std::integral_constant<int, V>)
                          __attribute__((always_inline)) {
        if (ahead && c == 0) row_tile<T, Lanes, V, Prefetch, true>(a, weight, ahead, k0, k1, c, start, add, out + c);
        else row_tile<T, Lanes, V, Prefetch, false>(a, weight, nullptr, k0, k1, c, start, add, out + c);
        c += Lanes * V;
    };
    constexpr std::integral_constant<int, N> full;
    constexpr std::integral_constant<int, 1> one;
    while (c + 8 * N <= c1) tile(full, std::integral_constant<int, 8>{});
    if (c + 4 * N <= c1) tile(full, std::integral_constant<int, 4>{});
    if (c + 2 * N <= c1) tile(full, std::integral_constant<int, 2>{});
    if (c + N <= c1) tile(full, one);
    // What is left is a power of two under N: a short batch, or the tail of vectors wider than it.
    if constexpr (N > 8)
        if (c + 8 <= c1) tile(std::integral_constant<int, 8>{}, one);
    if constexpr (N > 4)
        if (c + 4 <= c1) tile(std::integral_constant<int, 4>{}, one);
    if constexpr (N > 2)
        if (c + 2 <= c1) tile(std::integral_constant<int, 2>{}, one);
    if (c < c1) tile(one, one);
}

// Weights in the order in which rows are summed, one row after the other.
template <class T>
struct Weights {
    const ForwardArgs<T>& a;
    T* buffer;            // kSegment values
    int64_t first = 0;    // the connection whose weight is the buffer's first
    int64_t copied = -1;  // connections before this one are there

    TS_INLINE void copy(int64_t from, int64_t to) {
        const int64_t last = a.by_output.ptr[a.by_output.rows] - 1;
        const uint32_t* position = a.by_output.position;
        first = from;
        for (int64_t k = from; k < to; ++k) {
            if (a.prefetch) prefetch<1>(a.weight + position[k + kAhead < last ? k + kAhead : last]);
            buffer[k - from] = a.weight[position[k < last ? k : last]];
        }
    }

    // Sums connections [k0, k1), at most kSegment of them.
    TS_INLINE void sum(int64_t k0, int64_t k1, T start, bool add, T* out) {
        const T* weight = a.weight + k0;
        T* ahead = nullptr;
        if (a.by_output.position && k0 < k1) {
            const bool fits = k1 - k0 + kAhead <= kWindow;
            if (!fits || copied != k0 + kAhead) {
                copy(k0, fits ? k0 + kAhead : k1);
            } else if (k1 + kAhead - first > kWindow) {
                __builtin_memmove(buffer, buffer + (k0 - first), kAhead * sizeof(T));
                first = k0;
            }
            weight = buffer + (k0 - first);
            if (fits) ahead = buffer + (k0 - first) + kAhead;
            copied = fits ? k1 + kAhead : k1;
        }
        if (a.prefetch) row_columns<T, true>(a, weight, ahead, k0, k1, start, add, out);
        else row_columns<T, false>(a, weight, ahead, k0, k1, start, add, out);
    }
};

template <class T>
void forward_rows(const ForwardArgs<T>& a, int64_t row0, int64_t row1, T* scratch) {
    const int64_t* ptr = a.by_output.ptr;
    T* streamed = scratch + kSegment;
    Weights<T> weights{a, scratch};
    for (int64_t r = row0; r < row1; ++r) {
        if (ptr[r + 1] - ptr[r] > kSegment) continue;  // its segments come separately
        T* y = a.stream ? streamed : a.y + r * a.stride;
        weights.sum(ptr[r], ptr[r + 1], a.bias ? a.bias[r] : T(0), a.add, y);
        apply_epilogue<T>(a.epilogue, r, y, a.stride);
        if (a.stream) stream_row(a.y + r * a.stride, y, a.stride);
    }
    if (a.stream) stream_done();
}

template <class T>
void forward_segment(const ForwardArgs<T>& a, int64_t k0, int64_t k1, T* partial, T* scratch) {
    Weights<T>{a, scratch}.sum(k0, k1, T(0), false, partial);
}

template <class T>
void forward_join(const ForwardArgs<T>& a, int64_t row, const T* partials, int64_t count) {
    T* y = a.y + row * a.stride;
    if (!a.add)
        for (int64_t c = 0; c < a.stride; ++c) y[c] = a.bias ? a.bias[row] : T(0);
    for (int64_t s = 0; s < count; ++s)
        for (int64_t c = 0; c < a.stride; ++c) y[c] += partials[s * a.stride + c];
    apply_epilogue<T>(a.epilogue, row, y, a.stride);
}

}  // namespace

template <class T>
void fill_forward(LayerKernels<T>& table) {
    table.forward_rows = forward_rows<T>;
    table.forward_segment = forward_segment<T>;
    table.forward_join = forward_join<T>;
}
template void fill_forward(LayerKernels<float>&);
template void fill_forward(LayerKernels<double>&);

}  // namespace ts::TS_ISA
