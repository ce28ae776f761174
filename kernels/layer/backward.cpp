// One pass over the connections of each input neuron: a single load of the output gradient serves the
// input gradient (dx += w * dy) and the weight gradient (x . dy), and the weight is updated while it is
// in a register. No gradient array exists. Compiled once per instruction set.
#include "layer/epilogue.hpp"
#include "layer/layer.hpp"
#include "layer/update.hpp"

namespace ts::TS_ISA {
namespace {

// Connections whose gradients are gathered before they are applied. Those of several rows: of a few connections at a
// time most sums and updates would be one by one.
constexpr int64_t kChunk = 64;

// Tiles hold V vectors of dx, and as many of x where both fit the register file. Where they do not, x comes from the
// first cache again for each two connections.
constexpr bool kHoldsInput = kRegisters >= 32;
constexpr int kTogether = kHoldsInput ? 1 : 2;

template <class T>
struct Chunk {
    static_assert(kChunk % kLanes<T> == 0, "sums are taken kLanes at a time");
    alignas(64) T gradient[kChunk];
    alignas(64) T lanes[kChunk * kLanes<T>] = {};  // the dot products before their lanes are summed
    int64_t first = 0, count = 0;                   // the connections that are gathered
};

// Columns [c, c + N * V) of connections [k0, k1) (at most kChunk): dx += w * dy into `acc_row`, and the
// lane-wise products x * dy added to (or, at the first tile, put into) chunk.lanes. fresh: acc_row is not set yet.
template <class T, int N, int V, bool InputGradient, bool Prefetch>
TS_INLINE void chunk_tile(const BackwardArgs<T>& a, int64_t k0, int64_t k1, int64_t c, const T* x_row, T* acc_row,
                          Chunk<T>& chunk, bool first, bool fresh) {
    using Vec = Vector<T, N>;
    const Connections& con = a.by_input;
    const int64_t last = con.ptr[con.rows] - 1, place = chunk.count - k0;
    constexpr bool held = kHoldsInput || !InputGradient;
    constexpr int P = held || V < 8 ? 1 : kTogether;
    Vec x[V], acc[V];
    for (int v = 0; v < V; ++v) {
        if constexpr (P == 1) x[v] = load<Vec>(x_row + c + v * N);
        if constexpr (InputGradient) acc[v] = fresh ? Vec{} : load<Vec>(acc_row + c + v * N);
    }
    const auto step = [&]<int count>(int64_t k, std::integral_constant<int, count>) __attribute__((always_inline)) {
        const T* dy[count];
        T w[count];
        Vec even[count] = {}, odd[count] = {};
        for (int i = 0; i < count; ++i) {
            if constexpr (Prefetch) {
                constexpr int64_t ahead = fetch_ahead(N * V * int(sizeof(T)));
                const int64_t next = k + i + ahead < last ? k + i + ahead : last;
                prefetch<int(sizeof(T)) * N * V>(a.dy + con.index[next] * a.stride + c);
            }
            dy[i] = a.dy + con.index[k + i] * a.stride + c;
            if constexpr (InputGradient) w[i] = a.weights.value[k + i];
        }
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) {
            const Vec input = P == 1 ? x[v] : load<Vec>(x_row + c + v * N);
#pragma GCC unroll 2
            for (int i = 0; i < count; ++i) {
                Vec g = load<Vec>(dy[i] + v * N);
                if constexpr (InputGradient) {
                    TS_IN_REGISTER(g);
                    acc[v] += w[i] * g;
                }
                if (v % 2 && count == 1) odd[i] += input * g;
                else even[i] += input * g;
            }
        }
        for (int i = 0; i < count; ++i) {
            if constexpr (V > 1 && count == 1) even[i] += odd[i];
            T* lanes = chunk.lanes + (k + i + place) * N;
            store(lanes, first ? even[i] : even[i] + load<Vec>(lanes));
        }
    };
    int64_t k = k0;
    if constexpr (P > 1)
        for (; k + P <= k1; k += P) step(k, std::integral_constant<int, P>{});
    for (; k < k1; ++k) step(k, std::integral_constant<int, 1>{});
    if constexpr (InputGradient)
        for (int v = 0; v < V; ++v) store(acc_row + c + v * N, acc[v]);
}

template <class T, int N, bool InputGradient, bool Prefetch>
TS_INLINE void chunk_columns(const BackwardArgs<T>& a, int64_t k0, int64_t k1, const T* x_row, T* acc_row,
                             Chunk<T>& chunk, bool fresh) {
    int64_t c = 0;
    const int64_t end = a.stride;
    for (; c + 8 * N <= end; c += 8 * N)
        chunk_tile<T, N, 8, InputGradient, Prefetch>(a, k0, k1, c, x_row, acc_row, chunk, c == 0, fresh);
    if (c + 4 * N <= end) {
        chunk_tile<T, N, 4, InputGradient, Prefetch>(a, k0, k1, c, x_row, acc_row, chunk, c == 0, fresh);
        c += 4 * N;
    }
    if (c + 2 * N <= end) {
        chunk_tile<T, N, 2, InputGradient, Prefetch>(a, k0, k1, c, x_row, acc_row, chunk, c == 0, fresh);
        c += 2 * N;
    }
    if (c + N <= end) chunk_tile<T, N, 1, InputGradient, Prefetch>(a, k0, k1, c, x_row, acc_row, chunk, c == 0, fresh);
}

// A stride is a power of two up to 16 or a multiple of 16, so one lane count covers it: calls use(that count).
template <class T, class Use>
TS_INLINE void with_lanes(int64_t stride, Use&& use) {
    constexpr int N = kLanes<T>;
    if (stride >= N) return use(std::integral_constant<int, N>{});
    if constexpr (N > 8)
        if (stride == 8) return use(std::integral_constant<int, 8>{});
    if constexpr (N > 4)
        if (stride == 4) return use(std::integral_constant<int, 4>{});
    if constexpr (N > 2)
        if (stride == 2) return use(std::integral_constant<int, 2>{});
    use(std::integral_constant<int, 1>{});
}

// The gradients of what is gathered, from its lanes.
template <class T>
TS_INLINE void sum_chunk(int64_t stride, Chunk<T>& chunk) {
    const int64_t count = chunk.count;
    with_lanes<T>(stride, [&](auto lanes) __attribute__((always_inline)) {
        constexpr int N = lanes();
        int64_t k = 0;
        // N at a time while at least half of them are needed; the results of the others are not used.
        for (; k + (N + 1) / 2 <= count; k += N) store(chunk.gradient + k, sum_each<N, T>(chunk.lanes + k * N));
        for (; k < count; ++k) chunk.gradient[k] = sum_lanes<N, T>(load<Vector<T, N>>(chunk.lanes + k * N));
    });
}

// Applies what is gathered.
template <class T>
TS_APART void apply_chunk(const BackwardArgs<T>& a, Chunk<T>& chunk) {
    sum_chunk(a.stride, chunk);
    add_earlier<T>(a.weight_update, a.weights, chunk.first, chunk.count, chunk.gradient);
    apply_update<T>(a.weight_update, a.weights, chunk.first, chunk.count, chunk.gradient);
    chunk.count = 0;
}

template <class T, bool InputGradient, bool Prefetch>
TS_INLINE void chunk_any(const BackwardArgs<T>& a, int64_t k0, int64_t k1, const T* x_row, T* acc_row, Chunk<T>& chunk,
                         bool fresh) {
    with_lanes<T>(a.stride, [&](auto lanes) __attribute__((always_inline)) {
        chunk_columns<T, lanes(), InputGradient, Prefetch>(a, k0, k1, x_row, acc_row, chunk, fresh);
    });
}

// Columns [c, c + N * V) of one input neuron: the sum of weight * dy over connections [k0, k1), no more.
template <class T, int N, int V, bool Prefetch>
TS_INLINE void input_tile(const BackwardArgs<T>& a, int64_t k0, int64_t k1, int64_t c, T* acc_row) {
    using Vec = Vector<T, N>;
    const Connections& con = a.by_input;
    const int64_t last = con.ptr[con.rows] - 1;
    Vec acc[V] = {};
    for (int64_t k = k0; k < k1; ++k) {
        if constexpr (Prefetch) {
            constexpr int64_t ahead = fetch_ahead(N * V * int(sizeof(T)));
            const int64_t next = k + ahead < last ? k + ahead : last;
            prefetch<int(sizeof(T)) * N * V>(a.dy + con.index[next] * a.stride + c);
        }
        const T w = a.weights.value[k];
        const T* dy = a.dy + con.index[k] * a.stride + c;
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) acc[v] += w * load<Vec>(dy + v * N);
    }
    for (int v = 0; v < V; ++v) store(acc_row + c + v * N, acc[v]);
}

// The input gradient alone, where neither gradients of weights nor updates are wanted.
template <class T, bool Prefetch>
TS_INLINE void input_row(const BackwardArgs<T>& a, int64_t k0, int64_t k1, T* acc_row) {
    constexpr int N = kLanes<T>;
    int64_t c = 0;
    for (; c + 8 * N <= a.stride; c += 8 * N) input_tile<T, N, 8, Prefetch>(a, k0, k1, c, acc_row);
    for (; c + N <= a.stride; c += N) input_tile<T, N, 1, Prefetch>(a, k0, k1, c, acc_row);
    for (; c < a.stride; ++c) input_tile<T, 1, 1, Prefetch>(a, k0, k1, c, acc_row);
}

// Connections [k0, k1) of one input neuron; their share of the input gradient goes to acc_row. Their weights' gradients
// go to the chunk, which is applied when the next ones have no room in it.
template <class T>
TS_INLINE void row_part(const BackwardArgs<T>& a, int64_t row, int64_t k0, int64_t k1, T* acc_row, Chunk<T>& chunk) {
    const T* x_row = a.x + row * a.stride;
    if (a.dx && a.weight_update.kind == Update::none) {
        if (a.prefetch) input_row<T, true>(a, k0, k1, acc_row);
        else input_row<T, false>(a, k0, k1, acc_row);
        return;
    }
    if (a.dx && k0 == k1) __builtin_memset(acc_row, 0, size_t(a.stride) * sizeof(T));
    for (int64_t k = k0; k < k1;) {
        if (chunk.count > 0 && (chunk.count + k1 - k > kChunk || chunk.first + chunk.count != k)) apply_chunk(a, chunk);
        if (chunk.count == 0) chunk.first = k;
        const int64_t room = kChunk - chunk.count, end = k + room < k1 ? k + room : k1;
        if (a.dx) {
            if (a.prefetch) chunk_any<T, true, true>(a, k, end, x_row, acc_row, chunk, k == k0);
            else chunk_any<T, true, false>(a, k, end, x_row, acc_row, chunk, k == k0);
        } else {
            if (a.prefetch) chunk_any<T, false, true>(a, k, end, x_row, acc_row, chunk, k == k0);
            else chunk_any<T, false, false>(a, k, end, x_row, acc_row, chunk, k == k0);
        }
        chunk.count += end - k;
        k = end;
    }
}

// dx of row `row` from the sums of weight * dy.
template <class T>
TS_INLINE void finish_input(const BackwardArgs<T>& a, int64_t row, const T* sums) {
    T* dx = a.dx + row * a.stride;
    if (a.add)
        for (int64_t c = 0; c < a.stride; ++c) dx[c] += sums[c];
    else apply_derivative<T>(a.input, row, sums, a.x + row * a.stride, dx, a.stride);
}

template <class T>
void backward_rows(const BackwardArgs<T>& a, int64_t row0, int64_t row1, T* scratch) {
    const int64_t* ptr = a.by_input.ptr;
    Chunk<T> chunk;
    for (int64_t r = row0; r < row1; ++r) {
        if (ptr[r + 1] - ptr[r] > kSegment) continue;  // its segments come separately
        row_part<T>(a, r, ptr[r], ptr[r + 1], scratch, chunk);
        if (a.dx) finish_input<T>(a, r, scratch);
    }
    if (chunk.count > 0) apply_chunk(a, chunk);
}

template <class T>
void backward_segment(const BackwardArgs<T>& a, int64_t row, int64_t k0, int64_t k1, T* partial) {
    Chunk<T> chunk;
    row_part<T>(a, row, k0, k1, partial, chunk);
    if (chunk.count > 0) apply_chunk(a, chunk);
}

template <class T>
void backward_join(const BackwardArgs<T>& a, int64_t row, T* partials, int64_t count) {
    if (!a.dx) return;
    for (int64_t s = 1; s < count; ++s)
        for (int64_t c = 0; c < a.stride; ++c) partials[c] += partials[s * a.stride + c];
    finish_input<T>(a, row, partials);
}

template <class T>
TS_APART void scatter_chunk(const BackwardArgs<T>& a, Chunk<T>& chunk, T* gradient) {
    sum_chunk(a.stride, chunk);
    const uint32_t* position = a.by_input.position + chunk.first;
    for (int64_t k = 0; k < chunk.count; ++k) gradient[position[k]] = chunk.gradient[k];
    chunk.count = 0;
}

template <class T>
void gradient_rows(const BackwardArgs<T>& a, int64_t row0, int64_t row1, T* gradient) {
    const int64_t* ptr = a.by_input.ptr;
    Chunk<T> chunk;
    for (int64_t r = row0; r < row1; ++r) {
        const T* row = a.x + r * a.stride;
        for (int64_t k = ptr[r]; k < ptr[r + 1];) {
            if (chunk.count > 0 && chunk.count + ptr[r + 1] - k > kChunk) scatter_chunk(a, chunk, gradient);
            if (chunk.count == 0) chunk.first = k;
            const int64_t room = kChunk - chunk.count, end = k + room < ptr[r + 1] ? k + room : ptr[r + 1];
            chunk_any<T, false, false>(a, k, end, row, nullptr, chunk, true);
            chunk.count += end - k;
            k = end;
        }
    }
    if (chunk.count > 0) scatter_chunk(a, chunk, gradient);
}

template <class T>
void apply(const BackwardArgs<T>& a, int64_t begin, int64_t end, T* gradient) {
    add_earlier<T>(a.weight_update, a.weights, begin, end - begin, gradient + begin);
    apply_update<T>(a.weight_update, a.weights, begin, end - begin, gradient + begin);
}

template <class T, int N>
TS_INLINE T row_sum(const T* row, int64_t stride) {
    Vector<T, N> sum{};
    for (int64_t c = 0; c < stride; c += N) sum += load<Vector<T, N>>(row + c);
    return sum_lanes<N, T>(sum);
}

template <class T>
void bias_rows(const BackwardArgs<T>& a, int64_t row0, int64_t row1) {
    T gradient[kChunk];
    for (int64_t r = row0; r < row1; r += kChunk) {
        const int64_t count = r + kChunk < row1 ? kChunk : row1 - r;
        for (int64_t i = 0; i < count; ++i) {
            const T* dy = a.dy + (r + i) * a.stride;
            gradient[i] = a.stride >= 8 ? row_sum<T, 8>(dy, a.stride) : row_sum<T, 1>(dy, a.stride);
        }
        add_earlier<T>(a.bias_update, a.biases, r, count, gradient);
        apply_update<T>(a.bias_update, a.biases, r, count, gradient);
    }
}

template <class T>
void update(const UpdateArgs<T>& rule, const Parameters<T>& parameters, const Scaled<T>* gradients, int64_t count,
            int64_t begin, int64_t end) {
    if (count == 1 && gradients[0].scale == T(1))
        return apply_update<T>(rule, parameters, begin, end - begin, gradients[0].gradient + begin);
    T sum[kChunk];
    for (int64_t first = begin; first < end; first += kChunk) {
        const int64_t n = first + kChunk < end ? kChunk : end - first;
        const T* g = gradients[0].gradient + first;
        for (int64_t i = 0; i < n; ++i) sum[i] = gradients[0].scale * g[i];
        for (int64_t c = 1; c < count; ++c) {
            g = gradients[c].gradient + first;
            for (int64_t i = 0; i < n; ++i) sum[i] += gradients[c].scale * g[i];
        }
        apply_update<T>(rule, parameters, first, n, sum);
    }
}

}  // namespace

template <class T>
void fill_backward(LayerKernels<T>& table) {
    table.backward_rows = backward_rows<T>;
    table.backward_segment = backward_segment<T>;
    table.backward_join = backward_join<T>;
    table.gradient_rows = gradient_rows<T>;
    table.apply = apply<T>;
    table.bias_rows = bias_rows<T>;
    table.update = update<T>;
}
template void fill_backward(LayerKernels<float>&);
template void fill_backward(LayerKernels<double>&);

}  // namespace ts::TS_ISA
