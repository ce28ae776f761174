// The backward pass in tiles: one load of an output's gradient serves the input gradient, whose sums stay in cache, and
// the weight gradient; weights are updated on the spot. Compiled once per instruction set.
#include "base/hash.hpp"
#include "layer/epilogue.hpp"
#include "layer/update.hpp"
#include "tiled/rows.hpp"

namespace ts::TS_ISA {
namespace {

// Writes updated values; to bfloat16, up or down with 16 bits, from `Shift` on, of the number at their position.
template <int Shift>
TS_INLINE void write_rounded(const Stored& s, int64_t first, int64_t count, const float* from,
                             const HashStream& random) {
    if (!s.half) {
        __builtin_memcpy(static_cast<float*>(s.to) + first, from, size_t(count) * sizeof(float));
        return;
    }
    uint16_t* to = static_cast<uint16_t*>(s.to) + first;
    for (int64_t i = 0; i < count; ++i) {
        uint32_t u;
        __builtin_memcpy(&u, from + i, sizeof(u));
        const bool finite = (u & 0x7F800000u) != 0x7F800000u;
        to[i] = uint16_t((u + (finite ? (hash_at(random, uint32_t(first + i)) >> Shift) & 0xFFFFu : 0u)) >> 16);
    }
}

// Parameters [first, first + count), at most kTileChunk: values in `w`, gradients in `g`.
TS_APART void update_run(const UpdateArgs<float>& u, const TileParameters& p, int64_t first, int64_t count, float* w,
                         float* g) {
    if (u.kind == Update::none) return;
    if (u.add)
        for (int64_t i = 0; i < count; ++i) g[i] += p.gradient[first + i];
    if (u.kind == Update::gradient) return void(__builtin_memcpy(p.gradient + first, g, size_t(count) * sizeof(float)));
    float slot0[kTileChunk], slot1[kTileChunk];
    if (p.slot0) read_stored(p.slot0, first, count, slot0);
    if (p.slot1) read_stored(p.slot1, first, count, slot1);
    apply_update<float>(u, {w, p.slot0 ? slot0 : nullptr, p.slot1 ? slot1 : nullptr, nullptr}, 0, count, g);
    const HashStream random = hash_stream(p.key, 0);
    write_rounded<0>(p.value, first, count, w, random);
    if (p.slot0) write_rounded<16>(p.slot0, first, count, slot0, random);
    if (p.slot1) write_rounded<8>(p.slot1, first, count, slot1, random);
}

// Connections of tiles (o0, i) to (o1, i): sums[input] += weight * dy[output]; the gradient x[input] . dy[output]
// updates the weight.
template <class X, class Y, int Width, bool InputGradient, bool Ordered>
TS_APART void walk(const TileBackwardArgs& a, int64_t i, int64_t o0, int64_t o1, float* sums) {
    constexpr int L = kRowLanes<Width>;
    const Tiles& t = a.tiles;
    const int64_t columns = t.blocks_in(), stride = Width ? Width : a.stride, bytes = stride * int64_t(sizeof(Y));
    const int64_t* ptr = t.ptr + i;  // of tile o: ptr[o * columns], ptr[o * columns + 1]
    const X* x = static_cast<const X*>(a.x.from) + (i << t.shift) * stride;
    const Y* dy = static_cast<const Y*>(a.dy.from);
    const Y* ordered = static_cast<const Y*>(a.ordered.from);
    const char* weights = static_cast<const char*>(a.weights.value.from);
    const int64_t weight_size = a.weights.value.half ? 2 : 4;
    alignas(64) float weight[kTileChunk], gradient[kTileChunk], lanes[kTileChunk * L];
    Ahead<Ordered ? kNoRows : int(sizeof(Y)) * Width, 16> ahead(t.packed, ptr, columns, o0, o1, dy, bytes, t.shift);
    const auto fetch = [&] {
        return a.prefetch && ahead.fetch([&](int64_t tile) {
            // The tiles after this one lie elsewhere: their connections are fetched before their rows can be.
            const int64_t later = (tile + 4 < o1 ? tile + 4 : o1 - 1) * columns;
            __builtin_prefetch(ptr + (tile + 16 < o1 ? tile + 16 : o1 - 1) * columns, 0, 3);
            const int64_t begin = ptr[later], end = ptr[later + 1] < begin + 256 ? ptr[later + 1] : begin + 256;
            fetch_row(t.packed + begin, (end - begin) * 4);
            fetch_row(weights + begin * weight_size, (end - begin) * weight_size);
            if (Ordered) fetch_row(ordered + begin * stride, (end - begin) * bytes);
        }, [&](uint32_t p) {
            fetch_row<int(sizeof(X)) * Width>(x + int64_t(p & 0xFFFFu) * stride, stride * int64_t(sizeof(X)));
        });
    };
    for (int64_t n = rows_ahead(bytes); n > 0 && fetch(); --n) {}
    for (int64_t o = o0; o < o1; ++o) {
        const Y* block = dy + (o << t.shift) * stride;
        const int64_t end = ptr[o * columns + 1];
        for (int64_t k = ptr[o * columns]; k < end; k += kTileChunk) {
            const int64_t n = end - k < kTileChunk ? end - k : kTileChunk;
            const uint32_t* packed = t.packed + k;
            read_stored(a.weights.value, k, n, weight);
            for (int64_t j = 0; j < n; ++j) {
                fetch();
                const int64_t input = int64_t(packed[j] & 0xFFFFu) * stride;
                const Y* g_row = Ordered ? ordered + (k + j) * stride : block + int64_t(packed[j] >> 16) * stride;
                const float w = weight[j];
                Vector<float, L> dot{};
#pragma GCC unroll 16
                for (int64_t c = 0; c < stride; c += L) {
                    const Vector<float, L> g = load_row<L>(g_row + c);
                    dot += load_row<L>(x + input + c) * g;
                    if constexpr (InputGradient) {
                        float* to = sums + input + c;
                        store(to, load<Vector<float, L>>(to) + w * g);
                    }
                }
                store(lanes + j * L, dot);
            }
            const int64_t full = (n + L - 1) / L * L;  // L divides kTileChunk
            for (int64_t c = n * L; c < full * L; ++c) lanes[c] = 0;
            for (int64_t c = 0; c < full; c += L) store(gradient + c, sum_each<L, float>(lanes + c * L));
            update_run(a.weight_update, a.weights, k, n, weight, gradient);
        }
    }
}

void backward(const TileBackwardArgs& a, int64_t i, int64_t o0, int64_t o1, float* sums) {
    if (sums) __builtin_memset(sums, 0, size_t(block_floats(a.tiles.width(i), a.stride)) * sizeof(float));
    by_type(a.x, [&]<class X>(X*) {
        by_type(a.dy, [&]<class Y>(Y*) {
            by_width(a.stride, [&](auto width) {
                if constexpr (kMayOrder<Y, width()>)
                    if (sums && a.ordered) return walk<X, Y, width(), true, true>(a, i, o0, o1, sums);
                if (sums) walk<X, Y, width(), true, false>(a, i, o0, o1, sums);
                else walk<X, Y, width(), false, false>(a, i, o0, o1, sums);
            });
        });
    });
}

void backward_order(const TileBackwardArgs& a, int64_t o) {
    const Tiles& t = a.tiles;
    by_type(a.dy, [&]<class Y>(Y*) {
        by_width(a.stride, [&](auto width) {
            const int64_t stride = width() ? width() : a.stride, columns = t.blocks_in();
            const Y* block = static_cast<const Y*>(a.dy.from) + (o << t.shift) * stride;
            Y* ordered = static_cast<Y*>(a.ordered.to);
            const int64_t end = t.ptr[(o + 1) * columns];
            for (int64_t k = t.ptr[o * columns]; k < end; ++k)
                copy_row<Y, width()>(ordered + k * stride, block + int64_t(t.packed[k] >> 16) * stride, stride);
        });
    });
}

void backward_finish(const TileBackwardArgs& a, int64_t i, float* sums) {
    const int64_t start = (i << a.tiles.shift) * a.stride, count = a.tiles.width(i) * a.stride;
    const Epilogue& e = a.input;
    const Stored from = needs_pre_activation(e.kind) ? Stored{e.pre, nullptr, a.x.half} : a.x;
    alignas(64) float value[kRun] = {};
    for (int64_t c = 0; c < count; c += kRun) {
        const int64_t n = count - c < kRun ? count - c : kRun, at = (start + c) / 8;
        if (reads_values(e.kind)) read_stored(from, start + c, n, value);
        if (e.kind != Activation::identity || e.kept)
            derive_run(e, e.positive ? e.positive + at : nullptr, e.kept ? e.kept + at : nullptr, sums + c, value,
                       sums + c, (n + 15) / 16 * 16);
        if (a.add) add_floats(a.dx, start + c, n, sums + c);
        stream_stored(a.dx, start + c, n, sums + c);
    }
    stream_done();
}

void biases(const TileBackwardArgs& a, int64_t begin, int64_t end) {
    float value[kTileChunk], gradient[kTileChunk];
    for (int64_t r = begin; r < end; r += kTileChunk) {
        const int64_t n = end - r < kTileChunk ? end - r : kTileChunk;
        by_type(a.dy, [&]<class Y>(Y*) {
            by_width(a.stride, [&](auto width) {
                constexpr int L = kRowLanes<width()>;
                const int64_t stride = width() ? width() : a.stride;
                for (int64_t j = 0; j < n; ++j) {
                    const Y* row = static_cast<const Y*>(a.dy.from) + (r + j) * stride;
                    Vector<float, L> sum{};
                    for (int64_t c = 0; c < stride; c += L) sum += load_row<L>(row + c);
                    gradient[j] = sum_lanes<L, float>(sum);
                }
            });
        });
        read_stored(a.biases.value, r, n, value);
        update_run(a.bias_update, a.biases, r, n, value, gradient);
    }
}

void update(const UpdateArgs<float>& rule, const TileParameters& p, int64_t begin, int64_t end) {
    float value[kTileChunk], gradient[kTileChunk];
    for (int64_t k = begin; k < end; k += kTileChunk) {
        const int64_t n = end - k < kTileChunk ? end - k : kTileChunk;
        read_stored(p.value, k, n, value);
        __builtin_memcpy(gradient, p.gradient + k, size_t(n) * sizeof(float));
        update_run(rule, p, k, n, value, gradient);
    }
}

void convert(const Stored& values, int64_t begin, int64_t end) {
    if (values.half)
        write_run(static_cast<bf16*>(values.to) + begin, end - begin, static_cast<const float*>(values.from) + begin);
    else read_run(static_cast<const bf16*>(values.from) + begin, end - begin, static_cast<float*>(values.to) + begin);
}

}  // namespace

void fill_tile_backward(TileKernels& table) {
    table.backward_order = backward_order;
    table.backward = backward;
    table.backward_finish = backward_finish;
    table.biases = biases;
    table.update = update;
    table.convert = convert;
}

}  // namespace ts::TS_ISA
