// Topologies and weights of many networks, each on its own random streams.
#pragma once

#include "topology/sampling.hpp"

namespace ts {

// A layer of `agents` blocks of rows x columns with `count` connections each, block-diagonal: block i's are those that
// sample_empty draws for an empty layer with key keys[i].
Positions draw_blocks(int64_t agents, int64_t rows, int64_t columns, int64_t count, const uint64_t* keys, int threads);

// Values of connections, block by block: block i has those from block_ptr[i] on. Each block's are what draw_weights
// draws at `scale` with scales[i] in it and keys[i]. `output` and `fan_in` as there, of the whole layer.
template <class T>
void draw_block_weights(T* out, const int64_t* block_ptr, int64_t agents, Draw kind, const WeightScale& scale,
                        const double* scales, const int32_t* output, const int64_t* fan_in, const uint64_t* keys,
                        int threads);

}  // namespace ts
