// Sets of connections: drawing them at random, checking them. Time and memory linear in connections.
#pragma once

#include "base/buffer.hpp"
#include "base/random.hpp"
#include "base/views.hpp"

namespace ts {

// `count` distinct numbers of [0, bound), every subset equally likely, ascending. count <= bound.
Buffer<uint64_t> sample_distinct(uint64_t count, uint64_t bound, uint64_t key, int threads);

// Adds to the ascending `set` of `size` values those of the ascending `fresh` that it lacks, and returns how many;
// `set` has capacity for all. `fresh` is overwritten.
int64_t join(uint64_t* set, int64_t size, uint64_t* fresh, int64_t count);

struct Positions {
    Buffer<int64_t> ptr;    // rows + 1
    Buffer<int32_t> index;  // ascending within a row
};

// `count` distinct places of a rows x columns layer that are empty, every subset equally likely. Empty
// means not connected in `existing` or, where `keep` is not null, connected but with keep[k] == 0.
// `kept_ptr` is existing.ptr, or the row pointers of what `keep` leaves.
Positions sample_empty(const Connections& existing, int64_t columns, const uint8_t* keep, const int64_t* kept_ptr,
                       int64_t count, uint64_t key, int threads);

// Values for `count` fresh connections. Where the scale is by_fan_in, `output` is the neuron that each leads to, and
// fan_in[o] the number of inputs of neuron o.
template <class T>
void draw_weights(T* out, int64_t count, Draw kind, const WeightScale& scale, const int32_t* output,
                  const int64_t* fan_in, uint64_t key, int threads);

// Draws single values of the stream that draw_weights draws from, at scale 1, by their number.
class WeightStream {
  public:
    WeightStream(Draw kind, uint64_t key) : kind_(kind), random_{key} {}

    double at(int64_t number) {
        if (number / 2 != block_) {
            block_ = number / 2;
            draw_pair(random_, uint64_t(block_), kind_, 1.0, pair_);
        }
        return pair_[number % 2];
    }

  private:
    Draw kind_;
    Philox random_;
    int64_t block_ = -1;
    double pair_[2] = {0, 0};
};

// Index of the first connection that violates the rules (columns ascending, unique, in range), or -1.
int64_t first_invalid(const Connections& connections, int64_t columns);

}  // namespace ts
