// Connectivity of a tiled layer: drawn at random and evolved, in time linear in connections (and tiles).
#pragma once

#include "base/buffer.hpp"
#include "base/random.hpp"
#include "tiled/tiles.hpp"

namespace ts {

struct DrawnTiles {
    Buffer<int64_t> ptr;     // tiles + 1
    Buffer<uint32_t> packed;  // see Tiles
};

// `count` distinct coordinates of an n_in x n_out layer, every subset equally likely.
DrawnTiles draw_tiles(int64_t n_in, int64_t n_out, int shift, int64_t count, uint64_t key, int threads);

// How new weights start.
struct Fresh {
    Draw kind = Draw::uniform;
    WeightScale scale;
    uint64_t key = 0;
};

// Draws the weights of all connections.
void draw_tile_weights(const Tiles& tiles, const Fresh& fresh, const Stored& values, int threads);

// Output neurons that have at least one input.
int64_t connected_outputs(const Tiles& tiles, int threads);

// Values along connections that move with them; those of new ones are drawn (the first array) or `fill`.
struct MovedTiles {
    Stored values;  // from: the old order, to: the new one
    float fill = 0;
};

// Connections with keep == 0 are removed, as many are added at uniformly random coordinates that are then empty. `ptr`
// (tiles + 1) and `packed` receive the new topology, whose size is that of the old one.
void evolve_tiles(const Tiles& old, const uint8_t* keep, int64_t count, const Fresh& fresh, uint64_t key, int64_t* ptr,
                  uint32_t* packed, const MovedTiles* moved, int arrays, int threads);

// Index of the first connection that violates the rules of Tiles, or -1.
int64_t first_invalid_tile(const Tiles& tiles, int64_t size);

}  // namespace ts
