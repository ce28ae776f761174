// A tiled layer: connections in square tiles, one copy that both passes walk. Neurons of either side are
// cut into blocks of 2^shift; a tile holds the connections between one block of outputs and one block of inputs, each
// as two 16-bit numbers within its blocks. 4 bytes per connection, no row pointers, no transposed index: both passes
// gather rows of the other side's block by block and sum into a block that stays in cache.
#pragma once

#include <cstdint>

#include "base/bfloat16.hpp"
#include "base/views.hpp"

namespace ts {

// Tiles have 2^shift rows and columns: whole vectors, and numbers of 16 bits within them.
constexpr int kLeastShift = 3, kMostShift = 16;

struct Tiles {
    int64_t n_in = 0, n_out = 0;
    int shift = 0;                    // kLeastShift to kMostShift
    const int64_t* ptr = nullptr;     // tile (o, i) is [ptr[o * blocks_in + i], ptr[o * blocks_in + i + 1])
    const uint32_t* packed = nullptr;  // output << 16 | input, both within the block; ascending within a tile

    int64_t blocks_in() const { return ((n_in - 1) >> shift) + 1; }
    int64_t blocks_out() const { return ((n_out - 1) >> shift) + 1; }
    int64_t count() const { return blocks_in() * blocks_out(); }
    int64_t height(int64_t o) const { return block_size(n_out, o); }
    int64_t width(int64_t i) const { return block_size(n_in, i); }

    int64_t block_size(int64_t n, int64_t block) const {
        const int64_t left = n - (block << shift), full = int64_t(1) << shift;
        return left < full ? left : full;
    }
};

// An array of floats or of bfloat16. Reading and writing may go to different memory.
struct Stored {
    const void* from = nullptr;
    void* to = nullptr;
    bool half = false;

    explicit operator bool() const { return from != nullptr; }
};

// A group of parameters with its optimizer state. Where something is stored in bfloat16, updated values use
// unbiased stochastic rounding; `key` selects the random stream.
struct TileParameters {
    Stored value, slot0, slot1;
    float* gradient = nullptr;  // Update::gradient writes here; see UpdateArgs::add
    uint64_t key = 0;
};

struct TileForwardArgs {
    Tiles tiles;
    Stored weight, bias;
    Stored x, y;  // x.from: n_in x stride; y.to: n_out x stride
    int64_t stride = 0;
    Epilogue epilogue;  // bits lie along y as a whole: bit b of byte g belongs to value 8 * g + b
    bool add = false;   // to the floats that y holds
    bool prefetch = false;
    Stored ordered;     // a buffer of one row of x per connection, or none: rows are gathered at random
};

struct TileBackwardArgs {
    Tiles tiles;
    TileParameters weights, biases;
    UpdateArgs<float> weight_update, bias_update;
    Stored dy, x;  // dy.from: n_out x stride; x.from: n_in x stride
    Stored dx;     // dx.to: n_in x stride, may be x itself; none: not computed
    int64_t stride = 0;
    Epilogue input;  // the activation that made x
    bool add = false;  // to the floats that dx holds
    bool prefetch = false;
    Stored ordered;  // a buffer of one row of dy per connection, or none
};

// Rows of at most this many bytes are brought into order first, as each would otherwise take a whole cache line from
// memory.
constexpr int64_t kOrderedBytes = 16;

// Below this many blocks each is cut into parts along the other side, so that there are items for all threads.
constexpr int64_t kFewBlocks = 16;

// Values of a block are summed in scratch of this many floats: rows x stride, in whole vectors.
constexpr int64_t block_floats(int64_t rows, int64_t stride) { return (rows * stride + 15) / 16 * 16; }

// The loops, compiled once per instruction set.
struct TileKernels {
    // Propagation blocking: rows of x of block i are copied to where tiles (o, i) will read them, and rows of dy of
    // block o to where tiles (o, i) will.
    void (*forward_order)(const TileForwardArgs&, int64_t i);
    void (*backward_order)(const TileBackwardArgs&, int64_t o);
    // sums (block_floats(height, stride)) = W x over tiles (o, i0) to (o, i1).
    void (*forward)(const TileForwardArgs&, int64_t o, int64_t i0, int64_t i1, float* sums);
    // y of block o = f(sums + bias). Overwrites sums.
    void (*forward_finish)(const TileForwardArgs&, int64_t o, float* sums);
    // Updates weights of tiles (o0, i) to (o1, i); sums (block_floats(width, stride)) = W' dy over them, unless null.
    void (*backward)(const TileBackwardArgs&, int64_t i, int64_t o0, int64_t o1, float* sums);
    // dx of block i = f' * sums. Overwrites sums.
    void (*backward_finish)(const TileBackwardArgs&, int64_t i, float* sums);
    // Updates biases of outputs [begin, end).
    void (*biases)(const TileBackwardArgs&, int64_t begin, int64_t end);
    // Updates parameters [begin, end) from p.gradient.
    void (*update)(const UpdateArgs<float>&, const TileParameters& p, int64_t begin, int64_t end);
    // to[k] = from[k] for k in [begin, end), to the nearest.
    void (*convert)(const Stored& values, int64_t begin, int64_t end);
};

// The passes over threads (passes.cpp). They set prefetch themselves.
void tile_forward(TileForwardArgs args, int threads);
void tile_backward(TileBackwardArgs args, int threads);
void tile_update(const UpdateArgs<float>& rule, const TileParameters& parameters, int64_t size, int threads);
void tile_convert(const Stored& values, int64_t size, int threads);

}  // namespace ts
