#include "tiled/topology.hpp"

#include <algorithm>

#include "base/threads.hpp"
#include "topology/sampling.hpp"

namespace ts {
namespace {

// Places are numbered tile by tile: tile (o, i) holds the numbers from first(o, i) on, row by row.
struct Numbering {
    Tiles tiles;
    int64_t columns;

    explicit Numbering(const Tiles& t) : tiles(t), columns(t.blocks_in()) {}

    uint64_t first(int64_t o, int64_t i) const {
        return (uint64_t(o) << tiles.shift) * uint64_t(tiles.n_in) +
               (uint64_t(i) << tiles.shift) * uint64_t(tiles.height(o));
    }
    uint64_t size(int64_t o, int64_t i) const { return uint64_t(tiles.height(o)) * uint64_t(tiles.width(i)); }
};

// Threads worth waking for this many connections.
int workers_for(int64_t connections, int threads) { return threads_for(connections * 8, threads); }

uint32_t place_of(uint64_t number, uint64_t width) { return uint32_t(number / width) << 16 | uint32_t(number % width); }

void set(const Stored& values, int64_t at, float value) {
    if (values.half) static_cast<bf16*>(values.to)[at] = bf16(value);
    else static_cast<float*>(values.to)[at] = value;
}

void copy(const Stored& values, int64_t at, int64_t from) {
    if (values.half) static_cast<bf16*>(values.to)[at] = static_cast<const bf16*>(values.from)[from];
    else static_cast<float*>(values.to)[at] = static_cast<const float*>(values.from)[from];
}

// The number of inputs of each neuron of a block of outputs.
class BlockFanIn {
  public:
    explicit BlockFanIn(const Tiles& tiles) : tiles_(tiles), counts_(int64_t(1) << tiles.shift) {}

    // Counts block o of the tiles.
    const int32_t* of(int64_t o) {
        std::fill_n(counts_.data(), tiles_.height(o), 0);
        const int64_t columns = tiles_.blocks_in();
        for (int64_t k = tiles_.ptr[o * columns]; k < tiles_.ptr[(o + 1) * columns]; ++k)
            ++counts_[tiles_.packed[k] >> 16];
        return counts_.data();
    }

  private:
    Tiles tiles_;
    Buffer<int32_t> counts_;
};

}  // namespace

void draw_tile_weights(const Tiles& tiles, const Fresh& fresh, const Stored& values, int threads) {
    const int64_t columns = tiles.blocks_in();
    const int workers = threads_for(tiles.ptr[tiles.count()] * 32, threads);
    parallel_ranges(tiles.blocks_out(), workers, [&](int64_t begin, int64_t end) {
        BlockFanIn fan_in(tiles);
        WeightStream stream(fresh.kind, fresh.key);
        for (int64_t o = begin; o < end; ++o) {
            const int32_t* inputs = fan_in.of(o);
            for (int64_t k = tiles.ptr[o * columns]; k < tiles.ptr[(o + 1) * columns]; ++k)
                set(values, k, float(stream.at(k) * fresh.scale.of(inputs[tiles.packed[k] >> 16])));
        }
    });
}

int64_t connected_outputs(const Tiles& tiles, int threads) {
    Buffer<int64_t> connected(tiles.blocks_out());
    const int workers = workers_for(tiles.ptr[tiles.count()], threads);
    parallel_ranges(tiles.blocks_out(), workers, [&](int64_t begin, int64_t end) {
        BlockFanIn fan_in(tiles);
        for (int64_t o = begin; o < end; ++o) {
            const int32_t* inputs = fan_in.of(o);
            connected[o] = tiles.height(o) - std::count(inputs, inputs + tiles.height(o), 0);
        }
    });
    int64_t sum = 0;
    for (int64_t o = 0; o < tiles.blocks_out(); ++o) sum += connected[o];
    return sum;
}

DrawnTiles draw_tiles(int64_t n_in, int64_t n_out, int shift, int64_t count, uint64_t key, int threads) {
    const Tiles shape{n_in, n_out, shift, nullptr, nullptr};
    const Numbering numbering(shape);
    const int64_t columns = numbering.columns;
    DrawnTiles out{Buffer<int64_t>(shape.count() + 1), Buffer<uint32_t>(count)};
    const Buffer<uint64_t> numbers = sample_distinct(uint64_t(count), uint64_t(n_in) * uint64_t(n_out), key, threads);
    out.ptr[shape.count()] = count;
    parallel_ranges(shape.count(), workers_for(count + shape.count(), threads), [&](int64_t begin, int64_t end) {
        int64_t at = std::lower_bound(numbers.data(), numbers.data() + count,
                                      numbering.first(begin / columns, begin % columns)) -
                     numbers.data();
        for (int64_t tile = begin; tile < end; ++tile) {
            const int64_t o = tile / columns, i = tile % columns;
            const uint64_t first = numbering.first(o, i), stop = first + numbering.size(o, i),
                           width = uint64_t(shape.width(i));
            out.ptr[tile] = at;
            for (; at < count && numbers[at] < stop; ++at) out.packed[at] = place_of(numbers[at] - first, width);
        }
    });
    return out;
}

void evolve_tiles(const Tiles& old, const uint8_t* keep, int64_t count, const Fresh& fresh, uint64_t key, int64_t* ptr,
                  uint32_t* packed, const MovedTiles* moved, int arrays, int threads) {
    const Numbering numbering(old);
    const int64_t columns = numbering.columns, tiles = old.count(), connections = old.ptr[tiles];
    const int workers = workers_for(connections + tiles, threads);
    Buffer<int64_t> kept(tiles + 1);  // connections that stay in the tiles before
    kept[0] = 0;
    parallel_ranges(tiles, workers, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
            int64_t here = 0;
            for (int64_t k = old.ptr[t]; k < old.ptr[t + 1]; ++k) here += keep[k] != 0;
            kept[t + 1] = here;
        }
    });
    for (int64_t t = 0; t < tiles; ++t) kept[t + 1] += kept[t];
    // Empty coordinates are numbered in the order of all coordinates, without those that stay occupied.
    const uint64_t empty = uint64_t(old.n_in) * uint64_t(old.n_out) - uint64_t(kept[tiles]);
    const Buffer<uint64_t> ranks = sample_distinct(uint64_t(count), empty, key, threads);
    const auto empty_before = [&](int64_t t) {
        return t == tiles ? empty : numbering.first(t / columns, t % columns) - uint64_t(kept[t]);
    };
    ptr[tiles] = kept[tiles] + count;
    parallel_ranges(tiles, workers, [&](int64_t begin, int64_t end) {
        int64_t g = std::lower_bound(ranks.data(), ranks.data() + count, empty_before(begin)) - ranks.data();
        int64_t at = kept[begin] + g;
        WeightStream stream(fresh.kind, fresh.key);
        const double scale = fresh.scale.by_fan_in ? 0 : fresh.scale.of(0);  // by_fan_in: below
        for (int64_t t = begin; t < end; ++t) {
            ptr[t] = at;
            const uint64_t start = empty_before(t), stop = empty_before(t + 1),
                           width = uint64_t(old.width(t % columns));
            int64_t k = old.ptr[t];
            const int64_t k_end = old.ptr[t + 1];
            uint64_t before = 0;  // coordinates at or before the next new one that stay occupied
            const auto take_old = [&] {
                packed[at] = old.packed[k];
                for (int a = 0; a < arrays; ++a) copy(moved[a].values, at, k);
                ++at;
                ++k;
                ++before;
            };
            for (; g < count && ranks[g] < stop; ++g) {
                for (;;) {
                    while (k < k_end && !keep[k]) ++k;
                    if (k == k_end) break;
                    const uint64_t taken = uint64_t(old.packed[k] >> 16) * width + (old.packed[k] & 0xFFFFu);
                    if (taken > ranks[g] - start + before) break;
                    take_old();
                }
                packed[at] = place_of(ranks[g] - start + before, width);
                for (int a = 0; a < arrays; ++a)
                    set(moved[a].values, at, a == 0 ? float(stream.at(g) * scale) : moved[a].fill);
                ++at;
            }
            for (;;) {
                while (k < k_end && !keep[k]) ++k;
                if (k == k_end) break;
                take_old();
            }
        }
    });
    if (!fresh.scale.by_fan_in) return;
    // Only now is the number of inputs of each neuron known. New connections are those that the kept ones, walked along
    // with them, do not hold.
    const Tiles now{old.n_in, old.n_out, old.shift, ptr, packed};
    parallel_ranges(old.blocks_out(), workers, [&](int64_t begin, int64_t end) {
        BlockFanIn fan_in(now);
        WeightStream stream(fresh.kind, fresh.key);
        for (int64_t o = begin; o < end; ++o) {
            const int32_t* inputs = fan_in.of(o);
            for (int64_t t = o * columns; t < (o + 1) * columns; ++t) {
                int64_t k = old.ptr[t], number = ptr[t] - kept[t];
                for (int64_t at = ptr[t]; at < ptr[t + 1]; ++at) {
                    while (k < old.ptr[t + 1] && !keep[k]) ++k;
                    if (k < old.ptr[t + 1] && old.packed[k] == packed[at]) ++k;
                    else
                        set(moved[0].values, at, float(stream.at(number++) * fresh.scale.of(inputs[packed[at] >> 16])));
                }
            }
        }
    });
}

int64_t first_invalid_tile(const Tiles& tiles, int64_t size) {
    const int64_t columns = tiles.blocks_in();
    for (int64_t t = 0; t < tiles.count(); ++t) {
        if (tiles.ptr[t + 1] < tiles.ptr[t] || tiles.ptr[t + 1] > size) return std::min(tiles.ptr[t], size);
        const int64_t height = tiles.height(t / columns), width = tiles.width(t % columns);
        for (int64_t k = tiles.ptr[t]; k < tiles.ptr[t + 1]; ++k) {
            const uint32_t packed = tiles.packed[k];
            if (int64_t(packed >> 16) >= height || int64_t(packed & 0xFFFFu) >= width) return k;
            if (k > tiles.ptr[t] && packed <= tiles.packed[k - 1]) return k;
        }
    }
    return -1;
}

}  // namespace ts
