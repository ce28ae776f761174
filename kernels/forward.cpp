// y = f(W x + b), by gather: the batch columns of one output neuron stay in registers while its
// connections stream by. Compiled once per instruction set.
#include "epilogue.hpp"

namespace ts::TS_ISA {
namespace {

// Columns [c, c + N * V) of one row: out = start + sum over connections [k0, k1) of weight * x. Narrow
// tiles keep U partial sums, or each multiply-add would wait for the one before.
template <class T, int N, int V, bool Prefetch>
TS_INLINE void row_tile(const ForwardArgs<T>& a, const T* weight, int64_t k0, int64_t k1, int64_t c, T start, T* out) {
    using Vec = Vector<T, N>;
    constexpr int U = V >= 4 ? 1 : 4 / V;
    const Connections& con = a.by_output;
    const int64_t last = con.ptr[con.rows] - 1;
    Vec acc[U][V];
    for (int u = 0; u < U; ++u)
        for (int v = 0; v < V; ++v) acc[u][v] = Vec{} + (u == 0 ? start : T(0));

    const auto step = [&](int64_t k, int u) __attribute__((always_inline)) {
        if constexpr (Prefetch) {
            constexpr int64_t ahead = fetch_ahead(N * V * int(sizeof(T)));
            const int64_t next = k + ahead < last ? k + ahead : last;
            prefetch<N * V * int(sizeof(T))>(a.x + con.index[next] * a.stride + c);
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

// Walks all columns of a row in the widest tiles that fit.
template <class T, bool Prefetch>
TS_INLINE void row_columns(const ForwardArgs<T>& a, const T* weight, int64_t k0, int64_t k1, T start, T* out) {
    constexpr int N = kLanes<T>;
    int64_t c = 0;
    const int64_t c1 = a.stride;
    for (; c + 8 * N <= c1; c += 8 * N) row_tile<T, N, 8, Prefetch>(a, weight, k0, k1, c, start, out + c);
    if (c + 4 * N <= c1) { row_tile<T, N, 4, Prefetch>(a, weight, k0, k1, c, start, out + c); c += 4 * N; }
    if (c + 2 * N <= c1) { row_tile<T, N, 2, Prefetch>(a, weight, k0, k1, c, start, out + c); c += 2 * N; }
    if (c + N <= c1) { row_tile<T, N, 1, Prefetch>(a, weight, k0, k1, c, start, out + c); c += N; }
    // What is left is a power of two under N: a short batch, or the tail of vectors wider than it.
    if constexpr (N > 8) if (c + 8 <= c1) { row_tile<T, 8, 1, Prefetch>(a, weight, k0, k1, c, start, out + c); c += 8; }
    if constexpr (N > 4) if (c + 4 <= c1) { row_tile<T, 4, 1, Prefetch>(a, weight, k0, k1, c, start, out + c); c += 4; }
    if constexpr (N > 2) if (c + 2 <= c1) { row_tile<T, 2, 1, Prefetch>(a, weight, k0, k1, c, start, out + c); c += 2; }
    if (c < c1) row_tile<T, 1, 1, Prefetch>(a, weight, k0, k1, c, start, out + c);
}

// The weights of connections [k0, k1), at most kSegment of them, in this order. Those that lie elsewhere are copied
// first: many independent reads at once, instead of one in the way of each connection's multiply-adds.
template <class T>
TS_INLINE const T* weights_in_order(const ForwardArgs<T>& a, int64_t k0, int64_t k1, T* buffer) {
    const uint32_t* position = a.by_output.position;
    if (!position) return a.weight + k0;
    if (a.prefetch) {
        constexpr int64_t ahead = 16;
        const int64_t last = a.by_output.ptr[a.by_output.rows] - 1;
        for (int64_t k = k0; k < k1; ++k) {
            prefetch<1>(a.weight + position[k + ahead < last ? k + ahead : last]);
            buffer[k - k0] = a.weight[position[k]];
        }
    } else {
        for (int64_t k = k0; k < k1; ++k) buffer[k - k0] = a.weight[position[k]];
    }
    return buffer;
}

template <class T>
TS_INLINE void any_columns(const ForwardArgs<T>& a, int64_t k0, int64_t k1, T start, T* out, T* buffer) {
    const T* weight = weights_in_order(a, k0, k1, buffer);
    if (a.prefetch) row_columns<T, true>(a, weight, k0, k1, start, out);
    else row_columns<T, false>(a, weight, k0, k1, start, out);
}

template <class T>
void forward_rows(const ForwardArgs<T>& a, int64_t row0, int64_t row1, T* scratch) {
    const int64_t* ptr = a.by_output.ptr;
    T* streamed = scratch + kSegment;
    for (int64_t r = row0; r < row1; ++r) {
        if (ptr[r + 1] - ptr[r] > kSegment) continue;  // its segments come separately
        T* y = a.stream ? streamed : a.y + r * a.stride;
        any_columns<T>(a, ptr[r], ptr[r + 1], a.bias ? a.bias[r] : T(0), y, scratch);
        apply_epilogue<T>(a.epilogue, r, y, a.stride);
        if (a.stream) stream_row(a.y + r * a.stride, y, a.stride);
    }
    if (a.stream) stream_done();
}

template <class T>
void forward_segment(const ForwardArgs<T>& a, int64_t k0, int64_t k1, T* partial, T* scratch) {
    any_columns<T>(a, k0, k1, T(0), partial, scratch);
}

template <class T>
void forward_join(const ForwardArgs<T>& a, int64_t row, const T* partials, int64_t count) {
    T* y = a.y + row * a.stride;
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
