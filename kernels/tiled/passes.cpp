// The passes of a tiled layer over threads. Work items are blocks, or parts of blocks where there are few; they
// depend on the layer's shape alone.
#include <algorithm>

#include "base/buffer.hpp"
#include "base/cache.hpp"
#include "base/threads.hpp"
#include "isa/dispatch.hpp"
#include "tiled/tiles.hpp"

namespace ts {
namespace {

int64_t parts_of(int64_t blocks, int64_t others) {
    return blocks >= kFewBlocks ? 1 : std::min(others, (kFewBlocks + blocks - 1) / blocks);
}

int64_t value_size(const Stored& s) { return s.half ? 2 : 4; }

// A buffer of `bytes` per connection where the pass brings its rows into order; else none.
Buffer<uint8_t> room_for_rows(bool prefetch, int64_t parts, int64_t bytes, int64_t connections) {
    const bool wanted = prefetch && parts == 1 && bytes <= kOrderedBytes;
    return wanted ? Buffer<uint8_t>(connections * bytes) : Buffer<uint8_t>();
}

void add_up(float* sums, const float* more, int64_t count) {
    for (int64_t c = 0; c < count; ++c) sums[c] += more[c];
}

// Runs sum(block, part, sums) for all parts of all blocks, adds parts up in order, and runs finish(block, sums).
template <class Sum, class Finish>
void over_blocks(int64_t blocks, int64_t parts, int64_t floats, int64_t last_floats, int threads, Sum&& sum,
                 Finish&& finish) {
    if (parts == 1) {
        Buffer<float> scratch(floats * std::max(threads, 1));
        parallel_for(blocks, threads, [&](int64_t b) {
            float* sums = scratch.data() + current_thread() * floats;
            sum(b, 0, sums);
            finish(b, sums);
        });
        return;
    }
    Buffer<float> partial(blocks * parts * floats);
    parallel_for(blocks * parts, threads,
                 [&](int64_t item) { sum(item / parts, item % parts, partial.data() + item * floats); });
    parallel_for(blocks, threads, [&](int64_t b) {
        float* sums = partial.data() + b * parts * floats;
        const int64_t count = b == blocks - 1 ? last_floats : floats;
        for (int64_t p = 1; p < parts; ++p) add_up(sums, sums + p * floats, count);
        finish(b, sums);
    });
}

}  // namespace

void tile_forward(TileForwardArgs args, int threads) {
    const TileKernels& kernels = tile_kernels();
    const Tiles& t = args.tiles;
    const int64_t blocks = t.blocks_out(), others = t.blocks_in(), parts = parts_of(blocks, others);
    args.prefetch = t.n_in * args.stride * value_size(args.x) > near_bytes();
    threads = threads_for((t.ptr[t.count()] + t.n_out) * args.stride, threads);
    Buffer<uint8_t> rows = room_for_rows(args.prefetch, parts, args.stride * value_size(args.x), t.ptr[t.count()]);
    if (rows.data()) {
        args.ordered = {rows.data(), rows.data(), args.x.half};
        parallel_for(others, threads, [&](int64_t i) { kernels.forward_order(args, i); });
    }
    over_blocks(blocks, parts, block_floats(t.height(0), args.stride), block_floats(t.height(blocks - 1), args.stride),
                threads, [&](int64_t o, int64_t p, float* sums) {
        kernels.forward(args, o, range_start(others, parts, p), range_start(others, parts, p + 1), sums);
    }, [&](int64_t o, float* sums) { kernels.forward_finish(args, o, sums); });
}

void tile_backward(TileBackwardArgs args, int threads) {
    const TileKernels& kernels = tile_kernels();
    const Tiles& t = args.tiles;
    const int64_t blocks = t.blocks_in(), others = t.blocks_out(), parts = parts_of(blocks, others);
    args.prefetch = t.n_out * args.stride * value_size(args.dy) > near_bytes();
    threads = threads_for(2 * (t.ptr[t.count()] + t.n_out) * args.stride, threads);
    if (args.bias_update.kind != Update::none)
        parallel_ranges(t.n_out, threads_for(t.n_out * args.stride, threads),
                        [&](int64_t begin, int64_t end) { kernels.biases(args, begin, end); });
    const auto pass = [&](int64_t i, int64_t p, float* sums) {
        kernels.backward(args, i, range_start(others, parts, p), range_start(others, parts, p + 1), sums);
    };
    if (!args.dx.to) {
        parallel_for(blocks * parts, threads, [&](int64_t item) { pass(item / parts, item % parts, nullptr); });
        return;
    }
    Buffer<uint8_t> rows = room_for_rows(args.prefetch, parts, args.stride * value_size(args.dy), t.ptr[t.count()]);
    if (rows.data()) {
        args.ordered = {rows.data(), rows.data(), args.dy.half};
        parallel_for(others, threads, [&](int64_t o) { kernels.backward_order(args, o); });
    }
    over_blocks(blocks, parts, block_floats(t.width(0), args.stride), block_floats(t.width(blocks - 1), args.stride),
                threads, pass, [&](int64_t i, float* sums) { kernels.backward_finish(args, i, sums); });
}

void tile_update(const UpdateArgs<float>& rule, const TileParameters& parameters, int64_t size, int threads) {
    const auto loop = tile_kernels().update;
    parallel_ranges(size, threads_for(size * 8, threads),
                    [&](int64_t begin, int64_t end) { loop(rule, parameters, begin, end); });
}

void tile_convert(const Stored& values, int64_t size, int threads) {
    const auto loop = tile_kernels().convert;
    parallel_ranges(size, threads_for(size, threads), [&](int64_t begin, int64_t end) { loop(values, begin, end); });
}

}  // namespace ts
