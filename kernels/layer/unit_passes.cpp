#include "base/threads.hpp"
#include "isa/dispatch.hpp"
#include "layer/units.hpp"

namespace ts {

template <class T>
void draw_units(const UnitArgs<T>& args, int threads) {
    const auto loop = unit_kernels<T>().units;
    parallel_ranges(args.rows, threads_for(args.rows * args.stride * 4, threads),
                    [&](int64_t begin, int64_t end) { loop(args, begin, end); });
}

template <class T>
void join_phases(const PhaseArgs<T>& args, int threads) {
    const auto loop = unit_kernels<T>().join;
    parallel_ranges(args.rows, threads_for(args.rows * args.stride * 2, threads),
                    [&](int64_t begin, int64_t end) { loop(args, begin, end); });
}

template <class T>
void flip_gains(const FlipArgs<T>& args, int threads) {
    const auto loop = unit_kernels<T>().flips;
    const Connections& con = args.by_input;
    threads = threads_for(con.ptr[con.rows] * args.stride * 8, threads);
    const int64_t parts = threads > 1 ? int64_t(threads) * 4 : 1;
    parallel_for(parts, threads, [&](int64_t part) {
        loop(args, balanced_row(con.ptr, con.rows, 1, parts, part),
             balanced_row(con.ptr, con.rows, 1, parts, part + 1));
    });
}

#define TS_INSTANTIATE(T)                                \
    template void draw_units(const UnitArgs<T>&, int);   \
    template void join_phases(const PhaseArgs<T>&, int); \
    template void flip_gains(const FlipArgs<T>&, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
