// Losses over threads.
#include <algorithm>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "isa/dispatch.hpp"
#include "layer/losses.hpp"

namespace ts {

template <class T>
double loss_and_gradient(LossArgs<T> args, int threads) {
    const LossKernels<T>& kernels = loss_kernels<T>();
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
        parallel_ranges(args.outputs, threads,
                        [&](int64_t begin, int64_t end) { kernels.output_rows(args, begin, end); });
    }
    double total = 0;
    for (int64_t i = 0; i < parts; ++i) total += partial[i];
    return total;
}

template <class T>
void softmax(T* z, int64_t outputs, int64_t stride, int threads) {
    const LossKernels<T>& kernels = loss_kernels<T>();
    parallel_for((stride + 7) / 8, threads_for(outputs * stride * 8, threads), [&](int64_t group) {
        kernels.softmax(z, outputs, stride, group * 8, std::min<int64_t>(group * 8 + 8, stride));
    });
}

template <class T>
void sigmoid(T* z, int64_t count, int threads) {
    const LossKernels<T>& kernels = loss_kernels<T>();
    parallel_ranges((count + 7) / 8, threads_for(count * 8, threads), [&](int64_t begin, int64_t end) {
        kernels.sigmoid(z + begin * 8, std::min(end * 8, count) - begin * 8);
    });
}

#define TS_INSTANTIATE(T)                                \
    template double loss_and_gradient(LossArgs<T>, int); \
    template void softmax(T*, int64_t, int64_t, int);    \
    template void sigmoid(T*, int64_t, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
