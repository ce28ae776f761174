// The second index of connections of which few were removed or added, from that of before: rows are copied and
// positions shifted, where transposing would sort every connection anew.
#pragma once

#include "topology/choose.hpp"
#include "topology/transpose.hpp"

namespace ts {

// by_output of t's connections after `choice`, which has led from `t` to `result`, both by input; s: where those added
// come from. `outputs`: t's, with positions.
Transposed reindex(const Choice& choice, const SortedRows& t, const SortedRows& s, const SortedRows& result,
                   const Connections& outputs, int threads);

}  // namespace ts
