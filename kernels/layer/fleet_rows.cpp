#include "layer/fleet_rows.hpp"

#include "input/transpose.hpp"
#include "layer/epilogue.hpp"
#include "layer/update.hpp"

namespace ts::TS_ISA {
namespace {

// Vectors of a row that are summed at a time; wider tiles would have the same sums.
constexpr int kTile = 4;
// Rows that the registers hold the sums of.
constexpr int kSide = kRegisters >= 32 ? 4 : 2;

// A few at a time: the processor drops what it has no room for.
TS_INLINE void fetch(const char* const* lines, int64_t count) {
    for (int64_t i = 0; i < count; ++i) __builtin_prefetch(lines[i]);
}

// Rows of 8 or more values end here, while they are in registers; others in epilogue.hpp.
template <class T>
constexpr bool kEndsInRegisters = kGroup<T> == kLanes<T>;

// R rows of n connections each, then what follows their sums. Leaky: the activation is leaky, with bits.
template <class T, int R, bool Leaky>
TS_INLINE void sum_rows(const AgentForward<T>& a, const uint16_t* row, const uint16_t* index, const uint16_t* position,
                        int64_t n) {
    constexpr int N = kLanes<T>;
    using Vec = Vector<T, N>;
    const T slope = T(a.epilogue.slope);
    for (int64_t c = 0; c < a.stride; c += kTile * N) {
        Vec acc[R][kTile];
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < kTile; ++v) acc[r][v] = Vec{} + (a.bias ? a.bias[row[r]] : T(0));
        for (int64_t k = 0; k < n; k += kPadded)
#pragma GCC unroll 2
            for (int64_t j = 0; j < kPadded; ++j)
#pragma GCC unroll 4
                for (int r = 0; r < R; ++r) {
                    const T w = a.weight[position[r * n + k + j]];
                    const T* x = a.x + int64_t(index[r * n + k + j]) * a.stride + c;
#pragma GCC unroll 4
                    for (int v = 0; v < kTile; ++v) acc[r][v] += w * load<Vec>(x + v * N);
                }
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
            T* y = a.y + row[r] * a.stride + c;
#pragma GCC unroll 4
            for (int v = 0; v < kTile; ++v) {
                if constexpr (Leaky) {
                    const Vec z = acc[r][v];
                    store_bits<N>(a.epilogue.positive + row[r] * bit_stride(a.stride) + (c + v * N) / 8,
                                  to_bits(z > T(0)), N);
                    store(y + v * N, activate<T, Activation::leaky, N>(z, slope));
                } else {
                    store(y + v * N, acc[r][v]);
                }
            }
        }
    }
    if constexpr (!Leaky)
        for (int r = 0; r < R; ++r) apply_epilogue<T>(a.epilogue, row[r], a.y + row[r] * a.stride, a.stride);
}

template <class T, bool Leaky>
TS_INLINE void forward_rows(const AgentForward<T>& a) {
    const uint16_t* index = a.index;
    const uint16_t* position = a.position;
    for (int64_t i = 0; i < a.rows; i += kSideBySide) {
        int64_t left = a.rows - i < kSideBySide ? a.rows - i : kSideBySide;
        const int64_t n = padded_length(a.length[i + left - 1]);
        const uint16_t* row = a.row + i;
        fetch(a.ahead + i / kSideBySide * a.each, a.each);
        for (; left >= kSide; left -= kSide) {
            sum_rows<T, kSide, Leaky>(a, row, index, position, n);
            row += kSide, index += kSide * n, position += kSide * n;
        }
        if (kSide > 2 && left >= 2) {
            sum_rows<T, 2, Leaky>(a, row, index, position, n);
            row += 2, index += 2 * n, position += 2 * n, left -= 2;
        }
        if (left > 0) {
            sum_rows<T, 1, Leaky>(a, row, index, position, n);
            index += n, position += n;
        }
    }
}

template <class T>
void forward(const AgentForward<T>& a) {
    if constexpr (kEndsInRegisters<T>)
        if (a.epilogue.kind == Activation::leaky && a.epilogue.positive) return forward_rows<T, true>(a);
    forward_rows<T, false>(a);
}

// Four partial sums, as a tile of one column has in forward.cpp.
template <class T>
void forward_one(const AgentForward<T>& a) {
    const uint16_t* index = a.index;
    const uint16_t* position = a.position;
    for (int64_t first = 0; first < a.rows; first += kSideBySide) {
        const int64_t end = first + kSideBySide < a.rows ? first + kSideBySide : a.rows;
        const int64_t padded = padded_length(a.length[end - 1]);
        fetch(a.ahead + first / kSideBySide * a.each, a.each);
        for (int64_t i = first; i < end; ++i, index += padded, position += padded) {
            const int64_t row = a.row[i], n = a.length[i];
            T acc[4] = {a.bias ? a.bias[row] : T(0), T(0), T(0), T(0)};
            int64_t k = 0;
            for (; k + 4 <= n; k += 4)
#pragma GCC unroll 4
                for (int u = 0; u < 4; ++u) acc[u] += a.weight[position[k + u]] * a.x[index[k + u]];
            for (; k < n; ++k) acc[0] += a.weight[position[k]] * a.x[index[k]];
            T sum = acc[0];
            for (int u = 1; u < 4; ++u) sum += acc[u];
            a.y[row] = sum;
        }
    }
    for (int64_t row = 0; row < a.rows; ++row) apply_epilogue<T>(a.epilogue, row, a.y + row, 1);
}

// What becomes of the sums of weight * dy.
enum class Below { none, leaky, any };

// Columns [c, c + V * N) of the n connections of one row, as in backward.cpp.
template <class T, int V, Below B>
TS_INLINE void backward_tile(const AgentBackward<T>& a, const uint16_t* index, const uint16_t* position, int64_t n,
                             int64_t c, int64_t row, T* acc_row, T* lanes) {
    constexpr bool InputGradient = B != Below::none;
    const T* x_row = a.x + row * a.stride;
    constexpr int N = kLanes<T>;
    using Vec = Vector<T, N>;
    Vec x[V], acc[V] = {};
    for (int v = 0; v < V; ++v) x[v] = load<Vec>(x_row + c + v * N);
    for (int64_t k = 0; k < n; k += kPadded)
#pragma GCC unroll 2
        for (int64_t j = 0; j < kPadded; ++j) {
            const T* dy = a.dy + int64_t(index[k + j]) * a.stride + c;
            const int64_t at = position[k + j];
            const T w = InputGradient ? a.weight[at] : T(0);
            Vec even{}, odd{};
#pragma GCC unroll 8
            for (int v = 0; v < V; ++v) {
                Vec g = load<Vec>(dy + v * N);
                if constexpr (InputGradient) {
                    TS_IN_REGISTER(g);
                    acc[v] += w * g;
                }
                if (v % 2) odd += x[v] * g;
                else even += x[v] * g;
            }
            even += odd;
            store(lanes + at * N, c == 0 ? even : even + load<Vec>(lanes + at * N));
        }
    if constexpr (B == Below::leaky) {
        const uint8_t* bits = a.input.positive + row * bit_stride(a.stride) + c / 8;
        T* dx = a.dx + row * a.stride + c;
        for (int v = 0; v < V; ++v)
            store(dx + v * N,
                  derive<T, Activation::leaky, N>(acc[v], Vec{}, load_bits<N>(bits + v * N / 8, N), T(a.input.slope)));
    } else if constexpr (B == Below::any) {
        for (int v = 0; v < V; ++v) store(acc_row + c + v * N, acc[v]);
    }
}

template <class T, Below B>
TS_INLINE void backward_rows(const AgentBackward<T>& a, T* acc_row, T* lanes) {
    constexpr int N = kLanes<T>;
    const uint16_t* index = a.index;
    const uint16_t* position = a.position;
    for (int64_t i = 0; i < a.rows; ++i) {
        const int64_t n = a.length[i], row = a.row[i];
        fetch(a.ahead + i * a.each, a.each);
        int64_t c = 0;
        for (; c + 8 * N <= a.stride; c += 8 * N) backward_tile<T, 8, B>(a, index, position, n, c, row, acc_row, lanes);
        if (c < a.stride) backward_tile<T, 4, B>(a, index, position, n, c, row, acc_row, lanes);
        if constexpr (B == Below::any)
            apply_derivative<T>(a.input, row, acc_row, a.x + row * a.stride, a.dx + row * a.stride, a.stride);
        index += n;
        position += n;
    }
}

template <class T>
TS_INLINE void backward_leaky(const AgentBackward<T>& a, T* row, T* lanes) {
    if constexpr (kEndsInRegisters<T>) backward_rows<T, Below::leaky>(a, row, lanes);
}

template <class T>
void backward(const AgentBackward<T>& a, T* row, T* lanes, T* gradient) {
    constexpr int N = kLanes<T>;
    if (!a.dx) backward_rows<T, Below::none>(a, row, lanes);
    else if (kEndsInRegisters<T> && a.input.kind == Activation::leaky) backward_leaky(a, row, lanes);
    else backward_rows<T, Below::any>(a, row, lanes);
    for (int64_t k = 0; k < a.connections; k += N) store(gradient + k, sum_each<N, T>(lanes + k * N));
    add_earlier<T>(a.weight_update, a.weights, 0, a.connections, gradient);
    apply_update<T>(a.weight_update, a.weights, 0, a.connections, gradient);
}

template <class T>
void bias(const AgentBackward<T>& a) {
    constexpr int64_t chunk = 64;
    using Vec = Vector<T, 8>;
    T gradient[chunk];
    for (int64_t r = 0; r < a.outputs; r += chunk) {
        const int64_t count = r + chunk < a.outputs ? chunk : a.outputs - r;
        const T* dy = a.dy + r * a.stride;
        int64_t i = 0;
        for (; i + 8 <= count; i += 8) {
            Vec sum[8] = {};
            for (int64_t c = 0; c < a.stride; c += 8)
#pragma GCC unroll 8
                for (int s = 0; s < 8; ++s) sum[s] += load<Vec>(dy + (i + s) * a.stride + c);
            T lanes[64];
            for (int s = 0; s < 8; ++s) store(lanes + 8 * s, sum[s]);
            store(gradient + i, sum_each<8, T>(lanes));
        }
        for (; i < count; ++i) {
            Vec sum{};
            for (int64_t c = 0; c < a.stride; c += 8) sum += load<Vec>(dy + i * a.stride + c);
            gradient[i] = sum_lanes<8, T>(sum);
        }
        add_earlier<T>(a.bias_update, a.biases, r, count, gradient);
        apply_update<T>(a.bias_update, a.biases, r, count, gradient);
    }
}

template <class T>
void transpose(const T* from, int64_t batch, int64_t features, T* out, int64_t stride) {
    int64_t b = 0;
    for (; b + 4 <= batch; b += 4) {
        int64_t f = 0;
        for (; f + 4 <= features; f += 4) transpose4(from + b * features + f, features, out + f * stride + b, stride);
        for (; f < features; ++f)
            for (int64_t i = b; i < b + 4; ++i) out[f * stride + i] = from[i * features + f];
    }
    for (; b < batch; ++b)
        for (int64_t f = 0; f < features; ++f) out[f * stride + b] = from[b * features + f];
    if (batch < stride)
        for (int64_t f = 0; f < features; ++f)
            for (int64_t i = batch; i < stride; ++i) out[f * stride + i] = T(0);
}

}  // namespace

template <class T>
void fill_fleet(FleetKernels<T>& table) {
    table.columns = kTile * kLanes<T>;
    table.forward = forward<T>;
    table.forward_one = forward_one<T>;
    table.backward = kRegisters >= 32 ? backward<T> : nullptr;
    table.lane_values = kLanes<T>;
    table.bias = bias<T>;
    table.transpose = transpose<T>;
}
template void fill_fleet(FleetKernels<float>&);
template void fill_fleet(FleetKernels<double>&);

}  // namespace ts::TS_ISA
