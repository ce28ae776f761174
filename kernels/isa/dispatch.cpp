#include "isa/dispatch.hpp"

#include <stdexcept>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

#include "base/buffer.hpp"
#include "base/threads.hpp"

namespace ts {

#define TS_DECLARE(isa)                            \
    namespace isa {                                \
    template <class T>                             \
    void fill_forward(LayerKernels<T>& table);     \
    template <class T>                             \
    void fill_backward(LayerKernels<T>& table);    \
    template <class T>                             \
    void fill_losses(LossKernels<T>& table);       \
    template <class T>                             \
    void fill_slices(SliceKernels<T>& table);      \
    template <class T>                             \
    void fill_growth(GrowthKernels<T>& table);     \
    void fill_tile_forward(TileKernels& table);    \
    void fill_tile_backward(TileKernels& table);   \
    }
TS_DECLARE(baseline)
#if defined(TS_HAVE_X86_VARIANTS)
TS_DECLARE(avx2)
TS_DECLARE(avx512)
#endif

namespace {

// One instruction set's loops for one type.
template <class T>
struct Loops {
    LayerKernels<T> layer;
    LossKernels<T> loss;
    SliceKernels<T> slices;
    GrowthKernels<T> growth;
};

struct Tables {
    std::string isa;
    Loops<float> f;
    Loops<double> d;
    TileKernels tiles;

    template <class T>
    const Loops<T>& loops() const {
        if constexpr (sizeof(T) == 4) return f;
        else return d;
    }
};

#define TS_FILL(name)                    \
    if (isa == #name) {                  \
        const auto fill = [](auto& t) {  \
            name::fill_forward(t.layer);  \
            name::fill_backward(t.layer); \
            name::fill_losses(t.loss);    \
            name::fill_slices(t.slices);  \
            name::fill_growth(t.growth);  \
        };                               \
        fill(t.f);                       \
        fill(t.d);                       \
        name::fill_tile_forward(t.tiles);  \
        name::fill_tile_backward(t.tiles); \
    }

Tables make_tables(const std::string& isa) {
    Tables t;
    t.isa = isa;
    TS_FILL(baseline)
#if defined(TS_HAVE_X86_VARIANTS)
    TS_FILL(avx2)
    TS_FILL(avx512)
#endif
    return t;
}

Tables& tables() {
    static Tables chosen = make_tables(available_isas().front());
    return chosen;
}

// Output of more bytes than this has left every cache before the next layer reads it.
constexpr int64_t kFarBytes = 32 << 20;
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

int64_t parts_for(int64_t rows, int threads) { return threads > 1 ? std::min<int64_t>(rows, int64_t(threads) * 16) : 1; }

}  // namespace

std::vector<std::string> available_isas() {
    std::vector<std::string> names;
#if defined(TS_HAVE_X86_VARIANTS)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw"))
        names.push_back("avx512");
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) names.push_back("avx2");
#endif
    names.push_back("baseline");
    return names;
}

int64_t near_bytes() {
    static const int64_t bytes = [] {
        int64_t second_level = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
        second_level = sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 or -1 where the system does not tell
#endif
        return (second_level > 0 ? second_level : int64_t(1) << 20) / 4 * 3;
    }();
    return bytes;
}

const std::string& current_isa() { return tables().isa; }

void use_isa(const std::string& name) {
    for (const std::string& known : available_isas())
        if (known == name) {
            tables() = make_tables(name);
            return;
        }
    throw std::invalid_argument("instruction set '" + name + "' is not available on this processor");
}

template <class T>
const SliceKernels<T>& slice_kernels() {
    return tables().template loops<T>().slices;
}

template <class T>
const GrowthKernels<T>& growth_kernels() {
    return tables().template loops<T>().growth;
}

const TileKernels& tile_kernels() { return tables().tiles; }

template <class T>
void forward(const ForwardArgs<T>& given, int64_t n_in, const int64_t* long_rows, int64_t n_long, int threads) {
    ForwardArgs<T> args = given;
    const LayerKernels<T>& kernels = tables().template loops<T>().layer;
    const Connections& con = args.by_output;
    const int64_t rows = con.rows, connections = con.ptr[rows] - con.ptr[0];
    threads = threads_for((connections + rows * kRowCost) * args.stride, threads);
    args.prefetch = n_in * args.stride * int64_t(sizeof(T)) > near_bytes();
    args.stream = rows * args.stride * int64_t(sizeof(T)) > kFarBytes && args.stride * sizeof(T) % 64 == 0 &&
                  reinterpret_cast<uintptr_t>(args.y) % 64 == 0;
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

template <class T>
void backward(const BackwardArgs<T>& given, const int64_t* long_rows, int64_t n_long, int threads) {
    BackwardArgs<T> args = given;
    args.prefetch = args.n_out * args.stride * int64_t(sizeof(T)) > near_bytes();
    const LayerKernels<T>& kernels = tables().template loops<T>().layer;
    const Connections& con = args.by_input;
    const int64_t rows = con.rows, connections = con.ptr[rows] - con.ptr[0];
    threads = threads_for((2 * connections + rows * kRowCost) * args.stride, threads);

    // Scratch rows of different threads stay on different cache lines.
    const int64_t scratch_stride = args.stride + 64;
    Buffer<T> scratch(scratch_stride * threads);
    const int64_t parts = parts_for(rows, threads);
    const bool biases = args.bias_update.kind != Update::none;
    parallel_for(parts, threads, [&](int64_t part) {
        // The biases' share of a part also brings its rows of dy near.
        if (biases) kernels.bias_rows(args, range_start(args.n_out, parts, part), range_start(args.n_out, parts, part + 1));
        kernels.backward_rows(args, balanced_row(con.ptr, rows, kRowCost, parts, part),
                              balanced_row(con.ptr, rows, kRowCost, parts, part + 1),
                              scratch.data() + current_thread() * scratch_stride);
    });
    if (n_long == 0) return;
    const Segments segments = cut_segments(con.ptr, long_rows, n_long);
    Buffer<T> partial(int64_t(segments.row.size()) * args.stride);
    parallel_for(int64_t(segments.row.size()), threads, [&](int64_t s) {
        kernels.backward_segment(args, segments.row[s], segments.k0[s], segments.k1[s], partial.data() + s * args.stride);
    });
    parallel_for(n_long, threads, [&](int64_t i) {
        kernels.backward_join(args, long_rows[i], partial.data() + segments.first[i] * args.stride,
                              segments.first[i + 1] - segments.first[i]);
    });
}

template <class T>
void update(const UpdateArgs<T>& rule, const Parameters<T>& parameters, const std::vector<Scaled<T>>& gradients, int64_t size,
            int threads) {
    const auto loop = tables().template loops<T>().layer.update;
    parallel_ranges(size, threads_for(size * 8, threads), [&](int64_t begin, int64_t end) {
        loop(rule, parameters, gradients.data(), int64_t(gradients.size()), begin, end);
    });
}

template <class T>
double loss_and_gradient(LossArgs<T> args, int threads) {
    const LossKernels<T>& kernels = tables().template loops<T>().loss;
    const bool by_column = args.kind == Loss::softmax_cross_entropy;
    const int64_t parts = by_column ? args.stride : args.outputs;
    Buffer<double> partial(parts);
    args.partial = partial.data();
    threads = threads_for(args.outputs * args.stride * 8, threads);
    if (by_column) {
        parallel_for((args.stride + 7) / 8, threads, [&](int64_t group) {
            kernels.softmax_columns(args, group * 8, std::min<int64_t>(group * 8 + 8, args.stride));
        });
    } else {
        parallel_ranges(args.outputs, threads, [&](int64_t begin, int64_t end) { kernels.output_rows(args, begin, end); });
    }
    double total = 0;
    for (int64_t i = 0; i < parts; ++i) total += partial[i];
    return total;
}

template <class T>
void softmax(T* z, int64_t outputs, int64_t stride, int threads) {
    const LossKernels<T>& kernels = tables().template loops<T>().loss;
    parallel_for((stride + 7) / 8, threads_for(outputs * stride * 8, threads), [&](int64_t group) {
        kernels.softmax(z, outputs, stride, group * 8, std::min<int64_t>(group * 8 + 8, stride));
    });
}

template <class T>
void sigmoid(T* z, int64_t count, int threads) {
    const LossKernels<T>& kernels = tables().template loops<T>().loss;
    parallel_ranges((count + 7) / 8, threads_for(count * 8, threads), [&](int64_t begin, int64_t end) {
        kernels.sigmoid(z + begin * 8, std::min(end * 8, count) - begin * 8);
    });
}

#define TS_INSTANTIATE(T)                                                       \
    template const SliceKernels<T>& slice_kernels();                            \
    template const GrowthKernels<T>& growth_kernels();                          \
    template void forward(const ForwardArgs<T>&, int64_t, const int64_t*, int64_t, int); \
    template void backward(const BackwardArgs<T>&, const int64_t*, int64_t, int); \
    template void update(const UpdateArgs<T>&, const Parameters<T>&, const std::vector<Scaled<T>>&, int64_t, int); \
    template double loss_and_gradient(LossArgs<T>, int);                        \
    template void softmax(T*, int64_t, int64_t, int);                           \
    template void sigmoid(T*, int64_t, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
