#include "layer/sample_passes.hpp"

#include <algorithm>

#include "base/bfloat16.hpp"
#include "base/buffer.hpp"
#include "base/threads.hpp"

namespace ts {
namespace {

// Samples in a tile: what a layer of a few thousand neurons has of them stays in a core's own cache.
constexpr int64_t kTile = 128;

// Whether an array neurons x batch can be used where it lies.
template <class S, class T>
bool in_place(const Samples<S>& x, int64_t count) {
    return std::is_same_v<std::remove_const_t<S>, T> && x.sample_stride == 1 && x.feature_stride == count &&
           count <= kTile && padded_batch(count) == count && reinterpret_cast<uintptr_t>(x.data) % 64 == 0;
}

}  // namespace

template <class S, class T>
void forward_samples(const LayerTopology& topology, const T* weight, const T* bias, const Samples<const S>& x,
                     const Samples<S>& y, int64_t count, int threads) {
    const int64_t tiles = (count + kTile - 1) / kTile, n_in = topology.n_in, n_out = topology.n_out;
    const int64_t connections = topology.by_output.ptr[n_out], widest = padded_batch(std::min(count, kTile));
    ForwardArgs<T> args;
    args.by_output = topology.by_output;
    args.weight = weight;
    args.bias = bias;
    Buffer<T> ordered;
    if (tiles > 1) {  // weights in the order of the sums, once for all tiles
        ordered = Buffer<T>(connections);
        const uint32_t* position = topology.by_output.position;
        parallel_ranges(connections, threads_for(connections * 8, threads), [&](int64_t begin, int64_t end) {
            for (int64_t k = begin; k < end; ++k) ordered[k] = weight[position[k]];
        });
        args.weight = ordered.data();
        args.by_output.position = nullptr;
    }
    const auto tile = [&](int64_t number, T* columns, int inner) {
        const int64_t first = number * kTile, samples = std::min(count - first, kTile);
        ForwardArgs<T> a = args;
        a.stride = padded_batch(samples);
        if (in_place<const S, T>(x, count)) {
            a.x = reinterpret_cast<const T*>(x.data);
        } else {
            load_columns(x, first, samples, n_in, columns, a.stride, inner);
            a.x = columns;
        }
        const bool direct = in_place<S, T>(y, count);
        a.y = direct ? reinterpret_cast<T*>(y.data) : columns + n_in * widest;
        forward(a, n_in, topology.long_outputs, topology.n_long_outputs, inner);
        if (!direct) store_columns(a.y, a.stride, first, samples, n_out, y, inner);
    };
    const int64_t size = (n_in + n_out) * widest + 64;
    if (tiles > 1 && tiles >= threads) {
        Buffer<T> columns(size * threads);
        parallel_for(tiles, threads, [&](int64_t number) {
            T* own = columns.data() + current_thread() * size;
            numbered_anew([&] { tile(number, own, 1); });
        });
    } else {
        Buffer<T> columns(size);
        for (int64_t number = 0; number < tiles; ++number) tile(number, columns.data(), threads);
    }
}

template <class S, class T>
void backward_samples(const LayerTopology& topology, const T* weight, const Samples<const S>& x,
                      const Samples<const S>& dy, const Samples<S>& dx, T* weight_gradient, T* bias_gradient,
                      int64_t count, int threads) {
    const int64_t tiles = (count + kTile - 1) / kTile, n_in = topology.n_in, n_out = topology.n_out;
    const int64_t widest = padded_batch(std::min(count, kTile));
    BackwardArgs<T> args;
    args.by_input = topology.by_input;
    args.by_output = topology.by_output;
    args.n_out = n_out;
    args.weights = {const_cast<T*>(weight), nullptr, nullptr, weight_gradient};
    args.biases = {nullptr, nullptr, nullptr, bias_gradient};
    Buffer<T> columns((2 * n_in + n_out) * widest);
    T* x_columns = columns.data();
    T* dx_columns = x_columns + n_in * widest;
    T* dy_columns = dx_columns + n_in * widest;
    for (int64_t number = 0; number < tiles; ++number) {
        const int64_t first = number * kTile, samples = std::min(count - first, kTile);
        BackwardArgs<T> a = args;
        a.stride = padded_batch(samples);
        a.weight_update.kind = weight_gradient ? Update::gradient : Update::none;
        a.bias_update.kind = bias_gradient ? Update::gradient : Update::none;
        a.weight_update.add = a.bias_update.add = number > 0;
        if (in_place<const S, T>(x, count)) {
            a.x = const_cast<T*>(reinterpret_cast<const T*>(x.data));
        } else if (weight_gradient) {
            load_columns(x, first, samples, n_in, x_columns, a.stride, threads);
            a.x = x_columns;
        } else {
            a.x = x_columns;  // not looked at
        }
        if (in_place<const S, T>(dy, count)) {
            a.dy = reinterpret_cast<const T*>(dy.data);
        } else {
            load_columns(dy, first, samples, n_out, dy_columns, a.stride, threads);
            a.dy = dy_columns;
        }
        const bool direct = dx.data && in_place<S, T>(dx, count);
        if (dx.data) a.dx = direct ? reinterpret_cast<T*>(dx.data) : dx_columns;
        backward(a, topology.long_inputs, topology.n_long_inputs, threads);
        if (dx.data && !direct) store_columns(dx_columns, a.stride, first, samples, n_in, dx, threads);
    }
}

#define TS_SAMPLES(S, T)                                                                                             \
    template void forward_samples(const LayerTopology&, const T*, const T*, const Samples<const S>&,                 \
                                  const Samples<S>&, int64_t, int);                                                  \
    template void backward_samples(const LayerTopology&, const T*, const Samples<const S>&, const Samples<const S>&, \
                                   const Samples<S>&, T*, T*, int64_t, int);
TS_SAMPLES(float, float)
TS_SAMPLES(bf16, float)
TS_SAMPLES(double, double)

}  // namespace ts
