// CH2-L3n scores of all empty places at the ends of paths of length three, row by row and not stored.
#pragma once

#include <cstdint>

#include "topology/path_sampling.hpp"

namespace ts {

// How many paths of length three there are, those to existing connections included.
double count_paths(const Connections& by_input, int64_t n_out);

enum class Pick { sampled, largest };

// Up to `count` of the empty places with a score (see PathSampler) that are not in the ascending `held`: those of
// largest score, of equal ones any; or drawn one by one in proportion to their scores. As u * n_out + v, ascending.
// Time in proportion to count_paths, memory linear in count and neurons.
Buffer<uint64_t> pick_by_score(const BothSides& sides, int64_t n_out, const uint64_t* held, int64_t n_held,
                               int64_t count, Pick pick, uint64_t key, int threads);

}  // namespace ts
