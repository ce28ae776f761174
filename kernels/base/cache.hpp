// What the machine's caches hold.
#pragma once

#include <cstdint>

namespace ts {

// Gathered rows of more bytes than this do not stay in a core's own cache, beside what streams through it, so they are
// fetched ahead: three quarters of the second-level cache.
int64_t near_bytes();

}  // namespace ts
