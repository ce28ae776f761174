// Connections by the other side. Time and memory linear in connections.
#pragma once

#include "base/buffer.hpp"
#include "base/views.hpp"

namespace ts {

struct Transposed {
    Buffer<int64_t> ptr;        // columns + 1
    Buffer<int32_t> index;      // the rows, ascending
    Buffer<uint32_t> position;  // of each connection in the source order
};

Transposed transpose(const Connections& source, int64_t columns, int threads);

}  // namespace ts
