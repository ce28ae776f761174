// Block-diagonal layers: one layer of many independent networks (agents) of the same sizes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/buffer.hpp"
#include "base/threads.hpp"
#include "topology/transpose.hpp"

namespace ts {

// By input: inputs of agent a are rows a * n_in to (a + 1) * n_in, its outputs are numbered from a * n_out.
struct Blocks {
    int64_t agents = 0, n_in = 0, n_out = 0;
    const int64_t* ptr = nullptr;
    const int32_t* index = nullptr;

    int64_t rows() const { return agents * n_in; }
    int64_t columns() const { return agents * n_out; }
    int64_t size() const { return ptr[rows()]; }
    int64_t start(int64_t agent) const { return ptr[agent * n_in]; }
    int64_t count(int64_t agent) const { return start(agent + 1) - start(agent); }

    // Whether a connection of this agent leads to another one.
    bool leave(int64_t agent) const {
        const int64_t first = agent * n_out;
        for (int64_t r = agent * n_in; r < (agent + 1) * n_in; ++r)
            if (ptr[r] < ptr[r + 1] && (index[ptr[r]] < first || index[ptr[r + 1] - 1] >= first + n_out)) return true;
        return false;
    }

    // Runs body(first, last) over all agents, in parts by connections and neurons.
    template <class Body>
    void in_parts(int threads, Body&& body) const;
};

// A block-diagonal layer in the making, whose agents have as many connections as in `from`, so that each block's place
// is known: agents are written side by side, in any order. arrays: along the connections.
template <class T>
struct NewBlocks {
    Buffer<int64_t> ptr{0};
    Buffer<int32_t> index{0};
    Transposed by_output{Buffer<int64_t>(0), Buffer<int32_t>(0), Buffer<uint32_t>(0)};
    std::vector<Buffer<T>> arrays;
    Buffer<int64_t> grown{0};  // connections that are new, of each agent
    int64_t failed = -1;    // the first agent that failed; all else is not complete then
    bool outside = false;   // because of connections that lead to another agent

    NewBlocks() = default;
    NewBlocks(const Blocks& from, size_t n_arrays)
        : ptr(from.rows() + 1), index(from.size()),
          by_output{Buffer<int64_t>(from.columns() + 1), Buffer<int32_t>(from.size()), Buffer<uint32_t>(from.size())},
          grown(from.agents) {
        for (size_t a = 0; a < n_arrays; ++a) arrays.push_back(Buffer<T>(from.size()));
        ptr[0] = by_output.ptr[0] = 0;
    }

    // Fills by_output of an agent whose rows are there: a counting sort within the block.
    void transpose(const Blocks& from, int64_t agent, std::vector<int64_t>& cursor) {
        const int64_t row0 = agent * from.n_in, column0 = agent * from.n_out, base = from.start(agent);
        cursor.assign(size_t(from.n_out) + 1, 0);
        for (int64_t k = base; k < base + from.count(agent); ++k) ++cursor[size_t(index[k] - column0) + 1];
        cursor[0] = base;
        for (int64_t c = 0; c < from.n_out; ++c) {
            cursor[size_t(c) + 1] += cursor[size_t(c)];
            by_output.ptr[column0 + c + 1] = cursor[size_t(c) + 1];
        }
        int64_t k = base;
        for (int64_t r = row0; r < row0 + from.n_in; ++r)
            for (; k < ptr[r + 1]; ++k) {
                const int64_t at = cursor[size_t(index[k] - column0)]++;
                by_output.index[at] = int32_t(r);
                by_output.position[at] = uint32_t(k);
            }
    }
};

template <class Body>
void Blocks::in_parts(int threads, Body&& body) const {
    const int64_t parts = threads > 1 ? std::min<int64_t>(agents, int64_t(threads) * 8) : 1;
    std::vector<int64_t> starts(size_t(agents) + 1);
    for (int64_t a = 0; a <= agents; ++a) starts[size_t(a)] = start(a);
    parallel_for(parts, threads, [&](int64_t part) {
        body(balanced_row(starts.data(), agents, n_in + n_out, parts, part),
             balanced_row(starts.data(), agents, n_in + n_out, parts, part + 1));
    });
}

}  // namespace ts
