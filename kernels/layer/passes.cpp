#include "layer/passes.hpp"

#include <algorithm>

#include "base/buffer.hpp"
#include "base/cache.hpp"
#include "base/threads.hpp"
#include "isa/dispatch.hpp"

namespace ts {
namespace {

// Output of more bytes than this has left every cache before the next layer reads it.
constexpr int64_t kFarBytes = 32 << 20;
// What the first cache holds, more or less.
constexpr int64_t kFirstCacheBytes = 32 << 10;
// Gradients of so many bytes may lie in an array of their own for a moment.
constexpr int64_t kGradientBytes = 512 << 10;
// Per-row work (epilogue, bookkeeping) in units of connections, for balancing.
constexpr int64_t kRowCost = 4;

struct Segments {
    std::vector<int64_t> row, k0, k1, first;  // first[i]: index of long row i's first segment
};

Segments cut_segments(const int64_t* ptr, const int64_t* long_rows, int64_t n_long) {
    Segments s;
    for (int64_t i = 0; i < n_long; ++i) {
        s.first.push_back(int64_t(s.row.size()));
        const int64_t r = long_rows[i];
        for (int64_t k = ptr[r]; k < ptr[r + 1]; k += kSegment) {
            s.row.push_back(r);
            s.k0.push_back(k);
            s.k1.push_back(std::min(k + kSegment, ptr[r + 1]));
        }
    }
    s.first.push_back(int64_t(s.row.size()));
    return s;
}

int64_t parts_for(int64_t rows, int threads) {
    return threads > 1 ? std::min<int64_t>(rows, int64_t(threads) * 16) : 1;
}

}  // namespace

std::vector<int64_t> long_rows(const int64_t* ptr, int64_t rows) {
    std::vector<int64_t> found;
    for (int64_t r = 0; r < rows; ++r)
        if (ptr[r + 1] - ptr[r] > kSegment) found.push_back(r);
    return found;
}

template <class T>
void forward(const ForwardArgs<T>& given, int64_t n_in, const int64_t* long_rows, int64_t n_long, int threads) {
    ForwardArgs<T> args = given;
    const LayerKernels<T>& kernels = layer_kernels<T>();
    const Connections& con = args.by_output;
    const int64_t rows = con.rows, connections = con.ptr[rows] - con.ptr[0];
    threads = threads_for((connections + rows * kRowCost) * args.stride, threads);
    args.prefetch = n_in * args.stride * int64_t(sizeof(T)) > near_bytes();
    args.stream = !args.add && rows * args.stride * int64_t(sizeof(T)) > kFarBytes &&
                  args.stride * sizeof(T) % 64 == 0 && reinterpret_cast<uintptr_t>(args.y) % 64 == 0;
    const int64_t scratch_stride = kSegment + args.stride + 64, parts = parts_for(rows, threads);
    Buffer<T> scratch(scratch_stride * threads);
    parallel_for(parts, threads, [&](int64_t part) {
        kernels.forward_rows(args, balanced_row(con.ptr, rows, kRowCost, parts, part),
                             balanced_row(con.ptr, rows, kRowCost, parts, part + 1),
                             scratch.data() + current_thread() * scratch_stride);
    });
    if (n_long == 0) return;
    const Segments segments = cut_segments(con.ptr, long_rows, n_long);
    Buffer<T> partial(int64_t(segments.row.size()) * args.stride);
    parallel_for(int64_t(segments.row.size()), threads, [&](int64_t s) {
        kernels.forward_segment(args, segments.k0[s], segments.k1[s], partial.data() + s * args.stride,
                                scratch.data() + current_thread() * scratch_stride);
    });
    parallel_for(n_long, threads, [&](int64_t i) {
        kernels.forward_join(args, long_rows[i], partial.data() + segments.first[i] * args.stride,
                             segments.first[i + 1] - segments.first[i]);
    });
}

// Of a first layer of few inputs each row of dy is read once, and multiplied with the rows of x that lead to it. By
// input, a row of dy would come from the second cache for each connection.
template <class T>
bool output_by_output(const BackwardArgs<T>& a, int64_t n_long) {
    if (a.dx || a.by_output.rows == 0 || n_long > 0 || a.weight_update.kind == Update::none) return false;
    const int64_t row_bytes = a.stride * int64_t(sizeof(T));
    return a.by_input.rows * row_bytes <= 2 * kFirstCacheBytes && a.n_out * row_bytes > kFirstCacheBytes &&
           a.by_input.rows < a.n_out && a.by_input.ptr[a.by_input.rows] * int64_t(sizeof(T)) <= kGradientBytes;
}

template <class T>
void backward_by_output(const BackwardArgs<T>& args, int threads) {
    const LayerKernels<T>& kernels = layer_kernels<T>();
    const Connections& con = args.by_output;
    const int64_t rows = con.rows, connections = con.ptr[rows], parts = parts_for(rows, threads);
    const bool biases = args.bias_update.kind != Update::none;
    BackwardArgs<T> swapped = args;
    swapped.by_input = con;
    swapped.x = const_cast<T*>(args.dy);
    swapped.dy = args.x;
    Buffer<T> gradient(connections);
    parallel_for(parts, threads, [&](int64_t part) {
        const int64_t begin = balanced_row(con.ptr, rows, kRowCost, parts, part),
                      end = balanced_row(con.ptr, rows, kRowCost, parts, part + 1);
        if (biases) kernels.bias_rows(args, begin, end);
        kernels.gradient_rows(swapped, begin, end, gradient.data());
    });
    parallel_ranges(connections, threads_for(connections * 8, threads),
                    [&](int64_t begin, int64_t end) { kernels.apply(args, begin, end, gradient.data()); });
}

template <class T>
void backward(const BackwardArgs<T>& given, const int64_t* long_rows, int64_t n_long, int threads) {
    BackwardArgs<T> args = given;
    args.prefetch = args.n_out * args.stride * int64_t(sizeof(T)) > near_bytes();
    const LayerKernels<T>& kernels = layer_kernels<T>();
    const Connections& con = args.by_input;
    const int64_t rows = con.rows, connections = con.ptr[rows] - con.ptr[0];
    threads = threads_for((2 * connections + rows * kRowCost) * args.stride, threads);
    if (output_by_output(args, n_long)) return backward_by_output(args, threads);

    // Scratch rows of different threads stay on different cache lines.
    const int64_t scratch_stride = args.stride + 64;
    Buffer<T> scratch(scratch_stride * threads);
    const int64_t parts = parts_for(rows, threads);
    const bool biases = args.bias_update.kind != Update::none;
    parallel_for(parts, threads, [&](int64_t part) {
        // The biases' share of a part also brings its rows of dy near.
        if (biases)
            kernels.bias_rows(args, range_start(args.n_out, parts, part), range_start(args.n_out, parts, part + 1));
        kernels.backward_rows(args, balanced_row(con.ptr, rows, kRowCost, parts, part),
                              balanced_row(con.ptr, rows, kRowCost, parts, part + 1),
                              scratch.data() + current_thread() * scratch_stride);
    });
    if (n_long == 0) return;
    const Segments segments = cut_segments(con.ptr, long_rows, n_long);
    Buffer<T> partial(int64_t(segments.row.size()) * args.stride);
    parallel_for(int64_t(segments.row.size()), threads, [&](int64_t s) {
        kernels.backward_segment(args, segments.row[s], segments.k0[s], segments.k1[s],
                                 partial.data() + s * args.stride);
    });
    parallel_for(n_long, threads, [&](int64_t i) {
        kernels.backward_join(args, long_rows[i], partial.data() + segments.first[i] * args.stride,
                              segments.first[i + 1] - segments.first[i]);
    });
}

template <class T>
void update(const UpdateArgs<T>& rule, const Parameters<T>& parameters, const std::vector<Scaled<T>>& gradients,
            int64_t size, int threads) {
    const auto loop = layer_kernels<T>().update;
    parallel_ranges(size, threads_for(size * 8, threads), [&](int64_t begin, int64_t end) {
        loop(rule, parameters, gradients.data(), int64_t(gradients.size()), begin, end);
    });
}

#define TS_INSTANTIATE(T)                                                                \
    template void forward(const ForwardArgs<T>&, int64_t, const int64_t*, int64_t, int); \
    template void backward(const BackwardArgs<T>&, const int64_t*, int64_t, int);        \
    template void update(const UpdateArgs<T>&, const Parameters<T>&, const std::vector<Scaled<T>>&, int64_t, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
