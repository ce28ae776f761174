// y = f(W x + b) in tiles: the sums of one block of outputs stay in cache while its connections stream by; rows of x
// are fetched ahead. Compiled once per instruction set.
#include "layer/epilogue.hpp"
#include "tiled/rows.hpp"

namespace ts::TS_ISA {
namespace {

// Starts the sums of block o with its biases, or with zero.
template <int Width>
TS_INLINE void start_sums(const TileForwardArgs& a, int64_t o, bool biased, float* sums) {
    constexpr int L = kRowLanes<Width>;
    const int64_t first = o << a.tiles.shift, rows = a.tiles.height(o), stride = Width ? Width : a.stride;
    if (!biased) return void(__builtin_memset(sums, 0, size_t(block_floats(rows, stride)) * sizeof(float)));
    float bias[kTileChunk];
    for (int64_t r = 0; r < rows; r += kTileChunk) {
        const int64_t n = rows - r < kTileChunk ? rows - r : kTileChunk;
        read_stored(a.bias, first + r, n, bias);
        for (int64_t j = 0; j < n; ++j)
            for (int64_t c = 0; c < stride; c += L) store(sums + (r + j) * stride + c, Vector<float, L>{} + bias[j]);
    }
    for (int64_t c = rows * stride; c < block_floats(rows, stride); ++c) sums[c] = 0;
}

template <class X, int Width, bool Ordered>
TS_INLINE void add_tiles(const TileForwardArgs& a, int64_t o, int64_t i0, int64_t i1, float* sums) {
    constexpr int L = kRowLanes<Width>;
    const Tiles& t = a.tiles;
    const int64_t* ptr = t.ptr + o * t.blocks_in();
    const int64_t stride = Width ? Width : a.stride, bytes = stride * int64_t(sizeof(X));
    const X* x = static_cast<const X*>(a.x.from);
    const X* ordered = static_cast<const X*>(a.ordered.from);
    Ahead<int(sizeof(X)) * Width, 0> ahead(t.packed, ptr, 1, i0, i1, x, bytes, t.shift);
    const auto fetch = [&] { return !Ordered && a.prefetch && ahead.fetch([](int64_t) {}, [](uint32_t) {}); };
    for (int64_t n = rows_ahead(bytes); n > 0 && fetch(); --n) {}
    float weight[kTileChunk];
    for (int64_t i = i0; i < i1; ++i) {
        const X* block = x + (i << t.shift) * stride;
        for (int64_t k = ptr[i]; k < ptr[i + 1]; k += kTileChunk) {
            const int64_t n = ptr[i + 1] - k < kTileChunk ? ptr[i + 1] - k : kTileChunk;
            const uint32_t* packed = t.packed + k;
            read_stored(a.weight, k, n, weight);
            for (int64_t j = 0; j < n; ++j) {
                fetch();
                const X* from = Ordered ? ordered + (k + j) * stride : block + int64_t(packed[j] & 0xFFFFu) * stride;
                float* to = sums + int64_t(packed[j] >> 16) * stride;
                const float w = weight[j];
#pragma GCC unroll 16
                for (int64_t c = 0; c < stride; c += L)
                    store(to + c, load<Vector<float, L>>(to + c) + w * load_row<L>(from + c));
            }
        }
    }
}

void forward(const TileForwardArgs& a, int64_t o, int64_t i0, int64_t i1, float* sums) {
    by_width(a.stride, [&](auto width) {
        start_sums<width()>(a, o, i0 == 0 && a.bias, sums);
        by_type(a.x, [&]<class X>(X*) {
            if constexpr (kMayOrder<X, width()>)
                if (a.ordered) return add_tiles<X, width(), true>(a, o, i0, i1, sums);
            add_tiles<X, width(), false>(a, o, i0, i1, sums);
        });
    });
}

void forward_order(const TileForwardArgs& a, int64_t i) {
    const Tiles& t = a.tiles;
    const int64_t columns = t.blocks_in(), rows = t.blocks_out();
    by_type(a.x, [&]<class X>(X*) {
        by_width(a.stride, [&](auto width) {
            const int64_t stride = width() ? width() : a.stride;
            const X* block = static_cast<const X*>(a.x.from) + (i << t.shift) * stride;
            X* ordered = static_cast<X*>(a.ordered.to);
            for (int64_t o = 0; o < rows; ++o) {
                // Tiles of a column lie apart: pointers, then coordinates, are fetched ahead.
                __builtin_prefetch(t.ptr + (o + 16 < rows ? o + 16 : rows - 1) * columns + i, 0, 3);
                const int64_t later = t.ptr[(o + 4 < rows ? o + 4 : rows - 1) * columns + i];
                fetch_row<256>(t.packed + later, 256);
                const int64_t end = t.ptr[o * columns + i + 1];
                for (int64_t k = t.ptr[o * columns + i]; k < end; ++k)
                    copy_row<X, width()>(ordered + k * stride, block + int64_t(t.packed[k] & 0xFFFFu) * stride, stride);
            }
        });
    });
}

void forward_finish(const TileForwardArgs& a, int64_t o, float* sums) {
    const int64_t start = (o << a.tiles.shift) * a.stride, count = a.tiles.height(o) * a.stride;
    const Epilogue& e = a.epilogue;
    const int64_t runs = ((a.stride << a.tiles.shift) + kRun - 1) / kRun;  // of a whole block: each has a stream
    for (int64_t c = 0; c < count; c += kRun) {
        const int64_t n = count - c < kRun ? count - c : kRun, at = (start + c) / 8;
        if (a.add) add_floats(a.y, start + c, n, sums + c);
        if (e.pre) stream_stored({nullptr, e.pre, a.y.half}, start + c, n, sums + c);
        if (e.kind != Activation::identity || e.kept)
            activate_run(e, o * runs + c / kRun, e.positive ? e.positive + at : nullptr, e.kept ? e.kept + at : nullptr,
                         sums + c, (n + 15) / 16 * 16);
        stream_stored(a.y, start + c, n, sums + c);
    }
    stream_done();
}

}  // namespace

void fill_tile_forward(TileKernels& table) {
    table.forward_order = forward_order;
    table.forward = forward;
    table.forward_finish = forward_finish;
}

}  // namespace ts::TS_ISA
