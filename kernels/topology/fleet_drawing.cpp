#include "topology/fleet_drawing.hpp"

#include "base/threads.hpp"

namespace ts {

Positions draw_blocks(int64_t agents, int64_t rows, int64_t columns, int64_t count, const uint64_t* keys, int threads) {
    Positions out{Buffer<int64_t>(agents * rows + 1), Buffer<int32_t>(agents * count)};
    out.ptr[0] = 0;
    parallel_ranges(agents, threads_for(agents * (count * 64 + rows), threads), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            Buffer<uint64_t> places;
            numbered_anew([&] { places = sample_distinct(uint64_t(count), uint64_t(rows * columns), keys[i], 1); });
            int64_t at = 0;
            for (int64_t r = 0; r < rows; ++r) {
                const uint64_t first = uint64_t(r * columns), last = first + uint64_t(columns);
                for (; at < count && places[at] < last; ++at)
                    out.index[i * count + at] = int32_t(int64_t(places[at] - first) + i * columns);
                out.ptr[i * rows + r + 1] = i * count + at;
            }
        }
    });
    return out;
}

template <class T>
void draw_block_weights(T* out, const int64_t* block_ptr, int64_t agents, Draw kind, const WeightScale& scale,
                        const double* scales, const int32_t* output, const int64_t* fan_in, const uint64_t* keys,
                        int threads) {
    parallel_ranges(agents, threads_for(block_ptr[agents] * 32, threads), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            WeightStream stream(kind, keys[i]);
            WeightScale own = scale;
            own.scale = scales[i];
            for (int64_t k = block_ptr[i]; k < block_ptr[i + 1]; ++k)
                out[k] = T(stream.at(k - block_ptr[i]) * own.of(own.by_fan_in ? fan_in[output[k]] : 0));
        }
    });
}

#define TS_INSTANTIATE(T)                                                                                  \
    template void draw_block_weights(T*, const int64_t*, int64_t, Draw, const WeightScale&, const double*, \
                                     const int32_t*, const int64_t*, const uint64_t*, int);
TS_INSTANTIATE(float)
TS_INSTANTIATE(double)

}  // namespace ts
