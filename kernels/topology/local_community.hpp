// Growth from the topology alone: where paths of length three end, in proportion to their CH2-L3n scores (Zhang et al.,
// NeurIPS 2025). No score matrix.
#pragma once

#include "topology/path_scores.hpp"
#include "topology/sampling.hpp"

namespace ts {

// `count` distinct empty places of a layer of which keep marks the connections that remain (null: all). Sampled: one by
// one, each with probability proportional to its score among those not chosen yet; expected time in proportion to
// connections and count, but that the last few are found by pick_by_score where drawing repeats itself and there are no
// more than max_paths paths. Largest: pick_by_score. Places without a score, uniformly, where those with one are too
// few. Memory linear in connections, count and neurons. count is at most the number of empty places.
Positions grow_by_paths(const Connections& existing, int64_t n_out, const uint8_t* keep, int64_t count, Pick pick,
                        double max_paths, uint64_t key, int threads);

}  // namespace ts
