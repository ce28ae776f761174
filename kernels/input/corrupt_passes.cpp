#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "input/corrupt.hpp"
#include "isa/dispatch.hpp"

namespace ts {

template <class T>
void corrupt(const CorruptArgs<T>& args, int threads) {
    const auto rows = corrupt_kernels<T>().rows;
    parallel_ranges(args.features, threads_for(args.features * args.batch * 8, threads),
                    [&](int64_t begin, int64_t end) {
        Buffer<T> scratch(args.swap_probability > 0 ? args.stride : 0);
        rows(args, begin, end, scratch.data());
    });
}
template void corrupt(const CorruptArgs<float>&, int);
template void corrupt(const CorruptArgs<double>&, int);

}  // namespace ts
